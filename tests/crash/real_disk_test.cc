// A store, with its index, on a real disk that is full or read-only: a small tmpfs.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/engine/store_fixture.h"
#include "tests/support/small_disk.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;

constexpr uint32_t kPages = 8;

class RealDiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!disk_.why_not().empty()) GTEST_SKIP() << disk_.why_not();
    options_.create_if_missing = true;
    options_.segment_size_bytes = 1u << 20;
    options_.background_work = BackgroundWork::kManual;
    options_.clock = &clock_;
  }

  Result<CommitInfo> Put(uint64_t n) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              store_->OpenObject("rooms", "a", IfMissing::kCreate));
    std::map<uint32_t, PageBytes> pages;
    for (uint32_t i = 1; i <= kPages; ++i) pages[i] = RandomPage(n * 100 + i);
    TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, Commit(object, pages));
    TIDEMARK_RETURN_IF_ERROR(store_->WaitDurable(commit.lsn));
    return commit;
  }

  ::testing::AssertionResult Holds(uint64_t n) {
    const auto object = store_->OpenObject("rooms", "a", IfMissing::kFail);
    if (!object.ok()) return ::testing::AssertionFailure() << object.status().ToString();
    return Reads(*object, kPages, RandomPage(n * 100 + kPages));
  }

  // Takes all that is free but `left` bytes.
  void FillUp(uint64_t left) {
    std::ofstream out(filler_, std::ios::binary);
    const std::string block(4096, 'x');
    while (disk_.FreeBytes() > left && out.write(block.data(), 4096).flush()) {
    }
  }

  SmallDisk disk_{24u << 20};
  const std::string filler_ = disk_ / "filler";  // another program's
  const std::string path_ = disk_ / "store";
  ManualClock clock_;
  StoreOptions options_;
  std::unique_ptr<Store> store_;
};

// Goal: on a full disk one reads, copies an object to another disk, restores, labels, prunes, and
// gets room by that; commits go on then, in the same store. Method: commits, checkpoints and
// packings until a commit fails; then a file that takes the rest but `left` bytes.
TEST_F(RealDiskTest, AFullDisk) {
  for (const uint64_t left : {0u, 200u << 10, 600u << 10}) {
    SCOPED_TRACE(left);
    std::filesystem::remove_all(path_);
    const std::string other = disk_ / "other";
    ASSERT_TRUE(std::ofstream(other) << std::string(1u << 20, 'x'));
    ASSERT_OK_AND_ASSIGN(store_, Store::Open(path_, options_));
    ASSERT_OK_AND_ASSIGN(const CommitInfo first, Put(0));
    uint64_t last = 0;
    Status status;
    while (status.ok() && last < 2000) {
      status = Put(last + 1).status();
      if (status.ok()) ++last;
      if (last % 50 == 0) (void)store_->Checkpoint();
    }
    EXPECT_ERROR(status, StatusCode::kFull, "");
    FillUp(left);
    EXPECT_ERROR(Put(last + 1), StatusCode::kFull, "");
    ASSERT_OK_AND_ASSIGN(const auto a, store_->OpenObject("rooms", "a", IfMissing::kFail));
    EXPECT_TRUE(Holds(last));
    const TempDirectory elsewhere;
    {
      ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, a->OpenSnapshot());
      std::ofstream copy(elsewhere / "copy", std::ios::binary);
      for (uint32_t i = 1; i <= kPages; ++i) {
        ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(snapshot, i));
        copy.write(reinterpret_cast<const char*>(page.data()), kPageSize);
      }
      EXPECT_TRUE(copy.flush().good());
    }
    ASSERT_OK_AND_ASSIGN(const RestoreInfo restored, a->Restore(a->BookmarkOf(first)));
    EXPECT_TRUE(Holds(0));
    ASSERT_OK(a->Restore(restored.undo));
    ASSERT_OK(a->SetLabel("full", a->BookmarkOf(first)));
    ASSERT_OK(a->RemoveLabel("full"));
    EXPECT_TRUE(Holds(last));

    clock_.Advance(hours(24 * 31));
    ASSERT_OK(store_->ConfirmClock());
    ASSERT_OK(store_->Prune());
    const auto reclaimed = store_->Reclaim();
    std::printf("%llu KiB left: reclaiming %s\n", static_cast<unsigned long long>(left >> 10),
                reclaimed.status().ToString().c_str());
    if (left > 0) {
      ASSERT_OK(reclaimed);
      EXPECT_OK(Put(last + 1));
    } else {
      // Without a block that is free nothing can be written anew; with some there is room at once.
      EXPECT_TRUE(reclaimed.ok() || reclaimed.status().code() == StatusCode::kFull);
      std::filesystem::remove(other);
      ASSERT_OK(store_->Reclaim());
      EXPECT_OK(Put(last + 1));
    }
    EXPECT_TRUE(Holds(last + 1));
    std::filesystem::remove(filler_);
    ASSERT_OK(store_->Close());
    ASSERT_OK_AND_ASSIGN(store_, Store::Open(path_, options_));
    EXPECT_TRUE(Holds(last + 1));
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, store_->Verify());
    EXPECT_TRUE(report.damage.empty());
    store_.reset();
  }
}

