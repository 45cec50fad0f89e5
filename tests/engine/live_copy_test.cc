// A store's directory that is copied with the means of the system while the store is open.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "engine/internal/written_mark.h"
#include "tests/engine/store_fixture.h"
#include "tests/support/temp_directory.h"

namespace tidemark::testing {
namespace {

namespace fs = std::filesystem;

// The number of the commit first, so that it can be told from the page.
PageBytes NumberedPage(uint64_t number) {
  PageBytes page = RandomPage(number);
  std::memcpy(page.data(), &number, sizeof(number));
  return page;
}

uint64_t NumberOf(const PageBytes& page) {
  uint64_t number = 0;
  std::memcpy(&number, page.data(), sizeof(number));
  return number;
}

// Goal: such a copy is never taken for whole: its index, in which LMDB shows nothing, is refused.
// Without the index it holds all that was durable when the copy began, or damage is found in it. A
// copy of the closed store opens as it is. Method: the directory is copied while a thread commits
// as fast as it can, with checkpoints and new segments all the time; and again after the end.
TEST(LiveCopyTest, IsNotTakenForWhole) {
  TempDirectory directory;
  const std::string original = directory / "store";
  const StoreOptions options{
      .create_if_missing = true, .segment_size_bytes = 1 << 20, .checkpoint_log_bytes = 32 << 10};
  ASSERT_OK_AND_ASSIGN(auto store, Store::Open(original, options));
  std::atomic<uint64_t> durable = 0;
  const auto commit_some = [&] {
    constexpr uint64_t kCommits = 400;
    const auto object = store->OpenObject("rooms", "a", IfMissing::kCreate).value();
    const uint64_t begin = durable;
    for (uint64_t number = begin + 1; number <= begin + kCommits; ++number) {
      const CommitInfo commit =
          Commit(object, {{1, NumberedPage(number)}, {2, NumberedPage(number)}}).value();
      if (number % 16 != 0) continue;
      if (!store->WaitDurable(commit.lsn).ok()) break;
      durable = number;
      durable.notify_all();
    }
  };
  commit_some();  // some checkpoints
  std::ifstream mark(original + "/index/WRITTEN");
  std::string state;
  std::string birth;
  mark >> state >> birth;
  if (birth.empty()) GTEST_SKIP() << "files have no time of birth here";
  int damaged = 0;
  for (uint64_t round = 0; round < Scaled(10); ++round) {
    SCOPED_TRACE(round);
    const std::string copy = directory / "copy";
    uint64_t least = durable;
    std::thread writer(commit_some);
    durable.wait(least);
    least = durable;
    fs::copy(original, copy, fs::copy_options::recursive);
    writer.join();
    EXPECT_ERROR(Store::Open(copy, options), StatusCode::kCorruption, "is a copy");
    fs::remove_all(copy + "/index");
    const auto opened = Store::Open(copy, options);
    if (!opened.ok()) {
      EXPECT_ERROR(opened, StatusCode::kCorruption, "damaged");
      ++damaged;
    } else {
      ASSERT_OK_AND_ASSIGN(const auto object,
                           (*opened)->OpenObject("rooms", "a", IfMissing::kFail));
      const auto page = ReadPage(object, 1);
      if (page.ok()) {
        EXPECT_GE(NumberOf(*page), least);
        EXPECT_TRUE(Reads(object, 1, NumberedPage(NumberOf(*page))));
        EXPECT_TRUE(Reads(object, 2, NumberedPage(NumberOf(*page))));
      } else {
        EXPECT_ERROR(page, StatusCode::kCorruption, "damaged");
        ++damaged;
      }
    }
    fs::remove_all(copy);
  }
  RecordProperty("damaged", std::to_string(damaged));

  ASSERT_OK_AND_ASSIGN(const auto object, store->OpenObject("rooms", "a", IfMissing::kFail));
  ASSERT_OK_AND_ASSIGN(const PageBytes last, ReadPage(object, 1));
  ASSERT_OK(store->Close());
  const std::string copy = directory / "closed";
  fs::copy(original, copy, fs::copy_options::recursive);
  ASSERT_OK_AND_ASSIGN(const auto opened, Store::Open(copy, options));
  ASSERT_OK_AND_ASSIGN(const auto copied, opened->OpenObject("rooms", "a", IfMissing::kFail));
  EXPECT_TRUE(Reads(copied, 1, last));
}

// Goal: a copy that was made around the end of a session, or that is brought back over the
// original, is known, too; a killed store, and a renamed one, is none. Method: the files of an
// index at several moments of a store's life, put together as such copies have them.
TEST(LiveCopyTest, OtherWaysToATornIndex) {
  TempDirectory directory;
  const std::string path = directory / "store";
  const std::string index = path + "/index";
  const StoreOptions options{.create_if_missing = true};
  const auto put = [](Store& store, uint64_t number) {
    const auto object = store.OpenObject("rooms", "a", IfMissing::kCreate).value();
    EXPECT_OK(Commit(object, {{1, NumberedPage(number)}}));
    EXPECT_OK(store.Checkpoint());
  };
  const auto expect_copy = [&](const std::string& copy) {
    EXPECT_ERROR(Store::Open(copy, options), StatusCode::kCorruption, "is a copy");
  };
  const std::string live = directory / "live";
  {
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path, options));
    put(*store, 1);
    fs::copy(path, live, fs::copy_options::recursive);
    put(*store, 2);
    ASSERT_OK(store->Close());
  }
  if (std::ifstream mark(live + "/index/WRITTEN"); mark.seekg(5).get() == ' ') {
    GTEST_SKIP() << "files have no time of birth here";
  }
  // The index's pages from before the close, its mark from behind it.
  fs::copy(index + "/WRITTEN", live + "/index/WRITTEN", fs::copy_options::overwrite_existing);
  expect_copy(live);

