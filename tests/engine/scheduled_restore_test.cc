// Restores that wait for a session: nothing changes before, and the last one counts.

#include <filesystem>
#include <functional>
#include <optional>

#include "engine/internal/store_impl.h"
#include "tests/engine/packing_fixture.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;

constexpr Timestamp kAlarm = ManualClock::kStart + hours(1);

class ScheduledRestoreTest : public PackingFixture {
 protected:
  // What the object has for its next session.
  std::optional<ScheduledRestore> Waits(const std::string& name) {
    const auto object = Open(name, IfMissing::kDeleted);
    EXPECT_OK(object);
    const auto waits = (*object)->scheduled_restore();
    EXPECT_OK(waits);
    return *waits;
  }
  Result<CommitInfo> PutAlarm(const std::string& name, uint64_t seed,
                              std::optional<Timestamp> alarm) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(name));
    Transaction transaction(object);
    TIDEMARK_RETURN_IF_ERROR(transaction.Begin());
    TIDEMARK_RETURN_IF_ERROR(transaction.ResetPageSize(kPageSize));
    TIDEMARK_RETURN_IF_ERROR(transaction.WritePage(PageNo(1), RandomPage(seed)));
    transaction.SetAlarm(alarm);
    return transaction.Commit();
  }
  void ForgetIndex() {
    ASSERT_OK(sim_.Close());
    std::filesystem::remove_all(sim_.options().index_directory);
    ASSERT_OK(sim_.Open());
  }
  // The ways that what waits comes to its session.
  struct Way {
    const char* name;
    std::function<void()> go;
  };
  std::vector<Way> Ways() {
    return {{"at once", [] {}},
            {"by the index", [this] { ASSERT_OK(sim_.Checkpoint()); }},
            {"reopened",
             [this] {
               ASSERT_OK(sim_.Close());
               ASSERT_OK(sim_.Open());
             }},
            {"by a crash",
             [this] {
               sim_.Crash(PowerLoss::kAll);
               ASSERT_OK(sim_.Open());
             }},
            {"by a replay", [this] { ForgetIndex(); }},
            {"packed",
             [this] {
               ASSERT_OK(sim_.Reclaim(ReclaimWhat::kEverything));
               ForgetIndex();
             }},
            {"rebuilt", [this] {
               ASSERT_OK(sim_.Close());
               ASSERT_OK(Store::Rebuild("store", sim_.options()));
               ASSERT_OK(sim_.Open());
             }}};
  }
};

// Goal: nothing changes before the session begins, and what is written until then is undone with
// the rest, by a bookmark that leads there from then on. Method: each way to the session, and from
// there each way to the undo.
TEST_F(ScheduledRestoreTest, HappensWhenTheSessionBegins) {
  ASSERT_OK(sim_.Open());
  for (const Way& way : Ways()) {
    SCOPED_TRACE(way.name);
    const std::string name = way.name;
    ASSERT_OK_AND_ASSIGN(const CommitInfo first, PutAlarm(name, 1, kAlarm));
    ASSERT_OK(PutAlarm(name, 2, std::nullopt));
    Bookmark undo;
    {
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
      ASSERT_OK_AND_ASSIGN(undo, object->ScheduleRestore(object->BookmarkOf(first)));
      EXPECT_TRUE(undo.is_session_end);
      EXPECT_GE(sim_.store().durable_lsn(), undo.lsn);
      EXPECT_TRUE(Reads(object, 1, RandomPage(2)));
    }
    ASSERT_OK_AND_ASSIGN(const CommitInfo last, Put(name, 3));
    way.go();
    EXPECT_TRUE(Holds(name, 3));
    const auto waits = Waits(name);
    ASSERT_TRUE(waits);
    EXPECT_EQ(waits->to.lsn, first.lsn);
    EXPECT_EQ(waits->source_name, "");
    EXPECT_EQ(waits->undo, undo);
    {
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
      EXPECT_ERROR(object->Resolve(undo), StatusCode::kFuture, "has not ended");
      ASSERT_OK_AND_ASSIGN(const auto done, object->BeginSession());
      ASSERT_TRUE(done);
      EXPECT_EQ(done->from, last);
      EXPECT_EQ(done->to, first);
      EXPECT_EQ(done->result.kind, CommitKind::kRestore);
      EXPECT_EQ(done->undo.lsn, last.lsn);
      EXPECT_TRUE(done->label.starts_with("before-restore-")) << done->label;
      EXPECT_EQ(sim_.store().durable_lsn(), done->result.lsn);
      EXPECT_TRUE(Reads(object, 1, RandomPage(1)));
      EXPECT_EQ(object->alarm(), kAlarm);
      ASSERT_OK_AND_ASSIGN(const auto journal, sim_.store().ListRestores(*object));
      ASSERT_EQ(journal.size(), 1u);
      EXPECT_EQ(journal[0].from.lsn, last.lsn);
      EXPECT_EQ(journal[0].kind, CommitKind::kRestore);
      ASSERT_OK_AND_ASSIGN(const auto nothing, object->BeginSession());
      EXPECT_FALSE(nothing);
    }
    way.go();
    EXPECT_FALSE(Waits(name));
    ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
    ASSERT_OK_AND_ASSIGN(const CommitInfo ended, object->Resolve(undo));
    EXPECT_EQ(ended.lsn, last.lsn);
    ASSERT_OK(object->Restore(undo));
    EXPECT_TRUE(Reads(object, 1, RandomPage(3)));
  }
  ExpectWhole("in the end");
  ASSERT_OK_AND_ASSIGN(const auto never, Open("never"));
  ASSERT_OK_AND_ASSIGN(const auto nothing, never->BeginSession());
  EXPECT_FALSE(nothing);
}

