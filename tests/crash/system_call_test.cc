// Every system call of a scripted day failing, one by one, on real files, LMDB's among them: EINTR,
// short writes, a disk or quota that is full, no more open files, a mount that became read-only.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>

#include "tests/crash/system_call_faults.h"
#include "tests/engine/store_fixture.h"

namespace tidemark::testing {
namespace {

const char* Name(int error) { return error == 0 ? "a short write" : std::strerror(error); }

// A day of one object, whose page 1 is RandomPage(n) for rising n.
class Day {
 public:
  explicit Day(std::string path) : path_(std::move(path)) {}

  // Errors: the first of any call.
  Status Run() {
    TIDEMARK_RETURN_IF_ERROR(Open());
    for (int i = 0; i < 3; ++i) TIDEMARK_RETURN_IF_ERROR(Put());
    TIDEMARK_RETURN_IF_ERROR(store_->Checkpoint());
    // Into the next segment.
    for (int i = 0; i < 30; ++i) TIDEMARK_RETURN_IF_ERROR(Put());
    TIDEMARK_ASSIGN_OR_RETURN(const Bookmark now, object_->CurrentBookmark());
    TIDEMARK_RETURN_IF_ERROR(object_->SetLabel("moved", now, IfLabelExists::kMove));
    TIDEMARK_RETURN_IF_ERROR(object_->Restore(now).status());
    TIDEMARK_RETURN_IF_ERROR(store_->Reclaim(ReclaimWhat::kEverything).status());
    TIDEMARK_RETURN_IF_ERROR(Put());
    TIDEMARK_RETURN_IF_ERROR(Close());
    TIDEMARK_RETURN_IF_ERROR(Open());
    TIDEMARK_RETURN_IF_ERROR(Put());
    return Close();
  }

  // What was acknowledged is there, whole, and the store works. Method: it is opened as after a
  // crash, if it is not closed.
  void Check() {
    Drop();
    ASSERT_OK(Open());
    if (acknowledged_ > 0) {
      ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(object_, 1));
      uint64_t found = acknowledged_;
      while (found < attempted_ && page != Page(found)) ++found;
      EXPECT_EQ(page, Page(found)) << "acknowledged " << acknowledged_;
    }
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, store_->Verify());
    for (const Damage& damage : report.damage) ADD_FAILURE() << damage.message;
    ASSERT_OK(Put());
    ASSERT_OK(Close());
  }

 private:
  static PageBytes Page(uint64_t n) { return RandomPage(n, 32768); }

  Status Open() {
    StoreOptions options;
    options.create_if_missing = true;
    options.segment_size_bytes = 1u << 20;
    options.background_work = BackgroundWork::kManual;
    TIDEMARK_ASSIGN_OR_RETURN(store_, Store::Open(path_, options));
    TIDEMARK_ASSIGN_OR_RETURN(object_, store_->OpenObject("rooms", "a", IfMissing::kCreate));
    return OkStatus();
  }
  Status Put() {
    ++attempted_;
    TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit,
                              Commit(object_, {{1, Page(attempted_)}}, 32768));
    TIDEMARK_RETURN_IF_ERROR(store_->WaitDurable(commit.lsn));
    acknowledged_ = attempted_;
    return OkStatus();
  }
  Status Close() {
    const Status status = store_->Close();
    Drop();
    return status;
  }
  void Drop() {
    object_.reset();
    store_.reset();
  }

  const std::string path_;
  std::unique_ptr<Store> store_;
  std::shared_ptr<Object> object_;
  uint64_t attempted_ = 0;
  uint64_t acknowledged_ = 0;
};

