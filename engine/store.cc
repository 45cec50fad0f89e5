#include "engine/store.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <new>
#include <system_error>
#include <utility>
#include <vector>

#include "engine/internal/packer.h"
#include "engine/internal/retention_worker.h"
#include "engine/internal/scrubber.h"
#include "engine/internal/store_impl.h"
#include "engine/internal/timeline_record.h"

namespace tidemark {

using internal::StoreImpl;

Status Store::Create(const std::string& directory, const StoreOptions& options) try {
  return StoreImpl::Create(directory, options);
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

Result<std::unique_ptr<Store>> Store::Open(const std::string& directory,
                                           const StoreOptions& options) try {
  TIDEMARK_ASSIGN_OR_RETURN(auto impl, StoreImpl::Open(directory, options));
  return std::unique_ptr<Store>(new Store(std::move(impl)));
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
} catch (const std::system_error& error) {
  return Status(StatusCode::kIoError,
                "cannot start the threads of store " + directory + ": " + error.what());
}

Store::Store(std::unique_ptr<StoreImpl> impl) : impl_(std::move(impl)) {}
Store::~Store() {
  if (!impl_->queue().is_of_parent()) return;
  // The threads that would be joined are the parent's, and so are lock and files: kept, as they
  // are.
  static std::mutex mutex;
  static auto& kept = *new std::vector<std::unique_ptr<StoreImpl>>;
  std::lock_guard lock(mutex);
  kept.push_back(std::move(impl_));
}

Status Store::Close() {
  if (impl_->queue().is_of_parent()) return impl_->queue().broken();
  if (impl_->released()) return OkStatus();
  Status status;
  try {
    status = impl_->Finish();
    stats_at_close_ = Stats();
  } catch (const std::bad_alloc&) {
    if (status.ok()) status = impl_->OutOfMemory();
  }
  impl_->Release();
  return status;
}
const std::string& Store::directory() const { return impl_->directory(); }
const StoreOptions& Store::options() const { return impl_->options(); }

Result<std::shared_ptr<Object>> Store::OpenObject(std::string_view namespace_name,
                                                  std::string_view name, IfMissing if_missing) try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  TIDEMARK_RETURN_IF_ERROR(ValidateName("object name", name));
  TIDEMARK_ASSIGN_OR_RETURN(const auto ns, impl_->FindNamespace(namespace_name, if_missing));
  TIDEMARK_ASSIGN_OR_RETURN(auto state,
                            impl_->FindObject(ns, ns->factory.FromName(name), name, if_missing));
  TIDEMARK_ASSIGN_OR_RETURN(state, state->Use());
  return std::shared_ptr<Object>(new Object(impl_.get(), std::move(state)));
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Result<std::shared_ptr<Object>> Store::OpenObject(std::string_view namespace_name,
                                                  const ObjectId& id, IfMissing if_missing) try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  TIDEMARK_ASSIGN_OR_RETURN(const auto ns, impl_->FindNamespace(namespace_name, if_missing));
  if (!ns->factory.Owns(id)) {
    return Status(StatusCode::kInvalidArgument,
                  "id " + id.ToString() + " is not valid for namespace " + ns->name);
  }
  TIDEMARK_ASSIGN_OR_RETURN(auto state, impl_->FindObject(ns, id, std::string_view(), if_missing));
  TIDEMARK_ASSIGN_OR_RETURN(state, state->Use());
  return std::shared_ptr<Object>(new Object(impl_.get(), std::move(state)));
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Result<std::vector<std::string>> Store::ListNamespaces() const try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  std::vector<std::string> names;
  for (const auto& ns : impl_->Namespaces()) {
    if (ns->id != 0) names.push_back(ns->name);
  }
  return names;
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

namespace {

// Those in the index and the recent ones, each once.
Result<uint64_t> CountCommits(internal::StoreImpl& store, const ObjectId& object,
                              const std::vector<std::shared_ptr<internal::Timeline>>& recent) {
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto indexed, store.index().CountCommits(object));
    uint64_t count = indexed.count;
    for (const auto& timeline : recent) count += timeline->RecentCommitCount(indexed.checkpoint);
    TIDEMARK_ASSIGN_OR_RETURN(const auto again, store.index().Checkpoint());
    if (!again || again->lsn == indexed.checkpoint) return count;
  }
}

}  // namespace

