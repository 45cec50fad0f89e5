// kill -9 on real files: a process that works on a store, with all its background threads, is
// killed again and again, at work and while it recovers.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "engine/check.h"
#include "tests/crash/kill_work.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

// A running kill_worker and the pipe it reports to.
class Worker {
 public:
  Worker(const std::string& directory, uint32_t run, uint64_t seed, uint32_t writers) {
    int ends[2];
    CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    reports_ = ends[0];
    // A small pipe (a page is the least), so that a fast worker does not run far ahead.
    CHECK(::fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);
    constexpr int kPipe = 3;  // dup2 in the child takes the flag off, unless it is 3 already
    CHECK(ends[1] > kPipe || ::fcntl(ends[1], F_SETFD, 0) == 0);
    posix_spawn_file_actions_t actions;
    CHECK(::posix_spawn_file_actions_init(&actions) == 0);
    CHECK(::posix_spawn_file_actions_adddup2(&actions, ends[1], kPipe) == 0);
    std::string arguments[] = {TIDEMARK_KILL_WORKER,    directory,
                               std::to_string(run),     std::to_string(seed),
                               std::to_string(writers), std::to_string(kPipe)};
    char* argv[7] = {};
    for (size_t i = 0; i < 6; ++i) argv[i] = arguments[i].data();
    CHECK(::posix_spawn(&pid_, argv[0], &actions, nullptr, argv, environ) == 0);
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

// One store, and all that is known to be durable in it.
class KilledStore {
 public:
  explicit KilledStore(uint64_t seed) : random_(seed) {}

  // Kills a worker after it has reported `reports` commits and restores.
  void KillAtWork(uint64_t reports) {
    Worker worker(path_, ++run_, random_.Next(), static_cast<uint32_t>(random_.Between(1, 3)));
    Report report;
    for (uint64_t seen = 0; seen < reports; seen += IsPromise(report)) {
      ASSERT_TRUE(worker.Read(&report)) << "the worker ended by itself";
      ASSERT_NO_FATAL_FAILURE(Remember(report));
    }
    worker.Kill();
    // What it said before it died counts, whether it was read in time or not.
    while (worker.Read(&report)) ASSERT_NO_FATAL_FAILURE(Remember(report));
  }

  // Kills a worker that is opening the store, or has just opened it.
  void KillAtRecovery() {
    Worker worker(path_, ++run_, random_.Next(), 1);
    Report report;
    ASSERT_TRUE(worker.Read(&report));
    ASSERT_EQ(report.kind, Report::kOpening);
    // How far it gets is up to the machine; give it more or less of it.
    for (uint64_t i = random_.Below(400); i > 0; --i) ::sched_yield();
    worker.Kill();
    while (worker.Read(&report)) ASSERT_NO_FATAL_FAILURE(Remember(report));
  }

  // Opens the store, checks all that is there, works on a little, and closes it or not.
  void Check() {
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path_, WorkOptions()));
    std::map<uint64_t, std::pair<uint32_t, CommitInfo>> present;  // by LSN, of all objects
    std::map<uint64_t, uint64_t> stamps;                          // of commits, by LSN
    for (uint32_t object = 0; object < kObjectCount; ++object) {
      SCOPED_TRACE(WorkObjectName(object));
      ASSERT_NO_FATAL_FAILURE(CheckObject(*store, object, &present, &stamps));
    }
    for (const auto& [lsn, promise] : promises_) {
      const auto found = present.find(lsn);
      ASSERT_NE(found, present.end()) << "LSN " << lsn << " was durable and is gone";
      EXPECT_EQ(found->second.first, promise.object) << "LSN " << lsn;
      const bool restore = promise.kind == Report::kRestore;
      EXPECT_EQ(found->second.second.kind, restore ? CommitKind::kRestore : CommitKind::kCommit);
      if (!restore) {
        EXPECT_EQ(stamps.at(lsn), promise.stamp) << "LSN " << lsn;
      }
    }
    CheckPrefix(stamps);
    ASSERT_OK_AND_ASSIGN(const VerifyReport verified, store->Verify());
    for (const Damage& damage : verified.damage) ADD_FAILURE() << damage.object << damage.message;

    // What a reopened store serves is durable from then on.
    for (const auto& [lsn, entry] : present) {
      const bool restore = entry.second.kind == CommitKind::kRestore;
      promises_[lsn] = {.kind = restore ? Report::kRestore : Report::kCommit,
                        .object = entry.first,
                        .stamp = restore ? 0 : stamps.at(lsn),
                        .lsn = lsn};
    }
    ASSERT_NO_FATAL_FAILURE(WorkOn(*store));
    if (random_.OneIn(2)) {
      ASSERT_OK(store->Close());
    }
  }

  size_t commit_count() const { return promises_.size(); }

 private:
  static constexpr uint32_t kParent = 255;  // the writer that is this process

  static uint64_t IsPromise(const Report& report) {
    return report.kind == Report::kCommit || report.kind == Report::kRestore;
  }

  void Remember(const Report& report) {
    ASSERT_NE(report.kind, Report::kFailed) << "the worker met an error";
    if (IsPromise(report) == 0) return;
    ASSERT_LT(report.object, kObjectCount);
    ASSERT_GT(report.lsn, highest_at_open_) << "LSNs must rise";
    ASSERT_TRUE(promises_.emplace(report.lsn, report).second) << "LSN " << report.lsn << " twice";
  }

