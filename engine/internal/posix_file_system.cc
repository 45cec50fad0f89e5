// The FileSystem of the operating system.

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "engine/file_system.h"

namespace tidemark {
namespace {

enum class Access { kRead, kWrite };

// `error` is errno's. A full disk, a spent quota and a file that may not grow further are one thing
// to a caller: make room. A refusal means "read-only" only to someone who wants to write.
Status ErrnoStatus(std::string_view operation, const std::string& path, int error, Access access) {
  StatusCode code = StatusCode::kIoError;
  switch (error) {
    case ENOENT:
    case ENOTDIR: code = StatusCode::kNotFound; break;
    case EEXIST: code = StatusCode::kExists; break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: code = StatusCode::kFull; break;
    case EROFS:
    case EACCES:
    case EPERM:
      if (access == Access::kWrite) code = StatusCode::kReadOnly;
      break;
    default: break;
  }
  std::string message = "cannot " + std::string(operation) + " " + path + ": " +
                        std::generic_category().message(error);
  if (error == EMFILE) message += " (of this process: raise its limit, `ulimit -n`)";
  return Status(code, std::move(message));
}

// Repeats a call that a signal interrupted.
template <typename Call>
auto Retry(Call call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  ~FileDescriptor() { Close(); }
  void Close() {
    if (fd_ != -1) ::close(fd_);  // an error here says nothing that Sync() has not said
    fd_ = -1;
  }

  int get() const { return fd_; }
  bool valid() const { return fd_ != -1; }

 private:
  int fd_;
};

class PosixFile final : public File {
 public:
  PosixFile(std::string path, FileDescriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  Result<size_t> ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = Retry([&] {
        return ::pread(fd_.get(), out.data() + done, out.size() - done,
                       static_cast<off_t>(offset + done));
      });
      if (n < 0) return Failed("read", Access::kRead);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Status WriteAt(uint64_t offset, std::span<const std::byte> data) override {
    while (!data.empty()) {
      const ssize_t n = Retry([&] {
        return ::pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
      });
      if (n < 0) return Failed("write", Access::kWrite);
      offset += static_cast<uint64_t>(n);
      data = data.subspan(static_cast<size_t>(n));
    }
    return OkStatus();
  }

  Status Sync() override {
    if (Retry([&] { return ::fdatasync(fd_.get()); }) != 0) return Failed("sync", Access::kWrite);
    return OkStatus();
  }

  Status Truncate(uint64_t size_bytes) override {
    if (Retry([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size_bytes)); }) != 0) {
      return Failed("truncate", Access::kWrite);
    }
    return OkStatus();
  }

  Status Allocate(uint64_t size_bytes) override {
    if (size_bytes == 0) return OkStatus();  // which fallocate refuses
    // Not posix_fallocate, whose fallback writes to each block without telling.
    if (Retry([&] { return ::fallocate(fd_.get(), 0, 0, static_cast<off_t>(size_bytes)); }) == 0) {
      return OkStatus();
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS) return Failed("allocate room for", Access::kWrite);
    return AppendZeros(size_bytes);
  }

  Result<uint64_t> SizeBytes() const override {
    struct stat info;
    if (::fstat(fd_.get(), &info) != 0) return Failed("find the size of", Access::kRead);
    return static_cast<uint64_t>(info.st_size);
  }

 private:
  // Reserves blocks on a file system that cannot be asked to: by writing them.
  Status AppendZeros(uint64_t size_bytes) {
    const std::vector<std::byte> zeros(size_t{1} << 20);
    TIDEMARK_ASSIGN_OR_RETURN(uint64_t end, SizeBytes());
    while (end < size_bytes) {
      const uint64_t step = std::min<uint64_t>(zeros.size(), size_bytes - end);
      TIDEMARK_RETURN_IF_ERROR(WriteAt(end, std::span(zeros).first(static_cast<size_t>(step))));
      end += step;
    }
    return OkStatus();
  }

  Status Failed(std::string_view operation, Access access) const {
    return ErrnoStatus(operation, path_, errno, access);
  }

  const std::string path_;
  const FileDescriptor fd_;
};

// The lock belongs to the open file, so the kernel drops it when the process ends, however it ends.
// A child of fork() has that open file too, and would keep the lock for as long as it lives: so it
// closes the file before it does anything else.
class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(FileDescriptor fd) : fd_(std::move(fd)) {
    static const int registered =
        ::pthread_atfork([] { Held().mutex.lock(); }, [] { Held().mutex.unlock(); }, CloseInChild);
    static_cast<void>(registered);
    std::lock_guard guard(Held().mutex);
    Held().locks.push_back(this);
  }
  ~PosixFileLock() override {
    std::lock_guard guard(Held().mutex);
    std::erase(Held().locks, this);
    // By name: some child may not have come to closing its own yet.
    if (fd_.valid()) Retry([&] { return ::flock(fd_.get(), LOCK_UN); });
  }

  // On a full disk the lock still holds; only the pid for the message is missing then, and the old
  // owner's, which would be wrong, is gone, and so is a part of the new one.
  Status NameOwner(const std::string& path) {
    const std::string pid = std::to_string(::getpid()) + "\n";
    const auto empty = [&] { return Retry([&] { return ::ftruncate(fd_.get(), 0); }) == 0; };
    bool ok = empty();
    for (size_t done = 0; ok && done < pid.size();) {
      const ssize_t n = Retry([&] {
        return ::pwrite(fd_.get(), pid.data() + done, pid.size() - done, static_cast<off_t>(done));
      });
      ok = n >= 0;
      if (ok) done += static_cast<size_t>(n);
    }
    if (ok) return OkStatus();
    const int error = errno;
    if (error == ENOSPC || error == EDQUOT) {
      empty();
      return OkStatus();
    }
    return ErrnoStatus("write", path, error, Access::kWrite);
  }

