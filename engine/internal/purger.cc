#include "engine/internal/purger.h"

#include <algorithm>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "engine/file_system.h"
#include "engine/internal/packer.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {
namespace {

// What one update of the index takes out.
constexpr uint64_t kVersionsAtATime = 64u << 10;
constexpr size_t kTimelinesAtATime = 1000;

constexpr size_t kSearchBytes = 1u << 20;

}  // namespace

Result<PurgeReport> Purger::Purge(const std::shared_ptr<NamespaceState>& ns, const ObjectId& id,
                                  std::string_view name, const Progress& progress) {
  PurgeReport report;
  report.id = id;
  bool has_begun = false;
  const Status purged =
      store_->packer().RunPurge({.begin = [&]() -> Status {
                                   TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
                                   report.continued = store_->purges().Has(id);
                                   if (!report.continued)
                                     TIDEMARK_RETURN_IF_ERROR(Begin(ns, id, name).status());
                                   has_begun = true;
                                   return RemoveRows();
                                 },
                                 .end =
                                     [&](const ReclaimReport& log) {
                                       report.log = log;
                                       return End(&report.searched_bytes);
                                     },
                                 .progress = progress});
  if (purged.ok()) return report;
  if (!has_begun) return purged;
  return purged.WithContext("object " + ObjectState(ns, id, std::string(name)).DisplayName() +
                            " is gone for good, but its bytes are not all: purge it again to bring "
                            "that to an end");
}

Status Purger::Continue(Pacer* pacer) {
  return store_->packer().RunPurge({.begin = [this] { return RemoveRows(); },
                                    .end =
                                        [this](const ReclaimReport&) {
                                          uint64_t searched = 0;
                                          return End(&searched);
                                        },
                                    .pacer = pacer});
}

// ---- the begin ---------------------------------------------------------------------------------

Result<PurgeRow> Purger::Begin(const std::shared_ptr<NamespaceState>& ns, const ObjectId& id,
                               std::string_view name) {
  TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                            store_->FindObject(ns, id, name, IfMissing::kDeleted));
  const auto rules = store_->retention().KeepRules();
  TIDEMARK_RETURN_IF_ERROR(store_->retention().CheckNotHeld(*object));
  {
    // Whatever is made of it, or for it, is made by somebody who uses it.
    std::lock_guard lock(object->mutex);
    if (object->users > 0 || object->writer || object->pins != nullptr) {
      return Status(StatusCode::kBusy, "object " + object->DisplayName() +
                                           " is in use: close its databases, handles and snapshots "
                                           "first");
    }
    object->purged = true;
  }
  const auto revive = [](ObjectState* state) {
    std::lock_guard lock(state->mutex);
    state->purged = false;
  };
  std::unique_ptr<ObjectState, decltype(revive)> undo(object.get(), revive);
  TIDEMARK_ASSIGN_OR_RETURN(const PurgeRow row, Describe(*object));
  TIDEMARK_RETURN_IF_ERROR(CheckNotShared(*object, row));
  TIDEMARK_RETURN_IF_ERROR(CheckNotAwaited(*object));
  TIDEMARK_RETURN_IF_ERROR(Log(row));
  (void)undo.release();
  return row;
}

Result<PurgeRow> Purger::Describe(const ObjectState& object) const {
  PurgeRow row;
  row.object = object.id;
  row.namespace_id = object.ns->id;
  row.first_packed = store_->segments().NextPackedNumber();
  for (Lsn at(UINT64_MAX); at.valid();) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto timeline, store_->FindTimelineAt(object, at));
    if (timeline == nullptr) break;
    row.timelines.push_back(timeline->id());
    at = Lsn(timeline->id().value - 1);
  }
  std::reverse(row.timelines.begin(), row.timelines.end());
  return row;
}

