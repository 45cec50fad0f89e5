// Retention at the level of the store: licences, policies, holds, pins, the clock; and that all of
// it comes back from the log.

#include "engine/retention.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/engine/store_fixture.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

using internal::KeptPoints;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class RetentionTest : public StoreFixture {
 protected:
  void SetUp() override { ASSERT_OK(sim_.Open()); }

  static RetentionPolicy Keep(seconds window) { return {.window = window}; }

  // A commit each `step`, `count` of them; their bookmarks, oldest first.
  std::vector<Bookmark> Commits(const std::string& name, int count, seconds step) {
    std::vector<Bookmark> bookmarks;
    for (int i = 0; i < count; ++i) {
      EXPECT_OK(Put(name, ++seed_));
      const auto object = Open(name);
      bookmarks.push_back((*object)->CurrentBookmark().value());
      times_[bookmarks.back().lsn] = sim_.clock().Now();
      sim_.clock().Advance(step);
    }
    return bookmarks;
  }

  // "..xx": which of the bookmarks resolve, x those that do not.
  std::string Reached(const std::string& name, const std::vector<Bookmark>& bookmarks) {
    const auto object = Open(name, IfMissing::kDeleted);
    if (!object.ok()) return object.status().ToString();
    std::string text;
    for (const Bookmark& bookmark : bookmarks) {
      const auto commit = (*object)->Resolve(bookmark);
      EXPECT_TRUE(commit.ok() || commit.status().code() == StatusCode::kExpired)
          << commit.status().ToString();
      text += commit.ok() ? '.' : 'x';
    }
    return text;
  }

  std::string History(const std::string& name, const std::vector<Bookmark>& bookmarks,
                      Lsn newest = Lsn(UINT64_MAX)) {
    std::string text(bookmarks.size(), 'x');
    EXPECT_OK(Open(name, IfMissing::kDeleted)
                  .value()
                  ->History(
                      [&](const CommitInfo& commit) {
                        for (size_t i = 0; i < bookmarks.size(); ++i) {
                          if (bookmarks[i].lsn == commit.lsn) text[i] = '.';
                        }
                        return true;
                      },
                      nullptr, newest));
    return text;
  }

  // As it is, opened anew, and with an index that is made anew from the log.
  template <typename Check>
  void Everywhere(Check check) {
    check("as it is");
    ASSERT_OK(sim_.Close());
    ASSERT_OK(sim_.Open());
    check("reopened");
    sim_.Crash(PowerLoss::kAll);
    std::filesystem::remove_all(sim_.options().index_directory);
    ASSERT_OK(sim_.Open());
    check("rebuilt");
  }

  KeptPoints PointsOf(const CommitInfo& commit) {
    auto points = internal::StorePeer::Impl(sim_.store()).retention().PointsOf(commit.timeline);
    EXPECT_OK(points);
    return points.ok() ? *points : KeptPoints();
  }

  uint64_t seed_ = 0;
  std::map<Lsn, Timestamp> times_;
};

