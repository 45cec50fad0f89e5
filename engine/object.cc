#include "engine/object.h"

#include <memory>
#include <new>
#include <utility>

#include "engine/internal/store_impl.h"
#include "engine/namespace_point.h"

namespace tidemark {

using internal::FoundCommit;
using internal::ObjectState;
using internal::Pin;
using internal::StoreImpl;
using internal::Timeline;

namespace {

// The commit with this LSN may be given to a user. Errors: kCorruption if it stands at or behind
// damage.
Status CheckTrusted(const ObjectState& state, const Timeline& timeline, Lsn lsn) {
  return timeline.CheckTrusted(lsn).WithContext("object " + state.DisplayName());
}

Status NotYet(const ObjectState& state, Timestamp time) {
  return Status(StatusCode::kNotFound,
                "object " + state.DisplayName() + " did not exist at " + FormatTime(time));
}

}  // namespace

Object::Object(StoreImpl* store, std::shared_ptr<ObjectState> state)
    : store_(store), state_(std::move(state)) {}

const ObjectId& Object::id() const { return state_->id; }
const std::string& Object::namespace_name() const { return state_->ns->name; }
const std::string& Object::name() const { return state_->name; }
std::string Object::DisplayName() const { return state_->DisplayName(); }

bool Object::exists() const {
  std::lock_guard lock(state_->mutex);
  return state_->exists();
}

CommitInfo Object::head() const {
  std::lock_guard lock(state_->mutex);
  return state_->head;
}

uint32_t Object::change_counter() const {
  std::lock_guard lock(state_->mutex);
  return state_->change_counter;
}

// ---- the past ----------------------------------------------------------------------------------

Result<Snapshot> Object::OpenSnapshot() const try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  auto pin = std::make_unique<Pin>(state_);
  std::lock_guard lock(state_->mutex);
  TIDEMARK_RETURN_IF_ERROR(state_->CheckCurrent());
  if (state_->timeline != nullptr) pin->TakeHeadLocked();
  return Snapshot(store_, std::move(pin), state_->timeline, state_->head);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Result<Snapshot> Object::OpenSnapshot(const Point& at) const try {
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, Resolve(at));
  return OpenSnapshot(commit);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Result<Snapshot> Object::OpenSnapshot(const CommitInfo& commit) const try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  TIDEMARK_ASSIGN_OR_RETURN(auto timeline, store_->FindTimeline(commit.timeline));
  auto pin = std::make_unique<Pin>(state_);
  TIDEMARK_RETURN_IF_ERROR(store_->retention().PinKept(commit, pin.get()));
  return Snapshot(store_, std::move(pin), std::move(timeline), commit);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Bookmark Object::BookmarkOf(const CommitInfo& commit) const {
  return {.epoch = commit.epoch,
          .lsn = commit.lsn,
          .object_tag = ObjectTag(state_->id),
          .state_hash = commit.state_hash};
}

Result<Bookmark> Object::CurrentBookmark() const try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  const CommitInfo commit = head();
  if (commit.kind == CommitKind::kNone) {
    return Status(StatusCode::kNotFound, "object " + DisplayName() + " has no commit yet");
  }
  return BookmarkOf(commit);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Result<CommitInfo> Object::Resolve(const Point& point) const try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  if (const auto* time = std::get_if<Timestamp>(&point)) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto found, LocateAtTime(*time));
    TIDEMARK_RETURN_IF_ERROR(found.damage);
    const CommitInfo& commit = found.info;
    // The commit behind the one found, or the first one at all, may have been made by then.
    const bool none = commit.kind == CommitKind::kNone;
    TimelineId id = commit.timeline;
    if (none) {
      std::lock_guard lock(state_->mutex);
      id = TimelineId(state_->created.value);
    }
    if (!id.valid()) return NotYet(*state_, *time);
    const auto known = store_->FindTimeline(id);
    if (!known.ok()) return known.status().WithContext("object " + DisplayName());
    const auto& timeline = *known;
    if (!none) TIDEMARK_RETURN_IF_ERROR(CheckTrusted(*state_, *timeline, commit.lsn));
    if (const internal::TimelineDamage damage = timeline->damage();
        damage.lsn.valid() && damage.time <= *time) {
      return Status(StatusCode::kCorruption,
                    "what object " + DisplayName() + " was at " + FormatTime(*time) +
                        " is damaged from LSN " + std::to_string(damage.lsn.value) + " (segment " +
                        std::to_string(damage.location.segment) + ", offset " +
                        std::to_string(damage.location.offset) + ") on; " +
                        (none ? "there is no commit before"
                              : "the commit before is whole, and of " + FormatTime(commit.time) +
                                    ": bookmark " + BookmarkOf(commit).ToString()));
    }
    if (none) return NotYet(*state_, *time);
    if (commit.kind == CommitKind::kDelete) {
      return Status(StatusCode::kNotFound, "object " + DisplayName() + " did not exist at " +
                                               FormatTime(*time) + ": it was deleted at " +
                                               FormatTime(commit.time));
    }
    return commit;
  }

  if (const auto* label = std::get_if<Label>(&point)) return ResolveLabel(*label);
  return ResolveBookmark(std::get<Bookmark>(point));
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

