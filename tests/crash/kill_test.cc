// kill -9 on real files: a process that works on a store, with all its background threads, is
// killed again and again, at work and while it recovers.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <functional>
#include <iostream>
#include <iterator>
#include <string>

#include "engine/check.h"
#include "tests/crash/kill_work.h"
#include "tests/crash/work_ledger.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

// A running kill_worker and the pipe it reports to.
class Worker {
 public:
  struct Crew {
    uint64_t writers = 1;
    uint32_t checkpointers = 0;
    uint32_t keepers = 0;
  };

  Worker(const std::string& directory, std::chrono::seconds retention, uint32_t run, uint64_t seed,
         const Crew& crew) {
    int ends[2];
    CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    reports_ = ends[0];
    // A small pipe (a page is the least), so that a fast worker does not run far ahead; not quite
    // as small for checkpointers and keepers, because a worker that waits for its reader is in no
    // checkpoint, nor in a packing.
    const bool is_small = crew.checkpointers + crew.keepers == 0;
    CHECK(::fcntl(ends[1], F_SETPIPE_SZ, is_small ? 4096 : 16384) > 0);
    constexpr int kPipe = 3;  // dup2 in the child takes the flag off, unless it is 3 already
    CHECK(ends[1] > kPipe || ::fcntl(ends[1], F_SETFD, 0) == 0);
    posix_spawn_file_actions_t actions;
    CHECK(::posix_spawn_file_actions_init(&actions) == 0);
    CHECK(::posix_spawn_file_actions_adddup2(&actions, ends[1], kPipe) == 0);
    std::string arguments[] = {TIDEMARK_KILL_WORKER,
                               directory,
                               std::to_string(retention.count()),
                               std::to_string(run),
                               std::to_string(seed),
                               std::to_string(crew.writers),
                               std::to_string(crew.checkpointers),
                               std::to_string(crew.keepers),
                               std::to_string(kPipe)};
    std::array<char*, std::size(arguments) + 1> argv{};
    for (size_t i = 0; i < std::size(arguments); ++i) argv[i] = arguments[i].data();
    CHECK(::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
  }
  ~Worker() {
    if (pid_ > 0) Kill();
    ::close(reports_);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Waits for the next report; false at the end of the pipe: the worker is dead, and has said all.
  bool Read(Report* report) const {
    auto* bytes = reinterpret_cast<char*>(report);
    for (size_t done = 0; done < sizeof *report;) {
      const ssize_t count = ::read(reports_, bytes + done, sizeof *report - done);
      if (count < 0 && errno == EINTR) continue;
      CHECK(count >= 0);
      if (count == 0) {
        EXPECT_EQ(done, 0u) << "part of a report";
        return false;
      }
      done += static_cast<size_t>(count);
    }
    return true;
  }

  // And reaps. It must have lived until now.
  void Kill() {
    EXPECT_EQ(::kill(pid_, SIGKILL), 0);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0) CHECK(errno == EINTR);
    pid_ = 0;
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "ended with " << status;
  }

 private:
  pid_t pid_ = 0;
  int reports_ = -1;
};

// One store whose workers are killed.
class KilledStore {
 public:
  // What is replaced expires at once in half of the stores, after a second in the others.
  explicit KilledStore(uint64_t seed) : retention_(seed % 2), ledger_(seed) {}

  // Kills a worker after it has reported `reports` commits and restores. Half of them pack beside.
  void KillAtWork(uint64_t reports) {
    const Worker::Crew crew{.writers = random().Between(1, 3),
                            .keepers = static_cast<uint32_t>(random().Below(2))};
    Worker worker(path_, retention_, ledger_.BeginRun(), random().Next(), crew);
    Report report;
    for (uint64_t seen = 0; seen < reports; seen += WorkLedger::IsPromise(report)) {
      ASSERT_TRUE(worker.Read(&report)) << "the worker ended by itself";
      ASSERT_NO_FATAL_FAILURE(Remember(report));
    }
    ASSERT_NO_FATAL_FAILURE(Finish(worker));
  }

