// SimulatedBank: hundreds of accounts on one thread and a simulated machine, both of which a seed
// decides, and what must hold of them.
//
//   Live: (work, in some order, until the machine fails or is stopped; look) again and again
//
// What a caller has seen is remembered, and must be there whatever happens: a result was durable
// before anybody saw it. What nobody has seen is there or not, but as a whole. Money is neither
// made nor lost. Now and then all accounts are restored to a moment that was marked.

#ifndef TIDEMARK_TESTS_RUNTIME_SIMULATED_BANK_H_
#define TIDEMARK_TESTS_RUNTIME_SIMULATED_BANK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "runtime/runtime.h"
#include "tests/runtime/account.h"
#include "tests/runtime/seeded_executor.h"
#include "tests/support/sim_store.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {

class SimulatedBank {
 public:
  SimulatedBank(uint64_t seed, int64_t accounts);
  ~SimulatedBank();

  // So often the machine is started, works for so many steps, and fails or is stopped; then
  // everything that is owed is paid.
  void Live(int epochs, int steps);

  // What happened, so that a test can tell that all of it did. The same for the same seed.
  struct Counts {
    uint64_t steps_run = 0;
    uint64_t transfers = 0;
    uint64_t notes = 0;
    uint64_t failed_calls = 0;
    uint64_t crashes = 0;
    uint64_t failed_syncs = 0;
    uint64_t restores = 0;
    uint64_t alarms = 0;
    uint64_t hibernated = 0;
    bool operator==(const Counts&) const = default;
  };
  const Counts& counts() const { return counts_; }

 private:
  // What callers were told.
  struct Seen {
    std::map<int64_t, int64_t> sent;         // by account: the highest number of a transfer
    std::map<int64_t, int64_t> note_counts;  // by account
    std::set<std::pair<int64_t, int64_t>> notes;
    std::set<std::pair<int64_t, int64_t>> wakeups;
  };
  using Books = std::vector<Book>;

  void Start();
  void Stop();
  void Work(int steps);
  void Step();
  void StartCall();
  void LetTimePass(std::chrono::seconds time);
  void FailSoon();
  void FailNoMore();
  // Until nothing is left to do but to wait for time.
  void RunUntilQuiet();
  void PutAllToSleep();
  void RestoreAll();
  void PayAll();
  bool broken();

  // The results of a call of every account; nothing else happens meanwhile.
  template <typename R, typename Call>
  std::vector<R> AskAll(Call call);
  Books Look();
  static Books WithoutRuns(Books books);
  void CheckMoney(const Books& books);
  void CheckSeen(const Books& books);

  // A call as some client makes it, whose result is noted by `seen` if it comes.
  template <typename Call, typename See>
  Task<> Client(Call call, See seen);
  template <typename Call, typename See>
  void StartClient(Call call, See seen);

  int64_t AnyAccount();

  Random random_;
  const int64_t accounts_;
  SimStore sim_;
  SeededExecutor executor_;
  std::unique_ptr<Runtime> runtime_;
  std::optional<ObjectNamespace<Account>> namespace_;
  int64_t next_number_ = 1;  // of notes and wakeups
  std::set<int64_t> never_;  // notes that must not be there
  int64_t calls_open_ = 0;
  Seen seen_;

  struct Moment {
    std::vector<Bookmark> bookmarks;
    Books books;
    Seen seen;
  };
  std::optional<Moment> marked_;
  bool restoring_ = false;  // it was begun, and has to be done before anything else
  Counts counts_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_RUNTIME_SIMULATED_BANK_H_