// The last commit at or before `time`, which may be damaged; kNone if the object did not exist
// then. Errors: kExpired, also where that commit may be gone.
Result<FoundCommit> Object::LocateAtTime(Timestamp time) const {
  const internal::Retention& retention = store_->retention();
  TIDEMARK_ASSIGN_OR_RETURN(const internal::Horizons horizons, retention.HorizonsOf(*state_));
  if (time < horizons.everything) TIDEMARK_RETURN_IF_ERROR(retention.CheckTimesKnown(*state_));
  TIDEMARK_ASSIGN_OR_RETURN(auto found,
                            store_->LocateCommitAtTime(*state_, LastOfStage(horizons, time)));
  if (time >= horizons.everything || found.info.time <= time) return found;
  TIDEMARK_ASSIGN_OR_RETURN(const bool created_after, store_->IsCreatedAfter(*state_, time));
  if (created_after) return NotYet(*state_, time);
  return retention.Expired(
      *state_, horizons, found.info,
      "what object " + DisplayName() + " was at " + FormatTime(time) + " has expired: that is");
}

// Look-ups that packing comes between do not fit each other: a commit that expires just now is
// neither there nor is what follows it.
Result<CommitInfo> Object::ResolveBookmark(const Bookmark& bookmark) const {
  while (true) {
    const uint64_t change = store_->index().LastChange();
    auto commit = LookUpBookmark(bookmark);
    if (commit.status().code() != StatusCode::kCorruption ||
        store_->index().LastChange() == change) {
      return commit;
    }
  }
}

