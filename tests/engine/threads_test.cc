// Many threads at one store, its own among them. Worth most under ThreadSanitizer.

#include <atomic>
#include <filesystem>
#include <thread>

#include "engine/internal/log_scanner.h"
#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

class ThreadsTest : public StoreFixture {
 protected:
  ThreadsTest() {
    sim_.options().background_work = BackgroundWork::kThreads;
    sim_.options().checkpoint_log_bytes = 64u << 10;  // as many as can be
    sim_.options().flush_delay = std::chrono::microseconds(100);
  }

  static void Run(int count, const std::function<void(int)>& work) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) threads.emplace_back(work, i);
    for (std::thread& thread : threads) thread.join();
  }

  // How many records of a kind the log holds.
  std::map<format::RecordKind, int> CountRecords() {
    internal::Segments segments(&sim_.fs(), "store/log", sim_.options().segment_size_bytes);
    EXPECT_OK(segments.Load());
    std::map<format::RecordKind, int> counts;
    internal::ScanStart start;
    start.position = {1, format::kFirstGroupOffset};
    EXPECT_OK(internal::ScanLog(segments, start, [&](const internal::ScannedGroup& group) {
      EXPECT_TRUE(group.intact);
      for (const auto& entry : group.directory) {
        internal::RecordView record;
        EXPECT_EQ(
            internal::ParseRecord(group.bytes.subspan(entry.offset), group.incarnation, record),
            internal::ParseOutcome::kOk);
        ++counts[record.kind];
      }
      return OkStatus();
    }));
    return counts;
  }
};

// Goal: a namespace and an object come into being once, however many threads make them at once, and
// no record stands in the log before those it builds on. Method: four threads open and commit to
// one object and to one each, in a new namespace every round; then the log is replayed.
TEST_F(ThreadsTest, ManyMakeTheSame) {
  const auto rounds = static_cast<int>(Scaled(30));
  ASSERT_OK(sim_.Open());
  for (int round = 0; round < rounds; ++round) {
    const std::string ns = "ns" + std::to_string(round);
    std::atomic<int> ready{0};
    Run(4, [&](int i) {
      ++ready;
      while (ready < 4) std::this_thread::yield();
      for (const std::string& name : {std::string("shared"), "own" + std::to_string(i)}) {
        const auto object = sim_.store().OpenObject(ns, name, IfMissing::kCreate);
        ASSERT_OK(object);
        while (true) {
          const auto commit = Commit(*object, {{static_cast<uint32_t>(i + 1), RandomPage(7)}});
          if (commit.status().code() == StatusCode::kBusy) {
            std::this_thread::yield();
            continue;
          }
          ASSERT_OK(commit);
          break;
        }
      }
    });
  }
  ASSERT_OK(sim_.Close());
  auto counts = CountRecords();
  EXPECT_EQ(counts[format::RecordKind::kNamespace], rounds);
  EXPECT_EQ(counts[format::RecordKind::kObject], 5 * rounds);
  EXPECT_EQ(counts[format::RecordKind::kFrame], 8 * rounds);
  std::filesystem::remove(sim_.options().index_directory + "/data.mdb");
  ASSERT_OK(sim_.Open());
  for (int round = 0; round < rounds; ++round) {
    const std::string ns = "ns" + std::to_string(round);
    ASSERT_OK_AND_ASSIGN(const auto shared,
                         sim_.store().OpenObject(ns, "shared", IfMissing::kFail));
    for (uint32_t i = 1; i <= 4; ++i) EXPECT_TRUE(Reads(shared, i, RandomPage(7)));
  }
}

