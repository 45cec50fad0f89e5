// StoreRegistry: the open stores of this process, by directory, for the names that SQLite opens.
//
// A store is here while someone attached it: the embedder (once, by AttachStore) or its open
// Databases (counted). Any thread may call.

#ifndef TIDEMARK_VFS_INTERNAL_STORE_REGISTRY_H_
#define TIDEMARK_VFS_INTERNAL_STORE_REGISTRY_H_

#include <map>
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

class StoreRegistry {
 public:
  // Lives for ever: connections may be closed late in the life of a process.
  static StoreRegistry& Get();

  // Errors: kExists if a store of that directory is attached already.
  Status Attach(Store* store);
  void Detach(Store* store);

  // For a Database: attaches if need be, and returns the store's normalized directory. Errors:
  // kExists if another Store of the same directory is attached.
  Result<std::string> AddUser(Store* store);
  void RemoveUser(Store* store);

  // Null if there is none. `directory` is normalized.
  Store* Find(const std::string& directory);

 private:
  struct Entry {
    Store* store = nullptr;
    bool attached = false;  // by Attach
    int users = 0;
  };

  using Entries = std::map<std::string, Entry>;  // by normalized directory

  // The entry of a store, made if it has none and its directory is not another store's. A store
  // keeps the directory it began with: a relative one must not follow the process's chdir().
  Result<Entries::iterator> EntryOf(Store* store);
  void EraseIfUnused(Entries::iterator entry);

  std::mutex mutex_;  // guards all below
  Entries entries_;
  std::map<const Store*, Entries::iterator> by_store_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_STORE_REGISTRY_H_