Result<CommitInfo> Object::LookUpBookmark(const Bookmark& bookmark) const {
  const std::string name = "bookmark " + bookmark.ToString();
  const bool of_namespace = IsOfNamespace(bookmark, state_->ns->name);
  if (!of_namespace && bookmark.object_tag != ObjectTag(state_->id)) {
    return Status(StatusCode::kForeign, name + " belongs to another " +
                                            (IsOfSomeNamespace(bookmark) ? "namespace" : "object") +
                                            " than " + DisplayName());
  }
  const Lsn last = store_->queue().last_lsn();
  if (bookmark.epoch > store_->epoch() ||
      (bookmark.epoch == store_->epoch() && bookmark.lsn > last)) {
    return Status(StatusCode::kFuture,
                  name + " is newer than this store, whose latest record is LSN " +
                      std::to_string(last.value) + ": is it of another copy of the store?");
  }
  if (bookmark.is_session_end) return ResolveSessionEnd(bookmark);
  // An LSN of an earlier epoch behind that epoch's end was taken by a crash.
  TIDEMARK_ASSIGN_OR_RETURN(const auto epoch, store_->EpochOf(bookmark.lsn));
  TIDEMARK_ASSIGN_OR_RETURN(const auto next, store_->FindEpoch(bookmark.epoch + 1));
  if (bookmark.lsn > last || (epoch && epoch->epoch != bookmark.epoch) ||
      (next && bookmark.lsn > next->previous_end)) {
    return Status(StatusCode::kLost, name +
                                         " names a commit that a crash took before it was "
                                         "confirmed");
  }
  if (of_namespace) return ResolveOfNamespace(bookmark);
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, store_->FindCommitAt(*state_, bookmark.lsn));
  if (commit.lsn != bookmark.lsn) {
    // Gone, if it is old enough for that.
    const internal::Retention& retention = store_->retention();
    TIDEMARK_ASSIGN_OR_RETURN(const internal::Horizons horizons, retention.HorizonsOf(*state_));
    TIDEMARK_ASSIGN_OR_RETURN(const FoundCommit oldest,
                              store_->LocateCommitAtTime(*state_, horizons.everything));
    if (bookmark.lsn < oldest.info.lsn) {
      return retention.Expired(*state_, horizons, oldest.info,
                               name + " has expired: its commit was replaced");
    }
  }
  Lsn created;
  {
    std::lock_guard lock(state_->mutex);
    created = state_->created;
  }
  if (commit.kind == CommitKind::kNone && bookmark.lsn < created) {
    return Status(StatusCode::kExpired, name + " is from before object " + DisplayName() +
                                            " came into being: another one of that name was "
                                            "purged, or the bookmark is damaged");
  }
  if (commit.kind == CommitKind::kNone || commit.lsn != bookmark.lsn ||
      commit.epoch != bookmark.epoch || commit.state_hash != bookmark.state_hash) {
    return Status(
        StatusCode::kCorruption,
        name + " is damaged: " + DisplayName() +
            " has no commit with this LSN, epoch and state; compare it with `tidemark log`");
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto timeline, store_->FindTimeline(commit.timeline));
  TIDEMARK_RETURN_IF_ERROR(CheckTrusted(*state_, *timeline, commit.lsn));
  const Status kept = store_->retention().CheckKept(*state_, commit);
  if (!kept.ok()) return kept.WithContext(name);
  return commit;
}

Status Object::History(const std::function<bool(const CommitInfo&)>& visit,
                       const std::function<bool(const DamagedCommit&)>& on_damage, Lsn newest) const
    try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  // Whoever names an LSN will not ask for what is before it again.
  if (newest != Lsn(UINT64_MAX)) TIDEMARK_RETURN_IF_ERROR(store_->queue().WaitVisible(newest));
  Status newest_damage;
  const auto report = [&](const DamagedCommit& damaged) {
    if (on_damage) return on_damage(damaged);
    if (newest_damage.ok()) newest_damage = damaged.why;
    return true;
  };
  TIDEMARK_ASSIGN_OR_RETURN(internal::Reachable reachable,
                            store_->retention().ReachableOf(*state_));
  for (Lsn lsn = newest; lsn.valid(); lsn = reachable.AtOrBefore(lsn)) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto timeline, store_->FindTimelineAt(*state_, lsn));
    if (timeline == nullptr) break;
    TIDEMARK_ASSIGN_OR_RETURN(const FoundCommit found, store_->LocateCommitAt(*state_, lsn));
    const CommitInfo& commit = found.info;
    // What recovery found damaged is no commit of the index; the timeline remembers where it was.
    const Lsn damaged = timeline->damaged_from();
    if (damaged.valid() && damaged <= lsn && damaged > commit.lsn) {
      const Status why = CheckTrusted(*state_, *timeline, damaged);
      if (!reachable.done() && !report({.lsn = damaged, .timeline = timeline->id(), .why = why})) {
        break;
      }
      lsn = Lsn(damaged.value - 1);
    } else if (commit.timeline != timeline->id()) {
      lsn = Lsn(timeline->id().value - 1);  // nothing is left on this one
    } else {
      TIDEMARK_ASSIGN_OR_RETURN(const bool kept, reachable.Has(commit));
      const bool go_on =
          !kept ||
          (found.damage.ok()
               ? visit(commit)
               : report({.lsn = commit.lsn, .timeline = commit.timeline, .why = found.damage}));
      if (!go_on) break;
      lsn = Lsn(commit.lsn.value - 1);
    }
  }
  return newest_damage;
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

}  // namespace tidemark