// Goal: of those who make an object at once, by forks and by commits, one makes it, and all see the
// same; listings and checkpoints go on meanwhile. Method: three forks and a commit to one new name
// in a new namespace every round; then deletions and undeletions of it; then the log is replayed.
TEST_F(ThreadsTest, ForksAndDeletions) {
  const auto rounds = static_cast<int>(Scaled(20));
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(auto source, Open("a"));
  ASSERT_OK_AND_ASSIGN(const Bookmark at, source->CurrentBookmark());
  for (int round = 0; round < rounds; ++round) {
    const std::string ns = "ns" + std::to_string(round);
    std::atomic<int> ready{0};
    std::atomic<int> made{0};
    Run(5, [&](int i) {
      ++ready;
      while (ready < 5) std::this_thread::yield();
      if (i == 4) {
        ASSERT_OK(sim_.store().Checkpoint());
        for (const Listed which : {Listed::kExisting, Listed::kDeleted}) {
          ASSERT_OK(sim_.store().ListObjects(
              "", [](const ObjectSummary&) { return true; }, which));
        }
        return;
      }
      const auto object = sim_.store().OpenObject(ns, "o", IfMissing::kCreate);
      ASSERT_OK(object);
      if (i == 3) {
        const auto commit = Commit(*object, {{2, RandomPage(7)}});
        if (commit.status().code() != StatusCode::kBusy) {
          ASSERT_OK(commit);
        }
      } else {
        const Status forked = sim_.store().Fork(*source, at, ns, "o").status();
        made += forked.ok();
        EXPECT_TRUE(forked.ok() || forked.code() == StatusCode::kExists) << forked.ToString();
      }
      for (int turn = 0; turn < 6; ++turn) {
        const auto turned = (turn + i) % 2 == 0 ? (*object)->Delete() : (*object)->Undelete();
        const StatusCode code = turned.status().code();
        EXPECT_TRUE(code == StatusCode::kOk || code == StatusCode::kBusy ||
                    code == StatusCode::kNotFound || code == StatusCode::kExists)
            << turned.status().ToString();
        const auto snapshot = (*object)->OpenSnapshot();
        ASSERT_OK(snapshot);
        ASSERT_OK(snapshot->Verify());
      }
    });
    EXPECT_LE(made, 1);
  }
  std::map<std::string, CommitInfo> heads;
  const auto remember = [&](const ObjectSummary& object) {
    heads[object.namespace_name + "/" + object.name] = object.head;
    return true;
  };
  ASSERT_OK(sim_.store().ListObjects("", remember));
  ASSERT_OK(sim_.store().ListObjects("", remember, Listed::kDeleted));
  source.reset();
  ASSERT_OK(sim_.Close());
  std::filesystem::remove(sim_.options().index_directory + "/data.mdb");
  ASSERT_OK(sim_.Open());
  const auto before = std::exchange(heads, {});
  ASSERT_OK(sim_.store().ListObjects("", remember));
  ASSERT_OK(sim_.store().ListObjects("", remember, Listed::kDeleted));
  EXPECT_EQ(heads, before);
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  EXPECT_TRUE(report.damage.empty());
}

// Goal: restores, commits, checkpoints and reads of the present and the past go on at once; what is
// read is always one whole state. Method: two writers, two restorers, two readers of one object,
// who prove by the state hash what they read; and in the end by a replay of the log.
TEST_F(ThreadsTest, RestoresWritersReadersAndCheckpoints) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("a", 1));
  const auto rounds = static_cast<int>(Scaled(60));
  std::atomic<int> working{4};
  Run(7, [&](int i) {
    Random random(TestSeed() * 100 + static_cast<uint64_t>(i));
    const auto object = Open("a", IfMissing::kFail);
    ASSERT_OK(object);
    if (i == 6) {
      while (working > 0) {
        ASSERT_OK(sim_.store().Checkpoint());
        std::this_thread::yield();
      }
      return;
    }
    for (int round = 0; i < 4 ? round < rounds : working > 0; ++round) {
      if (i < 2) {
        std::map<uint32_t, PageBytes> pages;
        for (uint64_t n = 1 + random.Below(6); n > 0; --n) {
          pages[static_cast<uint32_t>(1 + random.Below(20))] = RandomPage(random.Next());
        }
        const auto commit = Commit(*object, pages);
        if (commit.status().code() != StatusCode::kBusy) {
          ASSERT_OK(commit);
        }
      } else {
        std::vector<CommitInfo> past;
        ASSERT_OK((*object)->History([&](const CommitInfo& commit) {
          past.push_back(commit);
          return past.size() < 20;
        }));
        const CommitInfo& to = past[random.Below(past.size())];
        if (i < 4) {
          const auto info = (*object)->Restore((*object)->BookmarkOf(to));
          if (info.status().code() != StatusCode::kBusy) {
            ASSERT_OK(info);
          }
        } else {
          const auto snapshot = (*object)->OpenSnapshot((*object)->BookmarkOf(to));
          ASSERT_OK(snapshot);
          ASSERT_OK(snapshot->Verify());
          ASSERT_OK_AND_ASSIGN(const Snapshot present, (*object)->OpenSnapshot());
          ASSERT_OK(present.Verify());
        }
      }
    }
    if (i < 4) --working;
  });
  ASSERT_FALSE(HasFailure());
  CommitInfo head;
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a", IfMissing::kFail));
    head = object->head();
  }
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  EXPECT_TRUE(report.damage.empty());
  ASSERT_OK(sim_.Close());
  std::filesystem::remove(sim_.options().index_directory + "/data.mdb");
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a", IfMissing::kFail));
  EXPECT_EQ(object->head(), head);
  ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, object->OpenSnapshot());
  EXPECT_OK(snapshot.Verify());
}

}  // namespace
}  // namespace tidemark::testing