// Goal: nothing expires but by licence; the error names the horizon and what is kept next.
TEST_F(RetentionTest, NothingWithoutALicence) {
  const auto commits = Commits("a", 3, days(1));
  sim_.clock().Advance(days(1000));
  EXPECT_EQ(Reached("a", commits), "...");
  ASSERT_OK_AND_ASSIGN(RetentionInfo info, sim_.store().GetRetention(RetentionScope()));
  EXPECT_EQ(info.horizon, Timestamp());
  EXPECT_EQ(info.source, PolicySource::kOptions);
  ASSERT_OK(sim_.store().Prune());
  const Timestamp horizon = sim_.clock().Now() - sim_.options().retention;
  Everywhere([&](const std::string& where) {
    SCOPED_TRACE(where);
    EXPECT_EQ(Reached("a", commits), "xx.");
    EXPECT_EQ(History("a", commits), "xx.");
    EXPECT_EQ(sim_.store().GetRetention(RetentionScope())->horizon, horizon);
    EXPECT_EQ(sim_.store().Stats().horizon, horizon);
    const auto object = Open("a").value();
    EXPECT_ERROR(object->Resolve(commits[0]), StatusCode::kExpired, FormatTime(horizon));
    EXPECT_ERROR(object->Resolve(commits[0]), StatusCode::kExpired, commits[2].ToString());
    const Timestamp first = ManualClock::kStart;
    EXPECT_ERROR(object->Resolve(first + hours(1)), StatusCode::kExpired, commits[2].ToString());
    EXPECT_ERROR(object->Resolve(first - hours(1)), StatusCode::kNotFound, "did not exist");
    EXPECT_OK(object->Resolve(first + days(2) + hours(1)));  // the third one, as at the horizon
    EXPECT_OK(object->Resolve(horizon));
    EXPECT_ERROR(object->OpenSnapshot(commits[1]), StatusCode::kExpired, "");
    EXPECT_ERROR(object->Restore(commits[1]), StatusCode::kExpired, "");
    EXPECT_ERROR(object->SetLabel("late", commits[1]), StatusCode::kExpired, "");
    EXPECT_ERROR(sim_.store().Fork(*object, commits[1], "rooms", "fork"), StatusCode::kExpired, "");
  });
}

// Goal: an object goes by its own policy, else its namespace's, else the store's; each counts from
// the next licence on, and never brings anything back.
TEST_F(RetentionTest, TheMostSpecificPolicyCounts) {
  std::map<std::string, std::vector<Bookmark>> commits;
  for (int day = 0; day < 20; ++day) {
    for (const char* name : {"a", "b"}) {
      EXPECT_OK(Put(name, ++seed_));
      commits[name].push_back(Open(name).value()->CurrentBookmark().value());
    }
    sim_.clock().Advance(days(1));
  }
  Store& store = sim_.store();
  const RetentionScope rooms("rooms");
  const RetentionScope b(*Open("b").value());
  ASSERT_OK(store.SetRetention(RetentionScope(), Keep(days(15))));
  ASSERT_OK(store.SetRetention(rooms, Keep(days(10))));
  ASSERT_OK(store.SetRetention(b, Keep(days(5))));
  EXPECT_EQ(Reached("b", commits["b"]), std::string(20, '.'));
  ASSERT_OK(store.Prune());
  const std::string ten = std::string(10, 'x') + std::string(10, '.');
  const std::string five = std::string(15, 'x') + std::string(5, '.');
  EXPECT_EQ(Reached("a", commits["a"]), ten);
  EXPECT_EQ(Reached("b", commits["b"]), five);
  EXPECT_EQ(store.GetRetention(b)->source, PolicySource::kObject);
  EXPECT_EQ(store.GetRetention(rooms)->source, PolicySource::kNamespace);
  EXPECT_EQ(store.GetRetention(RetentionScope(*Open("a").value()))->source,
            PolicySource::kNamespace);
  EXPECT_EQ(store.GetRetention(RetentionScope())->source, PolicySource::kStore);
  EXPECT_EQ(store.ListRetention()->size(), 3u);

  // Longer windows bring nothing back, now or later.
  ASSERT_OK(store.ClearRetention(b));
  ASSERT_OK(store.SetRetention(rooms, Keep(days(100))));
  ASSERT_OK(store.Prune());
  EXPECT_EQ(store.GetRetention(b)->source, PolicySource::kNamespace);
  EXPECT_EQ(store.GetRetention(b)->policy, Keep(days(100)));
  Everywhere([&](const std::string& where) {
    SCOPED_TRACE(where);
    EXPECT_EQ(Reached("a", commits["a"]), ten);
    EXPECT_EQ(Reached("b", commits["b"]), five);
    EXPECT_EQ(History("b", commits["b"]), five);
    EXPECT_EQ(sim_.store().ListRetention()->size(), 2u);
  });
  // A shorter one around it does not reach what has a longer one of its own.
  ASSERT_OK(sim_.store().SetRetention(RetentionScope(*Open("b").value()), Keep(days(30))));
  ASSERT_OK(sim_.store().SetRetention(rooms, Keep(days(2))));
  ASSERT_OK(sim_.store().Prune());
  EXPECT_EQ(Reached("a", commits["a"]), std::string(18, 'x') + "..");
  EXPECT_EQ(Reached("b", commits["b"]), five);
  // A clock that was set back lets nothing come back either.
  sim_.clock().Advance(-days(50));
  ASSERT_OK(sim_.store().Prune());
  EXPECT_EQ(Reached("a", commits["a"]), std::string(18, 'x') + "..");
}

