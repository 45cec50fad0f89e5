// ObjectState: what the process knows of one object: its head, its current timeline, who writes.
//
// One instance an object, shared by all its handles, snapshots and transactions. It stays in memory
// while somebody holds it or while it is dirty: while it has commits that the index does not have.
//
// Threads: any. `mutex` guards everything below it and is never held across I/O. The write lock is
// not a mutex: it is taken without waiting and held from Begin to End of a transaction.

#ifndef TIDEMARK_ENGINE_INTERNAL_OBJECT_STATE_H_
#define TIDEMARK_ENGINE_INTERNAL_OBJECT_STATE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/bookmark.h"
#include "engine/commit_info.h"
#include "engine/internal/timeline.h"
#include "engine/object_id.h"
#include "engine/result.h"
#include "engine/status.h"

namespace tidemark::internal {

class Pin;

struct NamespaceState {
  NamespaceState(std::string n, uint64_t number) : name(std::move(n)), factory(name), id(number) {}

  const std::string name;
  const ObjectIdFactory factory;
  std::atomic<uint64_t> id;  // 0 until its record is in the log; set inside a commit queue's Scope
};

class ObjectState : public std::enable_shared_from_this<ObjectState> {
 public:
  ObjectState(std::shared_ptr<NamespaceState> object_namespace, const ObjectId& object_id,
              std::string object_name)
      : ns(std::move(object_namespace)), id(object_id), name(std::move(object_name)) {}

  // With the mutex held. Errors: kCorruption if commits of the current timeline are damaged. The
  // head is then the last one that could be read, before or behind the damage: not the latest state
  // that was confirmed, and so not to be given out as that, nor to be written on.
  Status CheckCurrent() const {
    if (timeline == nullptr) return OkStatus();
    return timeline->CheckTrusted(Lsn(UINT64_MAX)).WithContext("object " + DisplayName());
  }

  // With the mutex held.
  bool deleted() const { return head.kind == CommitKind::kDelete; }
  bool exists() const { return timeline != nullptr && !deleted(); }
  // OK if it exists. Errors: kNotFound, which says when it was deleted if it was.
  Status CheckExists() const {
    if (exists()) return OkStatus();
    return Status(StatusCode::kNotFound,
                  "object " + DisplayName() +
                      (deleted() ? " was deleted at " + FormatTime(head.time) +
                                       "; `tidemark undelete` brings it back"
                                 : " does not exist"));
  }

  // The object for who uses it from outside, handle, snapshot or transaction, and not only looks it
  // up: it is one of `users` until the last copy of what is returned has gone. Errors: kBusy if it
  // is being purged.
  Result<std::shared_ptr<ObjectState>> Use() {
    const std::shared_ptr<ObjectState> self = shared_from_this();
    {
      std::lock_guard lock(mutex);
      if (purged) return BeingPurged();
      ++users;
    }
    return std::shared_ptr<ObjectState>(self.get(), [self](ObjectState*) {
      std::lock_guard lock(self->mutex);
      --self->users;
    });
  }
  Status BeingPurged() const {
    return Status(
        StatusCode::kBusy,
        "object " + DisplayName() + " is being purged: purge it again to bring that to an end");
  }

  std::string DisplayName() const { return ns->name + "/" + (name.empty() ? id.ToString() : name); }

  const std::shared_ptr<NamespaceState> ns;
  const ObjectId id;
  const std::string name;

  mutable std::mutex mutex;
  std::shared_ptr<Timeline> timeline;  // the current one; null until the object exists
  CommitInfo head;                     // kNone until its first commit
  Lsn created;
  uint32_t change_counter = 0;
  bool writer = false;  // the write lock
  uint64_t users = 0;
  bool purged = false;          // or is being purged: nothing may be told of it any more
  mutable Pin* pins = nullptr;  // of commits that are kept whatever expires: pin.h

  // Held by whoever makes, moves or removes a label, from looking it up until its record is
  // appended, I/O included. Outermost of all locks. It guards what follows.
  std::mutex label_mutex;
  std::optional<Lsn> last_label;  // of the latest label record, if it was written by this process

  // Held by whoever changes what waits for the next session, or makes it, I/O included. Outside of
  // label_mutex.
  std::mutex schedule_mutex;

  // What the index does not have yet, for the checkpointer.
  bool dirty = false;                                       // on the store's list of dirty objects
  TimelineId indexed_timeline;                              // current at the checkpoint
  std::optional<Timestamp> indexed_alarm;                   // likewise
  std::vector<std::shared_ptr<Timeline>> recent_timelines;  // in order; may have recent commits
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_OBJECT_STATE_H_
