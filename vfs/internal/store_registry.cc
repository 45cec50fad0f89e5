// The open stores of this process, see store_registry.h.

#include "vfs/internal/store_registry.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <system_error>
#include <utility>

#include "engine/check.h"
#include "vfs/internal/sqlite.h"
#include "vfs/internal/sqlite_result.h"

namespace tidemark::internal {
namespace {

std::atomic<StoreRegistry*> registry{nullptr};

// Two spellings of one directory, one of them through a symbolic link.
bool IsSameDirectory(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error) && !error;
}

}  // namespace

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

// ---- Leases ------------------------------------------------------------------------------------

StoreLease::StoreLease(StoreLease&& other) noexcept
    : registry_(other.registry_), store_(std::exchange(other.store_, nullptr)) {}

StoreLease::~StoreLease() {
  if (store_ != nullptr && !inherited()) registry_->Release(store_);
}

bool StoreLease::inherited() const { return registry_ != &StoreRegistry::Get(); }

pid_t StoreLease::owner_pid() const { return registry_->pid_; }

// ---- The registry ------------------------------------------------------------------------------

StoreRegistry::StoreRegistry(const StoreRegistry* parent) : pid_(::getpid()), parent_(parent) {}

StoreRegistry& StoreRegistry::Get() {
  if (StoreRegistry* known = registry.load(std::memory_order_acquire)) return *known;
  static const bool made = [] {
    registry.store(new StoreRegistry(nullptr), std::memory_order_release);
    pthread_atfork(nullptr, nullptr, [] {
      registry.store(new StoreRegistry(registry.load()), std::memory_order_release);
    });
    return true;
  }();
  static_cast<void>(made);
  return *registry.load(std::memory_order_acquire);
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

Status StoreRegistry::Detach(Store* store) {
  std::lock_guard lock(mutex_);
  const auto it = by_store_.find(store);
  if (it == by_store_.end()) return OkStatus();
  Entry& entry = it->second->second;
  if (entry.users > 0) {
    return Status(StatusCode::kBusy, "the store of " + it->second->first + " has " +
                                         std::to_string(entry.users) +
                                         " open database(s): close them first");
  }
  entry.attached = false;
  EraseIfUnused(it->second);
  return OkStatus();
}

Result<std::string> StoreRegistry::AddUser(Store* store) {
  std::lock_guard lock(mutex_);
  TIDEMARK_ASSIGN_OR_RETURN(const Entries::iterator entry, EntryOf(store));
  std::string directory = entry->first;
  ++entry->second.users;
  return directory;
}

void StoreRegistry::RemoveUser(Store* store) {
  std::lock_guard lock(mutex_);
  const auto it = by_store_.find(store);
  if (it == by_store_.end() && parent_ != nullptr) return;  // a Database of the parent
  CHECK(it != by_store_.end());
  CHECK(it->second->second.users > 0);
  --it->second->second.users;
  EraseIfUnused(it->second);
}

StoreLease StoreRegistry::Lease(Entry& entry) {
  ++entry.users;
  return StoreLease(this, entry.store);
}

Result<StoreLease> StoreRegistry::Acquire(const std::string& directory, IfMissing if_missing) {
  {
    std::lock_guard lock(mutex_);
    if (const auto it = entries_.find(directory); it != entries_.end()) return Lease(it->second);
  }
  std::lock_guard open_lock(open_mutex_);
  {
    std::lock_guard lock(mutex_);
    for (auto& [known, entry] : entries_) {
      if (known == directory || IsSameDirectory(known, directory)) return Lease(entry);
    }
  }
  TIDEMARK_ASSIGN_OR_RETURN(
      std::unique_ptr<Store> store,
      Store::Open(directory, {.create_if_missing = if_missing == IfMissing::kCreate}));
  // A program need not close its connections before it ends, and with synchronous=NORMAL the
  // latest commits may still be in memory then. With a file the kernel would have them.
  static const int at_exit = std::atexit([] { Get().SyncOwned(); });
  static_cast<void>(at_exit);

  std::lock_guard lock(mutex_);
  TIDEMARK_ASSIGN_OR_RETURN(const Entries::iterator it, EntryOf(store.get()));
  it->second.owned = std::move(store);
  return Lease(it->second);
}

void StoreRegistry::Release(Store* store) noexcept {
  {
    std::lock_guard lock(mutex_);
    const auto it = by_store_.find(store);
    CHECK(it != by_store_.end());
    Entry& entry = it->second->second;
    CHECK(entry.users > 0);
    if (--entry.users > 0) return;
    if (entry.owned == nullptr) {
      EraseIfUnused(it->second);
      return;
    }
  }
  // Whoever opens the store again must find it either still open or closed altogether.
  std::lock_guard open_lock(open_mutex_);
  std::unique_ptr<Store> last;
  {
    std::lock_guard lock(mutex_);
    const auto it = by_store_.find(store);
    if (it == by_store_.end() || it->second->second.users > 0) return;
    last = std::move(it->second->second.owned);
    EraseIfUnused(it->second);
  }
  if (last == nullptr) return;
  if (const Status status = last->Close(); !status.ok()) {
    LogError(SQLITE_IOERR_CLOSE, status);
  }
}

void StoreRegistry::SyncOwned() noexcept {
  std::lock_guard lock(mutex_);
  for (auto& [directory, entry] : entries_) {
    if (entry.owned == nullptr) continue;
    if (const Status status = entry.owned->Sync(); !status.ok()) {
      LogError(SQLITE_IOERR_FSYNC, status);
    }
  }
}

Result<StoreRegistry::Entries::iterator> StoreRegistry::EntryOf(Store* store) {
  if (const auto known = by_store_.find(store); known != by_store_.end()) return known->second;
  const auto [entry, made] = entries_.try_emplace(NormalizedDirectory(store->directory()));
  if (!made) {
    return Status(StatusCode::kExists, "another store of " + entry->first + " is attached");
  }
  entry->second.store = store;
  try {
    by_store_.emplace(store, entry);
  } catch (const std::bad_alloc&) {
    entries_.erase(entry);
    throw;
  }
  return entry;
}

void StoreRegistry::EraseIfUnused(Entries::iterator entry) {
  if (entry->second.attached || entry->second.users > 0) return;
  by_store_.erase(entry->second.store);
  entries_.erase(entry);
}

}  // namespace tidemark::internal