// Goal: another default at the next open moves no horizon back.
TEST_F(RetentionTest, AnotherDefault) {
  const auto commits = Commits("a", 20, days(1));
  ASSERT_OK(sim_.Close());
  sim_.options().retention = days(5);
  ASSERT_OK(sim_.Open());
  ASSERT_OK(sim_.store().Prune());
  const std::string five = std::string(15, 'x') + std::string(5, '.');
  EXPECT_EQ(Reached("a", commits), five);
  ASSERT_OK(sim_.Close());
  sim_.options().retention = days(100);
  ASSERT_OK(sim_.Open());
  EXPECT_EQ(Reached("a", commits), five);
  ASSERT_OK(sim_.store().Prune());
  EXPECT_EQ(Reached("a", commits), five);
}

// Goal: while an object is held nothing of it expires; what a release lets go goes with the next
// licence.
TEST_F(RetentionTest, Hold) {
  const auto commits = Commits("a", 10, days(1));
  const auto others = Commits("b", 3, seconds(1));
  ASSERT_OK(sim_.store().SetRetention(RetentionScope(), Keep(days(7))));
  ASSERT_OK(sim_.store().Prune());
  EXPECT_EQ(Reached("a", commits), "xxx.......");
  EXPECT_ERROR(Open("a").value()->ReleaseHold(), StatusCode::kNotFound, "not held");
  EXPECT_ERROR(Open("none").value()->SetHold("x"), StatusCode::kNotFound, "exist");
  EXPECT_ERROR(Open("a").value()->SetHold(std::string(257, 'x')), StatusCode::kInvalidArgument,
               "256");
  ASSERT_OK(Open("a").value()->SetHold("case 7"));
  sim_.clock().Advance(days(100));
  ASSERT_OK(sim_.store().Prune());
  ASSERT_OK(sim_.store().SetRetention(RetentionScope(*Open("a").value()), Keep(days(1))));
  ASSERT_OK(sim_.store().Prune());
  Everywhere([&](const std::string& where) {
    SCOPED_TRACE(where);
    EXPECT_EQ(Reached("a", commits), "xxx.......");
    EXPECT_EQ(Reached("b", others), "xx.");
    const auto info = Open("a").value()->GetRetention();
    ASSERT_OK(info);
    ASSERT_TRUE(info->hold);
    EXPECT_EQ(info->hold->reason, "case 7");
  });
  ASSERT_OK(Open("a").value()->ReleaseHold());
  EXPECT_EQ(Reached("a", commits), "xxx.......");
  ASSERT_OK(sim_.store().Prune());
  Everywhere([&](const std::string& where) {
    SCOPED_TRACE(where);
    EXPECT_EQ(Reached("a", commits), "xxxxxxxxx.");
    EXPECT_FALSE(Open("a").value()->GetRetention()->hold);
  });
}

