// A salvage that is interrupted: what is left of the new store is never taken for a whole one.

#include <gtest/gtest.h>

#include <cstdio>

#include "engine/clock.h"
#include "engine/salvage.h"
#include "tests/crash/rot_work.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"

namespace tidemark::testing {
namespace {

// How many objects a store has, and commits in all.
struct Size {
  uint64_t objects = 0;
  uint64_t commits = 0;
  bool operator==(const Size&) const = default;
};

Size SizeOf(Store& store) {
  Size size;
  for (const Listed which : {Listed::kExisting, Listed::kDeleted}) {
    EXPECT_OK(store.ListObjects(
        "",
        [&](const ObjectSummary& summary) {
          ++size.objects;
          size.commits += summary.commit_count;
          return true;
        },
        which));
  }
  return size;
}

// Goal: wherever a salvage dies, by a kill or with the power, the new store is not there, or does
// not open and cannot be salvaged into, both saying what to do; or it is whole; and the damaged one
// is as it was, so that salvaging again brings everything. Method: the process dies at operations
// all over a salvage.
TEST(SalvageCrashTest, WhatIsLeftIsNotTakenForWhole) {
  const RotWork work = MakeRotWork(TestSeed());
  ASSERT_FALSE(HasFailure());
  StoreOptions options = work.options;
  ManualClock clock;
  clock.Set(work.now);
  options.clock = &clock;
  Size whole;
  uint64_t operations = 0;
  {
    SimFileSystem fs(TestSeed(), work.disk);
    const TempDirectory index;
    options.file_system = &fs;
    options.index_directory = index.path();
    const uint64_t before = fs.operations();
    ASSERT_OK(Salvage("store", "new", options));
    operations = fs.operations() - before;
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open("new", options));
    whole = SizeOf(*store);
    EXPECT_GT(whole.objects, 2u);
  }
  uint64_t refused = 0;
  uint64_t missing = 0;
  uint64_t done = 0;
  const uint64_t trials = Scaled(60) + 20;
  for (uint64_t i = 0; i < trials && !HasFailure(); ++i) {
    // The first operations and the last each, and some of those between.
    uint64_t at = 1 + i * operations / trials;
    if (i < 10) at = i + 1;
    if (i >= trials - 10) at = operations - (trials - 1 - i);
    SCOPED_TRACE(::testing::Message() << "operation " << at << " of " << operations);
    SimFileSystem fs(TestSeed() * 1000 + i, work.disk);
    const TempDirectory index;
    options.file_system = &fs;
    options.index_directory = index.path();
    fs.CrashAt(at);
    const auto salvaged = Salvage("store", "new", options);
    if (!fs.crashed()) {  // threads write now and then, so a salvage may have fewer operations
      EXPECT_OK(salvaged);
      ++done;
      continue;
    }
    EXPECT_FALSE(salvaged.ok());
    fs.Restart(i % 2 == 0 ? PowerLoss::kNothing : PowerLoss::kSeeded);
    options.create_if_missing = false;
    const auto opened = Store::Open("new", options);
    if (opened.ok()) {
      ++done;
      EXPECT_EQ(SizeOf(**opened), whole);
      continue;
    }
    if (opened.status().code() == StatusCode::kNotFound) {
      ++missing;
    } else {
      ++refused;
      EXPECT_ERROR(opened, StatusCode::kCorruption, "remove this directory and salvage again");
      EXPECT_ERROR(Salvage("store", "new", options), StatusCode::kExists,
                   "remove this directory and salvage again");
    }
    const TempDirectory another;
    options.index_directory = another.path();
    ASSERT_OK(Salvage("store", "again", options));
    ASSERT_OK_AND_ASSIGN(const auto again, Store::Open("again", options));
    EXPECT_EQ(SizeOf(*again), whole);
  }
  std::printf("interrupted salvages: %llu refused, %llu not there, %llu done\n",
              static_cast<unsigned long long>(refused), static_cast<unsigned long long>(missing),
              static_cast<unsigned long long>(done));
  EXPECT_GT(refused, 10u);
  EXPECT_GT(missing, 0u);
}

}  // namespace
}  // namespace tidemark::testing
