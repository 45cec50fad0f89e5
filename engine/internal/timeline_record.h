// Timeline records: what ends an object's timeline and starts another (restore, fork, promote,
// delete, undelete), written and read.
//
// Each is the new timeline's first commit, too: so the object has another state from one record on,
// whatever its size. What the index and the history say of it follows from the record alone, the
// same when it is written, replayed or looked up. (A rewrite is not of these: its frame is the
// commit, and transaction_commit.cc writes both.)
//
// Invariants:
//   * What was current before is durable before the record is written, and the record is durable
//     before anybody sees what it does.
//   * Of a fork, the records of namespace, object and timeline stand side by side in one group: a
//     crash leaves all or none of them.
//
// Threads: one at a time for an object, who holds its WriteLock.

#ifndef TIDEMARK_ENGINE_INTERNAL_TIMELINE_RECORD_H_
#define TIDEMARK_ENGINE_INTERNAL_TIMELINE_RECORD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/commit_info.h"
#include "engine/format.h"
#include "engine/internal/index.h"
#include "engine/internal/object_state.h"
#include "engine/internal/record.h"
#include "engine/internal/timeline.h"
#include "engine/object.h"
#include "engine/result.h"

namespace tidemark::internal {

class StoreImpl;

// The write lock for the length of a call.
class WriteLock {
 public:
  // Errors: kBusy if a transaction holds it.
  static Result<WriteLock> Take(std::shared_ptr<ObjectState> state);
  WriteLock(WriteLock&&) = default;
  ~WriteLock();

 private:
  explicit WriteLock(std::shared_ptr<ObjectState> state) : state_(std::move(state)) {}
  std::shared_ptr<ObjectState> state_;
};

// ---- reading -----------------------------------------------------------------------------------

// True if the timeline has pages of its own only.
bool InheritsNothing(format::TimelineOperation operation);
// True if the parent is another object's timeline, or can be.
bool IsOfAnother(format::TimelineOperation operation);

// The record as the index has it.
TimelineRow MakeTimelineRow(const TimelineFields& fields, uint64_t namespace_id);
CommitKind KindOfCommit(TimelineKind kind);
// What the history says of it: kind, size, state and where that came from. Not of a rewrite.
void SetCommit(const TimelineFields& fields, CommitInfo* commit);
// Its row in the restore journal, but for LSN and time. Forks and rewrites have none.
bool IsInJournal(format::TimelineOperation operation);
RestoreRow MakeRestoreRow(const TimelineFields& fields);

// ---- writing -----------------------------------------------------------------------------------

// The alarm of what gets the state of `to`.
std::optional<Timestamp> AlarmAfter(const CommitInfo& from, const CommitInfo& to,
                                    const RestoreOptions& options);

struct TimelineStart {
  format::TimelineOperation operation = format::TimelineOperation::kRestore;
  CommitInfo from;                   // what is current; kNone for a fork
  CommitInfo to;                     // whose state it gets; kNone for one that has no pages
  std::shared_ptr<Timeline> parent;  // that `to` is on; of a deletion, what ends
  std::string from_bookmark;
  std::string to_bookmark;
  std::string label_prefix{};        // of an automatic label of `from`; empty: none
  std::optional<Timestamp> alarm{};  // that it has from then on
  Lsn session{};                     // of a scheduled restore: what waits is done with it
};

// Writes it and makes it the object's present, durably. The object must exist unless this is a
// fork, of which it is the creation. `label` gets the name of the label, if one is wanted and
// `from` is not damaged; its record stands before this one, in the same group. Errors: those of
// writing; kBroken.
Result<CommitInfo> StartTimeline(StoreImpl& store, const std::shared_ptr<ObjectState>& state,
                                 const TimelineStart& start, std::string* label = nullptr);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_TIMELINE_RECORD_H_