// Goal: everything, then the last commit of each hour, then of each day; by bookmark, by time and
// in the history alike.
TEST_F(RetentionTest, Thinning) {
  // 20 minutes apart for 12 days.
  const auto commits = Commits("a", 12 * 72, minutes(20));
  ASSERT_OK(sim_.store().SetRetention(RetentionScope(),
                                      {.window = days(2), .hourly = days(5), .daily = days(9)}));
  ASSERT_OK(sim_.store().Prune());
  std::string expected;
  for (int day = 0; day < 12; ++day) {
    for (int i = 0; i < 72; ++i) {
      bool kept = day >= 10;
      if (day >= 7) kept = kept || i % 3 == 2;
      if (day >= 3) kept = kept || i == 71;
      // What was current at the three horizons: at the end of day 9 the last one of it, which is
      // the first stage's; at the end of days 6 and 2 those of the days.
      if (day == 2 && i == 71) kept = true;
      if (day == 10 && i == 0) kept = true;
      expected += kept ? '.' : 'x';
    }
  }
  Everywhere([&](const std::string& where) {
    SCOPED_TRACE(where);
    EXPECT_EQ(Reached("a", commits), expected);
    EXPECT_EQ(History("a", commits), expected);
    // From the middle of an hour and of a day.
    for (const size_t at : {size_t{8 * 72 + 4}, size_t{4 * 72 + 30}}) {
      std::string part = expected.substr(0, at + 1);
      part.resize(expected.size(), 'x');
      EXPECT_EQ(History("a", commits, commits[at].lsn), part);
    }
    const auto object = Open("a").value();
    for (size_t i = 0; i < commits.size(); ++i) {
      // Halfway to the next one.
      const auto found = object->Resolve(ManualClock::kStart + minutes(20) * i + minutes(10));
      if (expected[i] == '.') {
        EXPECT_OK(found) << i;
        EXPECT_TRUE(!found.ok() || found->lsn == commits[i].lsn) << i;
      } else {
        EXPECT_EQ(found.status().code(), StatusCode::kExpired) << i;
      }
    }
  });
}

// Goal: a plan names what a licence takes, and takes nothing itself.
TEST_F(RetentionTest, Plan) {
  const auto a = Commits("a", 10, days(1));
  const auto b = Commits("b", 2, days(1));
  ASSERT_OK(Open("a").value()->SetLabel("kept", a[1]));
  ASSERT_OK(Open("b").value()->Delete());
  sim_.clock().Advance(days(20));
  const auto plan = [&] {
    std::string text;
    EXPECT_OK(sim_.store().PlanPrune([&](const ExpiringObject& object) {
      text += object.display_name + " " + std::to_string(object.commits) + ";";
      EXPECT_LE(object.oldest.lsn, object.newest.lsn);
      return true;
    }));
    return text;
  };
  EXPECT_EQ(plan(), "rooms/a 1;");
  sim_.clock().Advance(days(20));
  EXPECT_EQ(plan(), "rooms/a 8;rooms/b 2;");
  EXPECT_EQ(Reached("a", a), "..........");
  ASSERT_OK(sim_.store().Prune());
  EXPECT_EQ(Reached("a", a), "x.xxxxxxx.");
  EXPECT_EQ(History("a", a), "x.xxxxxxx.");
  EXPECT_EQ(Reached("b", b), "xx");
  EXPECT_EQ(plan(), "");
}