Status Store::ListObjects(std::string_view namespace_name,
                          const std::function<bool(const ObjectSummary&)>& visit_all, Listed which,
                          const std::optional<ObjectId>& begin_after) const try {
  // An object that was just made may be confirmed already.
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().WaitVisible(impl_->queue().durable_lsn()));
  std::vector<std::shared_ptr<internal::NamespaceState>> namespaces;
  if (namespace_name.empty()) {
    namespaces = impl_->Namespaces();
  } else {
    TIDEMARK_ASSIGN_OR_RETURN(auto ns, impl_->FindNamespace(namespace_name, IfMissing::kFail));
    if (ns->id == 0) {
      return Status(StatusCode::kNotFound,
                    "namespace " + std::string(namespace_name) + " does not exist");
    }
    namespaces.push_back(std::move(ns));
  }
  const auto visit = [&](const ObjectSummary& summary) {
    const bool deleted = summary.head.kind == CommitKind::kDelete;
    return deleted != (which == Listed::kDeleted) || visit_all(summary);
  };
  // Objects whose first commit the index does not have yet stand in memory.
  std::vector<std::shared_ptr<internal::ObjectState>> recent = impl_->DirtyObjects();
  std::sort(recent.begin(), recent.end(),
            [](const auto& a, const auto& b) { return a->id < b->id; });
  const auto summarize = [&](const std::shared_ptr<internal::ObjectState>& state) {
    ObjectSummary summary;
    summary.id = state->id;
    summary.namespace_name = state->ns->name;
    summary.name = state->name;
    std::vector<std::shared_ptr<internal::Timeline>> timelines;
    {
      std::lock_guard lock(state->mutex);
      summary.head = state->head;
      // What a restore has inherited, too.
      summary.damage = state->CheckCurrent();
      for (const internal::Timeline* at = state->timeline.get();
           summary.damage.ok() && at->parent() != nullptr; at = at->parent().get()) {
        summary.damage = at->parent()
                             ->CheckTrusted(at->row().parent_lsn)
                             .WithContext("object " + state->DisplayName());
      }
      timelines = state->recent_timelines;
    }
    const auto count = CountCommits(*impl_, state->id, timelines);
    summary.commit_count = count.ok() ? *count : 0;
    if (summary.damage.ok()) summary.damage = count.status();
    return summary;
  };
  constexpr size_t kPage = 1000;
  for (const auto& ns : namespaces) {
    if (ns->id == 0) continue;
    auto next_recent = recent.begin();
    std::optional<ObjectId> after = begin_after;
    while (after && next_recent != recent.end() && (*next_recent)->id <= *after) ++next_recent;
    while (true) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto rows, impl_->index().ListObjects(ns->id, after, kPage));
      // Recent objects with smaller ids come first, those with equal ids are the row's own.
      const auto emit_recent_below = [&](const ObjectId* bound) {
        for (; next_recent != recent.end() && (bound == nullptr || (*next_recent)->id < *bound);
             ++next_recent) {
          if ((*next_recent)->ns == ns && !visit(summarize(*next_recent))) return false;
        }
        return true;
      };
      for (const internal::ObjectRow& row : rows) {
        if (!emit_recent_below(&row.id)) return OkStatus();
        if (impl_->purges().Has(row.id)) continue;
        if (next_recent != recent.end() && (*next_recent)->id == row.id) ++next_recent;
        const auto state = impl_->FindObject(ns, row.id, row.name, IfMissing::kCreate);
        ObjectSummary summary{.id = row.id,
                              .namespace_name = ns->name,
                              .name = row.name,
                              .head = {},
                              .commit_count = 0,
                              .damage = state.status()};
        // The record of its latest commit cannot be read: that must not hide the others.
        if (state.status().code() != StatusCode::kIoError) {
          TIDEMARK_RETURN_IF_ERROR(state.status());
          summary = summarize(*state);
        }
        if (!visit(summary)) return OkStatus();
      }
      if (rows.size() < kPage) {
        if (!emit_recent_below(nullptr)) return OkStatus();
        break;
      }
      after = rows.back().id;
    }
  }
  return OkStatus();
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Result<std::vector<RestoreEntry>> Store::ListRestores(const Object& object) const try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  TIDEMARK_ASSIGN_OR_RETURN(const auto rows, impl_->RestoresOf(object.id()));
  std::vector<RestoreEntry> entries;
  for (const internal::RestoreRow& row : rows) {
    RestoreEntry entry;
    entry.time = row.time;
    entry.lsn = row.lsn;
    entry.kind = internal::KindOfCommit(row.kind);
    TIDEMARK_ASSIGN_OR_RETURN(entry.from, Bookmark::Parse(row.from_bookmark));
    if (!row.to_bookmark.empty()) {
      TIDEMARK_ASSIGN_OR_RETURN(entry.to, Bookmark::Parse(row.to_bookmark));
    }
    entries.push_back(entry);
  }
  return entries;
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

Status Store::WaitDurable(Lsn lsn) try {
  return impl_->queue().WaitDurable(lsn);
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}
Status Store::NotifyDurable(Lsn lsn, std::function<void(const Status&)> call) try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  if (impl_->notifier().Add(lsn, std::move(call))) return OkStatus();
  return Status(StatusCode::kBroken, "the store is being closed");
} catch (const std::system_error& error) {
  return Status(StatusCode::kIoError, std::string("no thread can be started: ") + error.what());
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}
Status Store::Sync() try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  return impl_->queue().WaitDurable(impl_->queue().last_lsn());
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}
Lsn Store::durable_lsn() const { return impl_->queue().durable_lsn(); }
Status Store::Checkpoint() try {
  TIDEMARK_RETURN_IF_ERROR(Sync());
  return impl_->checkpointer().Run();
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}
Status Store::PrepareSegment() try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  return impl_->segments().PrepareSpare(internal::SpareBlocks::kWritten);
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

