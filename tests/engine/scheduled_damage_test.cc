// Damaged records of restores that wait: what may have been moved or cancelled is not made.

#include <vector>

#include "engine/internal/schedule_record.h"
#include "tests/engine/log_fixture.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

using ScheduledDamageTest = LogFixture;

// Goal: a restore that a damaged record may have replaced or cancelled is refused, once, with the
// place; the object is as it was, and the next one is made. One of which only a damaged record told
// is found by verify. Method: rot in the last of the records about it, found by a replay.
TEST_F(ScheduledDamageTest, IsNotMade) {
  enum { kMoved, kCancelled, kOnly };
  for (const int what : {kMoved, kCancelled, kOnly}) {
    SCOPED_TRACE(what);
    const std::string name = "hurt" + std::to_string(what);
    ASSERT_OK(sim_.Open());
    ASSERT_OK_AND_ASSIGN(const CommitInfo one, Put(name, 1));
    ASSERT_OK_AND_ASSIGN(const CommitInfo two, Put(name, 2));
    internal::ScheduleRow rotten;
    {
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
      rotten.object = object->id();
      Bookmark undo;
      if (what != kOnly) {
        ASSERT_OK_AND_ASSIGN(undo, object->ScheduleRestore(object->BookmarkOf(one)));
      }
      if (what == kCancelled) {
        ASSERT_OK(object->CancelScheduledRestore());
      } else {
        ASSERT_OK(object->ScheduleRestore(object->BookmarkOf(two)));
        rotten.set = true;
        rotten.session = undo.lsn;
        rotten.source = object->id();
        rotten.timeline = two.timeline;
        rotten.commit = two.lsn;
        rotten.epoch = two.epoch;
        rotten.state_hash = two.state_hash;
      }
      rotten.namespace_id = rotten.source_namespace =
          internal::StorePeer::Impl(sim_.store()).Namespaces().front()->id;
    }
    ASSERT_OK(Put(name, 3));
    ASSERT_OK(Put("well", 4));
    sim_.Crash(PowerLoss::kNothing);
    internal::Buffer fields;
    EncodeSchedule(rotten, fields);
    const Place place = PlaceOf(PageBytes(fields.begin(), fields.end()));
    sim_.fs().FlipBit(PathOf(place.segment), place.offset + 1, 2);
    ASSERT_OK(sim_.Open());
    EXPECT_TRUE(Holds("well", 4));
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    EXPECT_TRUE(std::any_of(report.damage.begin(), report.damage.end(), [&](const Damage& damage) {
      return damage.object == "rooms/" + name && damage.segment == place.segment;
    }));
    {
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
      if (what == kOnly) {
        ASSERT_OK_AND_ASSIGN(const auto nothing, object->BeginSession());
        EXPECT_FALSE(nothing);
      } else {
        EXPECT_ERROR(object->BeginSession(), StatusCode::kCorruption,
                     "segment " + std::to_string(place.segment));
        ASSERT_OK_AND_ASSIGN(const auto waits, object->scheduled_restore());
        EXPECT_FALSE(waits);
      }
      EXPECT_TRUE(Holds(name, 3));
      ASSERT_OK(object->ScheduleRestore(object->BookmarkOf(one)));
    }
    ASSERT_OK(sim_.Close());
    ASSERT_OK(sim_.Open());
    {
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
      ASSERT_OK_AND_ASSIGN(const auto done, object->BeginSession());
      EXPECT_TRUE(done);
      EXPECT_TRUE(Holds(name, 1));
    }
    ASSERT_OK(sim_.Close());
  }
}

}  // namespace
}  // namespace tidemark::testing
