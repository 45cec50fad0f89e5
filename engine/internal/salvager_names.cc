// Salvager, see salvager.h: whose timelines are, what objects are called, and what each has lost.

#include <algorithm>

#include "engine/internal/retention_record.h"
#include "engine/internal/salvager.h"
#include "engine/internal/timeline_record.h"

namespace tidemark::internal {
namespace {

constexpr char kLostAndFound[] = "lost+found";

}  // namespace

Salvager::Item* Salvager::OwnerOf(TimelineId timeline) {
  const auto owner = owners_.find(timeline.value);
  return owner == owners_.end() ? nullptr : owner->second;
}

// By the records that create objects and timelines; where those are lost, by whatever else tells.
void Salvager::FindOwners() {
  const auto own = [this](TimelineId timeline, const ObjectId& id) -> Item* {
    if (catalog_.purged_timelines.contains(timeline.value) ||
        catalog_.purged_objects.contains(id)) {
      return nullptr;
    }
    Item*& item = by_id_[id];
    if (item == nullptr) {
      items_.push_back(std::make_unique<Item>());
      item = items_.back().get();
      item->report.id = id;
    }
    owners_[timeline.value] = item;
    return item;
  };
  for (const SalvageEvent& event : catalog_.events) {
    const TimelineId timeline(event.lsn.value);
    if (event.kind == SalvageEvent::Kind::kObject) {
      const SalvageObject& object = catalog_.objects[event.position];
      if (Item* const item = own(timeline, object.id)) {
        item->report.name = object.name;
        namespaces_[item] = object.namespace_id;
      }
    } else if (event.kind == SalvageEvent::Kind::kTimeline) {
      const TimelineFields& fields = catalog_.timelines[event.position].fields;
      Item* const item = own(timeline, fields.object);
      if (item == nullptr) continue;
      if (!InheritsNothing(fields.operation)) {
        origins_[timeline.value] = {fields.parent, fields.parent_lsn};
      }
      // The record of the one that it ends may be lost.
      if (!IsOfAnother(fields.operation)) owners_.try_emplace(fields.ended.value, item);
      if (fields.operation == format::TimelineOperation::kFork) {
        owners_.try_emplace(fields.ended.value, item);
      }
    }
  }
  // A timeline record that is lost: the directory of its group says what it ended.
  for (const SalvageBlame& blame : catalog_.blame) {
    Item* const item = OwnerOf(blame.timeline);
    if (item != nullptr && blame.timeline.value != blame.lsn.value) {
      owners_.try_emplace(blame.lsn.value, item);
    }
    if (blame.timeline.value != blame.lsn.value || OwnerOf(blame.timeline) != nullptr) continue;
    if (const auto id = FindId(blame.tag)) {
      const auto known = by_id_.find(*id);
      // Of an object that is known it is a label, or a hold: no timeline.
      if (known == by_id_.end()) own(blame.timeline, *id);
    }
  }
  // Commits of nobody.
  for (const SalvageEvent& event : catalog_.events) {
    if (event.kind != SalvageEvent::Kind::kCommit) continue;
    const TimelineId timeline = catalog_.commits[event.position].timeline;
    if (OwnerOf(timeline) != nullptr || catalog_.purged_timelines.contains(timeline.value)) {
      continue;
    }
    items_.push_back(std::make_unique<Item>());
    items_.back()->report.name = "timeline-" + std::to_string(timeline.value);
    items_.back()->report.identified = false;
    items_.back()->report.namespace_name = kLostAndFound;
    owners_[timeline.value] = items_.back().get();
  }
}

// An object's id of which the directory of a group has the first bytes.
std::optional<ObjectId> Salvager::FindId(uint64_t tag) const {
  for (const auto& [id, item] : by_id_) {
    if (ObjectTag(id) == tag) return id;
  }
  for (const SalvageLabel& label : catalog_.labels) {
    if (ObjectTag(label.object) == tag) return label.object;
  }
  for (const RuleRow& rule : catalog_.rules) {
    if (rule.key.object && ObjectTag(*rule.key.object) == tag) return rule.key.object;
  }
  return std::nullopt;
}

void Salvager::NameItems() {
  for (const auto& item : items_) {
    SalvagedObject& report = item->report;
    const auto number = namespaces_.find(item.get());
    const auto ns = number == namespaces_.end() ? catalog_.namespaces.end()
                                                : catalog_.namespaces.find(number->second);
    if (ns != catalog_.namespaces.end()) {
      report.namespace_name = ns->second;
    } else if (report.namespace_name.empty()) {
      report.identified = false;
      // An id is of one namespace only.
      for (const auto& [other, name] : catalog_.namespaces) {
        if (ObjectIdFactory(name).Owns(report.id)) report.namespace_name = name;
      }
    }
    if (report.namespace_name.empty()) {
      report.namespace_name = kLostAndFound;
      if (report.name.empty()) report.name = report.id.ToString();
    }
    if (report.namespace_name == kLostAndFound) {
      report.id = ObjectIdFactory(kLostAndFound).FromName(report.name);
    }
    const ObjectIdFactory factory(report.namespace_name);
    item->by_id = report.name.empty() || factory.FromName(report.name) != report.id;
    report.display_name =
        report.namespace_name + "/" + (report.name.empty() ? report.id.ToString() : report.name);
  }
}

// The next one, which stood where the replay is.
void Salvager::TakeBlame() {
  const SalvageBlame& blame = catalog_.blame[next_blame_];
  Damage damage;
  damage.segment = blame.place.segment;
  damage.offset = blame.place.offset;
  damage.message = "the record with LSN " + std::to_string(blame.lsn.value) + " is damaged";
  const bool creates = blame.timeline.value == blame.lsn.value;
  Item* item = OwnerOf(blame.timeline);
  if (creates && item == nullptr) {
    const auto id = FindId(blame.tag);
    const auto known = id ? by_id_.find(*id) : by_id_.end();
    if (known != by_id_.end()) item = known->second;
  }
  if (item != nullptr) damage.object = item->report.display_name;
  if (item != nullptr && (creates || blame.of_history)) {
    ++item->report.lost_records;
  } else if (item != nullptr) {
    Miss(*item, blame.lsn, blame.time);
  } else if (!catalog_.purged_timelines.contains(blame.timeline.value) && blame.tag != StoreTag()) {
    // An object of which nothing else is left, a namespace, or its policy.
    ++catalog_.report.unattributed;
  }
  catalog_.report.damage.push_back(std::move(damage));
}

void Salvager::FinishReport() {
  for (const auto& item : items_) {
    SalvagedObject& report = item->report;
    // The latest commit never expires.
    report.lost_newer = item->lost + item->left_out;
    if (report.lost_newer == 0) {
      report.first_lost = report.last_lost = Lsn();
      report.last_lost_time.reset();
    }
    report.lost_labels.assign(item->lost_labels.begin(), item->lost_labels.end());
    catalog_.report.labels += item->labels.size();
    // The latest commit of an object is never let go of: it must have been somewhere.
    if (report.newest.kind == CommitKind::kNone && report.whole()) ++report.lost_records;
    const bool has_nothing =
        report.commits == 0 && report.whole() && report.newest.kind == CommitKind::kDelete;
    if (!has_nothing) catalog_.report.objects.push_back(std::move(report));
  }
  std::sort(catalog_.report.objects.begin(), catalog_.report.objects.end(),
            [](const SalvagedObject& a, const SalvagedObject& b) {
              return a.display_name < b.display_name;
            });
}

}  // namespace tidemark::internal
