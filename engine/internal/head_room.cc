#include "engine/internal/head_room.h"

#include <memory>

namespace tidemark::internal {

void HeadRoom::Take() {
  if (held_) return;
  const Status made = MakeFile();
  held_ = made.ok();
  // Less than all of it is of no use.
  if (made.code() == StatusCode::kFull) (void)file_system_->Remove(path_);
}

// Not synced: after a crash it is looked at again.
Status HeadRoom::MakeFile() {
  auto file = file_system_->Open(path_, OpenMode::kReadWrite);
  if (file.status().code() == StatusCode::kNotFound) {
    file = file_system_->Open(path_, OpenMode::kCreateNew);
  }
  TIDEMARK_RETURN_IF_ERROR(file.status());
  TIDEMARK_ASSIGN_OR_RETURN(const uint64_t size, (*file)->SizeBytes());
  return size >= kBytes ? OkStatus() : (*file)->Allocate(kBytes);
}

bool HeadRoom::GiveUp() {
  if (!held_) return false;
  held_ = false;
  return file_system_->Remove(path_).ok();
}

}  // namespace tidemark::internal