// Goal: closing on a full disk, where the index cannot be brought up to date either, and opening
// again lose nothing. Method: not a block free.
TEST_F(RealDiskTest, ClosedOnAFullDisk) {
  ASSERT_OK_AND_ASSIGN(store_, Store::Open(path_, options_));
  uint64_t last = 0;
  while (last < 2000 && Put(last + 1).ok()) ++last;
  ASSERT_GT(last, 10u);
  FillUp(0);
  EXPECT_EQ(disk_.FreeBytes(), 0u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_ERROR(store_->Close(), StatusCode::kFull, "index");
    store_.reset();
    ASSERT_OK_AND_ASSIGN(store_, Store::Open(path_, options_));
    EXPECT_TRUE(Holds(last));
    EXPECT_ERROR(Put(last + 1), StatusCode::kFull, "");
  }
  EXPECT_ERROR(Store::Create(disk_ / "other", options_), StatusCode::kFull, "");
  std::filesystem::remove(filler_);
  std::filesystem::remove_all(disk_ / "other");
  ASSERT_OK(store_->Checkpoint());
  clock_.Advance(hours(24 * 31));
  ASSERT_OK(store_->ConfirmClock());
  ASSERT_OK(store_->Prune());
  ASSERT_OK(store_->Reclaim());
  EXPECT_OK(Put(last + 1));
}

// Goal: a store on a mount that is read-only is an error that says what to do. Method: the mount
// made read-only, and writable again.
TEST_F(RealDiskTest, AReadOnlyMount) {
  ASSERT_OK_AND_ASSIGN(store_, Store::Open(path_, options_));
  ASSERT_OK(Put(1));
  ASSERT_OK(store_->Close());
  store_.reset();
  ASSERT_TRUE(disk_.MakeReadOnly());
  EXPECT_ERROR(Store::Open(path_, options_), StatusCode::kReadOnly, "open a copy of it");
  EXPECT_ERROR(Store::Create(disk_ / "other", options_), StatusCode::kReadOnly, "other");
  ASSERT_TRUE(disk_.MakeWritable());
  ASSERT_OK_AND_ASSIGN(store_, Store::Open(path_, options_));
  EXPECT_TRUE(Holds(1));
}

// Goal: the same of a directory that somebody else owns. Method: a child that is not root.
TEST_F(RealDiskTest, ADirectoryOfSomebodyElse) {
  ASSERT_OK_AND_ASSIGN(store_, Store::Open(path_, options_));
  ASSERT_OK(store_->Close());
  store_.reset();
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  ASSERT_EQ(::chmod((disk_ / "").c_str(), 0755), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::setuid(65534) != 0) ::_exit(2);
    const Status status = Store::Open(path_, options_).status();
    const bool says_so = status.code() == StatusCode::kReadOnly &&
                         status.message().find("open a copy of it") != std::string::npos;
    if (!says_so) std::fprintf(stderr, "%s\n", status.ToString().c_str());
    ::_exit(says_so ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace tidemark::testing
