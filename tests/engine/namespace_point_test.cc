// Namespace points: all objects of a namespace brought back, or forked, to one instant.

#include "engine/namespace_point.h"

#include <map>
#include <string>
#include <vector>

#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

// What each object that exists has on page 1, as a seed of RandomPage.
using Contents = std::map<std::string, uint64_t>;

class NamespacePointTest : public StoreFixture {
 protected:
  NamespacePointTest() {
    sim_.options().background_work = BackgroundWork::kThreads;
    sim_.options().retention_share = 0;
    sim_.options().flush_delay = std::chrono::microseconds(0);
  }
  ~NamespacePointTest() override {
    if (sim_.is_open()) {
      EXPECT_OK(sim_.Close());
    }
  }

  void Write(const std::string& name, uint64_t seed) {
    sim_.clock().Advance(seconds(1));
    ASSERT_OK(Put(name, seed));
    now_[name] = seed;
  }
  void Delete(const std::string& name) {
    sim_.clock().Advance(seconds(1));
    ASSERT_OK_AND_ASSIGN(const auto object, Open(name, IfMissing::kFail));
    ASSERT_OK(object->Delete());
    now_.erase(name);
  }
  Bookmark Here() {
    const auto bookmark = sim_.store().NamespaceBookmark("rooms");
    EXPECT_OK(bookmark);
    return bookmark.ok() ? *bookmark : Bookmark();
  }
  // The namespace has these objects and no others.
  void ExpectContents(const Contents& contents, const std::string& ns = "rooms") {
    std::vector<std::string> names;
    ASSERT_OK(sim_.store().ListObjects(ns, [&](const ObjectSummary& summary) {
      names.push_back(summary.name);
      return true;
    }));
    EXPECT_EQ(names.size(), contents.size());
    for (const auto& [name, seed] : contents) {
      ASSERT_OK_AND_ASSIGN(const auto object, sim_.store().OpenObject(ns, name, IfMissing::kFail));
      EXPECT_TRUE(Reads(object, 1, RandomPage(seed))) << name;
    }
  }
  // "restored undeleted deleted same".
  static std::string Counts(const Result<NamespaceReport>& report) {
    if (!report.ok()) return report.status().ToString();
    return std::to_string(report->restored) + " " + std::to_string(report->undeleted) + " " +
           std::to_string(report->deleted) + " " + std::to_string(report->same);
  }

  Contents now_;
};

// Goal: what changed, was deleted or was created since goes back, what did not is left alone; and
// the bookmark of before brings all of that back again.
TEST_F(NamespacePointTest, RestoresAndUndoes) {
  ASSERT_OK(sim_.Open());
  for (int i = 0; i < 40; ++i) Write("o" + std::to_string(i), static_cast<uint64_t>(i + 1));
  const Contents then = now_;
  const Bookmark point = Here();
  const Timestamp time = sim_.clock().Now();
  EXPECT_EQ(Bookmark::Parse(point.ToString()).value(), point);
  for (int i = 0; i < 20; ++i) Write("o" + std::to_string(i), static_cast<uint64_t>(i + 100));
  Delete("o30");
  Delete("o5");
  Write("new", 500);
  const Contents changed = now_;
  const Bookmark undo = Here();
  const std::string counts = "19 2 1 19";
  EXPECT_EQ(Counts(PlanNamespaceRestore(sim_.store(), "rooms", point)), counts);
  ExpectContents(changed);
  uint64_t last = 0;
  EXPECT_EQ(Counts(RestoreNamespace(sim_.store(), "rooms", point, Alarms::kRestore,
                                    [&](uint64_t done, uint64_t) { last = done; })),
            counts);
  EXPECT_GE(last, 41u);
  ExpectContents(then);
  const Lsn lsn = sim_.store().durable_lsn();
  EXPECT_EQ(Counts(RestoreNamespace(sim_.store(), "rooms", time)), "0 0 0 41");
  EXPECT_EQ(sim_.store().durable_lsn(), lsn) << "nothing was to do";
  EXPECT_EQ(Counts(RestoreNamespace(sim_.store(), "rooms", undo)), "19 1 2 19");
  ExpectContents(changed);
  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  // One object out of it, by the same bookmark.
  ASSERT_OK_AND_ASSIGN(const auto one, Open("o7", IfMissing::kFail));
  ASSERT_OK(one->Restore(point));
  EXPECT_TRUE(Holds("o7", 8));
  ASSERT_OK_AND_ASSIGN(const auto fresh, Open("new", IfMissing::kFail));
  EXPECT_ERROR(fresh->Restore(point), StatusCode::kNotFound, "did not exist");
  ASSERT_OK_AND_ASSIGN(const auto gone, Open("o5", IfMissing::kDeleted));
  EXPECT_ERROR(gone->Resolve(undo), StatusCode::kNotFound, "was deleted at");
  EXPECT_EQ(Counts(RestoreNamespace(sim_.store(), "rooms", time)), "18 2 1 20");
  ExpectContents(then);
}

