// Labels: names for commits that stay, over timelines, checkpoints, crashes and the window; and
// what damage to them costs.

#include <filesystem>
#include <thread>

#include "engine/internal/index.h"
#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class LabelTest : public LogFixture {
 protected:
  void SetUp() override { ASSERT_OK(sim_.Open()); }

  static std::string At(const std::shared_ptr<Object>& object, const std::string& label) {
    const auto commit = object->Resolve(Label{label});
    return commit.ok() ? object->BookmarkOf(*commit).ToString() : commit.status().ToString();
  }

  // "name" or "name*" for automatic ones, separated by spaces; with "!" if damaged.
  static std::string Labels(const std::shared_ptr<Object>& object) {
    const auto labels = object->ListLabels();
    if (!labels.ok()) return labels.status().ToString();
    std::string text;
    for (const LabelInfo& label : *labels) {
      text += (text.empty() ? "" : " ") + label.name + (label.automatic ? "*" : "") +
              (label.damage.ok() ? "" : "!");
      if (!label.damage.ok()) continue;
      EXPECT_EQ(object->BookmarkOf(label.commit), label.bookmark);
      EXPECT_EQ(At(object, label.name), label.bookmark.ToString());
    }
    return text;
  }

  // Where a text stands in the log for the last time.
  Place LastPlaceOf(const std::string& text) {
    Place place;
    for (uint32_t segment = 1; sim_.fs().Exists(PathOf(segment)).value(); ++segment) {
      const auto bytes = sim_.fs().Contents(PathOf(segment));
      const auto part = std::as_bytes(std::span(text));
      const auto at = std::find_end(bytes.begin(), bytes.end(), part.begin(), part.end());
      if (at != bytes.end()) place = {segment, static_cast<uint64_t>(at - bytes.begin())};
    }
    EXPECT_NE(place.segment, 0u) << text << " is not in the log";
    return place;
  }

  // The present, the index after a checkpoint, after a reopening, and made anew from the log.
  void InEveryState(const std::string& name,
                    const std::function<void(const std::shared_ptr<Object>&)>& check) {
    for (const char* const state : {"recent", "indexed", "reopened", "crashed", "rebuilt"}) {
      SCOPED_TRACE(state);
      const std::string is = state;
      if (is == "indexed") {
        ASSERT_OK(sim_.Checkpoint());
      } else if (is == "reopened") {
        ASSERT_OK(sim_.Close());
        ASSERT_OK(sim_.Open());
      } else if (is == "crashed") {
        sim_.Crash(PowerLoss::kAll);
        ASSERT_OK(sim_.Open());
      } else if (is == "rebuilt") {
        ASSERT_OK(sim_.Close());
        std::filesystem::remove(sim_.options().index_directory + "/data.mdb");
        ASSERT_OK(sim_.Open());
      }
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name, IfMissing::kFail));
      check(object);
      ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
      for (const Damage& damage : report.damage) ADD_FAILURE() << damage.message;
    }
  }
};

