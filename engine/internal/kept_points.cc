// Retention's answer to what must be kept of a timeline.

#include "engine/internal/kept_points.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "engine/internal/retention.h"
#include "engine/internal/store_impl.h"

namespace tidemark::internal {

struct Retention::OfObject {
  std::shared_ptr<ObjectState> object;
  bool keeps_all = false;
  Horizons horizons;
  CommitInfo oldest;             // what was current at the horizon
  std::vector<LabelRow> labels;  // without automatic ones
};

Result<KeptPoints> Retention::PointsOf(TimelineId timeline, const LicenceRow* licence) const {
  TIDEMARK_RETURN_IF_ERROR(CheckRulesKnown());
  while (true) {
    // A fork, restore or label that comes into being meanwhile lets go of its pin: look again.
    const uint64_t before = store_->references_made();
    Objects objects{.licence = licence, .known = {}};
    TIDEMARK_ASSIGN_OR_RETURN(KeptPoints points, OwnPointsOf(timeline, &objects));
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
        TIDEMARK_ASSIGN_OR_RETURN(const bool needed, IsNeeded(child.id, &objects));
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

Result<bool> Retention::IsNeeded(TimelineId timeline, Objects* objects) const {
  std::vector<TimelineId> open{timeline};
  while (!open.empty()) {
    const TimelineId at = open.back();
    open.pop_back();
    TIDEMARK_ASSIGN_OR_RETURN(const KeptPoints points, OwnPointsOf(at, objects));
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

Result<const Retention::OfObject*> Retention::FindObject(const Timeline& timeline,
                                                         Objects* objects) const {
  const auto [entry, is_new] = objects->known.try_emplace(timeline.row().object);
  OfObject& of = entry->second;
  if (!is_new) return &of;
  TIDEMARK_ASSIGN_OR_RETURN(
      of.object, store_->AdoptObject(timeline.row().namespace_id, timeline.row().object, ""));
  TIDEMARK_ASSIGN_OR_RETURN(const auto lost, LostRule(*of.object));
  TIDEMARK_ASSIGN_OR_RETURN(of.horizons, objects->licence == nullptr
                                             ? HorizonsOf(*of.object)
                                             : HorizonsAfter(*objects->licence, *of.object));
  of.keeps_all = lost || of.horizons.everything == kNoHorizon;
  if (of.keeps_all) return &of;
  TIDEMARK_ASSIGN_OR_RETURN(const FoundCommit oldest,
                            store_->LocateCommitAtTime(*of.object, of.horizons.everything));
  of.oldest = oldest.info;
  TIDEMARK_ASSIGN_OR_RETURN(of.labels, store_->labels().List(of.object->id));
  std::erase_if(of.labels, [](const LabelRow& label) { return label.automatic; });
  return &of;
}

Result<KeptPoints> Retention::OwnPointsOf(TimelineId id, Objects* objects) const {
  if (store_->purges().Covers(id)) return KeptPoints();
  const auto found = store_->FindTimeline(id);
  if (!found.ok()) {
    if (found.status().code() != StatusCode::kCorruption) return found.status();
    return KeptPoints::All();  // its record is damaged
  }
  const Timeline& timeline = **found;
  TIDEMARK_ASSIGN_OR_RETURN(const OfObject* of, FindObject(timeline, objects));
  if (of->keeps_all) return KeptPoints::All();

  KeptPoints points;
  const Lsn lsn = of->oldest.lsn;
  if (of->oldest.timeline == id) {
    points.AddFrom(lsn);
  } else if (id.value > lsn.value) {
    points.AddFrom(Lsn());  // it began behind the horizon
  }
  if (id.value <= lsn.value && of->horizons.daily < of->horizons.everything) {
    TIDEMARK_RETURN_IF_ERROR(AddThinned(of->horizons, *of->object, timeline, lsn, &points));
  }
  for (const LabelRow& label : of->labels) {
    if (label.timeline == id) points.Add(label.commit);
  }
  // After the labels: who opens a snapshot of one and removes it is seen with either.
  std::lock_guard lock(of->object->mutex);
  for (const Pin* pin = of->object->pins; pin != nullptr; pin = pin->next()) {
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
