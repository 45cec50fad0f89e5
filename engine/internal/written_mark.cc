#include "engine/internal/written_mark.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <span>
#include <string_view>

#include "engine/file_system.h"

namespace tidemark::internal {
namespace {

constexpr char kName[] = "/WRITTEN";
constexpr std::string_view kOpen = "open ";
constexpr std::string_view kClosed = "closed ";

// When the file was made, to the nanosecond; empty if there is none, or nobody knows.
Result<std::string> BirthOf(const std::string& path) {
  struct statx info;
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_BTIME, &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::string();
    return Status(StatusCode::kIoError, "cannot look up " + path + ": " + std::strerror(errno));
  }
  if ((info.stx_mask & STATX_BTIME) == 0) return std::string();
  return std::to_string(info.stx_btime.tv_sec) + "." + std::to_string(info.stx_btime.tv_nsec);
}

// Without the line's end: empty if that is missing, which a power loss can do.
Result<std::string> ReadLine(const std::string& path) {
  const auto file = FileSystem::Posix()->Open(path, OpenMode::kReadOnly);
  if (file.status().code() == StatusCode::kNotFound) return std::string();
  TIDEMARK_RETURN_IF_ERROR(file.status());
  std::array<char, 128> text;
  TIDEMARK_ASSIGN_OR_RETURN(const size_t size,
                            (*file)->ReadAt(0, std::as_writable_bytes(std::span(text))));
  if (size == 0 || text[size - 1] != '\n') return std::string();
  return std::string(text.data(), size - 1);
}

}  // namespace

Result<std::optional<uint64_t>> WrittenMark::Check() const {
  const std::optional<uint64_t> nothing;
  TIDEMARK_ASSIGN_OR_RETURN(const bool has_index,
                            FileSystem::Posix()->Exists(directory_ + "/data.mdb"));
  if (!has_index) return nothing;  // someone has removed it, and left this
  TIDEMARK_ASSIGN_OR_RETURN(const std::string line, ReadLine(directory_ + kName));
  if (line.starts_with(kClosed)) {
    uint64_t transaction = 0;
    const char* const end = line.data() + line.size();
    const auto read = std::from_chars(line.data() + kClosed.size(), end, transaction);
    if (read.ec != std::errc() || read.ptr != end) return nothing;
    return std::optional(transaction);
  }
  if (!line.starts_with(kOpen)) return nothing;
  TIDEMARK_ASSIGN_OR_RETURN(const std::string index, BirthOf(directory_ + "/data.mdb"));
  TIDEMARK_ASSIGN_OR_RETURN(const std::string mark, BirthOf(directory_ + kName));
  if (index.empty() || mark.empty()) return nothing;
  if (line.substr(kOpen.size()) != index + " " + mark) return Copied();
  return nothing;
}

Status WrittenMark::Copied() const {
  return Status(StatusCode::kCorruption,
                "index " + directory_ +
                    " is a copy that was made while its store was open, or not closed cleanly, and "
                    "can be of several times at once: remove " +
                    directory_ + ", and opening the store makes it anew from the log");
}

Status WrittenMark::SetOpen() {
  TIDEMARK_ASSIGN_OR_RETURN(const std::string index, BirthOf(directory_ + "/data.mdb"));
  return Replace(std::string(kOpen) + index + " ", true);
}

Status WrittenMark::Forget() {
  FileSystem& files = *FileSystem::Posix();
  const Status status = files.Remove(directory_ + kName);
  if (status.code() == StatusCode::kNotFound) return OkStatus();
  TIDEMARK_RETURN_IF_ERROR(status);
  return files.SyncDirectory(directory_);
}

Status WrittenMark::SetClosed(uint64_t transaction) {
  return Replace(std::string(kClosed) + std::to_string(transaction), false);
}

// A file of its own each time. One that says "closed" and is not true would have a whole index
// refused, so the one that follows it is durable.
Status WrittenMark::Replace(const std::string& text, bool names_itself) {
  FileSystem& files = *FileSystem::Posix();
  const std::string path = directory_ + kName;
  const std::string made = path + ".new";
  const auto write = [&]() -> Status {
    if (const Status status = files.Remove(made); status.code() != StatusCode::kNotFound) {
      TIDEMARK_RETURN_IF_ERROR(status);
    }
    TIDEMARK_ASSIGN_OR_RETURN(const auto file, files.Open(made, OpenMode::kCreateNew));
    std::string line = text;
    if (names_itself) {
      TIDEMARK_ASSIGN_OR_RETURN(const std::string birth, BirthOf(made));
      line += birth;
    }
    line += "\n";
    TIDEMARK_RETURN_IF_ERROR(file->WriteAt(0, std::as_bytes(std::span(line))));
    if (names_itself) TIDEMARK_RETURN_IF_ERROR(file->Sync());
    return files.Rename(made, path);
  };
  Status status = write();
  if (status.code() == StatusCode::kFull) {
    status = files.Remove(path);
    if (status.code() == StatusCode::kNotFound) status = OkStatus();
  }
  TIDEMARK_RETURN_IF_ERROR(status);
  return names_itself ? files.SyncDirectory(directory_) : OkStatus();
}

}  // namespace tidemark::internal