  // Each commit and restore of the object's history, replayed from the stamps on page 1: the state
  // at each must be what its transaction, or its restore, makes of the state before it.
  void CheckObject(Store& store, uint32_t object,
                   std::map<uint64_t, std::pair<uint32_t, CommitInfo>>* present,
                   std::map<uint64_t, uint64_t>* stamps) {
    const auto handle =
        store.OpenObject(kWorkNamespace, WorkObjectName(object), IfMissing::kCreate);
    ASSERT_OK(handle);
    if (!(*handle)->exists()) return;
    std::vector<CommitInfo> history;
    ASSERT_OK((*handle)->History([&](const CommitInfo& commit) {
      history.push_back(commit);
      return true;
    }));
    ASSERT_FALSE(history.empty());
    EXPECT_EQ(history.front(), (*handle)->head());
    std::reverse(history.begin(), history.end());

    std::map<uint64_t, PageStamps> states;  // by LSN
    PageStamps state;
    uint64_t before = 0;
    for (const CommitInfo& commit : history) {
      const uint64_t lsn = commit.lsn.value;
      SCOPED_TRACE("LSN " + std::to_string(lsn));
      ASSERT_GT(lsn, before);
      before = lsn;
      ASSERT_OK_AND_ASSIGN(const Snapshot snapshot,
                           (*handle)->OpenSnapshot((*handle)->BookmarkOf(commit)));
      EXPECT_EQ(snapshot.commit(), commit);
      ASSERT_EQ(snapshot.page_size(), kWorkPageSize);
      if (commit.kind == CommitKind::kRestore) {
        ASSERT_TRUE(states.contains(commit.restored_from.value)) << commit.restored_from.value;
        state = states[commit.restored_from.value];
      } else {
        std::vector<std::byte> page(kWorkPageSize);
        ASSERT_OK(snapshot.ReadPage(PageNo(1), page));
        uint64_t packed = 0;
        std::memcpy(&packed, page.data(), sizeof packed);
        const Stamp stamp = Stamp::Unpack(packed);
        const auto page_count = static_cast<uint32_t>(state.size());
        state = StampsAfter(PlanWork(object, stamp, page_count), stamp, std::move(state));
        (*stamps)[lsn] = packed;
      }
      // What is old was checked before, and is looked at now and then.
      if (!promises_.contains(lsn) || !checked_.contains(lsn) || random_.OneIn(10)) {
        ASSERT_NO_FATAL_FAILURE(CheckPages(snapshot, object, state));
        checked_.insert(lsn);
      }
      states[lsn] = state;
      ASSERT_TRUE(present->emplace(lsn, std::pair(object, commit)).second);
    }
  }

  static void CheckPages(const Snapshot& snapshot, uint32_t object, const PageStamps& state) {
    ASSERT_EQ(snapshot.page_count(), state.size());
    std::vector<std::byte> page(kWorkPageSize);
    for (uint32_t page_no = 1; page_no <= state.size(); ++page_no) {
      ASSERT_OK(snapshot.ReadPage(PageNo(page_no), page)) << "page " << page_no;
      ASSERT_TRUE(page == PageOf(object, state[page_no - 1], page_no)) << "page " << page_no;
    }
    ASSERT_OK(snapshot.Verify());
  }

  // Of each writer what is there is its first commits, in order, without a gap.
  static void CheckPrefix(const std::map<uint64_t, uint64_t>& stamps) {
    std::map<std::pair<uint32_t, uint32_t>, uint32_t> counts;
    for (const auto& [lsn, packed] : stamps) {
      const Stamp stamp = Stamp::Unpack(packed);
      uint32_t& count = counts[{stamp.run, stamp.writer}];
      ASSERT_EQ(stamp.count, count + 1) << "LSN " << lsn << ", run " << stamp.run << ", writer "
                                        << stamp.writer << ": a commit before it is gone";
      count = stamp.count;
    }
  }

  // The store takes commits, and never gives an LSN twice.
  void WorkOn(Store& store) {
    if (!promises_.empty()) highest_at_open_ = promises_.rbegin()->first;
    for (uint32_t count = 1; count <= 3; ++count) {
      const auto object = static_cast<uint32_t>(random_.Below(kObjectCount));
      const Stamp stamp{.run = run_, .writer = kParent, .count = count};
      ASSERT_OK_AND_ASSIGN(const CommitInfo commit, CommitWork(store, object, stamp));
      ASSERT_OK(store.WaitDurable(commit.lsn));
      ASSERT_NO_FATAL_FAILURE(Remember({Report::kCommit, object, stamp.Pack(), commit.lsn.value}));
      highest_at_open_ = commit.lsn.value;
    }
  }

  TempDirectory directory_;
  const std::string path_ = directory_ / "store";
  Random random_;
  uint32_t run_ = 0;
  std::map<uint64_t, Report> promises_;  // by LSN
  std::set<uint64_t> checked_;           // LSNs whose pages were compared
  uint64_t highest_at_open_ = 0;
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
  EXPECT_GT(store.commit_count(), 0u);
}

// Goal: a process that is killed loses nothing that it called durable; what it leaves beyond is
// whole and a prefix; LSNs go on rising. Method: kill it after a number of reports that the seed
// chooses, reopen, replay the whole history against what the stamps say, and go on with the store.
TEST(KillTest, NothingDurableIsLost) {
  for (uint64_t i = 0; i < Scaled(4) && !HasFailure(); ++i) Live(TestSeed() * 1000000 + i, 5);
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

}  // namespace
}  // namespace tidemark::testing