StoreStats Store::Stats() const {
  if (impl_->released()) return stats_at_close_;
  StoreStats stats;
  char id[17];
  std::snprintf(id, sizeof(id), "%016llx", static_cast<unsigned long long>(impl_->store_id()));
  stats.store_id = id;
  stats.format_version = format::kFormatVersion;
  stats.epoch = impl_->epoch();
  stats.last_lsn = impl_->queue().last_lsn();
  stats.durable_lsn = impl_->queue().durable_lsn();
  stats.checkpoint_lsn = impl_->checkpointer().checkpoint_lsn();
  for (const auto& ns : impl_->Namespaces()) stats.namespace_count += ns->id != 0;
  stats.object_count = impl_->index().ObjectCount();
  stats.alarm_count = impl_->index().AlarmCount();
  for (const auto& object : impl_->DirtyObjects()) {
    std::lock_guard lock(object->mutex);
    stats.object_count += !object->indexed_timeline.valid();
    stats.alarm_count += object->head.alarm.has_value();
    stats.alarm_count -= object->indexed_alarm.has_value();
  }
  stats.purge_count = impl_->purges().List().size();
  const auto headers = impl_->segments().Headers();
  stats.spare_segment_count = impl_->segments().SpareCount();
  const auto packed = impl_->segments().ListPacked();
  stats.packed_segment_count = packed.size();
  stats.segment_count = packed.size() + headers.size() + stats.spare_segment_count;
  const auto end = impl_->queue().durable_position();
  for (const auto& one : packed) stats.log_bytes += one.size_bytes;
  for (const auto& [number, header] : headers) {
    // A segment that the log has entered, but with nothing durable yet, does not count.
    if (number <= end.segment && headers.contains(header.previous)) {
      stats.log_bytes += header.previous_end;
    }
  }
  stats.log_bytes += end.offset;
  stats.log_file_bytes = impl_->segments().FileBytes();
  stats.waiting_bytes = impl_->segments().SealedBytes();
  stats.index_bytes = impl_->index().UsedBytes();
  stats.index_file_bytes = impl_->index().FileBytes();
  stats.recent_version_count = impl_->recent_versions;
  const auto horizons = impl_->retention().HorizonsOfNamespace(0);
  if (horizons.ok()) stats.horizon = horizons->everything;
  const auto licence = impl_->retention().licence();
  stats.clock_alarm = licence.alarm;
  const auto background = impl_->retention_worker().report();
  const auto budget = impl_->retention().BudgetBytes();
  if (budget.ok()) stats.budget_bytes = *budget;
  stats.budget_horizon = licence.budget;
  stats.history_bytes = impl_->packer().HistoryBytes();
  if (stats.budget_bytes != 0 && stats.history_bytes > stats.budget_bytes) {
    const auto stops = impl_->retention().StopsOf(impl_->packer().Sizes());
    stats.budget_is_unmet = background.budget_is_unmet || (stops.ok() && stops->empty());
  }
  stats.retention_error = background.error;
  stats.background_licences = background.licences;
  stats.background_reclaimed_bytes = background.reclaimed_bytes;
  stats.damaged_object_count = impl_->damaged_timeline_count();
  auto scrubs = impl_->scrubber().report();
  stats.health = impl_->scrubber().health();
  stats.scrub_error = std::move(scrubs.error);
  stats.scrub_damage = std::move(scrubs.damage);
  stats.failed_drill = std::move(scrubs.failed_drill);
  stats.scrubs = scrubs.scrubs;
  stats.scrubbed_bytes = scrubs.scrubbed_bytes;
  stats.drills = scrubs.drills;
  stats.failed_drills = scrubs.failed_drills;
  stats.commits = impl_->commits;
  stats.groups_written = impl_->queue().groups_written();
  stats.appended_bytes = impl_->queue().appended_bytes();
  stats.packed_bytes = impl_->packer().packed_bytes();
  stats.rewritten_bytes = impl_->packer().rewritten_bytes();
  stats.checkpoints = impl_->checkpointer().count();
  const internal::PageCache::Counts pages = impl_->page_cache().counts();
  stats.page_cache_bytes = pages.bytes;
  stats.page_cache_hits = pages.hits;
  stats.page_cache_misses = pages.misses;
  return stats;
}

Result<ReclaimReport> Store::Reclaim(ReclaimWhat what) try {
  return impl_->packer().Run(what);
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

}  // namespace tidemark
