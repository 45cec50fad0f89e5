#include "tests/crash/work_writer.h"

#include <utility>

namespace tidemark::testing {

WorkWriter::WorkWriter(Store& store, const Stamp& stamp, uint32_t writers, uint64_t seed, Sink sink)
    : store_(store), sink_(std::move(sink)), stamp_(stamp), random_(seed * 64 + stamp.writer) {
  for (uint32_t i = stamp.writer; i < kObjectCount; i += writers) objects_.push_back(i);
}

Status WorkWriter::Step() {
  const uint32_t object = objects_[random_.Below(objects_.size())];
  if (stamp_.count > 0 && random_.OneIn(40)) return Restore(object);
  ++stamp_.count;
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, CommitWork(store_, object, stamp_));
  unreported_.push_back({Report::kCommit, object, stamp_.Pack(), commit.lsn.value});
  sink_({Report::kMade, object, stamp_.Pack(), commit.lsn.value});
  if (random_.OneIn(6)) TIDEMARK_RETURN_IF_ERROR(store_.WaitDurable(commit.lsn));
  if (random_.OneIn(200)) TIDEMARK_RETURN_IF_ERROR(store_.Checkpoint());
  ReportDurable();
  return OkStatus();
}

// To one of the last commits; to the last itself, too.
Status WorkWriter::Restore(uint32_t object) {
  TIDEMARK_ASSIGN_OR_RETURN(
      auto handle, store_.OpenObject(kWorkNamespace, WorkObjectName(object), IfMissing::kCreate));
  if (!handle->exists()) return OkStatus();
  std::vector<CommitInfo> past;
  TIDEMARK_RETURN_IF_ERROR(handle->History([&](const CommitInfo& commit) {
    past.push_back(commit);
    return past.size() < 30;
  }));
  const Bookmark to = handle->BookmarkOf(past[random_.Below(past.size())]);
  TIDEMARK_ASSIGN_OR_RETURN(const RestoreInfo info, handle->Restore(to));
  unreported_.push_back({Report::kRestore, object, stamp_.Pack(), info.result.lsn.value});
  ReportDurable();
  return OkStatus();
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
