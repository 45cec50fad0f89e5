#include "engine/internal/index_rebuild.h"

#include <filesystem>
#include <system_error>

#include "engine/file_system.h"
#include "engine/internal/written_mark.h"

namespace tidemark::internal {

Result<bool> IndexRebuild::IsBegun() const {
  return FileSystem::Posix()->Exists(made() + "/data.mdb");
}

Status IndexRebuild::Begin() const {
  const Status created = FileSystem::Posix()->CreateDirectory(directory_);
  return created.code() == StatusCode::kExists ? OkStatus() : created;
}

Status IndexRebuild::Drop() const {
  TIDEMARK_ASSIGN_OR_RETURN(const bool is_there, FileSystem::Posix()->Exists(made()));
  if (!is_there) return OkStatus();
  std::error_code error;
  std::filesystem::remove_all(made(), error);
  if (!error) return OkStatus();
  const bool refused = error == std::errc::permission_denied ||
                       error == std::errc::operation_not_permitted ||
                       error == std::errc::read_only_file_system;
  return Status(refused ? StatusCode::kReadOnly : StatusCode::kIoError,
                "cannot remove " + made() + ": " + error.message());
}

Status IndexRebuild::Take(OldFile old_file) const {
  FileSystem& files = *FileSystem::Posix();
  const std::string data = directory_ + "/data.mdb";
  // What the mark says is of the old file.
  if (old_file == OldFile::kIsKept) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool has_kept, files.Exists(kept()));
    TIDEMARK_ASSIGN_OR_RETURN(const bool has_old, files.Exists(data));
    if (!has_kept && has_old) TIDEMARK_RETURN_IF_ERROR(files.Rename(data, kept()));
  }
  TIDEMARK_RETURN_IF_ERROR(WrittenMark(directory_).Forget());
  TIDEMARK_RETURN_IF_ERROR(files.Rename(made() + "/data.mdb", data));
  TIDEMARK_RETURN_IF_ERROR(files.SyncDirectory(directory_));
  return Drop();
}

}  // namespace tidemark::internal
