// Memory runs out in the VFS and in the engine: SQLite's documented code, nothing half done, and
// the connection goes on.
// A program of its own, because operator new is replaced. SQLite's allocator is in
// out_of_memory_test.cc.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <new>
#include <string>

#include "tests/support/store_model.h"
#include "tests/vfs/allocation_faults.h"
#include "tests/vfs/fault_work.h"
#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

// Of the store's threads, all of them together: from the one that finds 1 here, so many fail.
constexpr int64_t kNever = INT64_MAX / 2;
std::atomic<int64_t> threads_countdown{kNever};
std::atomic<int64_t> threads_failures{1};
thread_local bool is_the_tests = false;  // this thread is none of the store's

bool Fails() {
  if (is_the_tests) return allocation_countdown.Fails();
  const int64_t left = threads_countdown.fetch_sub(1);
  return left <= 1 && left > 1 - threads_failures;
}

// Goal: an allocation that fails is SQLITE_NOMEM, kOutOfMemory or goes unnoticed, and does no harm.
// Method: fault_work.h, over operator new: every call where TIDEMARK_TEST_SCALE is 20 or more, else
// some, as the seed decides.
TEST(AllocationFailureTest, EachAllocationFails) {
  is_the_tests = true;
  AllocationFaults faults;
  FaultWork work(FaultWork::Files::kReal);
  work.Sweep(&faults, ScaledStride(20));
  EXPECT_GT(work.failures(), std::min<uint64_t>(Scaled(1000), 300));
  EXPECT_EQ(work.broken(), 0u);  // what a commit needs is got before it is appended
  EXPECT_EQ(work.found_done(), 0u) << "what an answer needs is got before anything is done";
  RecordProperty("failures", std::to_string(work.failures()));
}

// Goal: an object and its namespace come into being whole or not at all, whatever their names, and
// the store goes on. Method: each allocation of opening and creating a new one fails, until none
// does. (Names of more than 15 bytes are not inside a std::string.)
TEST(AllocationFailureTest, NewObjectsWithLongNames) {
  is_the_tests = true;
  TempDirectory directory;
  const std::unique_ptr<Store> store =
      Store::Open(directory / "store", {.create_if_missing = true}).value();
  int failed = 0;
  for (uint64_t nth = 1, fired = 1; fired != 0; ++nth) {
    SCOPED_TRACE(nth);
    const std::string ns = "a namespace with a long name " + std::to_string(nth);
    const std::string name = "an object with a long name " + std::to_string(nth);
    allocation_countdown = {.left = nth};
    Status status;
    {
      auto db = Database::Open(*store, ns, name);
      status = db.ok() ? db->Exec("CREATE TABLE t(x)") : db.status();
    }
    fired = allocation_countdown.fired;
    allocation_countdown = {};
    failed += !status.ok();
    ASSERT_OK(store->Sync());
    const auto object = store->OpenObject(ns, name, IfMissing::kFail);
    if (status.ok()) {
      EXPECT_OK(object.status());
    }
    if (object.ok()) {
      EXPECT_EQ(Query(Database::Open(*store, ns, name).value(), "SELECT count(*) FROM t"), "0");
    }
  }
  EXPECT_GT(failed, 50);
}

// Goal: a fork comes into being whole or not at all, with its namespace, whatever their names.
// Method: as above.
TEST(AllocationFailureTest, ForksWithLongNames) {
  is_the_tests = true;
  TempDirectory directory;
  const std::unique_ptr<Store> store =
      Store::Open(directory / "store", {.create_if_missing = true}).value();
  Exec(Database::Open(*store, "ns", "o").value(), "CREATE TABLE t(x)");
  const auto source = store->OpenObject("ns", "o", IfMissing::kFail).value();
  const Bookmark at = source->CurrentBookmark().value();
  int failed = 0;
  for (uint64_t nth = 1, fired = 1; fired != 0; ++nth) {
    SCOPED_TRACE(nth);
    const std::string ns = "a namespace with a long name " + std::to_string(nth);
    const std::string name = "a fork with a long name " + std::to_string(nth);
    allocation_countdown = {.left = nth};
    const Status status = store->Fork(*source, at, ns, name).status();
    fired = allocation_countdown.fired;
    allocation_countdown = {};
    failed += !status.ok();
    ASSERT_OK(store->Sync());
    EXPECT_EQ(store->OpenObject(ns, name, IfMissing::kFail).ok(), status.ok());
    // What failed can be done now.
    if (!status.ok()) {
      EXPECT_EQ(status.code(), StatusCode::kOutOfMemory) << status.ToString();
      ASSERT_OK(store->Fork(*source, at, ns, name));
    }
    EXPECT_EQ(Query(Database::Open(*store, ns, name).value(), "SELECT count(*) FROM t"), "0");
  }
  EXPECT_GT(failed, 20);
  ASSERT_OK(store->Checkpoint());
  const auto report = store->Verify();
  ASSERT_OK(report);
  EXPECT_TRUE(report->damage.empty());
}

