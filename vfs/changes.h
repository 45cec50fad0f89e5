// Changes: what the commits of an object, or of all objects of a namespace, changed, one by one.
//
//   auto changes = Changes::OfObject(store, object, Lsn(0));
//   while (auto commit = *changes->Next()) {
//     auto diff = changes->Diff(*commit);                 // rows and schema: vfs/row_diff.h
//     save(commit->commit.lsn);                           // where to go on, next time
//   }
//
// In the order in which they were made, over all objects: LSNs are of the whole store, so one LSN
// is a position that covers every object of a namespace. Only confirmed commits are told, so what
// was told once is never lost. Each is told as what it changed: a restore, promote or undeletion as
// the rows that came back and went, a deletion as all rows going, a fork as all rows coming.
// Whoever applies them in order has the state. A commit that changed no row is told, too.
//
// How far back it reaches is a matter of retention: within the object's window nothing is missing,
// packed or not; if something behind the start has expired, that is kExpired.

#ifndef TIDEMARK_VFS_CHANGES_H_
#define TIDEMARK_VFS_CHANGES_H_

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/commit_info.h"
#include "engine/export.h"
#include "engine/object.h"
#include "engine/result.h"
#include "engine/store.h"
#include "vfs/row_diff.h"

namespace tidemark {

struct ChangedCommit {
  std::shared_ptr<Object> object;
  CommitInfo before;  // what was current; kind kNone: nothing
  CommitInfo commit;
};

// Used by one thread at a time; the store must outlive it. Memory: 24 bytes a commit that is not
// told yet.
class TIDEMARK_API Changes {
 public:
  // Commits behind an LSN, or later than a time, are told.
  using Start = std::variant<Lsn, Timestamp>;

  static Changes OfObject(Store& store, std::shared_ptr<Object> object, const Start& since);
  // With those that are deleted, and those that come to exist later. Purged ones are not told.
  static Changes OfNamespace(Store& store, std::string namespace_name, const Start& since);

  // The next commit; none if no other is confirmed yet: ask again then (Store::NotifyDurable says
  // when). Cost: if none is left of the last look, a look at each object of the namespace.
  // Errors: kExpired, with the earliest point that the object can be followed from; kNotFound if
  // there is no such namespace; those of Object::History, damage included: what is damaged is not
  // skipped.
  Result<std::optional<ChangedCommit>> Next();

  // What a commit changed. Errors: those of Object::OpenSnapshot and RowDiff::Open.
  Result<RowDiff> Diff(const ChangedCommit& changed);

 private:
  struct Waiting {
    Lsn lsn;
    std::shared_ptr<Object> object;
  };

  Changes(Store& store, std::shared_ptr<Object> object, std::string namespace_name,
          const Start& since)
      : store_(&store),
        object_(std::move(object)),
        namespace_name_(std::move(namespace_name)),
        since_(since) {}
  Status Look();
  Status LookAt(const std::shared_ptr<Object>& object, Lsn durable);
  Status CheckNothingExpired(const Object& object, const CommitInfo& oldest) const;

  Store* store_;
  std::shared_ptr<Object> object_;  // null: of a namespace
  std::string namespace_name_;
  Start since_;
  std::vector<Waiting> waiting_;  // newest first
};

}  // namespace tidemark

#endif  // TIDEMARK_VFS_CHANGES_H_