// Goal: a label names its commit, wherever the index stands, until it is moved or removed.
TEST_F(LabelTest, SetMovedAndRemoved) {
  std::string bookmarks[4];
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
    for (uint64_t i = 1; i <= 3; ++i) {
      ASSERT_OK_AND_ASSIGN(const CommitInfo commit, Put("a", i));
      bookmarks[i] = object->BookmarkOf(commit).ToString();
      ASSERT_OK(object->SetLabel("v" + std::to_string(i), *object->CurrentBookmark()));
    }
    ASSERT_OK(object->SetLabel("first", Label{"v1"}));
    ASSERT_OK(object->SetLabel("moved", Label{"v1"}));
    ASSERT_OK(object->SetLabel("moved", Label{"v3"}, IfLabelExists::kMove));
    ASSERT_OK(object->SetLabel("gone", Label{"v2"}));
    ASSERT_OK(object->RemoveLabel("gone"));
    ASSERT_OK(object->SetLabel("back", Label{"v1"}));
    ASSERT_OK(object->RemoveLabel("back"));
    ASSERT_OK(object->SetLabel("back", Label{"v2"}));
    // Labels of other objects are others.
    ASSERT_OK(Put("b", 9));
    ASSERT_OK_AND_ASSIGN(const auto other, Open("b"));
    ASSERT_OK(other->SetLabel("v1", *other->CurrentBookmark()));
    EXPECT_EQ(Labels(other), "v1");
  }
  InEveryState("a", [&](const std::shared_ptr<Object>& object) {
    EXPECT_EQ(Labels(object), "back first moved v1 v2 v3");
    EXPECT_EQ(At(object, "v1"), bookmarks[1]);
    EXPECT_EQ(At(object, "v2"), bookmarks[2]);
    EXPECT_EQ(At(object, "v3"), bookmarks[3]);
    EXPECT_EQ(At(object, "first"), bookmarks[1]);
    EXPECT_EQ(At(object, "moved"), bookmarks[3]);
    EXPECT_EQ(At(object, "back"), bookmarks[2]);
  });
  // What the index has, changed; then a checkpoint of that.
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
    ASSERT_OK(object->RemoveLabel("v1"));
    ASSERT_OK(object->RemoveLabel("back"));
    ASSERT_OK(object->SetLabel("moved", Label{"v2"}, IfLabelExists::kMove));
  }
  InEveryState("a", [&](const std::shared_ptr<Object>& object) {
    EXPECT_EQ(Labels(object), "first moved v2 v3");
    EXPECT_EQ(At(object, "moved"), bookmarks[2]);
  });
}

// Goal: a checkpoint between two changes of a label leaves what the log says up to there: should
// the later change be lost, the earlier one is not.
TEST_F(LabelTest, CheckpointBetweenChanges) {
  ASSERT_OK(Put("a", 1));
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
    ASSERT_OK(object->SetLabel("v1", *object->CurrentBookmark()));
    ASSERT_OK(Commit(object, {{1, RandomPage(2)}}));
    ASSERT_OK(object->SetAutomaticLabel("auto"));
    // Only what is durable is indexed.
    ASSERT_OK(sim_.store().Checkpoint());
    ASSERT_OK(Commit(object, {{1, RandomPage(3)}}));
    ASSERT_OK(object->SetAutomaticLabel("lost"));
  }
  sim_.Crash(PowerLoss::kAll);
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
  ASSERT_OK_AND_ASSIGN(const auto labels, object->ListLabels());
  ASSERT_EQ(labels.size(), 2u);
  EXPECT_EQ(labels[0].name.substr(0, 5), "auto-");
  EXPECT_EQ(labels[1].name, "v1");
}

