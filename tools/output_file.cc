#include "tools/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "tools/failure.h"
#include "tools/text.h"

namespace tidemark::tools {

namespace {

constexpr const char* kNothingWritten = "nothing was written";

Failure SystemFailure(const std::string& what, int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return Failure(full ? StatusCodeName(StatusCode::kFull) : "file", kExitFailed,
                 what + ": " + std::strerror(error),
                 full ? "nothing was written; make room and try again" : kNothingWritten);
}

bool Exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

Failure TargetExists(const std::string& path) {
  return Failure(StatusCodeName(StatusCode::kExists), kExitFailed, path + " exists already",
                 "nothing was written; --force replaces it");
}

}  // namespace

OutputFile::OutputFile(const std::string& path, IfExists if_exists)
    : path_(path), if_exists_(if_exists) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    throw FileFailure(path + " is not a regular file", kNothingWritten);
  }
  if (if_exists == IfExists::kFail && Exists(path)) throw TargetExists(path);
  for (const char* suffix : {"-journal", "-wal"}) {
    const std::string beside = path + suffix;
    if (!Exists(beside)) continue;
    throw Failure(StatusCodeName(StatusCode::kExists), kExitFailed,
                  beside + " belongs to another database, and SQLite would mix it into this one",
                  "nothing was written; choose another name, or let its database be closed "
                  "cleanly by the program that uses it");
  }
  // The permissions that a new file of this user would have, not mkstemp's.
  temporary_path_ = path + ".tidemark-" + std::to_string(::getpid());
  fd_ = ::open(temporary_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) {
    const int error = errno;
    const Failure failure = SystemFailure("cannot create " + temporary_path_, error);
    temporary_path_.clear();
    throw failure;
  }
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_path_.empty()) ::unlink(temporary_path_.c_str());
}

void OutputFile::Write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      throw SystemFailure("cannot write " + path_, errno);
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void OutputFile::Commit() {
  if (::fsync(fd_) != 0) throw SystemFailure("cannot sync " + path_, errno);
  const int closed = ::close(fd_);
  fd_ = -1;
  if (closed != 0) throw SystemFailure("cannot close " + path_, errno);

  if (if_exists_ == IfExists::kFail) {
    // Unlike rename, link does not replace a file that appeared meanwhile.
    if (::link(temporary_path_.c_str(), path_.c_str()) == 0) {
      ::unlink(temporary_path_.c_str());
      temporary_path_.clear();
    } else if (errno == EEXIST || Exists(path_)) {
      throw TargetExists(path_);
    }
  }
  // Also for a file system without hard links, where a check is the best there is.
  if (!temporary_path_.empty() && ::rename(temporary_path_.c_str(), path_.c_str()) != 0) {
    throw SystemFailure("cannot rename " + temporary_path_ + " to " + path_, errno);
  }
  temporary_path_.clear();

  std::string directory = std::filesystem::path(path_).parent_path().string();
  if (directory.empty()) directory = ".";
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int synced = fd < 0 ? -1 : ::fsync(fd);
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (synced != 0) {
    throw FileFailure("cannot sync " + directory + ": " + std::strerror(error),
                      path_ + " is written, but a power loss may take it away");
  }
}

}  // namespace tidemark::tools