// Goal: a step of the clock, or a long sleep, pauses licences until it is confirmed, also across
// crashes; time that really passed does not.
TEST_F(RetentionTest, Clock) {
  const auto commits = Commits("a", 2, days(1));
  sim_.clock().Advance(days(400));
  ASSERT_OK(sim_.store().Prune());
  EXPECT_EQ(Reached("a", commits), "x.");
  sim_.clock().Set(sim_.clock().Now() + hours(23));
  ASSERT_OK(sim_.store().Prune());
  // Back, and forward to where it was.
  sim_.clock().Set(sim_.clock().Now() - days(300));
  ASSERT_OK(sim_.store().Prune());
  sim_.clock().Set(sim_.clock().Now() + days(300));
  ASSERT_OK(sim_.store().Prune());
  const Timestamp good = sim_.clock().Now();
  sim_.clock().Set(good + days(400));
  EXPECT_ERROR(sim_.store().Prune(), StatusCode::kPaused, FormatTime(good));
  EXPECT_ERROR(sim_.store().PlanPrune([](const ExpiringObject&) { return true; }),
               StatusCode::kPaused, "--confirm-clock");
  Everywhere([&](const std::string& where) {
    SCOPED_TRACE(where);
    EXPECT_ERROR(sim_.store().Prune(), StatusCode::kPaused, FormatTime(good));
    ASSERT_TRUE(sim_.store().Stats().clock_alarm);
    EXPECT_EQ(sim_.store().Stats().clock_alarm->from, good);
  });
  sim_.clock().Set(good);
  EXPECT_ERROR(sim_.store().Prune(), StatusCode::kPaused, "");
  ASSERT_OK(sim_.store().ConfirmClock());
  ASSERT_OK(sim_.store().Prune());
  EXPECT_EQ(sim_.store().Stats().horizon, good - sim_.options().retention);
  EXPECT_FALSE(sim_.store().Stats().clock_alarm);
  // What nobody asks of the clock while it is wrong is found at the close.
  sim_.clock().Set(good + days(400));
  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  EXPECT_ERROR(sim_.store().Prune(), StatusCode::kPaused, "");
  ASSERT_OK(sim_.store().ConfirmClock());
  // A week's sleep is none of its business, a fortnight's is.
  ASSERT_OK(sim_.Close());
  sim_.clock().Advance(days(8));
  ASSERT_OK(sim_.Open());
  ASSERT_OK(sim_.store().Prune());
  ASSERT_OK(sim_.Close());
  sim_.clock().Advance(days(9));
  ASSERT_OK(sim_.Open());
  EXPECT_ERROR(sim_.store().Prune(), StatusCode::kPaused, "");
  const Lsn last = sim_.store().Stats().last_lsn;
  ASSERT_OK(sim_.store().ConfirmClock());
  EXPECT_EQ(sim_.store().Stats().last_lsn, Lsn(last.value + 1));
  ASSERT_OK(sim_.store().ConfirmClock());  // writes nothing
  EXPECT_EQ(sim_.store().Stats().last_lsn, Lsn(last.value + 1));
  Everywhere([&](const std::string& where) {
    SCOPED_TRACE(where);
    EXPECT_OK(sim_.store().Prune());
  });
}

// Goal: time that passes between two looks at the clock is no step of it. Method: a machine that
// sleeps for two days after each look.
TEST_F(RetentionTest, TimePassesAllTheTime) {
  class SleepyClock final : public Clock {
   public:
    explicit SleepyClock(ManualClock* clock) : clock_(clock) {}
    Timestamp Now() const override {
      const Timestamp now = clock_->Now();
      Sleep();
      return now;
    }
    std::chrono::microseconds Monotonic() const override {
      const std::chrono::microseconds passed = clock_->Monotonic();
      Sleep();
      return passed;
    }
    bool sleeps = false;

   private:
    void Sleep() const {
      if (sleeps) clock_->Advance(days(2));
    }
    ManualClock* const clock_;
  };
  ASSERT_OK(sim_.Close());
  SleepyClock clock(&sim_.clock());
  sim_.options().clock = &clock;
  ASSERT_OK(sim_.Open());
  clock.sleeps = true;
  const auto commits = Commits("a", 3, days(31));
  for (int i = 0; i < 3; ++i) EXPECT_OK(sim_.store().Prune());
  EXPECT_EQ(Reached("a", commits), "xx.");
  clock.sleeps = false;
  ASSERT_OK(sim_.Close());
}