class SystemCallTest : public ::testing::Test {
 protected:
  // The day again and again, the fault coming one call later each time, until it comes no more.
  // Each time it ends with one of `codes` or, if the fault may be survived, well.
  void FailEach(CallFault fault, std::initializer_list<StatusCode> codes) {
    uint64_t errors = 0;
    const uint64_t step = Scaled(5) < 5 ? 5 : 1;  // where it is slow, each fifth call only
    for (uint64_t n = 1 + TestSeed() % step; !HasFailure(); n += step) {
      SCOPED_TRACE(::testing::Message() << Name(fault.error) << " at call " << n);
      const TempDirectory directory;
      Day day(directory / "store");
      fault.first = n;
      Status status;
      uint64_t failed = 0;
      {
        const ScopedCallFault scope(directory.path(), fault);
        status = day.Run();
        failed = scope.failed();
      }
      if (failed == 0) {
        EXPECT_OK(status);
        EXPECT_GT(errors, 0u);
        std::printf("%s: up to call %llu, %llu of them ended the day\n", Name(fault.error),
                    static_cast<unsigned long long>(n - 1),
                    static_cast<unsigned long long>(errors));
        return;
      }
      if (!status.ok()) {
        ++errors;
        EXPECT_NE(std::find(codes.begin(), codes.end(), status.code()), codes.end())
            << status.ToString();
      }
      day.Check();
    }
  }
};

// Goal: an interrupted call is made again, and a write that did a part goes on behind it; nobody
// notices. Method: every second call of a kind, LMDB's left out, which are its own affair.
TEST_F(SystemCallTest, InterruptionsAndShortWritesAreNotNoticed) {
  for (const int error : {EINTR, 0}) {
    SCOPED_TRACE(error);
    const TempDirectory directory;
    Day day(directory / "store");
    {
      const ScopedCallFault scope(
          directory.path(),
          {.calls = error == 0 ? kWrites : kOpens | kReads | kWrites | kSyncs | kGrows | kLocks,
           .error = error,
           .every = 2,
           .but_not_below = directory / "store/index"});
      EXPECT_OK(day.Run());
      EXPECT_GT(scope.failed(), 20u);
    }
    day.Check();
  }
}

// Goal: a short write of LMDB's, too, costs no more than the call that met it. Method: each once.
TEST_F(SystemCallTest, EachShortWrite) {
  FailEach({.calls = kWrites, .error = 0},
           {StatusCode::kIoError, StatusCode::kFull, StatusCode::kBroken});
}

// Goal: a full disk and a spent quota are one thing, kFull, unless the write was one that breaks
// the store. Method: each call that takes room once.
TEST_F(SystemCallTest, EachCallThatFindsNoRoom) {
  for (const int error : {ENOSPC, EDQUOT}) {
    FailEach({.calls = kWrites | kGrows | kCreates, .error = error},
             {StatusCode::kFull, StatusCode::kBroken});
  }
}

// Goal: no more open files is an error that says so, once. Method: each open once.
TEST_F(SystemCallTest, EachOpenWithoutAFileLeft) {
  FailEach({.calls = kOpens, .error = EMFILE}, {StatusCode::kIoError});
}

// Goal: a mount that became read-only is kReadOnly, unless the store is broken by it. Method: each
// call that changes something once.
TEST_F(SystemCallTest, EachCallOnAMountThatBecameReadOnly) {
  FailEach({.calls = kWrites | kGrows | kCreates | kNames, .error = EROFS},
           {StatusCode::kReadOnly, StatusCode::kBroken, StatusCode::kIoError});
}

// Goal: the same where it is the system that has no files left, not a test that says so; the error
// names what to do. Method: a child with a limit that is one higher each time, until it suffices.
TEST_F(SystemCallTest, EveryLimitOfOpenFiles) {
  const TempDirectory outside;
  uint64_t short_of = 0;
  for (rlim_t limit = 3; limit < 200; ++limit) {
    SCOPED_TRACE(limit);
    const TempDirectory directory;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const rlimit files{limit, limit};
      if (::setrlimit(RLIMIT_NOFILE, &files) != 0) ::_exit(3);
      const Status status = Day(directory / "store").Run();
      if (status.ok()) ::_exit(0);
      const bool says_so = status.code() == StatusCode::kIoError &&
                           status.message().find("Too many open files") != std::string::npos;
      if (!says_so) std::fprintf(stderr, "%s\n", status.ToString().c_str());
      ::_exit(says_so ? 1 : 2);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_LE(WEXITSTATUS(status), 1);
    Day(directory / "store").Check();
    if (WEXITSTATUS(status) == 0) {
      EXPECT_GT(short_of, 3u);
      return;
    }
    ++short_of;
  }
  FAIL() << "200 files do not suffice";
}

}  // namespace
}  // namespace tidemark::testing
