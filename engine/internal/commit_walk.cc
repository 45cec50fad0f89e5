#include "engine/internal/commit_walk.h"

#include <algorithm>

namespace tidemark::internal {
namespace {
constexpr uint64_t kStretch = 1024;  // commits
}  // namespace

Result<CommitWalk> CommitWalk::Begin(const Object* object) {
  CommitWalk walk(object);
  TIDEMARK_RETURN_IF_ERROR(object->History([&](const CommitInfo& commit) {
    if (walk.count_++ % kStretch == 0) walk.newest_.push_back(commit.lsn);
    return true;
  }));
  return walk;
}

Status CommitWalk::ReadStretch() {
  // All but the oldest stretch, which is read first, are full.
  const uint64_t before = static_cast<uint64_t>(newest_.size() - 1) * kStretch;
  const uint64_t expected = std::min(kStretch, count_ - before);
  stretch_.reserve(expected);
  TIDEMARK_RETURN_IF_ERROR(object_->History(
      [&](const CommitInfo& commit) {
        stretch_.push_back(commit);
        return stretch_.size() < expected;
      },
      nullptr, newest_.back()));
  if (stretch_.size() != expected || stretch_.front().lsn != newest_.back()) {
    return Status(StatusCode::kExpired,
                  "history of " + object_->DisplayName() + " expired while it was read");
  }
  count_ = before;
  newest_.pop_back();
  return OkStatus();
}

Result<std::optional<CommitInfo>> CommitWalk::Next() {
  if (stretch_.empty() && !newest_.empty()) TIDEMARK_RETURN_IF_ERROR(ReadStretch());
  if (stretch_.empty()) return std::optional<CommitInfo>();
  // The newest was visited first: the oldest is the last.
  std::optional<CommitInfo> next(stretch_.back());
  stretch_.pop_back();
  return next;
}

}  // namespace tidemark::internal
