// The open stores of this process, see store_registry.h.

#include "vfs/internal/store_registry.h"

#include <filesystem>
#include <system_error>

#include "engine/check.h"

namespace tidemark::internal {

std::string NormalizedDirectory(std::string_view directory) {
  // Nothing to do, as for every name that came through here before: opening an object is too short
  // for a look at the file system.
  if (directory.starts_with('/') && directory.size() > 1 && !directory.ends_with('/') &&
      directory.find("//") == directory.npos && directory.find("/.") == directory.npos) {
    return std::string(directory);
  }
  std::error_code error;
  std::filesystem::path path = std::filesystem::absolute(directory, error);
  if (error) path = directory;
  std::string text = path.lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

StoreRegistry& StoreRegistry::Get() {
  static auto* registry = new StoreRegistry;
  return *registry;
}

Status StoreRegistry::Attach(Store* store) {
  std::lock_guard lock(mutex_);
  TIDEMARK_ASSIGN_OR_RETURN(const Entries::iterator entry, EntryOf(store));
  if (entry->second.attached) {
    return Status(StatusCode::kExists, "the store of " + entry->first + " is attached already");
  }
  entry->second.attached = true;
  return OkStatus();
}

void StoreRegistry::Detach(Store* store) {
  std::lock_guard lock(mutex_);
  const auto it = by_store_.find(store);
  if (it == by_store_.end()) return;
  it->second->second.attached = false;
  EraseIfUnused(it->second);
}

Result<std::string> StoreRegistry::AddUser(Store* store) {
  std::lock_guard lock(mutex_);
  TIDEMARK_ASSIGN_OR_RETURN(const Entries::iterator entry, EntryOf(store));
  ++entry->second.users;
  return entry->first;
}

void StoreRegistry::RemoveUser(Store* store) {
  std::lock_guard lock(mutex_);
  const auto it = by_store_.find(store);
  CHECK(it != by_store_.end());
  CHECK(it->second->second.users > 0);
  --it->second->second.users;
  EraseIfUnused(it->second);
}

Store* StoreRegistry::Find(const std::string& directory) {
  std::lock_guard lock(mutex_);
  const auto it = entries_.find(directory);
  return it == entries_.end() ? nullptr : it->second.store;
}

Result<StoreRegistry::Entries::iterator> StoreRegistry::EntryOf(Store* store) {
  if (const auto known = by_store_.find(store); known != by_store_.end()) return known->second;
  const auto [entry, made] = entries_.try_emplace(NormalizedDirectory(store->directory()));
  if (!made) {
    return Status(StatusCode::kExists, "another store of " + entry->first + " is attached");
  }
  entry->second.store = store;
  by_store_.emplace(store, entry);
  return entry;
}

void StoreRegistry::EraseIfUnused(Entries::iterator entry) {
  if (entry->second.attached || entry->second.users > 0) return;
  by_store_.erase(entry->second.store);
  entries_.erase(entry);
}

}  // namespace tidemark::internal