// Goal: whichever operation on a file fails as a restore is scheduled, or as it happens, it waits
// or it happened, wholly, and reopened the store goes on. Method: each operation in turn, in both
// calls.
TEST_F(ScheduledRestoreTest, EachOperationFails) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo first, Put("a", 1));
  ASSERT_OK(Put("a", 2));
  ASSERT_OK(sim_.Close());
  const SimStore::Machine machine = sim_.Save();
  for (const bool fails_at_session : {false, true}) {
    for (uint64_t nth = 1;; ++nth) {
      SCOPED_TRACE(::testing::Message() << fails_at_session << ", operation " << nth);
      ASSERT_LT(nth, 100u);
      SimStore sim(nth, machine);
      ASSERT_OK(sim.Open());
      bool failed = false;
      bool scheduled = false;
      bool happened = false;
      {
        ASSERT_OK_AND_ASSIGN(const auto a, sim.store().OpenObject("rooms", "a", IfMissing::kFail));
        if (!fails_at_session) sim.fs().FailOperation(nth, StatusCode::kIoError);
        const auto undo = a->ScheduleRestore(a->BookmarkOf(first));
        scheduled = undo.ok();
        if (fails_at_session) {
          ASSERT_OK(undo.status());
          sim.fs().FailOperation(nth, StatusCode::kIoError);
        }
        const auto begun = a->BeginSession();
        happened = begun.ok() && begun->has_value();
        failed = sim.fs().FailOperation(0, StatusCode::kIoError) > 0;
        EXPECT_TRUE(failed || happened);
        EXPECT_TRUE(scheduled || !happened);
      }
      sim.Crash(static_cast<PowerLoss>(nth % 3));
      ASSERT_OK(sim.Open());
      ASSERT_OK_AND_ASSIGN(const auto a, sim.store().OpenObject("rooms", "a", IfMissing::kFail));
      const bool restored = static_cast<bool>(Reads(a, 1, RandomPage(1)));
      EXPECT_TRUE(restored || static_cast<bool>(Reads(a, 1, RandomPage(2))));
      EXPECT_TRUE(restored || !happened);
      ASSERT_OK_AND_ASSIGN(const auto waits, a->scheduled_restore());
      EXPECT_FALSE(restored && waits.has_value());
      EXPECT_TRUE(restored || waits.has_value() || !scheduled);
      ASSERT_OK_AND_ASSIGN(const auto done, a->BeginSession());
      EXPECT_EQ(done.has_value(), waits.has_value());
      EXPECT_EQ(static_cast<bool>(Reads(a, 1, RandomPage(1))), restored || waits.has_value());
      if (!failed) break;
    }
  }
}

