// HostAlarms: a live actor's side of the scheduler: tells it which alarms the object has.
//
// It is told when the storage is opened, when an alarm's event begins, and at the end of each turn
// whose commits may have changed one; nothing is done for objects that have none.
//
// Threads: one at a time, as its actor.

#ifndef TIDEMARK_RUNTIME_INTERNAL_HOST_ALARMS_H_
#define TIDEMARK_RUNTIME_INTERNAL_HOST_ALARMS_H_

#include <vector>

#include "api/alarm.h"
#include "engine/commit_info.h"

namespace tidemark {

class ObjectStorage;

namespace internal {

class ActorHost;

class HostAlarms {
 public:
  explicit HostAlarms(ActorHost& host) : host_(host) {}

  // The storage was opened, and the actor's code has not seen it: deletes what was given up.
  void Start(ObjectStorage& storage);
  void NoteCommit(const CommitInfo& commit) {
    touched_ = touched_ || has_some_ || commit.alarm.has_value();
    has_some_ = commit.alarm.has_value();
  }
  // All is committed.
  void EndTurn(ObjectStorage& storage) {
    if (touched_) TellChange(storage);
  }
  // Tells what is stored, whatever was told before.
  void Tell(ObjectStorage& storage);

 private:
  void TellChange(ObjectStorage& storage);

  ActorHost& host_;
  bool has_some_ = false;
  bool touched_ = false;
  std::vector<AlarmInfo> told_;
};

}  // namespace internal
}  // namespace tidemark

#endif  // TIDEMARK_RUNTIME_INTERNAL_HOST_ALARMS_H_
