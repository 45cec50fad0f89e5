// The real files, as far as a test can drive them: semantics, error codes, the lock.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "engine/file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"

namespace tidemark {
namespace {

using testing::TempDirectory;

std::vector<std::byte> Filled(size_t size, int value) {
  return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

class PosixFileSystemTest : public ::testing::Test {
 protected:
  FileSystem& fs_ = *FileSystem::Posix();
  TempDirectory directory_;
};

// Goal: what is written is read, across growth, holes, truncation and allocation.
TEST_F(PosixFileSystemTest, ReadsWhatWasWritten) {
  ASSERT_OK_AND_ASSIGN(auto file, fs_.Open(directory_ / "f", OpenMode::kCreateNew));
  ASSERT_OK(file->WriteAt(10000, Filled(5000, 7)));
  ASSERT_OK(file->Sync());
  EXPECT_EQ(file->SizeBytes().value(), 15000u);
  std::vector<std::byte> out(20000, std::byte{1});
  EXPECT_EQ(file->ReadAt(0, out).value(), 15000u);
  EXPECT_TRUE(
      std::all_of(out.begin(), out.begin() + 10000, [](auto b) { return b == std::byte{0}; }));
  EXPECT_TRUE(std::all_of(out.begin() + 10000, out.begin() + 15000,
                          [](auto b) { return b == std::byte{7}; }));
  EXPECT_EQ(file->ReadAt(15000, out).value(), 0u);

  ASSERT_OK(file->Truncate(10001));
  ASSERT_OK(file->Allocate(1 << 20));
  EXPECT_EQ(file->SizeBytes().value(), uint64_t{1} << 20);
  ASSERT_OK(file->Allocate(0));
  ASSERT_OK(file->Allocate(5));  // never shrinks
  EXPECT_EQ(file->SizeBytes().value(), uint64_t{1} << 20);
  EXPECT_EQ(file->ReadAt(10000, std::span(out).first(2)).value(), 2u);
  EXPECT_EQ(out[0], std::byte{7});
  EXPECT_EQ(out[1], std::byte{0});
}

// Goal: each mode of opening asks what it says, and errors name the path and tell what to do.
TEST_F(PosixFileSystemTest, OpeningErrors) {
  const std::string path = directory_ / "f";
  EXPECT_ERROR(fs_.Open(path, OpenMode::kReadOnly), StatusCode::kNotFound, path);
  EXPECT_ERROR(fs_.Open(path, OpenMode::kReadWrite), StatusCode::kNotFound, path);
  ASSERT_OK(fs_.Open(path, OpenMode::kCreateNew));
  EXPECT_ERROR(fs_.Open(path, OpenMode::kCreateNew), StatusCode::kExists, path);
  EXPECT_ERROR(fs_.Open(path + "/below", OpenMode::kReadOnly), StatusCode::kNotFound, path);
  ASSERT_OK_AND_ASSIGN(auto read_only, fs_.Open(path, OpenMode::kReadOnly));
  EXPECT_ERROR(read_only->WriteAt(0, Filled(1, 1)), StatusCode::kIoError, path);
}

// Goal: names: create, list, rename over another, remove, sync.
TEST_F(PosixFileSystemTest, Names) {
  const std::string sub = directory_ / "sub";
  ASSERT_OK(fs_.CreateDirectory(sub));
  EXPECT_ERROR(fs_.CreateDirectory(sub), StatusCode::kExists, sub);
  EXPECT_ERROR(fs_.CreateDirectory(sub + "/x/y"), StatusCode::kNotFound, sub);
  for (const char* name : {"/a", "/b"}) {
    ASSERT_OK_AND_ASSIGN(auto file, fs_.Open(sub + name, OpenMode::kCreateNew));
    ASSERT_OK(file->WriteAt(0, Filled(3, name[1])));
  }
  ASSERT_OK(fs_.Rename(sub + "/a", sub + "/b"));
  ASSERT_OK(fs_.SyncDirectory(sub));
  EXPECT_EQ(fs_.ListDirectory(sub).value(), (std::vector<std::string>{"b"}));
  ASSERT_OK_AND_ASSIGN(auto file, fs_.Open(sub + "/b", OpenMode::kReadWrite));
  std::byte first;
  EXPECT_EQ(file->ReadAt(0, {&first, 1}).value(), 1u);
  EXPECT_EQ(first, std::byte{'a'});

  EXPECT_TRUE(fs_.Exists(sub + "/b").value());
  ASSERT_OK(fs_.Remove(sub + "/b"));
  EXPECT_FALSE(fs_.Exists(sub + "/b").value());
  EXPECT_FALSE(fs_.Exists(sub + "/b/c").value());
  EXPECT_ERROR(fs_.Remove(sub + "/b"), StatusCode::kNotFound, sub + "/b");
  EXPECT_ERROR(fs_.Rename(sub + "/b", sub + "/c"), StatusCode::kNotFound, sub + "/c");
  EXPECT_ERROR(fs_.ListDirectory(sub + "/b"), StatusCode::kNotFound, sub + "/b");
  EXPECT_ERROR(fs_.SyncDirectory(sub + "/b"), StatusCode::kNotFound, sub + "/b");
}

// Goal: no room is kFull, and what was there stays. Method: a limit on file sizes, in a child.
TEST_F(PosixFileSystemTest, NoRoomIsFull) {
  ASSERT_OK_AND_ASSIGN(auto file, fs_.Open(directory_ / "f", OpenMode::kCreateNew));
  ASSERT_OK(file->WriteAt(0, Filled(4096, 1)));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{8192, 8192};
    int code = ::setrlimit(RLIMIT_FSIZE, &limit) == 0 ? 0 : 1;
    if (file->WriteAt(4096, Filled(8192, 2)).code() != StatusCode::kFull) code |= 2;
    if (file->Allocate(100000).code() != StatusCode::kFull) code |= 4;
    if (file->Truncate(100000).code() != StatusCode::kFull) code |= 8;
    ::_exit(code);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  std::byte first;
  EXPECT_EQ(file->ReadAt(0, {&first, 1}).value(), 1u);
  EXPECT_EQ(first, std::byte{1});
}

// Goal: who may not write is told "read-only". Method: a child that is not root, in a directory
// that it may only read.
TEST_F(PosixFileSystemTest, NoPermissionIsReadOnly) {
  ASSERT_OK(fs_.Open(directory_ / "f", OpenMode::kCreateNew));
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0555), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(1);
    int code = 0;
    if (fs_.Open(directory_ / "new", OpenMode::kCreateNew).status().code() != StatusCode::kReadOnly)
      code |= 2;
    if (fs_.CreateDirectory(directory_ / "d").code() != StatusCode::kReadOnly) code |= 4;
    if (fs_.Remove(directory_ / "f").code() != StatusCode::kReadOnly) code |= 8;
    if (fs_.Lock(directory_ / "LOCK").status().code() != StatusCode::kReadOnly) code |= 16;
    if (!fs_.Exists(directory_ / "f").ok()) code |= 32;
    ::_exit(code);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
}

// Goal: a second process is told the pid of the first, and gets the lock when the first has died,
// even by a kill. Method: a child locks, reports on a pipe, and waits to be killed.
TEST_F(PosixFileSystemTest, TheLockNamesItsOwner) {
  const std::string path = directory_ / "LOCK";
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto lock = fs_.Lock(path);
    const char report = lock.ok() ? 'y' : 'n';
    if (::write(pipe[1], &report, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char report = 0;
  ASSERT_EQ(::read(pipe[0], &report, 1), 1);
  EXPECT_EQ(report, 'y');
  EXPECT_ERROR(fs_.Lock(path), StatusCode::kInUse,
               "store is in use by process " + std::to_string(child) + ",");
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ::close(pipe[0]);
  ::close(pipe[1]);

  ASSERT_OK_AND_ASSIGN(auto lock, fs_.Lock(path));
  std::string pid;
  std::ifstream(path) >> pid;
  EXPECT_EQ(pid, std::to_string(::getpid()));
  // The same process twice is a mistake as well.
  EXPECT_ERROR(fs_.Lock(path), StatusCode::kInUse, "process " + std::to_string(::getpid()));
  lock.reset();
  EXPECT_OK(fs_.Lock(path));
}

// Goal: a child of fork() does not drop its parent's lock, nor keep it once its parent has.
// Method: a child that closes what it inherited, and one that lives on with it.
TEST_F(PosixFileSystemTest, AForkedChildHasNoPartInTheLock) {
  const std::string path = directory_ / "LOCK";
  ASSERT_OK_AND_ASSIGN(auto lock, fs_.Lock(path));
  const pid_t closer = ::fork();
  ASSERT_GE(closer, 0);
  if (closer == 0) {
    lock.reset();
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(closer, nullptr, 0), closer);
  EXPECT_ERROR(fs_.Lock(path), StatusCode::kInUse, "process " + std::to_string(::getpid()));

  const pid_t keeper = ::fork();
  ASSERT_GE(keeper, 0);
  if (keeper == 0) {
    for (;;) ::pause();
  }
  lock.reset();
  EXPECT_OK(fs_.Lock(path));
  ::kill(keeper, SIGKILL);
  EXPECT_EQ(::waitpid(keeper, nullptr, 0), keeper);
}

// Goal: nor does it keep the lock of a parent that was killed. Method: a child that locks and is
// killed, and one of its own that lives on.
TEST_F(PosixFileSystemTest, AForkedChildLeavesTheLockOfAKilledOwner) {
  const std::string path = directory_ / "LOCK";
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t owner = ::fork();
  ASSERT_GE(owner, 0);
  if (owner == 0) {
    const auto lock = fs_.Lock(path);
    if (!lock.ok() || ::fork() < 0) ::_exit(1);
    const pid_t self = ::getpid();
    if (::write(pipe[1], &self, sizeof(self)) != sizeof(self)) ::_exit(1);
    for (;;) ::pause();
  }
  pid_t two[2];
  for (pid_t& pid : two) ASSERT_EQ(::read(pipe[0], &pid, sizeof(pid)), ssize_t{sizeof(pid)});
  const pid_t child = two[0] == owner ? two[1] : two[0];
  EXPECT_ERROR(fs_.Lock(path), StatusCode::kInUse, "process " + std::to_string(owner));
  ASSERT_EQ(::kill(owner, SIGKILL), 0);
  ASSERT_EQ(::waitpid(owner, nullptr, 0), owner);
  EXPECT_EQ(::kill(child, 0), 0);
  EXPECT_OK(fs_.Lock(path));
  ::kill(child, SIGKILL);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

// Goal: a program that the process starts does not inherit the lock. Method: a shell that lists the
// descriptors it was born with.
TEST_F(PosixFileSystemTest, DescriptorsAreNotInherited) {
  ASSERT_OK_AND_ASSIGN(auto file, fs_.Open(directory_ / "f", OpenMode::kCreateNew));
  ASSERT_OK_AND_ASSIGN(auto lock, fs_.Lock(directory_ / "LOCK"));
  const std::string out = directory_ / "out";
  ASSERT_EQ(std::system(("ls -l /proc/self/fd > " + out).c_str()), 0);
  std::ifstream in(out);
  const std::string listing{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(listing.find(directory_ / "out"), std::string::npos);  // it does list open files
  EXPECT_EQ(listing.find(directory_ / "LOCK"), std::string::npos);
  EXPECT_EQ(listing.find(directory_ / "f"), std::string::npos);
}

}  // namespace
}  // namespace tidemark