// Goal: of several the last one counts, and the bookmarks of all are of the same session's end; one
// that was cancelled leads nowhere, and one of the next session is another.
TEST_F(ScheduledRestoreTest, TheLastOneCounts) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo one, Put("a", 1));
  ASSERT_OK_AND_ASSIGN(const CommitInfo two, Put("a", 2));
  ASSERT_OK_AND_ASSIGN(const CommitInfo three, Put("a", 3));
  ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
  ASSERT_OK_AND_ASSIGN(const Bookmark cancelled, a->ScheduleRestore(a->BookmarkOf(one)));
  ASSERT_OK(a->CancelScheduledRestore());
  EXPECT_ERROR(a->CancelScheduledRestore(), StatusCode::kNotFound, "rooms/a");
  EXPECT_ERROR(a->Resolve(cancelled), StatusCode::kNotFound, "cancelled");
  ASSERT_OK_AND_ASSIGN(const auto nothing, a->BeginSession());
  EXPECT_FALSE(nothing);
  EXPECT_EQ(a->head(), three);

  ASSERT_OK_AND_ASSIGN(const Bookmark first, a->ScheduleRestore(a->BookmarkOf(one)));
  EXPECT_NE(first, cancelled);
  ASSERT_OK(sim_.Checkpoint());
  ASSERT_OK_AND_ASSIGN(const Bookmark second, a->ScheduleRestore(a->BookmarkOf(two)));
  EXPECT_EQ(first, second);
  ASSERT_OK_AND_ASSIGN(const auto done, a->BeginSession());
  ASSERT_TRUE(done);
  EXPECT_EQ(done->to, two);
  ASSERT_OK_AND_ASSIGN(const Bookmark next, a->ScheduleRestore(first));  // to the session's end
  EXPECT_NE(next, first);
  ASSERT_OK(a->BeginSession());
  EXPECT_TRUE(Reads(a, 1, RandomPage(3)));
  EXPECT_EQ(a->Resolve(first)->lsn, three.lsn);
  EXPECT_EQ(a->Resolve(next)->lsn, done->result.lsn);
  EXPECT_ERROR(a->Resolve(cancelled), StatusCode::kNotFound, "cancelled");
  ExpectWhole("with all of it in memory");
  ASSERT_OK(sim_.Checkpoint());
  ExpectWhole("with all of it in the index");
}

// Goal: what cannot come back is not scheduled; what waited before waits still.
TEST_F(ScheduledRestoreTest, RefusedAtOnce) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo one, Put("a", 1));
  ASSERT_OK(Put("a", 2));
  ASSERT_OK(Put("b", 3));
  ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
  ASSERT_OK_AND_ASSIGN(const auto b, Open("b"));
  ASSERT_OK_AND_ASSIGN(const auto none, Open("none"));
  ASSERT_OK_AND_ASSIGN(const Bookmark undo, a->ScheduleRestore(a->BookmarkOf(one)));
  EXPECT_ERROR(a->ScheduleRestore(undo), StatusCode::kFuture, "has not ended");
  EXPECT_ERROR(a->ScheduleRestore(b->CurrentBookmark().value()), StatusCode::kForeign, "rooms/a");
  EXPECT_ERROR(b->Resolve(undo), StatusCode::kForeign, "rooms/b");
  Bookmark wrong = a->BookmarkOf(one);
  wrong.state_hash ^= 1;
  EXPECT_ERROR(a->ScheduleRestore(wrong), StatusCode::kCorruption, "damaged");
  CommitInfo of_another = one;
  of_another.lsn = b->head().lsn;
  EXPECT_ERROR(a->ScheduleRestore(*a, of_another), StatusCode::kCorruption, "damaged");
  EXPECT_ERROR(none->ScheduleRestore(*a, one), StatusCode::kNotFound, "rooms/none does not exist");
  EXPECT_ERROR(none->ScheduleRestore(Label{"x"}), StatusCode::kNotFound, "rooms/none");
  ASSERT_OK_AND_ASSIGN(const RestoreInfo deleted, b->Delete());
  EXPECT_ERROR(a->ScheduleRestore(*b, deleted.result), StatusCode::kNotFound, "rooms/b");
  EXPECT_EQ(Waits("a")->to.lsn, one.lsn);
  EXPECT_FALSE(Waits("b"));
  Bookmark made_up = undo;
  made_up.lsn = Lsn(undo.lsn.value - 1);
  EXPECT_ERROR(a->Resolve(made_up), StatusCode::kNotFound, "no restore came");

  Transaction transaction(a);
  ASSERT_OK(transaction.Begin());
  ASSERT_OK(a->ScheduleRestore(a->BookmarkOf(one)));  // needs no write lock
  EXPECT_ERROR(a->BeginSession(), StatusCode::kBusy, "rooms/a");
  transaction.End();
  ASSERT_OK_AND_ASSIGN(const auto done, a->BeginSession());
  EXPECT_TRUE(done);
}