// Goal: what is wrong is said, names the label and what there is, and nothing is written for it.
TEST_F(LabelTest, Errors) {
  ASSERT_OK_AND_ASSIGN(const auto none, Open("none"));
  EXPECT_ERROR(none->SetLabel("v1", sim_.clock().Now()), StatusCode::kNotFound, "rooms/none");
  EXPECT_ERROR(none->SetAutomaticLabel("x"), StatusCode::kNotFound, "rooms/none");
  EXPECT_ERROR(none->Resolve(Label{"v1"}), StatusCode::kNotFound, "rooms/none has no label \"v1\"");
  EXPECT_EQ(Labels(none), "");

  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
  ASSERT_OK_AND_ASSIGN(const Bookmark first, object->CurrentBookmark());
  ASSERT_OK(object->SetLabel("v1", first));
  ASSERT_OK(Put("a", 2));
  ASSERT_OK_AND_ASSIGN(const Bookmark second, object->CurrentBookmark());
  const Lsn last = sim_.store().Stats().last_lsn;
  for (const char* const name : {"", "1", "a b", "now", "deadbeef-1"}) {
    EXPECT_ERROR(object->SetLabel(name, first), StatusCode::kInvalidArgument, "label");
    EXPECT_ERROR(object->RemoveLabel(name), StatusCode::kInvalidArgument, "label");
  }
  EXPECT_ERROR(object->SetAutomaticLabel("a b"), StatusCode::kInvalidArgument, "a b");
  EXPECT_ERROR(object->SetAutomaticLabel(std::string(60, 'x')), StatusCode::kInvalidArgument, "64");
  EXPECT_ERROR(object->SetLabel("v1", second), StatusCode::kExists, first.ToString());
  EXPECT_ERROR(object->RemoveLabel("v2"), StatusCode::kNotFound, "\"v2\"; its labels: v1");
  EXPECT_ERROR(object->Resolve(Label{"v2"}), StatusCode::kNotFound, "\"v2\"; its labels: v1");
  EXPECT_ERROR(object->Restore(Label{"v2"}), StatusCode::kNotFound, "\"v2\"");
  EXPECT_ERROR(object->OpenSnapshot(Label{"v2"}), StatusCode::kNotFound, "\"v2\"");
  EXPECT_ERROR(object->SetLabel("v2", Label{"v3"}), StatusCode::kNotFound, "\"v3\"");
  const std::string endless(10'000, 'x');
  EXPECT_ERROR(object->Resolve(Label{endless}), StatusCode::kNotFound, endless);
  EXPECT_ERROR(object->Resolve(Label{""}), StatusCode::kNotFound, "\"\"");
  EXPECT_ERROR(object->SetAutomaticLabel(endless), StatusCode::kInvalidArgument, "64");
  Bookmark wrong = first;
  wrong.object_tag ^= 1;
  EXPECT_ERROR(object->SetLabel("v2", wrong), StatusCode::kForeign, "");
  EXPECT_OK(object->SetLabel("v1", first)) << "it does name that";
  EXPECT_EQ(sim_.store().Stats().last_lsn, last);

  for (int i = 1; i <= 9; ++i) {
    ASSERT_OK(object->SetLabel("w" + std::to_string(i), first));
  }
  EXPECT_ERROR(object->Resolve(Label{"v2"}), StatusCode::kNotFound,
               "its labels: v1, w1, w2, w3, w4 and 5 more");
}

// Goal: a label is a Point, on whatever timeline its commit is, and does not need the write lock.
TEST_F(LabelTest, IsAPointOnAnyTimeline) {
  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
  {
    Transaction transaction(object);
    ASSERT_OK(transaction.Begin());
    ASSERT_OK(object->SetLabel("one", sim_.clock().Now()));
    ASSERT_OK(object->SetAutomaticLabel("auto"));
  }
  ASSERT_OK(Put("a", 2));
  ASSERT_OK(object->SetLabel("two", *object->CurrentBookmark()));
  const uint32_t counter = object->change_counter();
  ASSERT_OK_AND_ASSIGN(const RestoreInfo restored, object->Restore(Label{"one"}));
  EXPECT_EQ(object->change_counter(), counter + 1) << "labels are no commits";
  EXPECT_TRUE(Holds("a", 1));
  ASSERT_OK(object->SetLabel("restored", *object->CurrentBookmark()));
  ASSERT_OK(Put("a", 3));
  ASSERT_OK_AND_ASSIGN(const Snapshot two, object->OpenSnapshot(Label{"two"}));
  ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(two, 1));
  EXPECT_TRUE(page == RandomPage(2));
  EXPECT_EQ(At(object, restored.label), At(object, "two"));
  ASSERT_OK(object->Restore(Label{"two"}));
  EXPECT_TRUE(Holds("a", 2));
  ASSERT_OK(object->Restore(Label{"restored"}));
  EXPECT_TRUE(Holds("a", 1));
  int commits = 0;
  ASSERT_OK(object->History([&](const CommitInfo&) { return ++commits, true; }));
  EXPECT_EQ(commits, 6);
}

