// Records of policies, holds and licences that rot: what they may have said is not guessed. Nothing
// more is let go of, nothing that may have gone is answered with something else, and what they are
// not about is as it was.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "tests/engine/log_fixture.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

using std::chrono::days;
using std::chrono::hours;

enum class About { kObject, kNamespace };

class DamagedRetentionTest : public LogFixture {
 protected:
  void RotAndLook(About about, const std::function<Status(Store&)>& make);

  // Three commits of rooms/hurt and rooms/well, a day apart, and `make`'s record; a month later a
  // licence. Then the record rots.
  void Rot(const std::function<Status(Store&)>& make) {
    ASSERT_OK(sim_.Open());
    for (uint64_t i = 1; i <= 3; ++i) {
      for (const char* name : {"hurt", "well"}) ASSERT_OK(Put(name, i));
      if (i == 1) first_ = Open("hurt").value()->CurrentBookmark().value();
      sim_.clock().Advance(days(1));
    }
    ASSERT_OK(make(sim_.store()));
    const Group group = GroupsOf(1).back();
    sim_.clock().Advance(days(31));
    ASSERT_OK(sim_.store().Prune());
    ASSERT_OK(Put("hurt", 4));
    sim_.Crash(PowerLoss::kNothing);
    damaged_ = {.segment = 1, .offset = group.offset + sizeof(format::GroupHeader)};
    sim_.fs().FlipBit(PathOf(1), damaged_.offset + 4, 2);
  }

  Result<internal::KeptPoints> Points(const char* name) {
    return internal::StorePeer::Impl(sim_.store())
        .retention()
        .PointsOf(Open(name).value()->head().timeline);
  }

  void ExpectReported(const std::string& object) {
    const auto report = sim_.store().Verify();
    ASSERT_OK(report);
    EXPECT_TRUE(std::any_of(report->damage.begin(), report->damage.end(), [&](const Damage& d) {
      return d.object == object && d.segment == 1 && d.offset == damaged_.offset;
    }));
  }

  const Timestamp early_ = ManualClock::kStart + hours(5);
  Bookmark first_;
  Place damaged_;
};

// Goal: an object of which a policy or hold may be lost, or of whose namespace one may be, loses
// nothing more, and its times are not guessed.
void DamagedRetentionTest::RotAndLook(About about, const std::function<Status(Store&)>& make) {
  ASSERT_NO_FATAL_FAILURE(Rot(make));
  const bool both = about == About::kNamespace;
  ByLogAndByIndex([&] {
    const auto hurt = Open("hurt", IfMissing::kFail).value();
    EXPECT_TRUE(Holds("hurt", 4));
    EXPECT_TRUE(Holds("well", 3));
    EXPECT_ERROR(hurt->Resolve(early_), StatusCode::kCorruption, "segment 1");
    EXPECT_ERROR(hurt->Resolve(first_), StatusCode::kExpired, "");
    EXPECT_OK(hurt->Resolve(sim_.clock().Now()));
    EXPECT_TRUE(Points("hurt").value().AnyIn(Lsn(1), Lsn(2)));
    ExpectReported(both ? "" : "rooms/hurt");
    const auto well = Open("well", IfMissing::kFail).value();
    EXPECT_EQ(well->Resolve(early_).status().code(),
              both ? StatusCode::kCorruption : StatusCode::kExpired);
    EXPECT_EQ(Points("well").value().AnyIn(Lsn(1), Lsn(2)), both);
    EXPECT_OK(sim_.store().Prune());
  });
  ASSERT_OK(sim_.Open());
  const auto hurt = Open("hurt", IfMissing::kFail).value();
  if (both) {
    ASSERT_OK(sim_.store().ClearRetention(RetentionScope("rooms")));
  } else {
    ASSERT_OK(hurt->ReleaseHold());  // one that may be there
    EXPECT_ERROR(hurt->Resolve(early_), StatusCode::kCorruption, "segment 1");
    ASSERT_OK(sim_.store().ClearRetention(RetentionScope(*hurt)));
  }
  EXPECT_ERROR(hurt->Resolve(early_), StatusCode::kExpired, "");
  EXPECT_FALSE(Points("hurt").value().AnyIn(Lsn(1), Lsn(2)));
}

TEST_F(DamagedRetentionTest, AnObjectsPolicy) {
  RotAndLook(About::kObject, [&](Store& store) {
    return store.SetRetention(RetentionScope(*Open("hurt").value()), {.window = days(365)});
  });
}

TEST_F(DamagedRetentionTest, AHold) {
  RotAndLook(About::kObject, [&](Store&) { return Open("hurt").value()->SetHold("law"); });
}

TEST_F(DamagedRetentionTest, ANamespacesPolicy) {
  RotAndLook(About::kNamespace, [&](Store& store) {
    return store.SetRetention(RetentionScope("rooms"), {.window = days(365)});
  });
}

// Goal: while the store's own policy may be lost nothing expires and nothing may be deleted; what a
// lost licence may have let go of is refused.
TEST_F(DamagedRetentionTest, TheStoresPolicyOrALicence) {
  ASSERT_NO_FATAL_FAILURE(Rot([&](Store& store) {
    sim_.clock().Advance(days(31));
    return store.Prune();
  }));
  ByLogAndByIndex([&] {
    EXPECT_TRUE(Holds("well", 3));
    EXPECT_ERROR(sim_.store().Prune(), StatusCode::kCorruption, "segment 1");
    EXPECT_ERROR(Points("well"), StatusCode::kCorruption, "segment 1");
    EXPECT_ERROR(Open("hurt").value()->Resolve(first_), StatusCode::kExpired, "");
    ExpectReported("");
  });
  ASSERT_OK(sim_.Open());
  ASSERT_OK(sim_.store().SetRetention(RetentionScope(), {.window = days(365)}));
  ASSERT_OK(sim_.store().Prune());
  EXPECT_FALSE(Points("well").value().AnyIn(Lsn(1), Lsn(2)));
}

// The last licence of all is the one that is lost.
TEST_F(DamagedRetentionTest, TheLastLicence) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("hurt", 1));
  first_ = Open("hurt").value()->CurrentBookmark().value();
  sim_.clock().Advance(days(1));
  ASSERT_OK(Put("hurt", 2));
  sim_.clock().Advance(days(40));
  ASSERT_OK(sim_.store().Prune());
  const Group group = GroupsOf(1).back();
  ASSERT_OK(Put("hurt", 3));
  sim_.Crash(PowerLoss::kNothing);
  sim_.fs().FlipBit(PathOf(1), group.offset + sizeof(format::GroupHeader) + 4, 2);
  ByLogAndByIndex([&] {
    const auto hurt = Open("hurt").value();
    EXPECT_ERROR(hurt->Resolve(first_), StatusCode::kExpired, "");
    EXPECT_ERROR(hurt->Resolve(early_), StatusCode::kExpired, "");
    EXPECT_TRUE(Holds("hurt", 3));
  });
}

}  // namespace
}  // namespace tidemark::testing
