#include "engine/internal/written_mark.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "engine/file_system.h"

namespace tidemark::internal {
namespace {

// Of the file with the index; empty if there is none, or if it has no time of birth.
Result<std::string> IdentityOf(const std::string& directory) {
  struct statx info;
  const std::string path = directory + "/data.mdb";
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_INO | STATX_BTIME, &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::string();
    return Status(StatusCode::kIoError, "cannot look up " + path + ": " + std::strerror(errno));
  }
  if ((info.stx_mask & STATX_BTIME) == 0) return std::string();
  return std::to_string(info.stx_ino) + " " + std::to_string(info.stx_btime.tv_sec) + "." +
         std::to_string(info.stx_btime.tv_nsec) + "\n";
}

}  // namespace

Status WrittenMark::Check() const {
  TIDEMARK_ASSIGN_OR_RETURN(const std::string identity, IdentityOf(directory_));
  if (identity.empty()) return OkStatus();
  const auto file = FileSystem::Posix()->Open(Path(), OpenMode::kReadOnly);
  if (file.status().code() == StatusCode::kNotFound) return OkStatus();
  TIDEMARK_RETURN_IF_ERROR(file.status());
  std::array<char, 128> text;
  TIDEMARK_ASSIGN_OR_RETURN(const size_t size,
                            (*file)->ReadAt(0, std::as_writable_bytes(std::span(text))));
  // Without its end it is what a power loss has left of it.
  if (size == 0 || text[size - 1] != '\n' || identity == std::string_view(text.data(), size)) {
    return OkStatus();
  }
  return Status(StatusCode::kCorruption,
                "index " + directory_ +
                    " was copied while its store was open, or not closed cleanly, and can be of "
                    "several times at once: remove " +
                    directory_ + ", and opening the store makes it anew from the log");
}

Status WrittenMark::Set() {
  if (is_set_) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(const std::string identity, IdentityOf(directory_));
  if (!identity.empty()) {
    FileSystem& files = *FileSystem::Posix();
    auto file = files.Open(Path(), OpenMode::kCreateNew);
    if (file.status().code() == StatusCode::kExists) {
      file = files.Open(Path(), OpenMode::kReadWrite);
    }
    TIDEMARK_RETURN_IF_ERROR(file.status());
    TIDEMARK_RETURN_IF_ERROR((*file)->Truncate(0));
    TIDEMARK_RETURN_IF_ERROR((*file)->WriteAt(0, std::as_bytes(std::span(identity))));
  }
  is_set_ = true;
  return OkStatus();
}

Status WrittenMark::Clear() {
  if (!is_set_) return OkStatus();
  const Status removed = FileSystem::Posix()->Remove(Path());
  if (!removed.ok() && removed.code() != StatusCode::kNotFound) return removed;
  is_set_ = false;
  return OkStatus();
}

}  // namespace tidemark::internal