  // A copy of an open store over the same store, closed or killed meanwhile.
  const std::string backup = directory / "backup";
  for (const bool killed : {false, true}) {
    SCOPED_TRACE(killed);
    fs::remove_all(backup);
    {
      ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path, options));
      put(*store, 3);
      fs::copy(path, backup, fs::copy_options::recursive);
      ASSERT_OK(store->Close());
    }
    if (killed) {
      ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path, options));  // never closed
    }
    fs::copy(backup, path, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    expect_copy(path);
    fs::remove_all(index);
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path, options));
    put(*store, 4);
    ASSERT_OK(store->Close());
  }

  { ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path, options)); }
  fs::rename(path, directory / "renamed");
  ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(directory / "renamed", options));
  ASSERT_OK_AND_ASSIGN(const auto object, store->OpenObject("rooms", "a", IfMissing::kFail));
  EXPECT_TRUE(Reads(object, 1, NumberedPage(4)));
}

// Goal: on a full disk an index is opened without a mark: one that says "closed" and stayed would
// have the index refused once it was written. Method: no room for a byte, in a child.
TEST(LiveCopyTest, NoMarkOnAFullDisk) {
  TempDirectory directory;
  std::ofstream(directory / "data.mdb") << "an index";
  internal::WrittenMark mark(directory.path());
  ASSERT_OK(mark.SetClosed(7));
  ASSERT_OK_AND_ASSIGN(auto closed_after, mark.Check());
  EXPECT_EQ(closed_after, 7u);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit none{0, 0};
    ::_exit(::setrlimit(RLIMIT_FSIZE, &none) == 0 && mark.SetOpen().ok() ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ASSERT_OK_AND_ASSIGN(closed_after, mark.Check());
  EXPECT_EQ(closed_after, std::nullopt);
  ASSERT_OK(mark.SetOpen());
  ASSERT_OK(mark.Check());
}

}  // namespace
}  // namespace tidemark::testing
