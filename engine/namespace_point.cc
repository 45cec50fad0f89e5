#include "engine/namespace_point.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "engine/internal/record.h"
#include "engine/internal/store_impl.h"

namespace tidemark {

using internal::FoundCommit;
using internal::Horizons;
using internal::NamespaceTag;

namespace {

// So many restores wait for one sync. More make waking them dearer than syncing.
constexpr size_t kThreads = 64;
// Ids that are held at a time.
constexpr size_t kObjectsAtOnce = 4096;

// What was changed is in memory until it is in the index: so it gets there before this is more.
constexpr uint64_t kChangesOfACheckpoint = 16384;

// What is done to one object; adds to the report. Called by several threads at once.
using Work = std::function<Status(const std::shared_ptr<Object>& object, NamespaceReport* report)>;

void Add(const NamespaceReport& from, NamespaceReport* to) {
  to->restored += from.restored;
  to->undeleted += from.undeleted;
  to->deleted += from.deleted;
  to->forked += from.forked;
  to->same += from.same;
  to->nameless += from.nameless;
}

// Does the work for these objects, by several threads. The first error ends it, and is returned.
Status ForEach(Store& store, std::string_view namespace_name, const std::vector<ObjectId>& ids,
               const Work& work, NamespaceReport* report) {
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  Status first_error;
  const auto run = [&]() noexcept {
    NamespaceReport mine;
    Status status;
    while (!failed.load(std::memory_order_relaxed)) {
      const size_t i = next.fetch_add(1);
      if (i >= ids.size()) break;
      try {
        const auto object = store.OpenObject(namespace_name, ids[i], IfMissing::kDeleted);
        // Purged since it was listed.
        if (object.status().code() == StatusCode::kNotFound) continue;
        status = object.ok() ? work(*object, &mine) : object.status();
      } catch (const std::bad_alloc&) {
        status = Status::OutOfMemory();
      }
      if (!status.ok()) break;
    }
    std::lock_guard lock(mutex);
    Add(mine, report);
    if (!status.ok() && !failed.exchange(true)) first_error = std::move(status);
  };
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  try {
    while (threads.size() + 1 < std::min(kThreads, ids.size())) threads.emplace_back(run);
  } catch (const std::system_error&) {
    // With those that there are.
  }
  run();
  for (std::thread& thread : threads) thread.join();
  return first_error;
}

// The same for all objects of the namespace: those that exist, then those that are deleted, among
// them what the work has deleted meanwhile.
enum class Writes { kNo, kYes };
Result<NamespaceReport> ForAll(Store& store, std::string_view namespace_name, Writes writes,
                               const Work& work, const Progress& progress, uint64_t total) {
  NamespaceReport report;
  uint64_t done = 0;
  uint64_t indexed = 0;  // changes
  for (const Listed which : {Listed::kExisting, Listed::kDeleted}) {
    std::optional<ObjectId> after;
    std::vector<ObjectId> ids;
    do {
      ids.clear();
      TIDEMARK_RETURN_IF_ERROR(store.ListObjects(
          namespace_name,
          [&](const ObjectSummary& summary) {
            ids.push_back(summary.id);
            return ids.size() < kObjectsAtOnce;
          },
          which, after));
      if (ids.empty()) break;
      after = ids.back();
      TIDEMARK_RETURN_IF_ERROR(ForEach(store, namespace_name, ids, work, &report));
      done += ids.size();
      if (writes == Writes::kYes && report.changed() - indexed >= kChangesOfACheckpoint) {
        TIDEMARK_RETURN_IF_ERROR(store.Checkpoint());
        indexed = report.changed();
      }
      if (progress) progress(done, std::max(done, total));
    } while (ids.size() == kObjectsAtOnce);
  }
  return report;
}

// A time to come means now, for all objects the same.
Result<Point> Fixed(const Store& store, const Point& point, std::string_view namespace_name) {
  if (const auto* time = std::get_if<Timestamp>(&point)) {
    return Point(std::min(*time, store.options().clock->Now()));
  }
  if (const auto* label = std::get_if<Label>(&point)) {
    return Status(StatusCode::kInvalidArgument,
                  "\"" + label->name +
                      "\" would be a label, which names a commit of one object: a "
                      "point of namespace " +
                      std::string(namespace_name) + " is a bookmark of it, or a time");
  }
  const Bookmark& bookmark = std::get<Bookmark>(point);
  if (!IsOfNamespace(bookmark, namespace_name)) {
    return Status(StatusCode::kForeign,
                  "bookmark " + bookmark.ToString() + " is of " +
                      (IsOfSomeNamespace(bookmark) ? "another namespace than " : "no namespace: ") +
                      (IsOfSomeNamespace(bookmark) ? std::string(namespace_name)
                                                   : "it names a commit of one object"));
  }
  return point;
}

enum class Step { kNothing, kRestore, kUndelete, kDelete };

struct Plan {
  Step step = Step::kNothing;
  CommitInfo to{};
};

// Errors: those of Resolve, but kNotFound.
Result<Plan> PlanOf(const Object& object, const Point& to, Alarms alarms) {
  const CommitInfo head = object.head();
  const bool exists = object.exists();
  const auto found = object.Resolve(to);
  if (found.status().code() == StatusCode::kNotFound) {
    return Plan{.step = exists ? Step::kDelete : Step::kNothing};
  }
  TIDEMARK_RETURN_IF_ERROR(found.status());
  std::optional<Timestamp> alarm;
  if (alarms == Alarms::kRestore) alarm = found->alarm;
  if (alarms == Alarms::kKeep) alarm = head.alarm;
  const bool stands_there = exists && head.state_hash == found->state_hash &&
                            head.page_count == found->page_count &&
                            head.page_size == found->page_size && head.alarm == alarm;
  if (stands_there) return Plan{};
  return Plan{.step = exists ? Step::kRestore : Step::kUndelete, .to = *found};
}

void Count(Step step, NamespaceReport* report) {
  switch (step) {
    case Step::kNothing: ++report->same; break;
    case Step::kRestore: ++report->restored; break;
    case Step::kUndelete: ++report->undeleted; break;
    case Step::kDelete: ++report->deleted; break;
  }
}

}  // namespace

bool IsOfSomeNamespace(const Bookmark& bookmark) {
  return !bookmark.is_session_end && bookmark.state_hash == ~bookmark.object_tag;
}

bool IsOfNamespace(const Bookmark& bookmark, std::string_view namespace_name) {
  return IsOfSomeNamespace(bookmark) && bookmark.object_tag == NamespaceTag(namespace_name);
}

Result<Bookmark> Store::NamespaceBookmark(std::string_view namespace_name) try {
  TIDEMARK_RETURN_IF_ERROR(impl_->queue().broken());
  TIDEMARK_ASSIGN_OR_RETURN(const auto ns, impl_->FindNamespace(namespace_name, IfMissing::kFail));
  if (ns->id == 0) {
    return Status(StatusCode::kNotFound,
                  "namespace " + std::string(namespace_name) + " does not exist");
  }
  const Lsn last = impl_->queue().last_lsn();
  TIDEMARK_RETURN_IF_ERROR(WaitDurable(last));
  TIDEMARK_ASSIGN_OR_RETURN(const auto epoch, impl_->EpochOf(last));
  const uint64_t tag = NamespaceTag(namespace_name);
  return Bookmark{.epoch = epoch ? epoch->epoch : impl_->epoch(),
                  .lsn = last,
                  .object_tag = tag,
                  .state_hash = ~tag};
} catch (const std::bad_alloc&) {
  return impl_->OutOfMemory();
}

// What is kept of the time before the horizon are single commits: which one was current at an LSN
// cannot be told there. From the one that was current at the horizon on all are there.
Result<CommitInfo> Object::ResolveOfNamespace(const Bookmark& bookmark) const {
  const std::string name = "bookmark " + bookmark.ToString();
  const internal::Retention& retention = store_->retention();
  TIDEMARK_ASSIGN_OR_RETURN(const Horizons horizons, retention.HorizonsOf(*state_));
  TIDEMARK_ASSIGN_OR_RETURN(const FoundCommit found, store_->LocateCommitAt(*state_, bookmark.lsn));
  TIDEMARK_RETURN_IF_ERROR(found.damage);
  const CommitInfo& commit = found.info;
  Lsn created;
  {
    std::lock_guard lock(state_->mutex);
    created = state_->created;
  }
  const Status not_yet(StatusCode::kNotFound,
                       "object " + DisplayName() + " did not exist at " + name);
  if (!created.valid() || created > bookmark.lsn) return not_yet;
  TIDEMARK_ASSIGN_OR_RETURN(const FoundCommit oldest,
                            store_->LocateCommitAtTime(*state_, horizons.everything));
  if (commit.lsn < oldest.info.lsn) {
    return retention.Expired(
        *state_, horizons, oldest.info,
        name + " has expired: what " + DisplayName() + " was then was replaced");
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto timeline, store_->FindTimelineAt(*state_, bookmark.lsn));
  if (timeline != nullptr) {
    TIDEMARK_RETURN_IF_ERROR(
        timeline->CheckTrusted(bookmark.lsn).WithContext("object " + DisplayName()));
  }
  if (commit.kind == CommitKind::kNone) return not_yet;
  if (commit.kind == CommitKind::kDelete) {
    return Status(StatusCode::kNotFound,
                  not_yet.message() + ": it was deleted at " + FormatTime(commit.time));
  }
  return commit;
}

Result<NamespaceReport> PlanNamespaceRestore(Store& store, std::string_view namespace_name,
                                             const Point& to, Alarms alarms,
                                             const Progress& progress) try {
  TIDEMARK_ASSIGN_OR_RETURN(const Point point, Fixed(store, to, namespace_name));
  return ForAll(
      store, namespace_name, Writes::kNo,
      [&](const std::shared_ptr<Object>& object, NamespaceReport* report) -> Status {
        TIDEMARK_ASSIGN_OR_RETURN(const Plan plan, PlanOf(*object, point, alarms));
        Count(plan.step, report);
        return OkStatus();
      },
      [&](uint64_t done, uint64_t) {
        if (progress) progress(done, 0);
      },
      0);
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

Result<NamespaceReport> RestoreNamespace(Store& store, std::string_view namespace_name,
                                         const Point& to, Alarms alarms,
                                         const Progress& progress) try {
  TIDEMARK_ASSIGN_OR_RETURN(const Point point, Fixed(store, to, namespace_name));
  TIDEMARK_ASSIGN_OR_RETURN(const NamespaceReport planned,
                            PlanNamespaceRestore(store, namespace_name, point, alarms, progress));
  const uint64_t total = planned.changed() + planned.same;
  TIDEMARK_ASSIGN_OR_RETURN(
      NamespaceReport report,
      ForAll(
          store, namespace_name, Writes::kYes,
          [&](const std::shared_ptr<Object>& object, NamespaceReport* done) -> Status {
            TIDEMARK_ASSIGN_OR_RETURN(const Plan plan, PlanOf(*object, point, alarms));
            if (plan.step == Step::kDelete) {
              TIDEMARK_RETURN_IF_ERROR(object->Delete().status());
            } else if (plan.step != Step::kNothing) {
              TIDEMARK_RETURN_IF_ERROR(
                  object->Restore(object->BookmarkOf(plan.to), {.alarms = alarms}).status());
            }
            Count(plan.step, done);
            return OkStatus();
          },
          progress, total));
  // What was deleted by this was listed again, among the deleted ones.
  report.same -= std::min(report.same, report.deleted);
  return report;
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

Result<NamespaceReport> ForkNamespace(Store& store, std::string_view from, const Point& at,
                                      std::string_view to, Alarms alarms,
                                      const Progress& progress) try {
  if (from == to) {
    return Status(StatusCode::kInvalidArgument,
                  "the objects of namespace " + std::string(from) +
                      " cannot be forked into itself: give another namespace");
  }
  TIDEMARK_RETURN_IF_ERROR(ValidateNamespaceName(to));
  TIDEMARK_ASSIGN_OR_RETURN(const Point point, Fixed(store, at, from));
  return ForAll(
      store, from, Writes::kYes,
      [&](const std::shared_ptr<Object>& object, NamespaceReport* report) -> Status {
        const auto commit = object->Resolve(point);
        if (commit.status().code() == StatusCode::kNotFound) {
          ++report->same;
          return OkStatus();
        }
        TIDEMARK_RETURN_IF_ERROR(commit.status());
        if (object->name().empty()) {
          ++report->nameless;
          return OkStatus();
        }
        const auto there = store.OpenObject(to, object->name(), IfMissing::kDeleted);
        if (there.ok()) {
          const auto source = (*there)->Source();
          if (source.ok() && source->id == object->id() && source->bookmark.lsn == commit->lsn) {
            ++report->same;
            return OkStatus();
          }
          return Status(StatusCode::kExists, "object " + (*there)->DisplayName() +
                                                 " exists, and is no fork of " +
                                                 object->DisplayName() + " at that point");
        }
        if (there.status().code() != StatusCode::kNotFound) return there.status();
        TIDEMARK_RETURN_IF_ERROR(
            store.Fork(*object, object->BookmarkOf(*commit), to, object->name(), {.alarms = alarms})
                .status());
        ++report->forked;
        return OkStatus();
      },
      progress, 0);
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

}  // namespace tidemark
