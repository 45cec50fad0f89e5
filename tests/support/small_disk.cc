#include "tests/support/small_disk.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>

namespace tidemark::testing {
namespace {

// A mount namespace of the process's own, so that whatever becomes of it nothing stays mounted.
bool HasOwnMounts() {
  static const bool has =
      (::unshare(CLONE_NEWNS) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  return has;
}

}  // namespace

SmallDisk::SmallDisk(uint64_t size_bytes) {
  const std::string options = "size=" + std::to_string(size_bytes);
  if (!HasOwnMounts() ||
      ::mount("tidemark-test", directory_.path().c_str(), "tmpfs", 0, options.c_str()) != 0) {
    why_not_ = std::string("cannot mount a disk of its own: ") + std::strerror(errno);
  }
}

SmallDisk::~SmallDisk() {
  if (why_not_.empty()) ::umount2(directory_.path().c_str(), MNT_DETACH);
}

bool SmallDisk::MakeReadOnly() {
  return ::mount("none", directory_.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0;
}
bool SmallDisk::MakeWritable() {
  return ::mount("none", directory_.path().c_str(), nullptr, MS_REMOUNT, nullptr) == 0;
}

uint64_t SmallDisk::FreeBytes() const {
  struct statvfs info {};
  return ::statvfs(directory_.path().c_str(), &info) == 0 ? info.f_bavail * info.f_frsize : 0;
}

}  // namespace tidemark::testing
