// StoreRegistry: the open stores of this process, by directory, for the names that SQLite opens.
//
// A store is here while someone attached it, or while it is used:
//
//   attached   by its embedder, once, with AttachStore
//   users      its open files and Databases. The last of a store that a file name opened itself
//              closes it.
//
// After fork() the child has a new, empty registry. The parent's stores stay the parent's: a lease
// from before the fork says so (inherited()), and giving it back does nothing, because the child
// has neither the store's threads nor the right to write its log.
//
// Any thread may call. Opening and closing a store, which may take long, holds up other stores that
// are opened or closed by name, and nothing else.

#ifndef TIDEMARK_VFS_INTERNAL_STORE_REGISTRY_H_
#define TIDEMARK_VFS_INTERNAL_STORE_REGISTRY_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "engine/result.h"
#include "engine/status.h"
#include "engine/store.h"

namespace tidemark::internal {

// A directory as the registry compares them: absolute, without ".", ".." and double slashes, by
// the look of it only (symbolic links are not followed).
std::string NormalizedDirectory(std::string_view directory);

class StoreRegistry;

// A store in use by one open file; gives it back when destroyed.
class StoreLease {
 public:
  StoreLease(StoreLease&& other) noexcept;
  StoreLease& operator=(StoreLease&&) = delete;
  ~StoreLease();

  Store* get() const { return store_; }
  Store* operator->() const { return store_; }
  Store& operator*() const { return *store_; }

  // True in a child that fork() made after this lease: the store may not even be looked at.
  bool inherited() const;
  // The process that opened it.
  pid_t owner_pid() const;

 private:
  friend class StoreRegistry;
  StoreLease(StoreRegistry* registry, Store* store) : registry_(registry), store_(store) {}

  StoreRegistry* registry_;
  Store* store_;  // null when moved from
};

class StoreRegistry {
 public:
  // Lives for ever: connections may be closed late in the life of a process.
  static StoreRegistry& Get();

  // Errors: kExists if a store of that directory is attached already.
  Status Attach(Store* store);
  // Errors: kBusy, with their number, while databases of it are open: it is attached still.
  Status Detach(Store* store);

  // For a Database: attaches if need be, and returns the store's normalized directory. Errors:
  // kExists if another Store of the same directory is attached.
  Result<std::string> AddUser(Store* store);
  void RemoveUser(Store* store);

  // For a file: the store of `directory` (normalized), opened if this process does not have it open
  // yet. Errors: as Store::Open; kNotFound if there is none and `if_missing` is kFail.
  Result<StoreLease> Acquire(const std::string& directory, IfMissing if_missing);

  // Makes everything durable that was committed to stores that file names opened.
  void SyncOwned() noexcept;

 private:
  friend class StoreLease;

  struct Entry {
    Store* store = nullptr;
    std::unique_ptr<Store> owned{};  // if a file name opened it
    bool attached = false;           // by Attach
    int users = 0;
  };

  using Entries = std::map<std::string, Entry>;  // by normalized directory

  explicit StoreRegistry(const StoreRegistry* parent);

  // The entry of a store, made if it has none and its directory is not another store's. A store
  // keeps the directory it began with: a relative one must not follow the process's chdir().
  Result<Entries::iterator> EntryOf(Store* store);
  StoreLease Lease(Entry& entry);
  void EraseIfUnused(Entries::iterator entry);
  // Of a lease: closes the store if that was the last user and a file name opened it.
  void Release(Store* store) noexcept;

  const pid_t pid_;  // that made this registry
  // The registry before fork(), in a child of it; null otherwise. Never looked into, since some
  // thread may have held its mutex; kept, so that nothing takes what it owns for lost.
  const StoreRegistry* const parent_;
  std::mutex open_mutex_;  // held while an owned store opens or closes; taken before mutex_
  std::mutex mutex_;       // guards all below
  Entries entries_;
  std::map<const Store*, Entries::iterator> by_store_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_STORE_REGISTRY_H_