// Goal: a restore that is scheduled, and the session that it waits for, fail by memory as a whole:
// nothing is changed, and the call can be made again. Method: as above, in both calls.
TEST(AllocationFailureTest, ScheduledRestoresWithLongNames) {
  is_the_tests = true;
  TempDirectory directory;
  const std::unique_ptr<Store> store =
      Store::Open(directory / "store", {.create_if_missing = true}).value();
  const std::string name = "an object with a long name";
  const Database db = Database::Open(*store, "ns", name).value();
  Exec(db, "CREATE TABLE t(x)");
  const auto object = store->OpenObject("ns", name, IfMissing::kFail).value();
  int failed_to_schedule = 0;
  int failed_to_begin = 0;
  bool fired = true;
  for (uint64_t nth = 1; fired; ++nth) {
    SCOPED_TRACE(nth);
    Exec(db, "DELETE FROM t; INSERT INTO t VALUES('then')");
    const Bookmark then = object->CurrentBookmark().value();
    Exec(db, "UPDATE t SET x = 'now'");

    allocation_countdown = {.left = nth};
    const Status scheduled = object->ScheduleRestore(then).status();
    fired = allocation_countdown.fired != 0;
    allocation_countdown = {};
    ASSERT_OK_AND_ASSIGN(const auto waits, object->scheduled_restore());
    EXPECT_EQ(waits.has_value(), scheduled.ok());
    if (!scheduled.ok()) {
      ++failed_to_schedule;
      EXPECT_EQ(scheduled.code(), StatusCode::kOutOfMemory) << scheduled.ToString();
      ASSERT_OK(object->ScheduleRestore(then));
    }
    EXPECT_EQ(Query(db, "SELECT x FROM t"), "now");

    allocation_countdown = {.left = nth};
    const Status begun = object->BeginSession().status();
    fired |= allocation_countdown.fired != 0;
    allocation_countdown = {};
    if (!begun.ok()) {
      ++failed_to_begin;
      EXPECT_EQ(begun.code(), StatusCode::kOutOfMemory) << begun.ToString();
      EXPECT_EQ(Query(db, "SELECT x FROM t"), "now");
      ASSERT_OK_AND_ASSIGN(const auto done, object->BeginSession());
      EXPECT_TRUE(done);
    }
    EXPECT_EQ(Query(db, "SELECT x FROM t"), "then");
    ASSERT_OK_AND_ASSIGN(const auto waits_still, object->scheduled_restore());
    EXPECT_FALSE(waits_still);
  }
  EXPECT_GT(failed_to_schedule, 10);
  EXPECT_GT(failed_to_begin, 20);
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, store->Verify());
  EXPECT_TRUE(report.damage.empty());
}

