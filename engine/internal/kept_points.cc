// Retention's answer to what must be kept of a timeline.

#include "engine/internal/kept_points.h"

#include <utility>
#include <vector>

#include "engine/internal/retention.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {

Result<KeptPoints> Retention::PointsOf(TimelineId timeline, const LicenceRow* licence) const {
  TIDEMARK_RETURN_IF_ERROR(CheckRulesKnown());
  while (true) {
    // A fork, restore or label that comes into being meanwhile lets go of its pin: look again.
    const uint64_t before = store_->references_made();
    TIDEMARK_ASSIGN_OR_RETURN(KeptPoints points, OwnPointsOf(timeline, licence));
    points.Sort();
    ChildRow next;
    while (true) {
      TIDEMARK_ASSIGN_OR_RETURN(const std::vector<ChildRow> children,
                                store_->ChildrenOf(timeline, next));
      if (children.empty()) break;
      Lsn found;  // one child is enough for a point
      std::vector<Lsn> added;
      for (const ChildRow& child : children) {
        next = {.parent_lsn = child.parent_lsn, .id = TimelineId(child.id.value + 1)};
        if (child.parent_lsn == found || points.Has(child.parent_lsn)) continue;
        TIDEMARK_ASSIGN_OR_RETURN(const bool needed, IsNeeded(child.id, licence));
        if (!needed) continue;
        found = child.parent_lsn;
        added.push_back(found);
      }
      if (found.valid() && next.parent_lsn == found) next = {.parent_lsn = Lsn(found.value + 1)};
      for (const Lsn lsn : added) points.Add(lsn);
      points.Sort();
    }
    if (store_->references_made() == before) return points;
  }
}

Result<bool> Retention::IsNeeded(TimelineId timeline, const LicenceRow* licence) const {
  std::vector<TimelineId> open{timeline};
  while (!open.empty()) {
    const TimelineId at = open.back();
    open.pop_back();
    TIDEMARK_ASSIGN_OR_RETURN(const KeptPoints points, OwnPointsOf(at, licence));
    if (!points.empty()) return true;
    ChildRow next;
    while (true) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto children, store_->ChildrenOf(at, next));
      if (children.empty()) break;
      for (const ChildRow& child : children) open.push_back(child.id);
      next = {.parent_lsn = children.back().parent_lsn,
              .id = TimelineId(children.back().id.value + 1)};
    }
  }
  return false;
}

Result<KeptPoints> Retention::OwnPointsOf(TimelineId id, const LicenceRow* licence) const {
  const auto found = store_->FindTimeline(id);
  if (!found.ok()) {
    if (found.status().code() != StatusCode::kCorruption) return found.status();
    return KeptPoints::All();  // its record is damaged
  }
  const Timeline& timeline = **found;
  TIDEMARK_ASSIGN_OR_RETURN(const auto object, store_->AdoptObject(timeline.row().namespace_id,
                                                                   timeline.row().object, ""));
  TIDEMARK_ASSIGN_OR_RETURN(const auto lost, LostRule(*object));
  TIDEMARK_ASSIGN_OR_RETURN(const Horizons horizons, licence == nullptr
                                                         ? HorizonsOf(*object)
                                                         : HorizonsAfter(*licence, *object));
  if (lost || horizons.everything == kNoHorizon) return KeptPoints::All();

  KeptPoints points;
  TIDEMARK_ASSIGN_OR_RETURN(const FoundCommit oldest,
                            store_->LocateCommitAtTime(*object, horizons.everything));
  const Lsn lsn = oldest.info.lsn;
  if (oldest.info.timeline == id) {
    points.AddFrom(lsn);
  } else if (id.value > lsn.value) {
    points.AddFrom(Lsn());  // it began behind the horizon
  }
  if (id.value <= lsn.value && horizons.daily < horizons.everything) {
    TIDEMARK_RETURN_IF_ERROR(AddThinned(horizons, *object, timeline, lsn, &points));
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto labels, store_->labels().List(object->id));
  for (const LabelRow& label : labels) {
    if (!label.automatic && label.timeline == id) points.Add(label.commit);
  }
  std::lock_guard lock(object->mutex);
  for (const Pin* pin = object->pins; pin != nullptr; pin = pin->next()) {
    if (pin->timeline() == id) points.Add(pin->lsn());
  }
  return points;
}

Status Retention::AddThinned(const Horizons& horizons, const ObjectState& object,
                             const Timeline& timeline, Lsn newest, KeptPoints* points) const {
  KeptWalk walk(horizons);
  bool first = true;
  for (Lsn lsn = newest; lsn.valid() && !walk.done();) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto found, store_->LocateCommitOn(object, timeline, lsn));
    if (!found) break;
    const CommitInfo& commit = found->info;
    bool kept = walk.Keeps(commit.time);
    if (std::exchange(first, false)) {
      // What came behind it stands on another timeline.
      TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo last, LastOfItsStage(object, horizons, commit));
      kept = last.lsn == commit.lsn;
    }
    if (kept) points->Add(commit.lsn);
    lsn = Lsn(commit.lsn.value - 1);
  }
  return OkStatus();
}

}  // namespace tidemark::internal
