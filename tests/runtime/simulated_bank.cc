#include "tests/runtime/simulated_bank.h"

#include <gtest/gtest.h>

#include <chrono>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "engine/check.h"
#include "engine/internal/durable_notifier.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {

using std::chrono::seconds;

SimulatedBank::SimulatedBank(uint64_t seed, int64_t accounts)
    : random_(seed), accounts_(accounts), sim_(seed + 1), executor_(seed + 2) {}

SimulatedBank::~SimulatedBank() { CHECK(runtime_ == nullptr); }

void SimulatedBank::Live(int epochs, int steps) {
  for (int epoch = 0; epoch < epochs && !::testing::Test::HasFailure(); ++epoch) {
    Start();
    if (restoring_ || (marked_ && random_.OneIn(3))) RestoreAll();
    if (!broken()) {
      const Books books = Look();
      CheckMoney(books);
      CheckSeen(books);
      if (random_.OneIn(3)) {
        marked_ =
            Moment{.bookmarks = AskAll<Bookmark>(&Account::Mark), .books = books, .seen = seen_};
      }
      Work(steps);
    }
    Stop();
  }
  Start();
  while (restoring_ && !::testing::Test::HasFailure()) {
    RestoreAll();
    if (!restoring_) break;
    Stop();
    Start();
  }
  PayAll();
  Stop();
}

// ---- The machine -------------------------------------------------------------------------------

void SimulatedBank::Start() {
  ASSERT_OK(sim_.Open());
  internal::StorePeer::Impl(sim_.store()).notifier().UseNoThread();
  runtime_ = std::make_unique<Runtime>(
      sim_.store(), RuntimeOptions{.executor = executor_.executor(),
                                   .clock = &sim_.clock(),
                                   .most_resident = static_cast<size_t>(accounts_) / 2 + 2});
  namespace_.emplace(runtime_->Define<Account>("ACCOUNT"));
  Account::all = &*namespace_;
  Account::clock = &sim_.clock();
}

// The power fails, if it has not done so. What has begun comes to its end in a machine whose disk
// is gone: whatever callers still hear must be true all the same.
void SimulatedBank::Stop() {
  const bool stops_cleanly = !broken() && random_.OneIn(4);
  FailNoMore();
  if (!stops_cleanly) {
    ++counts_.crashes;
    sim_.fs().CrashAt(1);
  }
  while (calls_open_ > 0) {
    RunUntilQuiet();
    LetTimePass(seconds(60));
  }
  PutAllToSleep();
  counts_.alarms += runtime_->alarm_counters().runs;
  namespace_.reset();
  runtime_.reset();  // nothing is left that its end would wait for
  executor_.RunAll();
  if (stops_cleanly) {
    ASSERT_OK(sim_.Close());
  } else {
    constexpr PowerLoss kLosses[] = {PowerLoss::kNothing, PowerLoss::kAll, PowerLoss::kSeeded};
    sim_.Crash(kLosses[random_.Below(3)]);
  }
}

bool SimulatedBank::broken() {
  return sim_.fs().crashed() || !internal::StorePeer::Impl(sim_.store()).queue().broken().ok();
}

void SimulatedBank::RunUntilQuiet() {
  internal::DurableNotifier& notifier = internal::StorePeer::Impl(sim_.store()).notifier();
  do {
    executor_.RunAll();
  } while (notifier.RunOnce());
}

void SimulatedBank::LetTimePass(seconds time) {
  sim_.clock().Advance(time);
  runtime_->RunDue();
}

void SimulatedBank::PutAllToSleep() {
  for (int i = 0; runtime_->resident_count() > 0; ++i) {
    RunUntilQuiet();
    LetTimePass(seconds(11));
    RunUntilQuiet();
    ASSERT_LT(i, 100) << runtime_->resident_count() << " actors do not come to rest";
  }
}

// ---- Work --------------------------------------------------------------------------------------

void SimulatedBank::Work(int steps) {
  for (int i = 0; i < steps && !broken(); ++i) Step();
}

void SimulatedBank::Step() {
  ++counts_.steps_run;
  switch (random_.Below(12)) {
    case 0:
    case 1:
    case 2:
    case 3: StartCall(); break;
    case 4: internal::StorePeer::Impl(sim_.store()).notifier().RunOnce(); break;
    case 5:
    case 6: {
      const size_t before = runtime_->resident_count();
      LetTimePass(seconds(random_.OneIn(8) ? 11 : 1));
      executor_.RunAll();
      const size_t after = runtime_->resident_count();
      if (after < before) counts_.hibernated += before - after;
      break;
    }
    case 7:
      if (random_.OneIn(10)) FailSoon();
      break;
    case 8:
      if (random_.OneIn(10)) static_cast<void>(sim_.Checkpoint());  // it may be struck
      break;
    default:
      for (uint64_t i = random_.Below(30); i > 0 && executor_.RunOne(); --i) continue;
  }
}