// Goal: the store's threads outlive allocations of theirs that fail; what they did not do they do
// later, and nothing is lost. Method: a store that checkpoints all the time; each allocation of a
// checkpoint fails, once alone and once with those behind it, while commits go on until the next
// checkpoint succeeds; then the store is opened again. Every allocation where TIDEMARK_TEST_SCALE
// is 10 or more, else one of a few.
TEST(AllocationFailureTest, InTheStoresThreads) {
  is_the_tests = true;
  TempDirectory directory;
  const StoreOptions options{.create_if_missing = true, .checkpoint_log_bytes = 4 << 10};
  std::unique_ptr<Store> store = Store::Open(directory / "store", options).value();
  int x = 0;
  int failures = 0;
  {
    const Database db = Database::Open(*store, "ns", "o").value();
    Exec(db, "CREATE TABLE t(x, y); INSERT INTO t VALUES(0, randomblob(3000))");
    const auto commit_until_indexed = [&] {
      for (const uint64_t before = store->Stats().checkpoints; store->Stats().checkpoints == before;
           ++x) {
        Exec(db, "UPDATE t SET x = x + 1, y = randomblob(3000)");
      }
    };
    for (const int64_t in_a_row : {1, 30}) {
      for (int64_t nth = 1;; nth += 1 + static_cast<int64_t>(9 / Scaled(1))) {
        SCOPED_TRACE(::testing::Message()
                     << "allocation " << nth << ", " << in_a_row << " in a row");
        threads_failures = in_a_row;
        threads_countdown = nth;
        commit_until_indexed();
        const int64_t left = threads_countdown.exchange(kNever);
        commit_until_indexed();
        EXPECT_EQ(Query(db, "SELECT x FROM t; PRAGMA integrity_check"), std::to_string(x) + "\nok");
        if (left > 0) break;  // a whole checkpoint came before it
        ++failures;
        if (HasFailure()) break;
      }
    }
  }
  EXPECT_GT(failures, 4);
  ASSERT_OK(store->Close());
  store.reset();
  store = Store::Open(directory / "store", options).value();
  const Database db = Database::Open(*store, "ns", "o").value();
  EXPECT_EQ(Query(db, "SELECT x FROM t; PRAGMA integrity_check"), std::to_string(x) + "\nok");
}

// Goal: a packing that memory runs out in is kOutOfMemory or goes unnoticed, nothing is lost, and
// the store goes on: the next one does it all. Method: everything is packed again and again, beside
// a commit each time, and an allocation of that fails: once alone, and once with all behind it.
TEST(AllocationFailureTest, InPackings) {
  is_the_tests = true;
  TempDirectory directory;
  ManualClock clock;
  const StoreOptions options{.create_if_missing = true,
                             .segment_size_bytes = 1u << 20,
                             .transaction_memory_bytes = 32u << 10,
                             .background_work = BackgroundWork::kManual,
                             .clock = &clock};
  std::unique_ptr<Store> store = Store::Open(directory / "store", options).value();
  StoreModel model(TestSeed(), {.objects = 3, .pages = 40, .forks = 2});
  const auto work = [&](int steps) {
    for (int i = 0; i < steps; ++i) {
      clock.Advance(std::chrono::minutes(10));
      ASSERT_OK(model.Transact(*store, 12));
      if (i % 30 == 0) {
        ASSERT_OK(model.TransactLarge(*store, 40, StoreModel::Ending::kCommit));
        ASSERT_OK(model.Restore(*store));
        ASSERT_OK(model.Fork(*store));
      }
    }
    ASSERT_OK(model.Sync(*store));
  };
  ASSERT_NO_FATAL_FAILURE(work(200));
  int failures = 0;
  for (const bool all : {false, true}) {
    uint64_t count = 0;
    const auto pack = [&](uint64_t nth) {
      SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", allocation " << nth);
      ASSERT_NO_FATAL_FAILURE(work(1));
      allocation_countdown = {.left = nth, .all = all};
      const Status status = store->Reclaim(ReclaimWhat::kEverything).status();
      count = nth - allocation_countdown.left;
      const bool fired = allocation_countdown.fired;
      allocation_countdown = {};
      if (!fired) {
        ASSERT_OK(status);
        return;
      }
      failures += !status.ok();
      if (!status.ok()) {
        ASSERT_EQ(status.code(), StatusCode::kOutOfMemory) << status.ToString();
      }
      ASSERT_NO_FATAL_FAILURE(model.Check(*store, StoreModel::After::kWork));
    };
    ASSERT_NO_FATAL_FAILURE(pack(UINT64_MAX / 2));
    const uint64_t last = count;
    const uint64_t stride = std::max<uint64_t>(1, last / Scaled(60));
    for (uint64_t nth = 1 + TestSeed() % stride; nth < last; nth += stride) {
      ASSERT_NO_FATAL_FAILURE(pack(nth));
    }
  }
  EXPECT_GT(failures, static_cast<int>(Scaled(60)));
  ASSERT_OK(store->Reclaim(ReclaimWhat::kEverything));
  size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory / "store/log")) {
    files += file.is_regular_file();
  }
  EXPECT_EQ(files, store->Stats().segment_count) << "some are left over";
  for (const bool reopened : {false, true}) {
    ASSERT_NO_FATAL_FAILURE(model.CheckHistory(*store));
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, store->Verify());
    EXPECT_TRUE(report.damage.empty()) << report.damage[0].message;
    if (reopened) break;
    ASSERT_OK(store->Close());
    store = Store::Open(directory / "store", options).value();
  }
}

