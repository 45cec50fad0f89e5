// Blame: the commits that changed one row, from the present back.

#ifndef TIDEMARK_VFS_BLAME_H_
#define TIDEMARK_VFS_BLAME_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/bookmark.h"
#include "engine/commit_info.h"
#include "engine/export.h"
#include "engine/object.h"
#include "engine/result.h"
#include "engine/store.h"

namespace tidemark {

struct BlamedValue {
  std::string column;
  std::string literal;  // as SQL writes it: 'it''s', 1.5, x'00ff', NULL; of a long value the begin
  uint64_t hash = 0;    // of all of it, for comparing
  bool operator==(const BlamedValue&) const = default;
};
// In the order of the table's columns.
using BlamedRow = std::vector<BlamedValue>;

// A commit that changed the row.
struct RowCommit {
  CommitInfo commit;
  std::optional<BlamedRow> before;  // none: the row was not there
  std::optional<BlamedRow> after;   // likewise
  // Commits expired between this one and the one before it that is kept: one of those may have done
  // it. So also where damaged ones were passed over.
  bool or_before = false;
};

// Where the search ended.
enum class BlameEnd {
  kInsertion,  // by a transaction, if no more was asked for: what had the key before is another row
  kCreation,   // of the object: nothing was before
  kFork,       // where the object was forked; the row came with it, if it was there
  kHorizon,    // what was before has expired, or cannot be read
  kStopped,    // `visit` returned false
};

enum class EarlierRows { kNo, kYes };

struct BlameResult {
  BlameEnd end = BlameEnd::kStopped;
  CommitInfo oldest;               // that was looked at
  std::optional<BlamedRow> row{};  // as it was there
  uint64_t looks = 0;              // states of the object that were read
};

// Calls `visit` for each commit that changed the row of `table` with this key, newest first, from
// `at` back, until it returns false. `key` has the values of the primary key, in its order, or the
// rowid of a table that has none, as text: a value is compared as the column would store it, and
// x'00ff' is a blob.
//
// A commit changes the row if it differs, as SELECT * shows it, from what it was at the commit
// before: inserted, deleted, updated, or with another column; restores, promotes and deletions of
// the object do, too, and commits that a restore left behind are among them.
//
// A look at the row also tells since when nothing that was read for it has changed: so only commits
// are looked at that wrote a page on the way to the row.
//
// It ends where a transaction inserted the row, unless `earlier` says that rows that had the key
// before are wanted, too: while the key is not there, each commit that writes where it would be
// costs a look.
//
// Errors: kNotFound (the table is not there at `at`, naming those that are); kInvalidArgument (the
// number of key values; no ordinary table); those of Object::Resolve; kIoError. Damage ends the
// search as the horizon does.
TIDEMARK_API Result<BlameResult> Blame(Store& store, const std::shared_ptr<Object>& object,
                                       const std::string& table,
                                       const std::vector<std::string>& key, const Point& at,
                                       const std::function<bool(const RowCommit&)>& visit,
                                       EarlierRows earlier = EarlierRows::kNo);

}  // namespace tidemark

#endif  // TIDEMARK_VFS_BLAME_H_