void SimulatedBank::FailNoMore() {
  sim_.fs().CrashAt(uint64_t{1} << 60);
  sim_.fs().FailSync(0);
}

void SimulatedBank::FailSoon() {
  if (random_.OneIn(3)) {
    ++counts_.failed_syncs;
    sim_.fs().FailSync(random_.Between(1, 5));
  } else {
    sim_.fs().CrashAt(random_.Between(1, 20));
  }
}

// Some are called by everybody.
int64_t SimulatedBank::AnyAccount() {
  const auto accounts = static_cast<uint64_t>(accounts_);
  return static_cast<int64_t>(random_.OneIn(2) ? random_.Below(accounts)
                                               : random_.Below(std::min<uint64_t>(4, accounts)));
}

template <typename Call, typename See>
Task<> SimulatedBank::Client(Call call, See seen) {
  try {
    auto result = co_await call();
    seen(result);
  } catch (const ActorError&) {
    ++counts_.failed_calls;
  }
  --calls_open_;
}

template <typename Call, typename See>
void SimulatedBank::StartClient(Call call, See seen) {
  ++calls_open_;
  boost::asio::co_spawn(executor_.executor(), Client(std::move(call), std::move(seen)),
                        boost::asio::detached);
}

void SimulatedBank::StartCall() {
  const int64_t account = AnyAccount();
  const int64_t other = AnyAccount();
  const int64_t number = next_number_++;
  const auto amount = static_cast<int64_t>(random_.Between(1, 40));
  const auto delay = static_cast<int64_t>(random_.Between(1, 20));
  const auto see_note = [this, account, number](int64_t count) {
    ++counts_.notes;
    seen_.notes.emplace(account, number);
    seen_.note_counts[account] = std::max(seen_.note_counts[account], count);
  };
  const auto see_count = [this, account](int64_t count) {
    seen_.note_counts[account] = std::max(seen_.note_counts[account], count);
  };
  auto stub = std::make_shared<Stub<Account>>(Account::Get(account));
  switch (random_.Below(10)) {
    case 0: return StartClient([=] { return stub->Call(&Account::Note, number); }, see_note);
    case 1:
      return StartClient([=] { return stub->Call(&Account::NoteAfter, number, delay); }, see_note);
    case 2:
      if (other == account) break;  // it would wait for itself, for ever
      return StartClient([=] { return stub->Call(&Account::NoteAlone, number, other); }, see_note);
    case 3:
      return StartClient([=] { return stub->Call(&Account::NoteThenThrow, number); }, see_note);
    case 4:
      if (!random_.OneIn(4)) break;
      never_.insert(number);
      return StartClient([=] { return stub->Call(&Account::NoteThenAbort, number); },
                         [](int64_t) { ADD_FAILURE() << "it was aborted"; });
    case 5: return StartClient([=] { return stub->Call(&Account::CountNotes); }, see_count);
    case 6: {
      const Timestamp due = sim_.clock().Now() + seconds(delay);
      return StartClient(
          [=]() -> Task<int64_t> {
            co_await stub->Call(&Account::WakeAt, number, due);
            co_return 0;
          },
          [this, account, number](int64_t) { seen_.wakeups.emplace(account, number); });
    }
    default: break;
  }
  if (other == account) return;
  StartClient([=] { return stub->Call(&Account::Send, other, amount); },
              [this, account](int64_t transfer) {
                ++counts_.transfers;
                seen_.sent[account] = std::max(seen_.sent[account], transfer);
              });
}

void SimulatedBank::RestoreAll() {
  restoring_ = true;
  for (int64_t i = 0; i < accounts_; ++i) {
    StartClient(
        [stub = std::make_shared<Stub<Account>>(Account::Get(i)),
         bookmark = marked_->bookmarks[static_cast<size_t>(i)]]() -> Task<int64_t> {
          co_await stub->Call(&Account::RestoreNext, bookmark);
          co_return 0;
        },
        [](int64_t) {});
    if (random_.OneIn(200)) FailSoon();
    if (random_.OneIn(4)) RunUntilQuiet();
  }
  RunUntilQuiet();
  if (broken()) return;
  FailNoMore();
  PutAllToSleep();
  if (broken()) return;
  restoring_ = false;
  ++counts_.restores;
  seen_ = marked_->seen;
  EXPECT_EQ(WithoutRuns(Look()), WithoutRuns(marked_->books));
}

