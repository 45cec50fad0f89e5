// CommitRoom: the memory that a commit takes in the store's tables, got before it is appended.
//
// Between the log and the readers nothing may fail: a record that is in the log and not in the
// tables would be missed by readers and by the next checkpoint. So whatever can ask for memory is
// done by StoreImpl::MakeRoom, and what comes after the append only fills in what is there.
//
// Threads: one at a time, who has the object's write lock.

#ifndef TIDEMARK_ENGINE_INTERNAL_COMMIT_ROOM_H_
#define TIDEMARK_ENGINE_INTERNAL_COMMIT_ROOM_H_

#include <list>
#include <map>
#include <memory>
#include <utility>

#include "engine/internal/object_state.h"
#include "engine/internal/timeline.h"

namespace tidemark::internal {

// What the catalogue holds that the index does not have yet, by LSN.
template <typename Row>
using Pending = std::multimap<Lsn, Row>;

// A row that will get its LSN when it is appended.
template <typename Row>
class PendingRow {
 public:
  PendingRow() = default;
  explicit PendingRow(Row row) {
    Pending<Row> one;
    one.emplace(Lsn(), std::move(row));
    node_ = one.extract(one.begin());
  }

  Row& row() { return node_.mapped(); }
  // Asks for no memory.
  void MoveTo(Pending<Row>& rows, Lsn lsn) noexcept {
    node_.key() = lsn;
    rows.insert(std::move(node_));
  }

 private:
  typename Pending<Row>::node_type node_;
};

// A timeline that will get its number when it is appended, and its entries among those in memory.
struct NewTimeline {
  std::shared_ptr<Timeline> timeline;
  std::map<TimelineId, std::weak_ptr<Timeline>>::node_type entry;
  std::multimap<TimelineId, ChildRow>::node_type child;  // its parent's, if it has one
};

// The objects that have commits which the index does not have.
using DirtyList = std::list<std::shared_ptr<ObjectState>>;

// In the recent tables, and on the list of dirty objects. For the commits of one object, one after
// the other.
class CommitRoom {
 public:
  // Nothing will be published in it.
  void Release() noexcept { recent_.Release(); }

 private:
  friend class StoreImpl;
  RecentRoom recent_;
  DirtyList entry_;  // of the object; none if it went onto the list, and it was not made again
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_COMMIT_ROOM_H_
