// What an embedder's own tests look like: a store in memory, and a clock that the test moves.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "engine/clock.h"
#include "engine/memory_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_seed.h"
#include "vfs/database.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;

class MemoryStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(files_, MemoryFileSystem::Create());
    Open();
  }

  void Open() { ASSERT_OK_AND_ASSIGN(store_, Store::Open("data", files_->Options(&clock_))); }

  void Exec(const char* sql) {
    ASSERT_OK_AND_ASSIGN(Database database, Database::Open(*store_, "shop", "cart"));
    ASSERT_OK(database.Exec(sql));
  }

  int64_t Count(const std::optional<Point>& at = std::nullopt) {
    auto database = Database::Open(*store_, "shop", "cart",
                                   {.if_missing = IfMissing::kFail, .read_only = true, .at = at});
    EXPECT_OK(database);
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(database->handle(), "select count(*) from item", -1, &statement,
                                 nullptr),
              SQLITE_OK);
    EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
    const int64_t count = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return count;
  }

  ManualClock clock_;
  std::unique_ptr<MemoryFileSystem> files_;
  std::unique_ptr<Store> store_;
};

// Goal: an application's recovery code can be tested over thirty days. Method: a mistake, found
// weeks later, undone by time; and a time that is too old, through closing and opening.
TEST_F(MemoryStoreTest, ThirtyDays) {
  Exec("create table item(name); insert into item values('book'),('pen')");
  const Timestamp before = clock_.Now();
  clock_.Advance(hours(1));
  Exec("delete from item");
  EXPECT_EQ(Count(), 0);
  clock_.Advance(hours(24 * 29));
  ASSERT_OK(store_->Close());
  Open();
  EXPECT_EQ(Count(before), 2);
  ASSERT_OK_AND_ASSIGN(const auto cart, store_->OpenObject("shop", "cart", IfMissing::kFail));
  ASSERT_OK_AND_ASSIGN(const RestoreInfo restored, cart->Restore(before));
  EXPECT_EQ(Count(), 2);
  EXPECT_EQ(Count(restored.undo), 0);
  clock_.Advance(hours(24 * 2));
  ASSERT_OK(store_->Prune());
  EXPECT_ERROR(cart->Resolve(before), StatusCode::kExpired, "");
  EXPECT_EQ(Count(), 2);
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, store_->Verify());
  EXPECT_TRUE(report.damage.empty());
}

// Goal: what an unclean end leaves is there again, as on a disk: nothing is lost that was written.
TEST_F(MemoryStoreTest, OpensAgainWithoutAClose) {
  Exec("create table item(name); insert into item values('book')");
  store_.reset();
  Open();
  EXPECT_EQ(Count(), 1);
}

// Goal: one owner, as on a disk; and nothing is left behind when the memory goes.
TEST_F(MemoryStoreTest, OneOwnerAndNothingLeftBehind) {
  const StoreOptions options = files_->Options(&clock_);
  EXPECT_ERROR(Store::Open("data", options), StatusCode::kInUse, "pid");
  EXPECT_TRUE(std::filesystem::exists(options.index_directory));
  EXPECT_FALSE(std::filesystem::exists("data"));
  store_.reset();
  files_.reset();
  EXPECT_FALSE(std::filesystem::exists(options.index_directory));
}

// Goal: it is a FileSystem as engine/file_system.h says, errors included.
TEST_F(MemoryStoreTest, Files) {
  MemoryFileSystem& files = *files_;
  const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  ASSERT_OK(files.CreateDirectory("d"));
  EXPECT_ERROR(files.CreateDirectory("d"), StatusCode::kExists, "d");
  EXPECT_ERROR(files.Open("d/a", OpenMode::kReadWrite), StatusCode::kNotFound, "d/a");
  ASSERT_OK_AND_ASSIGN(const auto file, files.Open("d/a", OpenMode::kCreateNew));
  EXPECT_ERROR(files.Open("d/a", OpenMode::kCreateNew), StatusCode::kExists, "d/a");
  ASSERT_OK(file->WriteAt(3, bytes("tide")));
  ASSERT_OK(file->Allocate(5));
  EXPECT_EQ(file->SizeBytes().value(), 7u);
  ASSERT_OK(file->Allocate(9));
  ASSERT_OK(file->Truncate(6));
  ASSERT_OK(file->Truncate(9));
  ASSERT_OK(files.Rename("d/a", "d/b"));
  EXPECT_ERROR(files.Rename("d/a", "d/b"), StatusCode::kNotFound, "d/a");
  ASSERT_OK_AND_ASSIGN(const auto again, files.Open("d/b", OpenMode::kReadOnly));
  std::vector<std::byte> out(20);
  ASSERT_OK_AND_ASSIGN(const size_t got, again->ReadAt(2, out));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(out.data()), got),
            std::string("\0tid\0\0\0", 7));
  EXPECT_EQ(files.ListDirectory("d").value(), std::vector<std::string>{"b"});
  EXPECT_ERROR(files.ListDirectory("e"), StatusCode::kNotFound, "e");
  ASSERT_OK(files.Remove("d/b"));
  EXPECT_ERROR(files.Remove("d/b"), StatusCode::kNotFound, "d/b");
  EXPECT_FALSE(files.Exists("d/b").value());
  ASSERT_OK(again->ReadAt(0, out));  // as on POSIX, an open file stays
}

// Goal: a place for the index that is not there is an error that says so.
TEST(MemoryFileSystemTest, NoTemporaryDirectory) {
  const char* const old = getenv("TMPDIR");
  const std::string restore = old != nullptr ? old : "";
  setenv("TMPDIR", "/nonexistent", 1);
  EXPECT_ERROR(MemoryFileSystem::Create(), StatusCode::kIoError, "TMPDIR");
  if (old != nullptr) {
    setenv("TMPDIR", restore.c_str(), 1);
  } else {
    unsetenv("TMPDIR");
  }
}

}  // namespace
}  // namespace tidemark::testing
