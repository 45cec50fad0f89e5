#include "engine/internal/salvage_mark.h"

#include <mutex>
#include <set>
#include <utility>

namespace tidemark::internal {
namespace {

// Directories that this process is making stores in.
struct Making {
  std::mutex mutex;
  std::set<std::pair<FileSystem*, std::string>> directories;
};

Making& TheMaking() {
  static Making& making = *new Making;
  return making;
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Status SalvageMark::Check(FileSystem& file_system, const std::string& directory) {
  TIDEMARK_ASSIGN_OR_RETURN(const bool marked, file_system.Exists(directory + "/" + kName));
  if (!marked) return OkStatus();
  {
    Making& making = TheMaking();
    std::lock_guard lock(making.mutex);
    if (making.directories.contains({&file_system, directory})) return OkStatus();
  }
  return Status(StatusCode::kCorruption,
                directory +
                    " is incomplete: a salvage that was to make it is at work or was interrupted; "
                    "if it was, remove this directory and salvage again");
}

Result<std::unique_ptr<SalvageMark>> SalvageMark::Make(FileSystem* file_system,
                                                       const std::string& directory) {
  TIDEMARK_ASSIGN_OR_RETURN(const bool exists, file_system->Exists(directory));
  if (!exists) TIDEMARK_RETURN_IF_ERROR(file_system->CreateDirectory(directory));
  std::unique_ptr<SalvageMark> mark(new SalvageMark(file_system, directory));
  TIDEMARK_RETURN_IF_ERROR(file_system->Open(mark->Path(), OpenMode::kCreateNew).status());
  TIDEMARK_RETURN_IF_ERROR(file_system->SyncDirectory(directory));
  const Status synced = file_system->SyncDirectory(ParentOf(directory));
  // Whose parent may not be opened was made by someone else.
  if (!synced.ok() && !(exists && synced.code() == StatusCode::kReadOnly)) return synced;
  return mark;
}

SalvageMark::SalvageMark(FileSystem* file_system, std::string directory)
    : file_system_(file_system), directory_(std::move(directory)) {
  Making& making = TheMaking();
  std::lock_guard lock(making.mutex);
  making.directories.insert({file_system_, directory_});
}

SalvageMark::~SalvageMark() {
  Making& making = TheMaking();
  std::lock_guard lock(making.mutex);
  making.directories.erase({file_system_, directory_});
}

Status SalvageMark::Remove() {
  TIDEMARK_RETURN_IF_ERROR(file_system_->Remove(Path()));
  return file_system_->SyncDirectory(directory_);
}

}  // namespace tidemark::internal
