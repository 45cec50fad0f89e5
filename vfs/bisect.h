// Bisect: which commit of an object first made something true, found by looking at few of them.

#ifndef TIDEMARK_VFS_BISECT_H_
#define TIDEMARK_VFS_BISECT_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "engine/bookmark.h"
#include "engine/commit_info.h"
#include "engine/export.h"
#include "engine/object.h"
#include "engine/result.h"
#include "engine/store.h"

namespace tidemark {

struct BisectResult {
  CommitInfo first;         // at which it is true
  CommitInfo before;        // the last commit before that one, at which it is not
  uint64_t looks = 0;       // commits that were looked at
  uint64_t without = 0;     // of them those that had no such table or column, or no object
  uint64_t unreadable = 0;  // damaged ones that were passed over
};

// Finds the commit between `good`, where `predicate` is not true, and `bad`, where it is, at which
// it became true. The predicate is an expression of SQL, or one SELECT that gives one, such as
// "SELECT count(*) = 0 FROM orders".
//
// Commits are taken in the order in which they were made: deletions, restores, and what a restore
// left behind are among them. Like all bisection it looks at the middle, again and again, and takes
// the predicate for one that is never true before it is and always afterwards; if it is not, what
// is found is one of the places where it became true. It is not true where the object did not
// exist, nor where a table or column that it names was not there yet. What is damaged is passed
// over.
//
// Cost: a snapshot and an evaluation for each step, and as many steps as the number of LSNs between
// the two has binary digits. `progress` gets commits looked at, and how many it will be at most.
//
// Errors: kInvalidArgument (`good` is not before `bad`; the predicate is true at `good` or not true
// at `bad`; it is NULL at a commit; it does more than look at the database, or SQLite does not
// understand it); those of Object::Resolve; kCorruption, kIoError.
TIDEMARK_API Result<BisectResult> Bisect(Store& store, const std::shared_ptr<Object>& object,
                                         const Point& good, const Point& bad,
                                         std::string_view predicate,
                                         const Progress& progress = nullptr);

}  // namespace tidemark

#endif  // TIDEMARK_VFS_BISECT_H_