// Goal: a snapshot of another object becomes this one's state, without its alarm; the other one
// stays as it is, cannot be purged while that waits or is, and goes without a trace otherwise.
// Method: each way to the session, of an object of another namespace.
TEST_F(ScheduledRestoreTest, OfAnotherObject) {
  ASSERT_OK(sim_.Open());
  for (const Way& way : Ways()) {
    SCOPED_TRACE(way.name);
    const std::string name = way.name;
    ASSERT_OK(PutAlarm(name, 1, kAlarm));
    CommitInfo snapshot;
    CommitInfo restored;
    Bookmark of_source;
    {
      ASSERT_OK_AND_ASSIGN(const auto source,
                           sim_.store().OpenObject("copies", name, IfMissing::kCreate));
      ASSERT_OK_AND_ASSIGN(snapshot, Commit(source, {{1, RandomPage(5)}, {2, RandomPage(6)}}));
      of_source = source->BookmarkOf(snapshot);
      ASSERT_OK(Commit(source, {{1, RandomPage(7)}}));
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
      ASSERT_OK(object->ScheduleRestore(*source, snapshot));
    }
    ASSERT_OK(sim_.store().Sync());
    way.go();
    EXPECT_ERROR(sim_.Purge("copies", name), StatusCode::kExists,
                 "rooms/" + name + " waits for its next session");
    const auto waits = Waits(name);
    ASSERT_TRUE(waits);
    EXPECT_EQ(waits->source_name, "copies/" + name);
    EXPECT_EQ(waits->to, of_source);
    {
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
      ASSERT_OK_AND_ASSIGN(const auto done, object->BeginSession());
      ASSERT_TRUE(done);
      EXPECT_EQ(done->to, snapshot);
      EXPECT_EQ(done->result.kind, CommitKind::kPromote);
      EXPECT_EQ(done->result.state_hash, snapshot.state_hash);
      restored = done->result;
      EXPECT_EQ(object->alarm(), std::nullopt);
      EXPECT_TRUE(Reads(object, 2, RandomPage(6)));
      ASSERT_OK(Commit(object, {{2, RandomPage(8)}}));
    }
    ASSERT_OK(sim_.store().Sync());
    way.go();
    {
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
      EXPECT_TRUE(Reads(object, 1, RandomPage(5)));
      ASSERT_OK_AND_ASSIGN(const auto journal, sim_.store().ListRestores(*object));
      ASSERT_EQ(journal.size(), 1u);
      EXPECT_EQ(journal[0].to, of_source);
      ASSERT_OK_AND_ASSIGN(const ForkSource from, object->SourceOf(restored));
      EXPECT_EQ(from.display_name, "copies/" + name);
      EXPECT_EQ(from.bookmark, of_source);
      ASSERT_OK(object->Restore(journal[0].from));
      EXPECT_TRUE(Reads(object, 1, RandomPage(1)));
      EXPECT_EQ(object->alarm(), kAlarm);
      ASSERT_OK_AND_ASSIGN(const auto source,
                           sim_.store().OpenObject("copies", name, IfMissing::kFail));
      EXPECT_TRUE(Reads(source, 1, RandomPage(7)));
    }
    EXPECT_ERROR(sim_.Purge("copies", name), StatusCode::kExists, "shares the history");
  }
  ExpectWhole("in the end");
}