// Goal: a point that is none of this namespace, or that cannot be gone to, is told apart, and
// nothing is changed.
TEST_F(NamespacePointTest, Refuses) {
  ASSERT_OK(sim_.Open());
  Write("a", 1);
  const Bookmark old = Here();
  Write("a", 2);
  Write("b", 3);
  ASSERT_OK_AND_ASSIGN(const auto other, sim_.store().OpenObject("other", "a", IfMissing::kCreate));
  ASSERT_OK(Commit(other, {{1, RandomPage(9)}}));
  const auto refused = [&](const Point& point, StatusCode code, const std::string& why) {
    EXPECT_ERROR(RestoreNamespace(sim_.store(), "rooms", point), code, why);
    EXPECT_ERROR(ForkNamespace(sim_.store(), "rooms", point, "copies"), code, why);
  };
  ASSERT_OK_AND_ASSIGN(const Bookmark foreign, sim_.store().NamespaceBookmark("other"));
  refused(foreign, StatusCode::kForeign, "is of another namespace than rooms");
  EXPECT_ERROR(Open("a").value()->Resolve(foreign), StatusCode::kForeign, "another namespace");
  refused(*Open("a").value()->CurrentBookmark(), StatusCode::kForeign, "names a commit of one");
  refused(Label{"monday"}, StatusCode::kInvalidArgument, "\"monday\" would be a label");
  Bookmark future = Here();
  future.lsn = Lsn(future.lsn.value + 100);
  refused(future, StatusCode::kFuture, future.ToString());
  EXPECT_ERROR(sim_.store().NamespaceBookmark("none"), StatusCode::kNotFound, "none");
  EXPECT_ERROR(RestoreNamespace(sim_.store(), "none", old), StatusCode::kForeign, "");
  EXPECT_ERROR(RestoreNamespace(sim_.store(), "none", sim_.clock().Now()), StatusCode::kNotFound,
               "none");
  EXPECT_ERROR(ForkNamespace(sim_.store(), "rooms", old, "rooms"), StatusCode::kInvalidArgument,
               "into itself");
  ExpectContents({{"a", 2}, {"b", 3}});

  // Held by a transaction: what could be done is done, and the rest when it is over.
  ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
  {
    Transaction transaction(a);
    ASSERT_OK(transaction.Begin());
    EXPECT_ERROR(RestoreNamespace(sim_.store(), "rooms", old), StatusCode::kBusy, "");
  }
  ASSERT_OK(RestoreNamespace(sim_.store(), "rooms", old));
  ExpectContents({{"a", 1}});

  // A bookmark expires where what it means does: one object keeps all from going.
  sim_.clock().Advance(sim_.options().retention + hours(1));
  ASSERT_OK(Put("a", 4));
  const Bookmark kept = Here();
  sim_.clock().Advance(sim_.options().retention + hours(1));
  ASSERT_OK(Put("a", 5));
  ASSERT_OK(Put("c", 6));
  ASSERT_OK(sim_.store().ConfirmClock());
  ASSERT_OK(sim_.store().Prune());
  refused(old, StatusCode::kExpired, "object rooms/a");
  ExpectContents({{"a", 5}, {"c", 6}});
  ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
  refused(old, StatusCode::kExpired, old.ToString() + " has expired");
  ASSERT_OK(RestoreNamespace(sim_.store(), "rooms", kept));
  ExpectContents({{"a", 4}});
}