// Goal: a label's commit never expires; an automatic label goes when its commit does, and is kept
// for good by setting it.
TEST_F(LabelTest, Expiry) {
  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
  ASSERT_OK_AND_ASSIGN(const Bookmark first, object->CurrentBookmark());
  ASSERT_OK(object->SetLabel("plain", first));
  ASSERT_OK_AND_ASSIGN(const std::string automatic, object->SetAutomaticLabel("auto"));
  ASSERT_OK(Put("a", 2));
  ASSERT_OK_AND_ASSIGN(const std::string kept, object->SetAutomaticLabel("auto"));
  ASSERT_OK(Put("a", 3));
  ASSERT_OK_AND_ASSIGN(const std::string present, object->SetAutomaticLabel("auto"));
  ASSERT_OK(object->SetLabel(kept, Label{kept}));
  EXPECT_ERROR(object->SetLabel(kept, first), StatusCode::kExists, kept);
  EXPECT_EQ(Labels(object), automatic + "* " + kept + " " + present + "* plain");
  sim_.clock().Advance(sim_.options().retention + seconds(1));
  ASSERT_OK(sim_.store().Prune());
  ASSERT_OK(object->Resolve(first));  // a label names it
  ASSERT_OK(object->SetLabel("plain", Label{kept}, IfLabelExists::kMove));
  EXPECT_ERROR(object->Resolve(first), StatusCode::kExpired, "");
  EXPECT_ERROR(object->Resolve(Label{automatic}), StatusCode::kExpired, automatic);
  EXPECT_EQ(Labels(object), kept + " " + present + "* plain");
  EXPECT_ERROR(object->SetLabel("late", first), StatusCode::kExpired, "");
  ASSERT_OK(object->SetLabel("copy", Label{"plain"}));
  ASSERT_OK(object->Restore(Label{"plain"}));
  EXPECT_TRUE(Holds("a", 2));
  ASSERT_OK(object->Restore(Label{kept}));
  EXPECT_TRUE(Holds("a", 2));
}

// Goal: automatic labels say what was done and when, sort in order of time, never collide, are one
// a commit, and cost no sync.
TEST_F(LabelTest, AutomaticLabels) {
  sim_.clock().Set(Timestamp(seconds(1795233906)) + std::chrono::microseconds(42));
  ASSERT_OK(Put("a", 1));
  ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
  const uint64_t groups = sim_.store().Stats().groups_written;
  std::vector<std::string> names;
  for (uint64_t i = 2; i <= 5; ++i) {
    ASSERT_OK_AND_ASSIGN(names.emplace_back(), object->SetAutomaticLabel("before-delete"));
    const Lsn last = sim_.store().Stats().last_lsn;
    EXPECT_EQ(object->SetAutomaticLabel("before-drop").value(), names.back());
    EXPECT_EQ(sim_.store().Stats().last_lsn, last);
    ASSERT_OK(Commit(object, {{1, RandomPage(i)}}));
  }
  EXPECT_EQ(sim_.store().Stats().groups_written, groups);
  EXPECT_EQ(names[0], "before-delete-20261121T040506Z");
  EXPECT_EQ(names[1], "before-delete-20261121T040506Z-000042");
  EXPECT_EQ(names[2], "before-delete-20261121T040506Z-000043");
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  ASSERT_OK(sim_.store().Sync());

  // A restore's own is in the group of the restore.
  const uint64_t before = sim_.store().Stats().groups_written;
  ASSERT_OK_AND_ASSIGN(const RestoreInfo restore, object->Restore(Label{names[0]}));
  EXPECT_EQ(sim_.store().Stats().groups_written, before + 1);
  EXPECT_EQ(restore.label, "before-restore-20261121T040506Z");
  EXPECT_EQ(At(object, restore.label), restore.undo.ToString());
  EXPECT_EQ(object->PlanRestore(restore.undo)->label, "");
  // Of a commit that has one it makes none.
  ASSERT_OK_AND_ASSIGN(const std::string name, object->SetAutomaticLabel("before-vacuum"));
  EXPECT_EQ(object->Restore(restore.undo)->label, name);
}

// Goal: labels that are asked for at once are one, and no thread waits for another for ever.
// Method: threads that set the same label to different commits, and restore and commit meanwhile.
TEST_F(LabelTest, Threads) {
  ASSERT_OK(sim_.Close());
  sim_.options().background_work = BackgroundWork::kThreads;
  ASSERT_OK(sim_.Open());
  {
    std::vector<Bookmark> bookmarks;
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
    for (uint64_t i = 0; i < 4; ++i) {
      ASSERT_OK(Put("a", i));
      bookmarks.push_back(object->CurrentBookmark().value());
    }
    for (int round = 0; round < 20; ++round) {
      const std::string name = "round-" + std::to_string(round);
      std::atomic<int> set = 0;
      std::vector<std::thread> threads;
      for (const Bookmark& bookmark : bookmarks) {
        threads.emplace_back([&, bookmark] {
          const Status status = object->SetLabel(name, bookmark);
          EXPECT_TRUE(status.ok() || status.code() == StatusCode::kExists) << status.ToString();
          set += status.ok();
          EXPECT_OK(object->SetAutomaticLabel("auto"));
          EXPECT_OK(object->ListLabels());
        });
      }
      EXPECT_OK(object->Restore(bookmarks[static_cast<size_t>(round) % bookmarks.size()]));
      EXPECT_OK(sim_.store().Checkpoint());
      for (std::thread& thread : threads) thread.join();
      EXPECT_EQ(set, 1);
    }
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    for (const Damage& damage : report.damage) ADD_FAILURE() << damage.message;
  }
  ASSERT_OK(sim_.Close());
}