  // Kills a worker that is opening the store, or has just opened it.
  void KillAtRecovery() {
    Worker worker(path_, retention_, ledger_.BeginRun(), random().Next(), {});
    Report report;
    ASSERT_TRUE(worker.Read(&report));
    ASSERT_EQ(report.kind, Report::kOpening);
    // How far it gets is up to the machine; give it more or less of it.
    for (uint64_t i = random().Below(400); i > 0; --i) ::sched_yield();
    ASSERT_NO_FATAL_FAILURE(Finish(worker));
  }

  // Kills a worker during its nth checkpoint, or right behind it. True if it was during.
  void KillAtCheckpoint(uint64_t nth, bool* during) {
    Worker worker(path_, retention_, ledger_.BeginRun(), random().Next(), {.checkpointers = 1});
    ASSERT_NO_FATAL_FAILURE(
        KillWithin(worker, Report::kCheckpoint, Report::kCheckpointDone, nth, 20, during));
  }

  // Likewise a worker that packs, and before that lets expire what may.
  void KillAtPacking(uint64_t nth, bool* during) {
    const Worker::Crew crew{.writers = random().Between(1, 2), .keepers = 1};
    Worker worker(path_, retention_, ledger_.BeginRun(), random().Next(), crew);
    // The first part of a packing is the licence, which waits for the disk.
    const uint64_t most_yields = random().OneIn(2) ? 100 : 2000;
    ASSERT_NO_FATAL_FAILURE(
        KillWithin(worker, Report::kPacking, Report::kPackingDone, nth, most_yields, during));
  }

  // Opens the store, checks all that is there, works on a little, and closes it or not.
  void Check() {
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path_, WorkOptions(retention_)));
    ASSERT_NO_FATAL_FAILURE(ledger_.Check(*store));
    if (random().OneIn(2)) {
      ASSERT_OK(store->Close());
    }
  }

  Random& random() { return ledger_.random(); }
  const WorkLedger& ledger() const { return ledger_; }
  // That workers wrote anew, as far as they lived to say it.
  uint64_t packed_files() const { return packed_files_; }

 private:
  // Kills a worker a little after the nth time that it said `begins`.
  void KillWithin(Worker& worker, Report::Kind begins, Report::Kind ends, uint64_t nth,
                  uint64_t most_yields, bool* during) {
    Report report;
    for (uint64_t seen = 0; seen < nth; seen += report.kind == begins) {
      ASSERT_TRUE(worker.Read(&report)) << "the worker ended by itself";
      ASSERT_NO_FATAL_FAILURE(Remember(report));
    }
    for (uint64_t i = random().Below(most_yields); i > 0; --i) ::sched_yield();
    *during = true;
    ASSERT_NO_FATAL_FAILURE(Finish(worker, [&](const Report& said) {
      if (said.kind == begins) *during = true;
      if (said.kind == ends) *during = false;
    }));
  }

  // What a worker said before it died counts, whether it was read in time or not.
  void Finish(
      Worker& worker, const std::function<void(const Report&)>& visit = [](const Report&) {}) {
    worker.Kill();
    Report report;
    while (worker.Read(&report)) {
      ASSERT_NO_FATAL_FAILURE(Remember(report));
      visit(report);
    }
  }

  void Remember(const Report& report) {
    ASSERT_NO_FATAL_FAILURE(ledger_.Remember(report));
    if (report.kind == Report::kPackingDone) packed_files_ += report.lsn;
  }

  TempDirectory directory_;
  const std::string path_ = directory_ / "store";
  const std::chrono::seconds retention_;
  WorkLedger ledger_;
  uint64_t packed_files_ = 0;
};

// Kills a store's worker `kills` times at work; before one in three of the reopenings, one to three
// more workers in a row as they recover.
void Live(uint64_t seed, int kills) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  KilledStore store(seed);
  Random random(seed);
  for (int kill = 0; kill < kills; ++kill) {
    SCOPED_TRACE(::testing::Message() << "kill " << kill);
    ASSERT_NO_FATAL_FAILURE(store.KillAtWork(random.Below(random.OneIn(3) ? 400 : 40)));
    if (random.OneIn(3)) {
      for (uint64_t i = random.Between(1, 3); i > 0; --i) {
        ASSERT_NO_FATAL_FAILURE(store.KillAtRecovery());
      }
    }
    ASSERT_NO_FATAL_FAILURE(store.Check());
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(store.ledger().commit_count(), 0u);
}

