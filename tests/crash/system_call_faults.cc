#include "tests/crash/system_call_faults.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstring>

#include "engine/check.h"

namespace tidemark::testing {
namespace {

struct State {
  bool armed = false;
  std::string directory;
  CallFault fault;
  uint64_t counted = 0;
  uint64_t failed = 0;
  std::array<bool, 4096> watched{};  // by file descriptor
};
State state;

bool IsBelow(const char* path, const std::string& directory) {
  return !directory.empty() && std::strncmp(path, directory.c_str(), directory.size()) == 0;
}

bool IsWatched(const char* path) {
  return state.armed && IsBelow(path, state.directory) && !IsBelow(path, state.fault.but_not_below);
}

bool IsWatched(int fd) {
  return state.armed && fd >= 0 && static_cast<size_t>(fd) < state.watched.size() &&
         state.watched[static_cast<size_t>(fd)];
}

// True if the fault happens to this call; errno is set then.
bool Fails(unsigned kind) {
  if ((state.fault.calls & kind) == 0) return false;
  const uint64_t n = ++state.counted;
  const CallFault& fault = state.fault;
  const bool due = n == fault.first ||
                   (fault.every != 0 && n > fault.first && (n - fault.first) % fault.every == 0);
  if (!due) return false;
  ++state.failed;
  errno = fault.error;
  return true;
}

template <typename Of>
bool Fails(Of of, unsigned kind) {
  return IsWatched(of) && Fails(kind);
}

}  // namespace

ScopedCallFault::ScopedCallFault(const std::string& directory, const CallFault& fault) {
  CHECK(!state.armed);
  state = {.armed = true, .directory = directory, .fault = fault};
}
ScopedCallFault::~ScopedCallFault() { state.armed = false; }
uint64_t ScopedCallFault::counted() const { return state.counted; }
uint64_t ScopedCallFault::failed() const { return state.failed; }

}  // namespace tidemark::testing

// What the program's own calls, and those of its libraries, are bound to.

using namespace tidemark::testing;  // NOLINT: these functions have the names they have

extern "C" {

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  if (Fails(path, kOpens | ((flags & O_CREAT) != 0 ? kCreates : 0u))) return -1;
  const auto fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
  if (fd >= 0 && static_cast<size_t>(fd) < state.watched.size()) {
    state.watched[static_cast<size_t>(fd)] = IsWatched(path);
  }
  return fd;
}

ssize_t pread(int fd, void* out, size_t size, off_t offset) {
  if (Fails(fd, kReads)) return -1;
  return syscall(SYS_pread64, fd, out, size, offset);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  if (Fails(fd, kWrites)) {
    if (state.fault.error != 0) return -1;
    size = (size + 1) / 2;
  }
  return syscall(SYS_pwrite64, fd, data, size, offset);
}

ssize_t writev(int fd, const iovec* parts, int count) {
  if (Fails(fd, kWrites)) {
    if (state.fault.error != 0) return -1;
    count = (count + 1) / 2;
  }
  return syscall(SYS_writev, fd, parts, count);
}

int fdatasync(int fd) {
  return Fails(fd, kSyncs) ? -1 : static_cast<int>(syscall(SYS_fdatasync, fd));
}

int fsync(int fd) { return Fails(fd, kSyncs) ? -1 : static_cast<int>(syscall(SYS_fsync, fd)); }

int fallocate(int fd, int mode, off_t offset, off_t size) {
  if (Fails(fd, kGrows)) return -1;
  return static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, size));
}

int ftruncate(int fd, off_t size) noexcept {
  return Fails(fd, kGrows) ? -1 : static_cast<int>(syscall(SYS_ftruncate, fd, size));
}

int unlink(const char* path) noexcept {
  return Fails(path, kNames) ? -1 : static_cast<int>(syscall(SYS_unlink, path));
}

int rename(const char* from, const char* to) noexcept {
  return Fails(from, kNames) ? -1 : static_cast<int>(syscall(SYS_rename, from, to));
}

int mkdir(const char* path, mode_t mode) noexcept {
  return Fails(path, kNames) ? -1 : static_cast<int>(syscall(SYS_mkdir, path, mode));
}

int flock(int fd, int operation) noexcept {
  return Fails(fd, kLocks) ? -1 : static_cast<int>(syscall(SYS_flock, fd, operation));
}

}  // extern "C"
