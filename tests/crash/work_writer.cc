#include "tests/crash/work_writer.h"

#include <utility>

namespace tidemark::testing {

WorkWriter::WorkWriter(Store& store, const Stamp& stamp, uint32_t writers, uint64_t seed, Sink sink)
    : store_(store), sink_(std::move(sink)), stamp_(stamp), random_(seed * 64 + stamp.writer) {
  for (uint32_t i = stamp.writer; i < kObjectCount; i += writers) objects_.push_back(i);
}

Status WorkWriter::Step() {
  const uint32_t object = objects_[random_.Below(objects_.size())];
  Status status;
  if (stamp_.count == 0) {
    status = Commit(object);
  } else if (random_.OneIn(40)) {
    status = Restore(object);
  } else if (random_.OneIn(40)) {
    status = ChangeLabels(object);
  } else if (random_.OneIn(100)) {
    status = ChangeForks(object);
  } else {
    status = Commit(object);
  }
  // What was chosen from the past may have expired since.
  if (status.code() != StatusCode::kExpired) TIDEMARK_RETURN_IF_ERROR(status);
  ReportDurable();
  return OkStatus();
}

Status WorkWriter::Commit(uint32_t object) {
  ++stamp_.count;
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, CommitWork(store_, object, stamp_));
  unreported_.push_back(ReportOf(Report::kCommit, object, stamp_, commit));
  sink_(ReportOf(Report::kMade, object, stamp_, commit));
  if (random_.OneIn(6)) TIDEMARK_RETURN_IF_ERROR(store_.WaitDurable(commit.lsn));
  if (random_.OneIn(200)) TIDEMARK_RETURN_IF_ERROR(store_.Checkpoint());
  return OkStatus();
}

// To one of the last commits; to the last itself, too.
Status WorkWriter::Restore(uint32_t object) {
  std::shared_ptr<Object> handle;
  CommitInfo to;
  TIDEMARK_RETURN_IF_ERROR(ChoosePast(object, &handle, &to));
  if (handle == nullptr) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(const RestoreInfo info, handle->Restore(handle->BookmarkOf(to)));
  unreported_.push_back(ReportOf(Report::kRestore, object, stamp_, info.result));
  return OkStatus();
}

Status WorkWriter::ChangeLabels(uint32_t object) {
  if (labels_.size() > 3) {
    const Named oldest = labels_.front();
    labels_.pop_front();
    sink_({.kind = Report::kUnlabel, .object = oldest.object, .stamp = oldest.stamp});
    TIDEMARK_ASSIGN_OR_RETURN(
        const auto handle,
        store_.OpenObject(kWorkNamespace, WorkObjectName(oldest.object), IfMissing::kFail));
    TIDEMARK_RETURN_IF_ERROR(handle->RemoveLabel(LabelName(oldest.stamp)));
  }
  std::shared_ptr<Object> handle;
  CommitInfo commit;
  TIDEMARK_RETURN_IF_ERROR(ChoosePast(object, &handle, &commit));
  if (handle == nullptr) return OkStatus();
  const Named label{object, NewName()};
  TIDEMARK_RETURN_IF_ERROR(handle->SetLabel(LabelName(label.stamp), handle->BookmarkOf(commit)));
  labels_.push_back(label);
  sink_({.kind = Report::kLabel, .object = object, .stamp = label.stamp, .lsn = commit.lsn.value});
  return OkStatus();
}

Status WorkWriter::ChangeForks(uint32_t object) {
  if (forks_.size() > 1) {
    const Named oldest = forks_.front();
    forks_.pop_front();
    sink_({.kind = Report::kDeletesFork, .object = oldest.object, .stamp = oldest.stamp});
    TIDEMARK_ASSIGN_OR_RETURN(
        const auto fork,
        store_.OpenObject(kWorkNamespace, ForkName(oldest.stamp), IfMissing::kFail));
    TIDEMARK_RETURN_IF_ERROR(fork->Delete().status());
  }
  std::shared_ptr<Object> handle;
  CommitInfo commit;
  TIDEMARK_RETURN_IF_ERROR(ChoosePast(object, &handle, &commit));
  if (handle == nullptr) return OkStatus();
  const Named fork{object, NewName()};
  TIDEMARK_RETURN_IF_ERROR(
      store_.Fork(*handle, handle->BookmarkOf(commit), kWorkNamespace, ForkName(fork.stamp))
          .status());
  forks_.push_back(fork);
  sink_({.kind = Report::kFork, .object = object, .stamp = fork.stamp, .lsn = commit.lsn.value});
  return OkStatus();
}

Status WorkWriter::ChoosePast(uint32_t object, std::shared_ptr<Object>* handle,
                              CommitInfo* commit) {
  TIDEMARK_ASSIGN_OR_RETURN(
      auto found, store_.OpenObject(kWorkNamespace, WorkObjectName(object), IfMissing::kCreate));
  if (!found->exists()) return OkStatus();
  std::vector<CommitInfo> past;
  TIDEMARK_RETURN_IF_ERROR(found->History([&](const CommitInfo& visited) {
    past.push_back(visited);
    return past.size() < 30;
  }));
  *commit = past[random_.Below(past.size())];
  *handle = std::move(found);
  return OkStatus();
}

uint64_t WorkWriter::NewName() {
  return Stamp{.run = stamp_.run, .writer = stamp_.writer, .count = ++names_}.Pack();
}

void WorkWriter::ReportDurable() {
  const uint64_t durable = store_.durable_lsn().value;
  size_t reported = 0;
  while (reported < unreported_.size() && unreported_[reported].lsn <= durable) {
    sink_(unreported_[reported++]);
  }
  unreported_.erase(unreported_.begin(), unreported_.begin() + static_cast<ptrdiff_t>(reported));
}

}  // namespace tidemark::testing