 private:
  struct HeldLocks {
    std::mutex mutex;
    std::vector<PosixFileLock*> locks;  // of this process
  };
  static HeldLocks& Held() {
    static HeldLocks& held = *new HeldLocks;  // a store may be open until the very end
    return held;
  }
  static void CloseInChild() {
    for (PosixFileLock* lock : Held().locks) lock->fd_.Close();
    Held().locks.clear();
    Held().mutex.unlock();
  }

  FileDescriptor fd_;
};

// Opens what must be a regular file that stands there itself: a symbolic link could lead a write to
// somebody else's file, and a pipe makes who opens it wait.
Result<FileDescriptor> OpenRegular(const std::string& path, int flags, std::string_view operation,
                                   Access access) {
  const int all = flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  FileDescriptor fd(Retry([&] { return ::open(path.c_str(), all, 0644); }));
  const auto refuse = [&](const char* what) {
    return Status(StatusCode::kIoError, "cannot " + std::string(operation) + " " + path +
                                            ": it is " + what + ", and no file of a store is one");
  };
  if (!fd.valid() && errno == ELOOP) return refuse("a symbolic link");
  if (!fd.valid()) return ErrnoStatus(operation, path, errno, access);
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return ErrnoStatus(operation, path, errno, access);
  if (!S_ISREG(info.st_mode)) return refuse("no regular file");
  return fd;
}

Status InUse(int fd, const std::string& path) {
  char pid[24];
  const ssize_t size = Retry([&] { return ::pread(fd, pid, sizeof(pid), 0); });
  size_t digits = 0;
  while (std::cmp_less(digits, size) && pid[digits] >= '0' && pid[digits] <= '9') ++digits;
  // The owner writes its pid just after it took the lock: seen in between, there is none.
  const std::string owner = digits == 0 ? "another process" : "process " + std::string(pid, digits);
  return Status(StatusCode::kInUse, "store is in use by " + owner + ", which holds " + path);
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    int flags = 0;
    switch (mode) {
      case OpenMode::kReadOnly: flags = O_RDONLY; break;
      case OpenMode::kReadWrite: flags = O_RDWR; break;
      case OpenMode::kCreateNew: flags = O_RDWR | O_CREAT | O_EXCL; break;
    }
    const char* const operation = mode == OpenMode::kCreateNew ? "create" : "open";
    const Access access = mode == OpenMode::kReadOnly ? Access::kRead : Access::kWrite;
    TIDEMARK_ASSIGN_OR_RETURN(FileDescriptor fd, OpenRegular(path, flags, operation, access));
    return std::unique_ptr<File>(std::make_unique<PosixFile>(path, std::move(fd)));
  }

  Status Remove(const std::string& path) override {
    if (::unlink(path.c_str()) == 0) return OkStatus();
    return ErrnoStatus("remove", path, errno, Access::kWrite);
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) == 0) return OkStatus();
    return ErrnoStatus("rename", from + " to " + to, errno, Access::kWrite);
  }

  Status SyncDirectory(const std::string& path) override {
    const FileDescriptor fd(
        Retry([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (!fd.valid()) return ErrnoStatus("open directory", path, errno, Access::kWrite);
    if (Retry([&] { return ::fsync(fd.get()); }) == 0) return OkStatus();
    return ErrnoStatus("sync directory", path, errno, Access::kWrite);
  }

  Status CreateDirectory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0755) == 0) return OkStatus();
    return ErrnoStatus("create directory", path, errno, Access::kWrite);
  }

  Result<std::vector<std::string>> ListDirectory(const std::string& path) override {
    const auto close = [](DIR* directory) { ::closedir(directory); };
    const std::unique_ptr<DIR, decltype(close)> directory(::opendir(path.c_str()), close);
    if (directory == nullptr) return ErrnoStatus("list", path, errno, Access::kRead);
    std::vector<std::string> names;
    for (;;) {
      errno = 0;  // the only way to tell the end from an error
      const dirent* entry = ::readdir(directory.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return ErrnoStatus("list", path, errno, Access::kRead);
    return names;
  }

  Result<bool> Exists(const std::string& path) override {
    struct stat info;
    if (::stat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return ErrnoStatus("look up", path, errno, Access::kRead);
  }

  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    TIDEMARK_ASSIGN_OR_RETURN(FileDescriptor fd,
                              OpenRegular(path, O_RDWR | O_CREAT, "open", Access::kWrite));
    if (Retry([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) {
      if (errno == EWOULDBLOCK) return InUse(fd.get(), path);
      return ErrnoStatus("lock", path, errno, Access::kWrite);
    }
    auto lock = std::make_unique<PosixFileLock>(std::move(fd));
    TIDEMARK_RETURN_IF_ERROR(lock->NameOwner(path));
    return std::unique_ptr<FileLock>(std::move(lock));
  }
};

}  // namespace

FileSystem* FileSystem::Posix() {
  static PosixFileSystem file_system;
  return &file_system;
}

}  // namespace tidemark