// Goal: the object has the alarm that was asked for when it was scheduled. Method: each choice, for
// a commit of its own and for another's, by each way to the session.
TEST_F(ScheduledRestoreTest, WithAnAlarmOfOnesChoice) {
  const auto at = [](int hour) { return ManualClock::kStart + hours(hour); };
  struct {
    RestoreOptions options;
    std::optional<Timestamp> alarm;
  } const kChoices[] = {{{.alarms = Alarms::kRestore}, at(1)},
                        {{.alarms = Alarms::kKeep}, at(3)},
                        {{.alarms = Alarms::kClear}, std::nullopt},
                        {{.alarm = at(7) + std::chrono::microseconds(1)}, at(7)}};
  ASSERT_OK(sim_.Open());
  int number = 0;
  for (const Way& way : Ways()) {
    for (const bool own : {true, false}) {
      std::vector<std::string> names;
      for (const auto& choice : kChoices) {
        const std::string& name = names.emplace_back("o" + std::to_string(++number));
        const std::string source = own ? name : name + " too";
        ASSERT_OK_AND_ASSIGN(const CommitInfo to, PutAlarm(source, 1, at(1)));
        ASSERT_OK(PutAlarm(name, 2, at(2)));
        {
          ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
          ASSERT_OK_AND_ASSIGN(const auto from, Open(source));
          ASSERT_OK(own ? object->ScheduleRestore(object->BookmarkOf(to), choice.options)
                        : object->ScheduleRestore(*from, to, choice.options));
        }
        ASSERT_OK(PutAlarm(name, 3, at(3)));
      }
      ASSERT_OK(sim_.store().Sync());
      way.go();
      for (size_t i = 0; i < names.size(); ++i) {
        SCOPED_TRACE(::testing::Message() << way.name << ", own " << own << ", choice " << i);
        const auto waits = Waits(names[i]);
        ASSERT_TRUE(waits);
        EXPECT_EQ(waits->options.alarms, kChoices[i].options.alarms);
        EXPECT_EQ(waits->options.alarm.has_value(), kChoices[i].options.alarm.has_value());
        ASSERT_OK_AND_ASSIGN(const auto object, Open(names[i]));
        ASSERT_OK_AND_ASSIGN(const auto done, object->BeginSession());
        ASSERT_TRUE(done);
        EXPECT_EQ(object->alarm(), kChoices[i].alarm);
        EXPECT_TRUE(Reads(object, 1, RandomPage(1)));
      }
    }
  }
  ExpectWhole("in the end");
}

// Goal: what waited once and was cancelled or replaced does not keep its source from being purged,
// and tells no more of it. (A purge ends with a search for the id in all files.)
TEST_F(ScheduledRestoreTest, PurgesLeaveNothing) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo own, Put("a", 1));
  ASSERT_OK(Put("b", 2));
  ASSERT_OK(Put("c", 3));
  {
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
    ASSERT_OK_AND_ASSIGN(const auto b, Open("b"));
    ASSERT_OK_AND_ASSIGN(const auto c, Open("c"));
    ASSERT_OK(a->ScheduleRestore(*b, b->head()));
    ASSERT_OK(c->ScheduleRestore(*b, b->head()));
    ASSERT_OK(sim_.Checkpoint());
    ASSERT_OK(a->ScheduleRestore(a->BookmarkOf(own)));
  }
  EXPECT_ERROR(sim_.Purge("rooms", "b"), StatusCode::kExists, "rooms/c");
  ASSERT_OK(Open("c").value()->CancelScheduledRestore());
  ASSERT_OK(sim_.Purge("rooms", "b"));
  EXPECT_EQ(Waits("a")->to.lsn, own.lsn);
  ASSERT_OK(sim_.Purge("rooms", "a"));  // what waits for it goes with it
  ExpectWhole("purged");
  ForgetIndex();
  ExpectWhole("replayed");
  ASSERT_OK(Put("a", 4));
  EXPECT_FALSE(Waits("a"));
  EXPECT_FALSE(Waits("c"));
}