Status Purger::CheckNotShared(const ObjectState& object, const PurgeRow& purge) const {
  for (const TimelineId timeline : purge.timelines) {
    ChildRow next;
    while (true) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto children, store_->ChildrenOf(timeline, next));
      if (children.empty()) break;
      for (const ChildRow& child : children) {
        next = {.parent_lsn = child.parent_lsn, .id = TimelineId(child.id.value + 1)};
        TIDEMARK_ASSIGN_OR_RETURN(const auto found, store_->FindTimeline(child.id));
        const TimelineRow& row = found->row();
        if (row.object == object.id) continue;
        TIDEMARK_ASSIGN_OR_RETURN(const auto other,
                                  store_->AdoptObject(row.namespace_id, row.object, ""));
        return Status(StatusCode::kExists,
                      "object " + other->DisplayName() + " shares the history of " +
                          object.DisplayName() +
                          ", as its fork or because that was promoted: purge it first; or take a "
                          "copy of it, as with `tidemark export` and `tidemark import`, and purge "
                          "both");
      }
    }
  }
  return OkStatus();
}

Status Purger::CheckNotAwaited(const ObjectState& object) const {
  TIDEMARK_ASSIGN_OR_RETURN(const auto schedules, store_->schedules().List());
  for (const ScheduleRow& row : schedules) {
    if (row.source != object.id || row.object == object.id) continue;
    TIDEMARK_ASSIGN_OR_RETURN(const auto other,
                              store_->AdoptObject(row.namespace_id, row.object, ""));
    return Status(StatusCode::kExists,
                  "object " + other->DisplayName() + " waits for its next session to become what " +
                      object.DisplayName() + " was: begin that, or cancel its scheduled restore");
  }
  return OkStatus();
}

Status Purger::Log(PurgeRow row) {
  CommitQueue& queue = store_->queue();
  const uint64_t tag = ObjectTag(row.object);
  PurgeTable::NewPurge made(row);
  if (!CommitQueue::FitsGroup(made.fields().size(), 1, store_->options().segment_size_bytes)) {
    return Status(StatusCode::kLimitExceeded,
                  "an object that was restored " + std::to_string(row.timelines.size()) +
                      " times cannot be purged in a store with such small segments");
  }
  TIDEMARK_ASSIGN_OR_RETURN(auto reservation, queue.Reserve(made.fields().size(), 1));
  CommitQueue::Scope scope(queue, std::move(reservation));
  TIDEMARK_RETURN_IF_ERROR(scope.status());
  row.lsn =
      scope.Append(RecordKind::kPurge, TimelineId(scope.next_lsn().value), made.fields(), {}, tag)
          .lsn;
  scope.Leave();
  TIDEMARK_RETURN_IF_ERROR(queue.WaitDurable(row.lsn));  // else it is broken
  store_->purges().Add(std::move(made), row.lsn);
  store_->ForgetObject(row);
  scope.Finish();
  return OkStatus();
}

// ---- the index ---------------------------------------------------------------------------------

Status Purger::RemoveRows() {
  // All that was told of them is in the index then, and is put there by nobody any more.
  TIDEMARK_RETURN_IF_ERROR(store_->checkpointer().Run());
  for (const PurgeRow& purge : store_->purges().List()) {
    TIDEMARK_RETURN_IF_ERROR(RemoveRows(purge));
  }
  return OkStatus();
}