// Goal: a damaged record of a label costs what it may have said and nothing else: not the object,
// not its labels that were set later, not other objects' labels. Setting a label anew is the way
// out. Method: records that set, move and remove one, each rotten.
TEST_F(LabelTest, DamagedRecord) {
  enum { kSet, kMove, kRemove };
  for (const int what : {kSet, kMove, kRemove}) {
    SCOPED_TRACE(what);
    const std::string name = "hurt" + std::to_string(what);
    const std::string label = "rotten-label-" + std::to_string(what);
    std::string first;
    {
      ASSERT_OK(Put(name, 1));
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
      first = object->CurrentBookmark()->ToString();
      ASSERT_OK(object->SetLabel("early", Label{object->SetAutomaticLabel("auto").value()}));
      ASSERT_OK(Put(name, 2));
      // The last of the records with this name in it is the one that rots.
      if (what != kSet) {
        ASSERT_OK(object->SetLabel(label, Label{"early"}));
      }
      const Lsn lsn(sim_.store().Stats().last_lsn.value + 1);
      if (what == kRemove) {
        ASSERT_OK(object->RemoveLabel(label));
      } else {
        ASSERT_OK(object->SetLabel(label, sim_.clock().Now(), IfLabelExists::kMove));
      }
      EXPECT_EQ(sim_.store().Stats().last_lsn, lsn);
      ASSERT_OK(object->SetLabel("late", Label{"early"}));
      ASSERT_OK(Put("well", 3));
      ASSERT_OK_AND_ASSIGN(const auto well, Open("well"));
      ASSERT_OK(well->SetLabel("early", sim_.clock().Now(), IfLabelExists::kMove));
    }
    sim_.Crash(PowerLoss::kNothing);
    const Place place = LastPlaceOf(label);
    const std::string segment = "segment " + std::to_string(place.segment);
    sim_.fs().FlipBit(PathOf(place.segment), place.offset, 2);
    ByLogAndByIndex([&] {
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name, IfMissing::kFail));
      EXPECT_TRUE(Holds(name, 2));
      EXPECT_EQ(At(object, "late"), first);
      for (const std::string& asked : {std::string("early"), label, std::string("never")}) {
        EXPECT_ERROR(object->Resolve(Label{asked}), StatusCode::kCorruption, "label " + asked);
        EXPECT_ERROR(object->Resolve(Label{asked}), StatusCode::kCorruption, segment);
      }
      EXPECT_ERROR(object->RemoveLabel("never"), StatusCode::kCorruption, "rooms/" + name);
      ASSERT_OK_AND_ASSIGN(const auto labels, object->ListLabels());
      EXPECT_EQ(labels.front().name, "");
      EXPECT_ERROR(labels.front().damage, StatusCode::kCorruption, segment);
      size_t damaged = 0;
      for (const LabelInfo& one : labels) damaged += !one.damage.ok();
      EXPECT_EQ(damaged, labels.size() - 1) << "all but late";
      ASSERT_OK_AND_ASSIGN(const auto well, Open("well", IfMissing::kFail));
      EXPECT_EQ(Labels(well), "early");
      ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
      EXPECT_TRUE(
          std::any_of(report.damage.begin(), report.damage.end(), [&](const Damage& damage) {
            return damage.object == "rooms/" + name && damage.segment == place.segment;
          }));
    });
    ASSERT_OK(sim_.Open());
    ASSERT_OK_AND_ASSIGN(const auto object, Open(name, IfMissing::kFail));
    ASSERT_OK(object->SetLabel("early", sim_.clock().Now()));
    ASSERT_OK(object->SetLabel(label, Label{"late"}));
    EXPECT_EQ(At(object, label), first);
    EXPECT_EQ(At(object, "early"), object->CurrentBookmark()->ToString());
    if (what == kRemove) continue;
    ASSERT_OK(object->RemoveLabel(label));
  }
}