// Goal: a process that is killed loses nothing that it called durable; what it leaves beyond is
// whole and a prefix; LSNs go on rising. Method: kill it after a number of reports that the seed
// chooses, reopen, replay the whole history against what the stamps say, and go on with the store.
TEST(KillTest, NothingDurableIsLost) {
  for (uint64_t i = 0; i < Scaled(3) && !HasFailure(); ++i) Live(TestSeed() * 1000000 + i, 5);
}

// Goal: recovery may be killed as often as one likes, and so may the creation of a store. Method:
// kill a worker as it opens the store, many times in a row; only then look.
TEST(KillTest, RecoveryIsKilledAgainAndAgain) {
  for (uint64_t i = 0; i < Scaled(1) && !HasFailure(); ++i) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() * 1000000 + 500000 + i);
    KilledStore store(TestSeed() * 1000000 + 500000 + i);
    for (const uint64_t work : {0u, 50u, 150u}) {
      if (work > 0) {
        ASSERT_NO_FATAL_FAILURE(store.KillAtWork(work));
      }
      for (int kill = 0; kill < 8; ++kill) ASSERT_NO_FATAL_FAILURE(store.KillAtRecovery());
      ASSERT_NO_FATAL_FAILURE(store.Check());
    }
  }
}

// Goal: a process may die at any instant of a commit to the index: what it leaves there is one of
// the committed states, and the log brings it forward. Method: kill a worker that commits to the
// index again and again, as it does so, until some kills have really hit it there.
TEST(KillTest, CheckpointsAreKilledAgainAndAgain) {
  constexpr int kKills = 8;
  for (uint64_t i = 0; i < Scaled(1) && !HasFailure(); ++i) {
    const uint64_t seed = TestSeed() * 1000000 + 700000 + i;
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    KilledStore store(seed);
    int hits = 0;
    // On a busy machine the signal may come late many times in a row.
    for (int kill = 0; kill < kKills || (hits == 0 && kill < 20 * kKills); ++kill) {
      SCOPED_TRACE(::testing::Message() << "kill " << kill);
      bool during = false;
      ASSERT_NO_FATAL_FAILURE(store.KillAtCheckpoint(store.random().Between(1, 8), &during));
      hits += during;
      ASSERT_NO_FATAL_FAILURE(store.Check());
    }
    EXPECT_GE(hits, 1);
  }
}

// Goal: a process may die at any instant while history expires and files of the log are written
// anew: what was durable and has not expired is there, whole, and the store goes on. Method: kill a
// worker that packs beside its writers, as it does so; then check, and go on with the same store.
TEST(KillTest, PackingIsKilledAgainAndAgain) {
  constexpr int kKills = 4;
  int kills = 0, hits = 0;
  uint64_t packed = 0, expired = 0;
  for (uint64_t i = 0; i < Scaled(2) && !HasFailure(); ++i) {
    const uint64_t seed = TestSeed() * 1000000 + 900000 + i;
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    KilledStore store(seed);
    const auto enough = [&] { return hits > 0 && store.packed_files() > 0; };
    for (int kill = 0; kill < kKills || (!enough() && kill < 20 * kKills); ++kill, ++kills) {
      SCOPED_TRACE(::testing::Message() << "kill " << kill);
      bool during = false;
      ASSERT_NO_FATAL_FAILURE(store.KillAtPacking(store.random().Between(1, 3), &during));
      hits += during;
      ASSERT_NO_FATAL_FAILURE(store.Check());
      if (HasFailure()) return;
    }
    packed += store.packed_files();
    expired += store.ledger().expired_count();
  }
  std::cout << "killed while packing: " << hits << " of " << kills << " times; " << packed
            << " files packed between; " << expired << " times a commit was missed that expired\n";
  EXPECT_GE(hits, 1);
  EXPECT_GE(packed, 1u);
}

}  // namespace
}  // namespace tidemark::testing
