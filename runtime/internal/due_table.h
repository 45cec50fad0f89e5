// DueTable: the objects that are to be woken next, what is known of their alarms, and what became
// of earlier tries. The scheduler's memory; it calls nobody.
//
//   Note (a commit), List (the store's list) -> waiting -> Take -> running -> Succeed, Drop -> gone
//                                                 ^                   |
//                                                 +---- Release <- Fail: held, until it is retried
//
// It knows every object that has an alarm before known_until(), and of later ones those that happen
// to be in memory: so a million alarms that are far off cost nothing. Of an object it knows all
// alarms if an actor told them, else the earliest one, without its name. One at a time runs.
//
// Invariants: an object stands in the queue by its earliest alarm that is not held, unless one is
// running; what is held or running is never forgotten.
//
// Used under the scheduler's mutex.

#ifndef TIDEMARK_RUNTIME_INTERNAL_DUE_TABLE_H_
#define TIDEMARK_RUNTIME_INTERNAL_DUE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/alarm.h"
#include "engine/object_id.h"
#include "runtime/actor_id.h"
#include "runtime/internal/alarm_retry.h"

namespace tidemark::internal {

struct ActorClass;

class DueTable {
 public:
  using Key = std::pair<const ActorClass*, ObjectId>;
  using ClassPtr = std::shared_ptr<const ActorClass>;

  struct Alarm {
    std::optional<std::string> name;  // none: not known yet
    Timestamp due;
    AlarmRetry retry{};
    uint64_t held = 0;      // a ticket: it waits for its retry; 0: for its time
    bool given_up = false;  // to be deleted
  };
  struct Taken {
    ClassPtr actor_class;
    ActorId id;
    Alarm alarm;
  };

  // All alarms that an object has, as its actor knows them; one that is running may be missing.
  void Note(const ClassPtr& actor_class, const ActorId& id, const std::vector<AlarmInfo>& alarms);
  // The earliest alarm of an object, as the store has it. True if the object was not known.
  bool List(const ClassPtr& actor_class, const ActorId& id, Timestamp due);
  // The store's list was read to its end, or to here: what is due later may not be known.
  void set_known_until(Timestamp until) { known_until_ = until; }
  Timestamp known_until() const { return known_until_; }

  // When the first of those that wait is due.
  std::optional<Timestamp> earliest() const;
  // Nothing is left that comes before known_until().
  bool NeedsList() const;

  // Takes the first alarm that is due by `now`; it is running then.
  std::optional<Taken> Take(Timestamp now);
  // What runs turned out to be this alarm of its object, which was tried before.
  void Identify(const Key& key, const std::string& name, Timestamp due, const AlarmRetry& retry);
  // It ended, and is not tried again. What was set meanwhile stands in its place.
  void Drop(const Key& key);
  // It was not begun, because its time has not come: the object is to be woken at `due`.
  void Postpone(const Key& key, Timestamp due);
  // It failed. Puts it back, to be tried again after `delay`, and returns the ticket to do so with;
  // 0 if another one of the same name stands in its place.
  struct Retry {
    uint64_t ticket = 0;
    std::chrono::microseconds delay{};
    bool given_up = false;  // it was tried too often: Take gives it once more, to be deleted
  };
  Retry Fail(const Key& key, AlarmRetry::Counts counts, uint64_t random);
  // The same for one that is to be tried no more: Take gives it, to be deleted. False: another one
  // stands in its place.
  bool GiveUp(const Key& key);
  void Release(const Key& key, uint64_t ticket);

  // Alarms of an object that are to be deleted.
  std::vector<AlarmInfo> GivenUp(const Key& key) const;

  size_t size() const { return entries_.size(); }
  size_t held() const { return held_; }
  // Forgets what is due last, if there is more than `most` to remember.
  void Trim(size_t most);

 private:
  struct Entry {
    ClassPtr actor_class;
    ActorId id;
    std::vector<Alarm> alarms;
    std::optional<Alarm> running;
    bool told = false;  // by its actor, since that runs
    std::optional<Timestamp> queued;
  };
  using Entries = std::map<Key, Entry>;

  // What running is put back as, or nothing if it was replaced.
  Alarm* PutBack(Entry& entry);
  void Settle(Entries::iterator at);
  void Hold(Alarm& alarm);
  void LetGo(Alarm& alarm);

  Entries entries_;
  std::set<std::pair<Timestamp, Key>> queue_;
  Timestamp known_until_ = Timestamp::min();
  uint64_t last_ticket_ = 0;
  size_t held_ = 0;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_RUNTIME_INTERNAL_DUE_TABLE_H_