// Goal: PointsOf has what bookmarks, times, labels, snapshots and other timelines need, and not
// more.
TEST_F(RetentionTest, Points) {
  const auto commits = Commits("a", 6, days(1));
  const auto a = Open("a").value();
  const CommitInfo head = a->head();
  EXPECT_TRUE(PointsOf(head).AnyIn(Lsn(1), Lsn(2)));  // no licence
  ASSERT_OK(a->SetLabel("label", commits[1]));
  ASSERT_OK_AND_ASSIGN(auto fork, sim_.store().Fork(*a, commits[2], "rooms", "fork"));
  ASSERT_OK_AND_ASSIGN(auto fork_of_fork,
                       sim_.store().Fork(*fork, fork->head().time, "rooms", "fork2"));
  std::optional<Snapshot> snapshot = a->OpenSnapshot(commits[3]).value();
  sim_.clock().Advance(days(31));
  ASSERT_OK(sim_.store().Prune());
  const auto points = [&] {
    const KeptPoints kept = PointsOf(head);
    std::string text;
    for (const Bookmark& commit : commits) text += kept.Has(commit.lsn) ? '.' : 'x';
    return text;
  };
  EXPECT_EQ(points(), "x...x.");
  EXPECT_FALSE(PointsOf(head).AnyIn(commits[0].lsn, commits[1].lsn));
  EXPECT_TRUE(PointsOf(head).AnyIn(commits[0].lsn, Lsn(commits[1].lsn.value + 1)));
  EXPECT_TRUE(PointsOf(head).AnyIn(commits[5].lsn, Lsn(UINT64_MAX)));
  ASSERT_OK(ReadPage(*snapshot, 1));
  snapshot.reset();
  EXPECT_EQ(points(), "x..xx.");
  ASSERT_OK(a->RemoveLabel("label"));
  EXPECT_EQ(points(), "xx.xx.");
  ASSERT_OK(sim_.store().Checkpoint());
  EXPECT_EQ(points(), "xx.xx.");
  // The fork goes, but a fork of it stays.
  ASSERT_OK(fork->Delete());
  const CommitInfo of_fork = fork_of_fork->head();
  sim_.clock().Advance(days(31));
  ASSERT_OK(sim_.store().Prune());
  EXPECT_EQ(points(), "xx.xx.");
  // A restore to the past of what is restored to.
  ASSERT_OK(a->Restore(commits[5]));
  sim_.clock().Advance(days(31));
  ASSERT_OK(Put("a", 900));
  ASSERT_OK(fork_of_fork->Delete());
  sim_.clock().Advance(days(31));
  ASSERT_OK(sim_.store().Prune());
  EXPECT_EQ(points(), "xxxxx.");
  EXPECT_TRUE(PointsOf(of_fork).empty());
  // An object that was deleted long ago needs nothing.
  ASSERT_OK(a->Delete());
  sim_.clock().Advance(days(31));
  ASSERT_OK(sim_.store().Prune());
  EXPECT_TRUE(PointsOf(head).empty());
  EXPECT_ERROR(a->Undelete(), StatusCode::kExpired, "");
  ASSERT_OK(sim_.store().SetRetention(RetentionScope(*a), Keep(days(10))));  // a deleted one
}

// Goal: wrong arguments.
TEST_F(RetentionTest, BadInput) {
  Store& store = sim_.store();
  EXPECT_ERROR(store.SetRetention(RetentionScope("none"), Keep(days(1))), StatusCode::kNotFound,
               "none");
  EXPECT_ERROR(store.GetRetention(RetentionScope("none")), StatusCode::kNotFound, "none");
  EXPECT_ERROR(store.SetRetention(RetentionScope("\xff"), Keep(days(1))),
               StatusCode::kInvalidArgument, "");
  EXPECT_ERROR(store.SetRetention(RetentionScope(), Keep(seconds(-1))),
               StatusCode::kInvalidArgument, "-1");
  EXPECT_ERROR(store.SetRetention(RetentionScope(), Keep(seconds(INT64_MAX))),
               StatusCode::kInvalidArgument, "ten thousand");
  ASSERT_OK(Put("a", 1));
  const RetentionScope fresh(*Open("new").value());
  EXPECT_ERROR(store.SetRetention(fresh, Keep(days(1))), StatusCode::kNotFound, "new");
}

}  // namespace
}  // namespace tidemark::testing