// Goal: a bookmark of what a crash took is lost, not another point.
TEST_F(NamespacePointTest, Lost) {
  ASSERT_OK(sim_.Open());
  Write("a", 1);
  sim_.Crash(PowerLoss::kAll);
  ASSERT_OK(sim_.Open());
  Bookmark here = Here();
  ASSERT_OK(RestoreNamespace(sim_.store(), "rooms", here));
  // Another epoch than the one of that LSN.
  here.epoch -= 1;
  EXPECT_ERROR(RestoreNamespace(sim_.store(), "rooms", here), StatusCode::kLost, "");
}

// Goal: every object of then is forked under its name, and again nothing is done twice.
TEST_F(NamespacePointTest, Forks) {
  ASSERT_OK(sim_.Open());
  for (int i = 0; i < 20; ++i) Write("o" + std::to_string(i), static_cast<uint64_t>(i + 1));
  ASSERT_OK(Open("o0").value()->Restore(*Open("o0").value()->CurrentBookmark()));
  const Contents then = now_;
  const Bookmark point = Here();
  Write("o1", 77);
  Delete("o2");
  Write("new", 78);
  ASSERT_OK_AND_ASSIGN(NamespaceReport report,
                       ForkNamespace(sim_.store(), "rooms", point, "copies"));
  EXPECT_EQ(report.forked, 20u);
  ExpectContents(then, "copies");
  ExpectContents(now_);
  ASSERT_OK_AND_ASSIGN(const auto copy, sim_.store().OpenObject("copies", "o3", IfMissing::kFail));
  ASSERT_OK(Commit(copy, {{1, RandomPage(99)}}));
  ASSERT_OK_AND_ASSIGN(report, ForkNamespace(sim_.store(), "rooms", point, "copies"));
  EXPECT_EQ(report.forked, 0u);
  EXPECT_TRUE(Reads(copy, 1, RandomPage(99)));
  EXPECT_ERROR(ForkNamespace(sim_.store(), "rooms", Here(), "copies"), StatusCode::kExists,
               "is no fork of rooms/");
}

// Goal: whenever the power fails, the same call goes on to the same end, and the undo bookmark of
// before brings back what was. Method: random objects against a map; a crash at a random operation,
// again and again until a call gets through.
TEST_F(NamespacePointTest, AgainstAModelWithCrashes) {
  Random random(TestSeed());
  ASSERT_OK(sim_.Open());
  Write("first", 1);
  std::vector<std::pair<Bookmark, Contents>> points;
  uint64_t seed = 1000;
  uint64_t crashes = 0;
  for (uint64_t round = 0; round < Scaled(8); ++round) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", round " << round);
    for (uint64_t i = random.Between(5, 40); i > 0; --i) {
      const std::string name = "o" + std::to_string(random.Below(30));
      if (random.OneIn(5) && now_.count(name) > 0) {
        Delete(name);
      } else {
        Write(name, ++seed);
      }
    }
    points.emplace_back(Here(), now_);
    const auto& [point, contents] = points[random.Below(points.size())];
    const Contents before = now_;
    const Bookmark undo = Here();
    for (const auto& [to, goal] : {std::pair(point, contents), std::pair(undo, before)}) {
      while (true) {
        const bool crash = random.OneIn(2);
        if (crash) sim_.fs().CrashAt(random.Between(1, 20));
        const auto report = RestoreNamespace(sim_.store(), "rooms", to);
        if (!crash) {
          ASSERT_OK(report);
          break;
        }
        sim_.Crash(random.OneIn(2) ? PowerLoss::kSeeded : PowerLoss::kAll);
        ++crashes;
        ASSERT_OK(sim_.Open());
        if (report.ok()) ExpectContents(goal);
      }
      ExpectContents(goal);
      if (random.OneIn(2)) {
        now_ = goal;
        break;
      }
      now_ = before;
    }
  }
  // The few rounds of a shorter run may come to none.
  if (Scaled(8) >= 8) {
    EXPECT_GT(crashes, 0u);
  }
}

}  // namespace
}  // namespace tidemark::testing
