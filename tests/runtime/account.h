// Account: the actor of the simulation. Money, notes and wakeups, all of which must survive what
// happens to the machine.
//
// Money moves between two accounts by an outbox: the sender takes it from its balance and writes
// down what it owes in one commit, and tells the receiver again and again until that has answered;
// the receiver remembers what it has had. So whatever is lost in between, in the end it moved once.

#ifndef TIDEMARK_TESTS_RUNTIME_ACCOUNT_H_
#define TIDEMARK_TESTS_RUNTIME_ACCOUNT_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "engine/bookmark.h"
#include "runtime/runtime.h"

namespace tidemark::testing {

// All that an account holds.
struct Book {
  int64_t balance = 0;
  int64_t sent = 0;  // transfers that it ever began; they are numbered from 1
  struct Owed {
    int64_t target;
    int64_t amount;
    bool operator==(const Owed&) const = default;
  };
  std::map<int64_t, Owed> outbox;                  // by number
  std::set<std::pair<int64_t, int64_t>> credited;  // by whom, and which number of theirs
  std::map<int64_t, int64_t> notes;                // by place, from 1
  std::map<int64_t, int64_t> wakeups;              // how often each has run
  bool operator==(const Book&) const = default;
};

class Account : public Actor {
 public:
  static constexpr int64_t kInitial = 100;
  // Whose names are numbers; the simulation's, which lives as long as they do.
  static ObjectNamespace<Account>* all;
  static const Clock* clock;
  static Stub<Account> Get(int64_t number) { return all->GetByName(std::to_string(number)); }

  explicit Account(ActorState& ctx);

  // Returns the number of the transfer; 0: there is not enough.
  int64_t Send(int64_t target, int64_t amount);
  void Receive(int64_t source, int64_t number, int64_t amount);
  // Tells receivers what is owed to them, until it is done or one cannot be reached.
  Task<> Settle();

  // Each returns how many notes there are then.
  int64_t Note(int64_t number);
  Task<int64_t> NoteAfter(int64_t number, int64_t seconds);
  // Asks another account first, with everybody else held back.
  Task<int64_t> NoteAlone(int64_t number, int64_t other);
  int64_t NoteThenThrow(int64_t number);
  int64_t NoteThenAbort(int64_t number);
  int64_t CountNotes();

  // Has an alarm run at that time or later, once at least.
  void WakeAt(int64_t number, Timestamp due);
  Task<> OnAlarm(AlarmEvent event) override;

  Book Read();
  Bookmark Mark() { return ctx().storage().GetCurrentBookmark(); }
  void RestoreNext(Bookmark bookmark) { ctx().storage().OnNextSessionRestoreBookmark(bookmark); }

 private:
  int64_t number() const { return std::stoll(*ctx().id().name); }
  Sql& sql() { return ctx().storage().sql(); }
  int64_t Value(const char* key) { return ctx().storage().kv().Get<int64_t>(key).value_or(0); }
  void SetValue(const char* key, int64_t value) { ctx().storage().kv().Put(key, value); }
  void SetAlarmForNext();

  bool settling_ = false;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_RUNTIME_ACCOUNT_H_
