// fork() with a store open: the child has no part in it, and the parent notices nothing.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>

#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

// Every file of the log, by name.
std::map<std::string, std::string> LogFiles(const std::string& store) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(store + "/log")) {
    std::ifstream in(entry.path(), std::ios::binary);
    files[entry.path().filename()] = {std::istreambuf_iterator<char>(in), {}};
  }
  return files;
}

// Runs `body` in a child; 0 if it returned true. What hangs is ended after a minute.
int InChild(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    ::_exit(body() ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

bool IsRefused(const Status& status) {
  return status.code() == StatusCode::kBroken &&
         status.message().find("fork() of process " + std::to_string(::getppid())) !=
             std::string::npos;
}

template <typename T>
bool IsRefused(const Result<T>& result) {
  return IsRefused(result.status());
}

class ForkedProcessTest : public ::testing::Test {
 protected:
  void Open(BackgroundWork background_work) {
    StoreOptions options;
    options.create_if_missing = true;
    options.segment_size_bytes = 1u << 20;
    options.background_work = background_work;
    ASSERT_OK_AND_ASSIGN(store_, Store::Open(path_, options));
    ASSERT_OK_AND_ASSIGN(object_, store_->OpenObject("rooms", "a", IfMissing::kCreate));
    ASSERT_OK_AND_ASSIGN(first_, Commit(object_, {{1, RandomPage(1)}}));
    ASSERT_OK(store_->Checkpoint());
  }

  TempDirectory directory_;
  const std::string path_ = directory_ / "store";
  std::unique_ptr<Store> store_;
  std::shared_ptr<Object> object_;
  CommitInfo first_;
};

// Goal: whatever the child asks for is refused, saying why; its copies of everything can be
// destroyed, and no byte of the log changes by that; the parent's lock stays, and so does its work.
// Method: every kind of call, and of handle, in a child; the files before and after.
TEST_F(ForkedProcessTest, TheChildHasNoPartInTheStore) {
  Open(BackgroundWork::kManual);
  Transaction prepared(object_);
  ASSERT_OK(prepared.Begin());
  ASSERT_OK(prepared.WritePage(PageNo(1), RandomPage(2)));
  ASSERT_OK(prepared.Prepare());
  std::optional<Snapshot> snapshot;
  ASSERT_OK_AND_ASSIGN(snapshot, object_->OpenSnapshot());
  const auto before = LogFiles(path_);

  EXPECT_EQ(InChild([&] {
              bool refused = IsRefused(prepared.Publish());
              refused &= IsRefused(ReadPage(*snapshot, 1)) && IsRefused(object_->OpenSnapshot());
              refused &= IsRefused(object_->Restore(object_->BookmarkOf(first_)));
              refused &= IsRefused(object_->SetLabel("x", object_->BookmarkOf(first_)));
              refused &= IsRefused(object_->Delete());
              refused &= IsRefused(store_->OpenObject("rooms", "b", IfMissing::kCreate));
              refused &= IsRefused(store_->Sync()) && IsRefused(store_->Checkpoint());
              refused &= IsRefused(store_->Prune()) && IsRefused(store_->Reclaim());
              refused &= IsRefused(store_->Verify()) && IsRefused(store_->RunRetention());
              refused &= IsRefused(store_->Close());
              prepared.Rollback();
              snapshot.reset();
              object_.reset();
              store_.reset();
              // Nor can it be opened anew: the parent owns it.
              return refused && Store::Open(path_, {}).status().code() == StatusCode::kInUse;
            }),
            0);
  EXPECT_EQ(LogFiles(path_), before);
  ASSERT_OK(prepared.Publish());
  ASSERT_OK(store_->Sync());
  EXPECT_TRUE(Reads(object_, 1, RandomPage(2)));
  snapshot.reset();
  ASSERT_OK(store_->Close());
}

// Goal: the same while all threads of the parent are at work: nothing hangs, on either side, and
// nothing is lost. Method: a writer that waits for each commit, and children that refuse and end.
TEST_F(ForkedProcessTest, BesideThreadsAtWork) {
  Open(BackgroundWork::kThreads);
  std::atomic<bool> stop = false;
  uint64_t last = 1;
  Status written;
  std::thread writer([&] {
    while (!stop && written.ok()) {
      const auto commit = Commit(object_, {{1, RandomPage(last + 1)}});
      written = commit.ok() ? store_->WaitDurable(commit->lsn) : commit.status();
      if (written.ok()) ++last;
    }
  });
  for (int i = 0; i < 20; ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(InChild([&] {
                const bool refused = IsRefused(store_->Sync()) && IsRefused(store_->Close());
                store_.reset();
                return refused;
              }),
              0);
  }
  stop = true;
  writer.join();
  ASSERT_OK(written);
  EXPECT_TRUE(Reads(object_, 1, RandomPage(last)));
  object_.reset();
  store_.reset();  // without a close
  ASSERT_OK_AND_ASSIGN(store_, Store::Open(path_, {}));
  ASSERT_OK_AND_ASSIGN(object_, store_->OpenObject("rooms", "a", IfMissing::kFail));
  EXPECT_TRUE(Reads(object_, 1, RandomPage(last)));
}

}  // namespace
}  // namespace tidemark::testing
