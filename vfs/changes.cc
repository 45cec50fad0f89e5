#include "vfs/changes.h"

#include <algorithm>
#include <new>

namespace tidemark {
namespace {

// The commit that was current at `lsn`; kind kNone: there was none.
Result<CommitInfo> CommitAt(const Object& object, Lsn lsn) {
  CommitInfo found;
  if (!lsn.valid()) return found;
  TIDEMARK_RETURN_IF_ERROR(object.History(
      [&](const CommitInfo& commit) {
        found = commit;
        return false;
      },
      nullptr, lsn));
  return found;
}

Result<Snapshot> SnapshotOf(const Object& object, const CommitInfo& commit) {
  if (commit.kind == CommitKind::kNone || commit.kind == CommitKind::kDelete) return Snapshot();
  return object.OpenSnapshot(commit);
}

}  // namespace

Changes Changes::OfObject(Store& store, std::shared_ptr<Object> object, const Start& since) {
  return Changes(store, std::move(object), "", since);
}

Changes Changes::OfNamespace(Store& store, std::string namespace_name, const Start& since) {
  return Changes(store, nullptr, std::move(namespace_name), since);
}

Result<std::optional<ChangedCommit>> Changes::Next() try {
  if (waiting_.empty()) TIDEMARK_RETURN_IF_ERROR(Look());
  if (waiting_.empty()) return std::optional<ChangedCommit>();
  const Waiting next = waiting_.back();
  ChangedCommit changed;
  changed.object = next.object;
  TIDEMARK_ASSIGN_OR_RETURN(changed.commit, CommitAt(*next.object, next.lsn));
  if (changed.commit.lsn != next.lsn) {
    return Status(StatusCode::kExpired, "object " + next.object->DisplayName() + ": LSN " +
                                            std::to_string(next.lsn.value) +
                                            " has expired before it was told");
  }
  // Retention may have gone on since the look.
  TIDEMARK_RETURN_IF_ERROR(CheckNothingExpired(*next.object, changed.commit));
  TIDEMARK_ASSIGN_OR_RETURN(changed.before, CommitAt(*next.object, Lsn(next.lsn.value - 1)));
  waiting_.pop_back();
  return std::optional<ChangedCommit>(std::move(changed));
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

Result<RowDiff> Changes::Diff(const ChangedCommit& changed) try {
  TIDEMARK_ASSIGN_OR_RETURN(Snapshot before, SnapshotOf(*changed.object, changed.before));
  TIDEMARK_ASSIGN_OR_RETURN(Snapshot after, SnapshotOf(*changed.object, changed.commit));
  return RowDiff::Open(std::move(before), std::move(after));
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

// All that is confirmed now. What comes to be confirmed later has a larger LSN, whatever object it
// is of.
Status Changes::Look() {
  const Lsn durable = store_->durable_lsn();
  if (std::holds_alternative<Lsn>(since_) && std::get<Lsn>(since_) >= durable) return OkStatus();
  if (object_ != nullptr) {
    TIDEMARK_RETURN_IF_ERROR(LookAt(object_, durable));
  } else {
    for (const Listed which : {Listed::kExisting, Listed::kDeleted}) {
      Status status;
      TIDEMARK_RETURN_IF_ERROR(store_->ListObjects(
          namespace_name_,
          [&](const ObjectSummary& summary) {
            const Lsn* since = std::get_if<Lsn>(&since_);
            if (summary.damage.ok() && since != nullptr && summary.head.lsn <= *since) return true;
            auto object =
                store_->OpenObject(summary.namespace_name, summary.id, IfMissing::kDeleted);
            status = object.ok() ? LookAt(*object, durable) : object.status();
            return status.ok();
          },
          which));
      TIDEMARK_RETURN_IF_ERROR(status);
    }
    std::sort(waiting_.begin(), waiting_.end(),
              [](const Waiting& a, const Waiting& b) { return a.lsn > b.lsn; });
    // One that was deleted between the two lists stands in both.
    const auto same = [](const Waiting& a, const Waiting& b) { return a.lsn == b.lsn; };
    waiting_.erase(std::unique(waiting_.begin(), waiting_.end(), same), waiting_.end());
  }
  since_ = durable;
  return OkStatus();
}

Status Changes::LookAt(const std::shared_ptr<Object>& object, Lsn durable) {
  std::optional<CommitInfo> oldest;
  const auto is_behind = [&](const CommitInfo& commit) {
    const Lsn* lsn = std::get_if<Lsn>(&since_);
    return lsn != nullptr ? commit.lsn > *lsn : commit.time > std::get<Timestamp>(since_);
  };
  const size_t begin = waiting_.size();
  Status status = object->History(
      [&](const CommitInfo& commit) {
        if (!is_behind(commit)) return false;
        waiting_.push_back({commit.lsn, object});
        oldest = commit;
        return true;
      },
      nullptr, durable);
  if (status.ok() && oldest) status = CheckNothingExpired(*object, *oldest);
  // Or they would be told with the next call.
  if (!status.ok()) waiting_.resize(begin);
  if (!status.ok() && object_ == nullptr) waiting_.clear();
  return status;
}

// What was replaced before the horizon may be gone: then the commit that replaced it is not later.
Status Changes::CheckNothingExpired(const Object& object, const CommitInfo& oldest) const {
  TIDEMARK_ASSIGN_OR_RETURN(const RetentionInfo retention, object.GetRetention());
  if (retention.horizon <= Timestamp() || oldest.time > retention.horizon) return OkStatus();
  std::optional<CommitInfo> earliest;
  TIDEMARK_RETURN_IF_ERROR(object.History([&](const CommitInfo& commit) {
    earliest = commit;
    return commit.time > retention.horizon;
  }));
  std::string message =
      "object " + object.DisplayName() + ": some of its commits behind the start have expired";
  if (earliest) {
    message += "; it can be followed from LSN " + std::to_string(earliest->lsn.value) +
               " on, which is " + object.BookmarkOf(*earliest).ToString();
  }
  return Status(StatusCode::kExpired, message);
}

}  // namespace tidemark
