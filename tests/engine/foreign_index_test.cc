// An index beside a log that is not its own, as when one of the two comes back from a backup.

#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

// Encoded in about 16 * seed bytes.
PageBytes PartlyRandomPage(uint64_t seed) {
  PageBytes page = RandomPage(seed, seed * 16);
  page.resize(kPageSize);
  return page;
}

// Goal: such an index neither hides what the log holds nor has it written on where it does not end:
// the store does not open, says what to do, and does not change; without the index everything is
// there. Method: two lives that go on from one store, stopped cleanly or not, each with commits of
// its own; the log of one, or of before, with the index of the other. (Two lives that come to the
// same LSN at the same offset cannot be told apart: theirs are of other lengths.)
TEST(ForeignIndexTest, IsRefused) {
  const auto put = [](SimStore& sim, const char* name, uint64_t seed) {
    ASSERT_OK_AND_ASSIGN(const auto object,
                         sim.store().OpenObject("rooms", name, IfMissing::kCreate));
    ASSERT_OK(Commit(object, {{1, RandomPage(seed)}, {2, PartlyRandomPage(seed)}}));
    ASSERT_OK(sim.store().Sync());
  };
  for (const bool clean : {false, true}) {
    for (const uint64_t commits : {3u, 40u}) {
      SCOPED_TRACE(::testing::Message() << (clean ? "clean, " : "unclean, ") << commits);
      SimStore before(TestSeed());
      ASSERT_OK(before.Open());
      put(before, "a", 1);
      put(before, "b", 2);
      if (clean) {
        ASSERT_OK(before.Close());
      } else {
        before.Crash(PowerLoss::kNothing);
      }
      SimStore one(TestSeed(), before.Save());
      ASSERT_OK(one.Open());
      for (uint64_t i = 1; i <= commits; ++i) put(one, "b", 100 + i);
      ASSERT_OK(one.Close());
      SimStore other(TestSeed(), before.Save());
      ASSERT_OK(other.Open());
      for (uint64_t i = 1; i <= 7; ++i) put(other, "a", 200 + i);
      ASSERT_OK(other.Close());

      for (const bool older : {false, true}) {
        SimStore::Machine mixed = older ? before.Save() : other.Save();
        mixed.index = one.Save().index;
        SimStore store(TestSeed(), mixed);
        const Status opened = store.Open();
        if (older && !clean) {
          EXPECT_ERROR(opened, StatusCode::kCorruption, "the log ends before segment 2");
        } else {
          EXPECT_ERROR(opened, StatusCode::kCorruption, "the index does not fit the log");
          EXPECT_ERROR(opened, StatusCode::kCorruption, "remove ");
        }
        SimStore::Machine without = store.Save();
        without.index = nullptr;
        SimStore again(TestSeed(), without);
        ASSERT_OK(again.Open());
        ASSERT_OK_AND_ASSIGN(const auto a,
                             again.store().OpenObject("rooms", "a", IfMissing::kFail));
        ASSERT_OK_AND_ASSIGN(const auto b,
                             again.store().OpenObject("rooms", "b", IfMissing::kFail));
        EXPECT_TRUE(Reads(a, 1, RandomPage(older ? 1 : 207)));
        EXPECT_TRUE(Reads(b, 1, RandomPage(2)));
        ASSERT_OK_AND_ASSIGN(const VerifyReport report, again.store().Verify());
        EXPECT_TRUE(report.damage.empty());
      }
    }
  }
}

}  // namespace
}  // namespace tidemark::testing