// Goal: a label whose commit is damaged says so, in look-ups and in the list; the others do not.
TEST_F(LabelTest, DamagedCommit) {
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("hurt"));
    for (const uint64_t i : {1u, 2u, 3u}) {
      ASSERT_OK(Put("hurt", i));
      ASSERT_OK(object->SetLabel("v" + std::to_string(i), *object->CurrentBookmark()));
    }
    ASSERT_OK(Put("well", 4));
  }
  sim_.Crash(PowerLoss::kNothing);
  const Place place = PlaceOf(2);
  sim_.fs().FlipBit(PathOf(place.segment), place.offset + 7, 2);
  ByLogAndByIndex([&] {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("hurt", IfMissing::kFail));
    EXPECT_EQ(Labels(object), "v1 v2! v3!");
    EXPECT_ERROR(object->Resolve(Label{"v2"}), StatusCode::kCorruption, "label v2 of object");
    EXPECT_ERROR(object->Resolve(Label{"v2"}), StatusCode::kCorruption, "segment 1");
    ASSERT_OK(object->Resolve(Label{"v1"}));
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    for (const char* const label : {"label v2:", "label v3:"}) {
      EXPECT_TRUE(std::any_of(report.damage.begin(), report.damage.end(),
                              [&](const Damage& damage) {
                                return damage.object == "rooms/hurt" &&
                                       damage.message.find(label) == 0;
                              }))
          << label;
    }
  });
  // The way back to what is whole; it has nothing to name that could be trusted.
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const auto object, Open("hurt", IfMissing::kFail));
  ASSERT_OK(object->Restore(Label{"v1"}));
  EXPECT_TRUE(Holds("hurt", 1));
}

// Goal: verify finds labels that the index does not have, has otherwise, or should not have.
TEST_F(LabelTest, VerifyHoldsTheIndexAgainstTheLog) {
  {
    ASSERT_OK(Put("a", 1));
    ASSERT_OK_AND_ASSIGN(const auto object, Open("a"));
    for (const char* const name : {"missing", "other", "removed", "well"}) {
      ASSERT_OK(object->SetLabel(name, *object->CurrentBookmark()));
    }
    ASSERT_OK(object->RemoveLabel("removed"));
  }
  ASSERT_OK_AND_ASSIGN(const ObjectId id,
                       [&]() -> Result<ObjectId> { return Open("a").value()->id(); }());
  ASSERT_OK(sim_.Close());
  {
    ASSERT_OK_AND_ASSIGN(const auto index,
                         internal::Index::Open(sim_.options().index_directory, {}));
    ASSERT_OK_AND_ASSIGN(const auto rows, index->ListLabels(id));
    ASSERT_EQ(rows.size(), 3u);
    internal::LabelRow removed = rows[1];
    removed.name = "removed";
    internal::LabelRow other = rows[1];
    other.state_hash ^= 1;
    ASSERT_OK(index->Update([&](internal::IndexWriter& writer) -> Status {
      TIDEMARK_RETURN_IF_ERROR(writer.RemoveLabel(id, "missing"));
      TIDEMARK_RETURN_IF_ERROR(writer.RemoveLabel(id, "never there"));
      TIDEMARK_RETURN_IF_ERROR(writer.PutLabel(removed));
      return writer.PutLabel(other);
    }));
    ASSERT_OK(index->EndUpdates());
  }
  ASSERT_OK(sim_.Open());
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  std::vector<std::string> messages;
  for (const Damage& damage : report.damage) {
    EXPECT_EQ(damage.object, "rooms/a");
    messages.push_back(damage.message);
  }
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[0],
            "label other: the index has it otherwise: it must be rebuilt from the log");
  EXPECT_NE(messages[1].find("has the label removed"), std::string::npos);
  EXPECT_NE(messages[2].find("does not know the label missing"), std::string::npos);
}

}  // namespace
}  // namespace tidemark::testing