void SimulatedBank::PayAll() {
  for (int rounds = 0; rounds < 50; ++rounds) {
    AskAll<int64_t>([](Stub<Account>& stub) -> Task<int64_t> {
      co_await stub.Call(&Account::Settle);
      co_return 0;
    });
    LetTimePass(seconds(60));
    RunUntilQuiet();
  }
  const Books books = Look();
  CheckMoney(books);
  CheckSeen(books);
  int64_t total = 0;
  for (const Book& book : books) {
    total += book.balance;
    EXPECT_TRUE(book.outbox.empty());
    for (const auto& [number, runs] : book.wakeups) EXPECT_GE(runs, 1) << "wakeup " << number;
  }
  EXPECT_EQ(total, accounts_ * Account::kInitial);
}

// ---- What must hold ----------------------------------------------------------------------------

template <typename R, typename Call>
std::vector<R> SimulatedBank::AskAll(Call call) {
  std::vector<std::optional<R>> results(static_cast<size_t>(accounts_));
  for (int64_t i = 0; i < accounts_; ++i) {
    auto stub = std::make_shared<Stub<Account>>(Account::Get(i));
    const auto ask = [stub, call]() -> Task<R> {
      if constexpr (std::is_member_function_pointer_v<Call>) {
        return stub->Call(call);
      } else {
        return call(*stub);
      }
    };
    StartClient(ask, [&results, i](const R& result) { results[static_cast<size_t>(i)] = result; });
  }
  while (calls_open_ > 0) {
    RunUntilQuiet();
    if (calls_open_ > 0) LetTimePass(seconds(1));
  }
  std::vector<R> all;
  for (std::optional<R>& result : results) {
    EXPECT_TRUE(result.has_value());
    all.push_back(result.value_or(R{}));
  }
  return all;
}

// Alarms that came back with a restore, and are due, may have come already.
SimulatedBank::Books SimulatedBank::WithoutRuns(Books books) {
  for (Book& book : books) {
    for (auto& [number, runs] : book.wakeups) runs = 0;
  }
  return books;
}

SimulatedBank::Books SimulatedBank::Look() { return AskAll<Book>(&Account::Read); }

// Every transfer is where it was taken from, or where it went to, once.
void SimulatedBank::CheckMoney(const Books& books) {
  std::map<std::pair<int64_t, int64_t>, int> credited;  // by sender and number
  int64_t total = 0;
  for (const Book& book : books) {
    total += book.balance;
    for (const auto& transfer : book.credited) ++credited[transfer];
  }
  for (size_t i = 0; i < books.size(); ++i) {
    const auto account = static_cast<int64_t>(i);
    for (int64_t number = 1; number <= books[i].sent; ++number) {
      const auto found = credited.find({account, number});
      const bool arrived = found != credited.end();
      const auto owed = books[i].outbox.find(number);
      EXPECT_TRUE(arrived || owed != books[i].outbox.end())
          << "transfer " << number << " of " << account << " is lost";
      if (arrived) {
        EXPECT_EQ(found->second, 1) << "transfer " << number << " of " << account;
      } else if (owed != books[i].outbox.end()) {
        total += owed->second.amount;
      }
      if (arrived) credited.erase(found);
    }
  }
  EXPECT_TRUE(credited.empty()) << "money that nobody has sent";
  EXPECT_EQ(total, accounts_ * Account::kInitial);
}

void SimulatedBank::CheckSeen(const Books& books) {
  std::set<std::pair<int64_t, int64_t>> notes;
  for (size_t i = 0; i < books.size(); ++i) {
    const auto account = static_cast<int64_t>(i);
    int64_t next = 1;
    for (const auto& [place, number] : books[i].notes) {
      EXPECT_EQ(place, next++);
      notes.emplace(account, number);
      EXPECT_FALSE(never_.contains(number)) << "note " << number << " of an instance that aborted";
    }
    EXPECT_GE(books[i].sent, seen_.sent[account]);
    EXPECT_GE(next - 1, seen_.note_counts[account]);
  }
  for (const auto& note : seen_.notes) {
    EXPECT_TRUE(notes.contains(note)) << "note " << note.second << " of " << note.first;
  }
  for (const auto& [account, number] : seen_.wakeups) {
    EXPECT_TRUE(books[static_cast<size_t>(account)].wakeups.contains(number)) << number;
  }
}

}  // namespace tidemark::testing
