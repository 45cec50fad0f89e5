// The open stores of this process, see store_registry.h.

#include "vfs/internal/store_registry.h"

#include <filesystem>
#include <system_error>

#include "engine/check.h"

namespace tidemark::internal {

std::string NormalizedDirectory(std::string_view directory) {
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
  const std::string directory = NormalizedDirectory(store->directory());
  std::lock_guard lock(mutex_);
  Entry& entry = entries_[directory];
  if (entry.attached || (entry.store != nullptr && entry.store != store)) {
    return Status(StatusCode::kExists, "a store of " + directory + " is attached already");
  }
  entry.store = store;
  entry.attached = true;
  return OkStatus();
}

void StoreRegistry::Detach(Store* store) {
  const std::string directory = NormalizedDirectory(store->directory());
  std::lock_guard lock(mutex_);
  const auto it = entries_.find(directory);
  if (it == entries_.end() || it->second.store != store) return;
  it->second.attached = false;
  EraseIfUnused(directory);
}

Status StoreRegistry::AddUser(Store* store) {
  const std::string directory = NormalizedDirectory(store->directory());
  std::lock_guard lock(mutex_);
  Entry& entry = entries_[directory];
  if (entry.store != nullptr && entry.store != store) {
    return Status(StatusCode::kExists, "another store of " + directory + " is attached");
  }
  entry.store = store;
  ++entry.users;
  return OkStatus();
}

void StoreRegistry::RemoveUser(Store* store) {
  const std::string directory = NormalizedDirectory(store->directory());
  std::lock_guard lock(mutex_);
  const auto it = entries_.find(directory);
  CHECK(it != entries_.end());
  CHECK(it->second.users > 0);
  --it->second.users;
  EraseIfUnused(directory);
}

Store* StoreRegistry::Find(const std::string& directory) {
  std::lock_guard lock(mutex_);
  const auto it = entries_.find(directory);
  return it == entries_.end() ? nullptr : it->second.store;
}

void StoreRegistry::EraseIfUnused(const std::string& directory) {
  const auto it = entries_.find(directory);
  if (!it->second.attached && it->second.users == 0) entries_.erase(it);
}

}  // namespace tidemark::internal
