#include "engine/object.h"

#include <new>

#include "engine/internal/store_impl.h"

namespace tidemark {

using internal::FoundCommit;
using internal::ObjectState;
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

// The last commit at or before `time`; kNone if the object did not exist then. Commit times rise
// with LSNs, so this is a binary search over LSNs, each step one look-up. A damaged one is found
// from the earliest time on that it can have been made at.
Result<FoundCommit> FindCommitAtTime(StoreImpl& store, const ObjectState& state, Timestamp time) {
  CommitInfo head;
  {
    std::lock_guard lock(state.mutex);
    head = state.head;
  }
  if (head.kind == CommitKind::kNone || head.time <= time) return FoundCommit{.info = head};
  uint64_t high = head.lsn.value - 1;  // what is found lies in [low, high]
  uint64_t low = 0;
  TIDEMARK_ASSIGN_OR_RETURN(const auto after, store.index().FirstLsnAfter(time));
  if (after && after->value <= high) high = after->value;
  FoundCommit found;
  while (low <= high) {
    const uint64_t middle = low + (high - low) / 2;
    TIDEMARK_ASSIGN_OR_RETURN(FoundCommit commit, store.LocateCommitAt(state, Lsn(middle)));
    const bool none = commit.info.kind == CommitKind::kNone;
    if (none || commit.info.time <= time) {
      if (!none) found = std::move(commit);
      low = middle + 1;
    } else {
      high = commit.info.lsn.value - 1;
    }
  }
  return found;
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
  std::lock_guard lock(state_->mutex);
  TIDEMARK_RETURN_IF_ERROR(state_->CheckCurrent());
  return Snapshot(store_, state_, state_->timeline, state_->head);
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
  return Snapshot(store_, state_, std::move(timeline), commit);
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
  const Timestamp horizon =
      store_->options().clock->Now() - std::chrono::microseconds(store_->options().retention);
  if (const auto* time = std::get_if<Timestamp>(&point)) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto found, FindCommitAtTime(*store_, *state_, *time));
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
    if (*time < horizon) {
      return Status(StatusCode::kExpired, FormatTime(*time) + " is before the horizon, " +
                                              FormatTime(horizon) +
                                              ": history reaches back no further");
    }
    return commit;
  }

  if (const auto* label = std::get_if<Label>(&point)) return ResolveLabel(*label);
  return ResolveBookmark(std::get<Bookmark>(point), Expiry::kWithTheWindow);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Result<CommitInfo> Object::ResolveBookmark(const Bookmark& bookmark, Expiry expiry) const {
  const std::string name = "bookmark " + bookmark.ToString();
  if (bookmark.object_tag != ObjectTag(state_->id)) {
    return Status(StatusCode::kForeign, name + " belongs to another object than " + DisplayName());
  }
  const Lsn last = store_->queue().last_lsn();
  if (bookmark.epoch > store_->epoch() ||
      (bookmark.epoch == store_->epoch() && bookmark.lsn > last)) {
    return Status(StatusCode::kFuture,
                  name + " is newer than this store, whose latest record is LSN " +
                      std::to_string(last.value) + ": is it of another copy of the store?");
  }
  // An LSN of an earlier epoch behind that epoch's end was taken by a crash.
  TIDEMARK_ASSIGN_OR_RETURN(const auto epoch, store_->EpochOf(bookmark.lsn));
  TIDEMARK_ASSIGN_OR_RETURN(const auto next, store_->FindEpoch(bookmark.epoch + 1));
  if (bookmark.lsn > last || (epoch && epoch->epoch != bookmark.epoch) ||
      (next && bookmark.lsn > next->previous_end)) {
    return Status(StatusCode::kLost, name +
                                         " names a commit that a crash took before it was "
                                         "confirmed");
  }
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, store_->FindCommitAt(*state_, bookmark.lsn));
  if (commit.kind == CommitKind::kNone || commit.lsn != bookmark.lsn ||
      commit.epoch != bookmark.epoch || commit.state_hash != bookmark.state_hash) {
    return Status(
        StatusCode::kCorruption,
        name + " is damaged: " + DisplayName() +
            " has no commit with this LSN, epoch and state; compare it with `tidemark log`");
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto timeline, store_->FindTimeline(commit.timeline));
  TIDEMARK_RETURN_IF_ERROR(CheckTrusted(*state_, *timeline, commit.lsn));
  const Timestamp horizon =
      store_->options().clock->Now() - std::chrono::microseconds(store_->options().retention);
  if (commit.time < horizon && expiry == Expiry::kWithTheWindow) {
    // Still in reach if it was the state at the horizon.
    TIDEMARK_ASSIGN_OR_RETURN(const auto oldest, FindCommitAtTime(*store_, *state_, horizon));
    if (commit.lsn < oldest.info.lsn) {
      return Status(StatusCode::kExpired,
                    name + " has expired: it is of " + FormatTime(commit.time) +
                        " and was replaced before the horizon, " + FormatTime(horizon));
    }
  }
  return commit;
}

Status Object::History(const std::function<bool(const CommitInfo&)>& visit,
                       const std::function<bool(const DamagedCommit&)>& on_damage, Lsn newest) const
    try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  Status newest_damage;
  const auto report = [&](const DamagedCommit& damaged) {
    if (on_damage) return on_damage(damaged);
    if (newest_damage.ok()) newest_damage = damaged.why;
    return true;
  };
  for (Lsn lsn = newest; lsn.valid();) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto timeline, store_->FindTimelineAt(*state_, lsn));
    if (timeline == nullptr) break;
    TIDEMARK_ASSIGN_OR_RETURN(const FoundCommit found, store_->LocateCommitAt(*state_, lsn));
    const CommitInfo& commit = found.info;
    // What recovery found damaged is no commit of the index; the timeline remembers where it was.
    const Lsn damaged = timeline->damaged_from();
    if (damaged.valid() && damaged <= lsn && damaged > commit.lsn) {
      const Status why = CheckTrusted(*state_, *timeline, damaged);
      if (!report({.lsn = damaged, .timeline = timeline->id(), .why = why})) break;
      lsn = Lsn(damaged.value - 1);
    } else if (commit.timeline != timeline->id()) {
      lsn = Lsn(timeline->id().value - 1);  // nothing is left on this one
    } else {
      const bool go_on =
          found.damage.ok()
              ? visit(commit)
              : report({.lsn = commit.lsn, .timeline = commit.timeline, .why = found.damage});
      if (!go_on) break;
      lsn = Lsn(commit.lsn.value - 1);
    }
  }
  return newest_damage;
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

}  // namespace tidemark
