#include "bench/raw_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tidemark::bench {

RawFile::RawFile(const Settings& settings, size_t group_bytes)
    : directory_(settings), group_(group_bytes, 'g') {
  const std::string path = directory_.path() + "/floor";
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) Fail("opening " + path, std::strerror(errno));
  if (fallocate(fd_, 0, 0, kFileBytes) != 0 && errno != EOPNOTSUPP) {
    Fail("allocating " + path, std::strerror(errno));
  }
  const std::vector<char> zeros(kChunkBytes);
  for (size_t offset = 0; offset < kFileBytes; offset += zeros.size()) Write(zeros, offset);
  if (fdatasync(fd_) != 0) Fail("syncing " + path, std::strerror(errno));
}

RawFile::~RawFile() { close(fd_); }

void RawFile::WriteAndSync() {
  if (offset_ + group_.size() > kFileBytes) offset_ = kFirstGroup;
  Write(group_, offset_);
  if (fdatasync(fd_) != 0) Fail("syncing the floor's file", std::strerror(errno));
  offset_ += group_.size();
}

void RawFile::Write(const std::vector<char>& bytes, size_t offset) {
  if (pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset)) !=
      static_cast<ssize_t>(bytes.size())) {
    Fail("writing the floor's file", std::strerror(errno));
  }
}

}  // namespace tidemark::bench
