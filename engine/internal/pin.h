// Pin: while it lives, what an object was at one commit is kept, whatever expires meanwhile.
//
// Snapshots have one, and so has whatever is made of a commit (a fork, a restore, a label) until it
// stands in the tables. Of the present there is always enough: what was current when it was pinned
// is no licence's to take yet. Any other commit is pinned first and then checked against the
// horizon: a licence that came into force before that refuses it, one that comes later finds it.
//
// Threads: made and let go of by any; the object's mutex guards its list of pins.

#ifndef TIDEMARK_ENGINE_INTERNAL_PIN_H_
#define TIDEMARK_ENGINE_INTERNAL_PIN_H_

#include <memory>
#include <mutex>
#include <utility>

#include "engine/internal/object_state.h"

namespace tidemark::internal {

class Pin {
 public:
  explicit Pin(std::shared_ptr<const ObjectState> object) : object_(std::move(object)) {}
  ~Pin() {
    if (!held()) return;
    std::lock_guard lock(object_->mutex);
    (previous_ != nullptr ? previous_->next_ : object_->pins) = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

  // Once; with the object's mutex held.
  void TakeLocked(TimelineId timeline, Lsn lsn) {
    timeline_ = timeline;
    lsn_ = lsn;
    next_ = object_->pins;
    if (next_ != nullptr) next_->previous_ = this;
    object_->pins = this;
  }
  // The same of what is current.
  void TakeHeadLocked() {
    is_head_ = true;
    TakeLocked(object_->timeline->id(), object_->head.lsn);
  }
  void Take(TimelineId timeline, Lsn lsn) {
    std::lock_guard lock(object_->mutex);
    TakeLocked(timeline, lsn);
  }

  bool held() const { return lsn_.valid(); }
  const ObjectState& object() const { return *object_; }
  TimelineId timeline() const { return timeline_; }
  Lsn lsn() const { return lsn_; }
  bool is_head() const { return is_head_; }  // when it was taken
  const Pin* next() const { return next_; }  // with the mutex held

 private:
  const std::shared_ptr<const ObjectState> object_;
  TimelineId timeline_;
  Lsn lsn_;
  bool is_head_ = false;
  Pin* previous_ = nullptr;
  Pin* next_ = nullptr;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PIN_H_