// Goal: a purge that memory runs out in has not begun, or says that it is to be asked for again;
// then it comes to its end, in the same open store, and what others have is whole. Method: an
// object is made and purged again and again, and an allocation of that fails: once alone, and once
// with all behind it.
TEST(AllocationFailureTest, InPurges) {
  is_the_tests = true;
  TempDirectory directory;
  const StoreOptions options{.create_if_missing = true,
                             .segment_size_bytes = 1u << 20,
                             .background_work = BackgroundWork::kManual};
  std::unique_ptr<Store> store = Store::Open(directory / "store", options).value();
  const auto fill = [&](const std::string& name) {
    const Database db = Database::Open(*store, "people", name).value();
    Exec(db, "CREATE TABLE t(x)");
    for (int i = 0; i < 10; ++i) Exec(db, "INSERT INTO t VALUES(randomblob(1000))");
  };
  constexpr char kOther[] = "an object with a long name";
  constexpr char kName[] = "an object of which nothing is to be left";
  fill(kOther);
  int tries = 0;
  int failures = 0;
  int continued = 0;
  for (const bool all : {false, true}) {
    uint64_t count = 0;
    const auto purge = [&](uint64_t nth) {
      SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", allocation " << nth);
      fill(kName);
      ++tries;
      allocation_countdown = {.left = nth, .all = all};
      const Status status = store->Purge("people", kName).status();
      count = nth - allocation_countdown.left;
      const bool fired = allocation_countdown.fired;
      allocation_countdown = {};
      if (!fired) {
        ASSERT_OK(status);
        return;
      }
      failures += !status.ok();
      if (!status.ok()) {
        ASSERT_EQ(status.code(), StatusCode::kOutOfMemory) << status.ToString();
        // Also where the new index is in the place of the old one, and could not be opened.
        ASSERT_OK_AND_ASSIGN(const PurgeReport report, store->Purge("people", kName));
        continued += report.continued;
      }
      ASSERT_EQ(store->OpenObject("people", kName, IfMissing::kDeleted).status().code(),
                StatusCode::kNotFound);
      ASSERT_EQ(store->Stats().purge_count, 0u);
      EXPECT_EQ(Query(Database::Open(*store, "people", kOther).value(),
                      "SELECT count(*) FROM t; PRAGMA integrity_check"),
                "10\nok");
    };
    ASSERT_NO_FATAL_FAILURE(purge(UINT64_MAX / 2));
    const uint64_t last = count;
    const uint64_t stride = std::max<uint64_t>(1, last / Scaled(40));
    for (uint64_t nth = 1 + TestSeed() % stride; nth < last; nth += stride) {
      ASSERT_NO_FATAL_FAILURE(purge(nth));
    }
  }
  EXPECT_GT(failures, tries / 3);
  EXPECT_GT(continued, 0);
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, store->Verify());
  EXPECT_TRUE(report.damage.empty()) << report.damage[0].message;
}

}  // namespace
}  // namespace tidemark::testing

// Those for arrays call these. The ones that do not throw would be a sanitizer's own, which does
// not let anybody else free what it gave.
void* operator new(size_t size) {
  if (!tidemark::testing::Fails()) {
    if (void* memory = std::malloc(std::max<size_t>(size, 1))) return memory;
  }
  throw std::bad_alloc();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return tidemark::testing::Fails() ? nullptr : std::malloc(std::max<size_t>(size, 1));
}
void* operator new(size_t size, std::align_val_t alignment) {
  const auto to = static_cast<size_t>(alignment);
  if (!tidemark::testing::Fails()) {
    if (void* memory = std::aligned_alloc(to, (size + to - 1) / to * to)) return memory;
  }
  throw std::bad_alloc();
}
// Not inlined: g++ would warn that what operator new gave is given to free().
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { operator delete(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { operator delete(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { operator delete(memory); }