Status Purger::RemoveRows(const PurgeRow& purge) {
  Checkpointer& checkpointer = store_->checkpointer();
  const auto& timelines = purge.timelines;
  for (size_t next = 0; next < timelines.size();) {
    TIDEMARK_RETURN_IF_ERROR(store_->packer().Pace());
    size_t at = 0;
    TIDEMARK_RETURN_IF_ERROR(checkpointer.UpdateIndex([&](IndexWriter& writer) -> Status {
      uint64_t most = kVersionsAtATime;
      for (at = next; at < timelines.size() && most > 0; at += most > 0) {
        TIDEMARK_RETURN_IF_ERROR(writer.RemovePages(timelines[at], &most));
      }
      return OkStatus();
    }));
    next = at;
  }
  for (size_t begin = 0; begin < timelines.size(); begin += kTimelinesAtATime) {
    std::vector<TimelineRow> rows;
    for (size_t i = begin; i < std::min(begin + kTimelinesAtATime, timelines.size()); ++i) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto row, store_->index().FindTimeline(timelines[i]));
      rows.push_back(row.value_or(TimelineRow{.id = timelines[i]}));
    }
    TIDEMARK_RETURN_IF_ERROR(checkpointer.UpdateIndex([&](IndexWriter& writer) -> Status {
      for (const TimelineRow& row : rows) TIDEMARK_RETURN_IF_ERROR(writer.RemoveTimeline(row));
      return OkStatus();
    }));
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto damage, store_->index().ListDamage());
  return checkpointer.UpdateIndex([&](IndexWriter& writer) -> Status {
    for (const DamageRow& row : damage) {
      if (row.tag != ObjectTag(purge.object)) continue;
      TIDEMARK_RETURN_IF_ERROR(writer.RemoveDamage(row.timeline));
    }
    return writer.RemoveObject(purge.namespace_id, purge.object);
  });
}

// ---- the end -----------------------------------------------------------------------------------

Status Purger::End(uint64_t* searched) {
  const std::vector<PurgeRow> purges = store_->purges().List();
  // What an interrupted packing has left. Also if there is nothing: names of those that went.
  TIDEMARK_RETURN_IF_ERROR(store_->segments().RemoveUnused());
  TIDEMARK_RETURN_IF_ERROR(store_->segments().SyncNames());
  TIDEMARK_RETURN_IF_ERROR(store_->checkpointer().UpdateIndex([&](IndexWriter& writer) -> Status {
    for (const PurgeRow& purge : purges) {
      TIDEMARK_RETURN_IF_ERROR(writer.RemovePurge(purge.object));
    }
    return writer.PutCompactionDue();
  }));
  TIDEMARK_RETURN_IF_ERROR(store_->index().Compact());
  FileSystem& files = *store_->options().file_system;
  const std::string log = store_->directory() + "/log";
  TIDEMARK_ASSIGN_OR_RETURN(const auto names, files.ListDirectory(log));
  for (const std::string& name : names) {
    TIDEMARK_RETURN_IF_ERROR(Search(log + "/" + name, files, purges, searched));
  }
  const std::string& index = store_->options().index_directory;
  TIDEMARK_RETURN_IF_ERROR(
      Search((index.empty() ? store_->directory() + "/index" : index) + "/data.mdb",
             *FileSystem::Posix(), purges, searched));
  store_->purges().Remove(purges);
  return OkStatus();
}

// Whatever tells of an object has its id, or belongs to what has: so a file without it is clean.
Status Purger::Search(const std::string& path, FileSystem& files,
                      const std::vector<PurgeRow>& purges, uint64_t* searched) const {
  constexpr size_t kIdBytes = sizeof(ObjectId::bytes);
  const auto file = files.Open(path, OpenMode::kReadOnly);
  if (file.status().code() == StatusCode::kNotFound) return OkStatus();  // the log goes on
  TIDEMARK_RETURN_IF_ERROR(file.status());
  Buffer bytes(kSearchBytes + kIdBytes);
  for (uint64_t offset = 0;; offset += kSearchBytes) {
    TIDEMARK_RETURN_IF_ERROR(store_->packer().Pace());
    TIDEMARK_ASSIGN_OR_RETURN(const size_t got, (*file)->ReadAt(offset, bytes));
    const auto end = bytes.begin() + static_cast<ptrdiff_t>(got);
    for (const PurgeRow& purge : purges) {
      const auto& id = purge.object.bytes;
      if (std::search(bytes.begin(), end,
                      std::boyer_moore_horspool_searcher(id.begin(), id.end())) == end) {
        continue;
      }
      return Status(StatusCode::kCorruption,
                    "file " + path + " still has the id of a purged object behind byte " +
                        std::to_string(offset) + ", which nothing that is needed tells");
    }
    *searched += std::min(got, kSearchBytes);
    if (got < bytes.size()) return OkStatus();
  }
}

}  // namespace tidemark::internal
