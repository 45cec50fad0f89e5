// Memory runs out while classes are migrated: SQLite's, the engine's and the runtime's own.
// A program of its own, because operator new and SQLite's allocator are replaced.

#include <gtest/gtest.h>
#include <algorithm>

#include <new>
#include <random>

#include <boost/asio/io_context.hpp>

#include "runtime/internal/class_registry.h"
#include "runtime/runtime.h"
#include "tests/api/failing_memory.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

class MigrationAllocationTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { UseFailingMemory(); }

  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(
        store_, Store::Open(directory_ / "store", {.create_if_missing = true,
                                                   .background_work = BackgroundWork::kManual,
                                                   .clock = &clock_}));
  }
  void Migrate(const std::vector<Migration>& migrations) {
    Runtime(*store_, Options()).Migrate(migrations);
  }
  // False if it failed, which has to be for want of memory.
  bool MigrateWithout(uint64_t nth, bool all, const std::vector<Migration>& migrations) {
    Runtime runtime(*store_, Options());
    bool done = false;
    allocation_countdown = {.left = nth, .all = all};
    try {
      runtime.Migrate(migrations);
      done = true;
    } catch (const Error& error) {
      allocation_countdown.left = 0;
      EXPECT_EQ(error.code(), StatusCode::kOutOfMemory) << error.what();
    } catch (const std::bad_alloc&) {
    }
    const bool fired = allocation_countdown.fired;
    allocation_countdown = {};
    EXPECT_TRUE(done || fired);
    return done;
  }
  size_t Count(const char* space) {
    size_t count = 0;
    EXPECT_OK(store_->ListObjects(space, [&](const ObjectSummary&) { return ++count > 0; }));
    return count;
  }

  RuntimeOptions Options() { return {.executor = context_.get_executor(), .clock = &clock_}; }

  boost::asio::io_context context_;
  ManualClock clock_;
  TempDirectory directory_;
  std::unique_ptr<Store> store_;
};

// Goal: an allocation that fails in Migrate is an Error or std::bad_alloc, or goes unnoticed; all
// steps are applied or none; and what is missing is done by a later call. Method: the same
// migration until it gets through, its first allocation failing, then a later one; once alone and
// once with all behind it; from the start again when the steps are applied, for what is done behind
// them. Every allocation where TIDEMARK_TEST_SCALE is 20 or more, else some, as the seed decides.
TEST_F(MigrationAllocationTest, EachAllocationFails) {
  std::vector<Migration> steps = {{.tag = "v1", .new_classes = {"A", "B", "C"}}};
  Migrate(steps);
  for (const char* space : {"A", "B", "C"}) {
    for (const char* name : {"x", "y"}) {
      ObjectStorage::Open(*store_, space, name)->kv().Put("k", "v");
    }
  }
  const uint64_t stride = ScaledStride(20);
  std::mt19937_64 random(TestSeed());
  uint64_t failures = 0;
  uint64_t failures_behind = 0;
  const auto sweep = [&](bool all) {
    bool was_applied = false;
    for (uint64_t nth = 1; nth < 100'000; nth += stride == 1 ? 1 : 1 + random() % stride) {
      SCOPED_TRACE(::testing::Message() << steps.back().tag << ", allocation " << nth
                                        << (all ? " and all behind it" : ""));
      if (MigrateWithout(nth, all, steps)) return;
      ++(was_applied ? failures_behind : failures);
      const auto registry = internal::ClassRegistry::Read(*store_);
      const bool is_applied = registry.Find("", "new" + steps.back().tag) != nullptr;
      EXPECT_EQ(registry.Find("", "A" + steps.back().tag) != nullptr, is_applied);
      EXPECT_EQ(registry.Find("", steps.back().deleted_classes[0]) == nullptr, is_applied);
      if (is_applied && !std::exchange(was_applied, true)) nth = 0;
      if (HasFailure()) return;
    }
    ADD_FAILURE() << "it never got through";
  };
  // One is deleted and another one brought back, in turn; a third gets another name.
  Migrate({steps[0], {.tag = "begin", .deleted_classes = {"C"}}});
  steps.push_back({.tag = "begin", .deleted_classes = {"C"}});
  std::string name = "A";
  for (int round = 0; round < 4; ++round) {
    const std::string tag = std::to_string(round);
    const bool even = round % 2 == 0;
    steps.push_back({.tag = tag,
                     .new_classes = {"new" + tag},
                     .renamed_classes = {{name, "A" + tag}},
                     .deleted_classes = {even ? "B" : "C"},
                     .restored_classes = {even ? "C" : "B"}});
    name = "A" + tag;
    sweep(round >= 2);
    ASSERT_FALSE(HasFailure());
    Migrate(steps);
    EXPECT_EQ(Count("A"), 2u);
    EXPECT_EQ(Count(even ? "C" : "B"), 2u);
    EXPECT_EQ(Count(even ? "B" : "C"), 0u);
  }
  EXPECT_GT(failures, std::min<uint64_t>(Scaled(350), 100));
  EXPECT_GT(failures_behind, std::min<uint64_t>(Scaled(70), 20));
  EXPECT_OK(store_->Close());
  RecordProperty("failures", std::to_string(failures + failures_behind));
}

}  // namespace
}  // namespace tidemark::testing
