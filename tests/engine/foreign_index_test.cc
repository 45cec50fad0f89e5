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
// its own, of other lengths or so that both come to the same LSN at the same place; the log of one,
// or of before, with the index of the other.
TEST(ForeignIndexTest, IsRefused) {
  constexpr uint64_t kSame = 7;
  const auto put = [](SimStore& sim, const char* name, uint64_t seed, bool same_lengths) {
    ASSERT_OK_AND_ASSIGN(const auto object,
                         sim.store().OpenObject("rooms", name, IfMissing::kCreate));
    ASSERT_OK(Commit(object, {{1, RandomPage(seed)},
                              {2, same_lengths ? RandomPage(~seed) : PartlyRandomPage(seed)}}));
    ASSERT_OK(sim.store().Sync());
  };
  for (const bool clean : {false, true}) {
    for (const uint64_t commits : {uint64_t{3}, kSame, uint64_t{40}}) {
      SCOPED_TRACE(::testing::Message() << (clean ? "clean, " : "unclean, ") << commits);
      SimStore before(TestSeed());
      ASSERT_OK(before.Open());
      put(before, "a", 1, false);
      put(before, "b", 2, false);
      if (clean) {
        ASSERT_OK(before.Close());
      } else {
        before.Crash(PowerLoss::kNothing);
      }
      SimStore one(TestSeed(), before.Save());
      ASSERT_OK(one.Open());
      for (uint64_t i = 1; i <= commits; ++i) put(one, "b", 100 + i, commits == kSame);
      const uint64_t one_bytes = one.store().Stats().log_bytes;
      ASSERT_OK(one.Close());
      SimStore other(TestSeed(), before.Save());
      ASSERT_OK(other.Open());
      for (uint64_t i = 1; i <= kSame; ++i) put(other, "a", 200 + i, commits == kSame);
      ASSERT_EQ(other.store().Stats().log_bytes == one_bytes, commits == kSame);
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