// Goal: a target that has expired is no reason for an object not to start: it is said once, and
// nothing waits any more. Method: expired, and packed away.
TEST_F(ScheduledRestoreTest, ExpiredTargets) {
  sim_.options().retention = hours(1);
  ASSERT_OK(sim_.Open());
  for (const bool packed : {false, true}) {
    SCOPED_TRACE(packed);
    const std::string name = packed ? "b" : "a";
    ASSERT_OK_AND_ASSIGN(const CommitInfo one, Put(name, 1));
    Bookmark undo;
    {
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
      ASSERT_OK_AND_ASSIGN(undo, object->ScheduleRestore(object->BookmarkOf(one)));
    }
    ASSERT_OK(Put(name, 2));
    sim_.clock().Advance(hours(3));
    ASSERT_OK_AND_ASSIGN(const CommitInfo last, Put(name, 3));
    ASSERT_OK(sim_.store().Prune());
    if (packed) {
      ASSERT_OK(sim_.Reclaim(ReclaimWhat::kEverything));
    }
    ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
    EXPECT_ERROR(object->BeginSession(), StatusCode::kExpired, "waits no more");
    EXPECT_EQ(object->head(), last);
    EXPECT_FALSE(Waits(name));
    EXPECT_ERROR(object->Resolve(undo), StatusCode::kNotFound, "could not be made");
    ASSERT_OK_AND_ASSIGN(const auto nothing, object->BeginSession());
    EXPECT_FALSE(nothing);
  }
  ExpectWhole("in the end");
}

// Goal: a deleted object comes back when its session begins.
TEST_F(ScheduledRestoreTest, OfADeletedObject) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo one, Put("a", 1));
  ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
  ASSERT_OK_AND_ASSIGN(const Bookmark undo, a->ScheduleRestore(a->BookmarkOf(one)));
  ASSERT_OK_AND_ASSIGN(const RestoreInfo deleted, a->Delete());
  ASSERT_OK_AND_ASSIGN(const auto done, a->BeginSession());
  ASSERT_TRUE(done);
  EXPECT_TRUE(a->exists());
  EXPECT_TRUE(Reads(a, 1, RandomPage(1)));
  EXPECT_EQ(a->Resolve(undo)->lsn, deleted.result.lsn);
}

// Goal: verify finds an index that does not fit the log. Method: rows that are wrong in each way.
TEST_F(ScheduledRestoreTest, VerifyFindsWhatDoesNotFit) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const CommitInfo one, Put("a", 1));
  ASSERT_OK(Put("b", 2));
  {
    ASSERT_OK_AND_ASSIGN(const auto a, Open("a"));
    ASSERT_OK(a->ScheduleRestore(a->BookmarkOf(one)));
  }
  ASSERT_OK(sim_.Checkpoint());
  internal::StoreImpl& store = internal::StorePeer::Impl(sim_.store());
  ASSERT_OK_AND_ASSIGN(const auto rows, store.index().ListSchedules());
  ASSERT_EQ(rows.size(), 1u);
  internal::ScheduleRow other = rows[0];
  other.commit = Lsn(other.commit.value + 1);
  internal::ScheduleRow of_b = rows[0];
  of_b.object = ObjectIdFactory("rooms").FromName("b");
  using internal::IndexWriter;
  const struct {
    const char* object;
    std::function<Status(IndexWriter&)> change;
    std::function<Status(IndexWriter&)> back;
  } wrong[] = {
      {"rooms/a", [&](IndexWriter& w) { return w.RemoveSchedule(rows[0].object); },
       [&](IndexWriter& w) { return w.PutSchedule(rows[0]); }},
      {"rooms/a", [&](IndexWriter& w) { return w.PutSchedule(other); },
       [&](IndexWriter& w) { return w.PutSchedule(rows[0]); }},
      {"rooms/b", [&](IndexWriter& w) { return w.PutSchedule(of_b); },
       [&](IndexWriter& w) { return w.RemoveSchedule(of_b.object); }},
  };
  for (const auto& [object, change, back] : wrong) {
    ASSERT_OK(store.index().Update(change));
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    ASSERT_EQ(report.damage.size(), 1u);
    EXPECT_EQ(report.damage[0].object, object) << report.damage[0].message;
    ASSERT_OK(store.index().Update(back));
    ExpectWhole("put right again");
  }
}

}  // namespace
}  // namespace tidemark::testing
