#include "engine/internal/salvager.h"

#include <algorithm>
#include <utility>

#include "engine/internal/timeline_record.h"
#include "engine/transaction.h"

namespace tidemark::internal {

Status Salvager::Run(const Progress& progress) {
  epoch_ = store_.Stats().epoch;
  FindOwners();
  NameItems();
  std::sort(catalog_.blame.begin(), catalog_.blame.end(),
            [](const SalvageBlame& a, const SalvageBlame& b) { return a.lsn < b.lsn; });
  uint64_t done = 0;
  for (const SalvageEvent& event : catalog_.events) {
    if (progress && done % 1024 == 0) progress(done, catalog_.events.size());
    ++done;
    for (; next_blame_ < catalog_.blame.size() && catalog_.blame[next_blame_].lsn < event.lsn;
         ++next_blame_) {
      TakeBlame();
    }
    // Of a group without a header the time is not known; it is that of the commit before, or later.
    if (event.exact_time && event.time > clock_.Now()) clock_.Advance(event.time - clock_.Now());
    exact_time_ = event.exact_time;
    TIDEMARK_RETURN_IF_ERROR(
        Replay(event).WithContext("bringing LSN " + std::to_string(event.lsn.value)));
  }
  for (; next_blame_ < catalog_.blame.size(); ++next_blame_) TakeBlame();
  TIDEMARK_RETURN_IF_ERROR(ReplayRules());
  FinishReport();
  return OkStatus();
}

Status Salvager::Replay(const SalvageEvent& event) {
  switch (event.kind) {
    case SalvageEvent::Kind::kObject: return OkStatus();
    case SalvageEvent::Kind::kTimeline:
      return ReplayTimeline(event, catalog_.timelines[event.position]);
    case SalvageEvent::Kind::kCommit: return ReplayCommit(event, catalog_.commits[event.position]);
    case SalvageEvent::Kind::kLabel: return ReplayLabel(catalog_.labels[event.position]);
    case SalvageEvent::Kind::kPages: ReplayPages(event); return OkStatus();
    case SalvageEvent::Kind::kRule:
      catalog_.rules[event.position].lsn = event.lsn;
      rules_[catalog_.rules[event.position].key] = event.position;
      return OkStatus();
  }
  return OkStatus();
}

Status Salvager::ReplayTimeline(const SalvageEvent& event, const SalvageTimeline& timeline) {
  Item* const item = OwnerOf(TimelineId(event.lsn.value));
  if (item == nullptr) return OkStatus();
  const TimelineFields& fields = timeline.fields;
  const TimelineId started(event.lsn.value);
  if (InheritsNothing(fields.operation)) {
    Switch(*item, started, event.lsn, fields.page_size, 0);
    // The frame behind it is the commit.
    if (fields.operation == format::TimelineOperation::kRewrite) return OkStatus();
  } else {
    Switch(*item, fields.parent, fields.parent_lsn, fields.page_size, fields.page_count);
    item->current = started;
  }
  CommitInfo commit;
  SetCommit(fields, &commit);
  commit.lsn = event.lsn;
  commit.timeline = started;
  commit.time = clock_.Now();
  if (item->hash == fields.state_hash && item->pages.size() == fields.page_count) {
    return Bring(*item, commit, &fields);
  }
  Miss(*item, event.lsn, TimeOf(event));
  return OkStatus();
}

Status Salvager::ReplayCommit(const SalvageEvent& event, const SalvageCommit& commit) {
  Item* const item = OwnerOf(commit.timeline);
  if (item == nullptr) return OkStatus();
  if (item->current != commit.timeline || item->page_size != commit.page_size) {
    Switch(*item, commit.timeline, Lsn(event.lsn.value - 1), commit.page_size, commit.page_count);
  }
  Resize(*item, commit.page_count);
  TakePages(*item, event.lsn, commit.state_hash);
  if (item->hash != commit.state_hash) {
    Miss(*item, event.lsn, TimeOf(event));
    return OkStatus();
  }
  CommitInfo info;
  info.lsn = event.lsn;
  info.timeline = commit.timeline;
  info.kind = CommitKind::kCommit;
  info.time = clock_.Now();
  info.page_size = commit.page_size;
  info.page_count = commit.page_count;
  info.state_hash = commit.state_hash;
  info.schema_changed = commit.schema_changed;
  info.alarm = commit.alarm;
  return Bring(*item, info, nullptr);
}

// How large the database was at that time is known no more: the commits behind it tell.
void Salvager::ReplayPages(const SalvageEvent& event) {
  const SalvageVersion& first = catalog_.version(static_cast<uint32_t>(event.position));
  const TimelineId timeline(first.timeline);
  Item* const item = OwnerOf(timeline);
  if (item == nullptr) return;
  const uint32_t page_size = 1u << first.page_size_log2;
  if (item->current != timeline || item->page_size != page_size) {
    Switch(*item, timeline, Lsn(event.lsn.value - 1), page_size, 0);
  }
  const auto [begin, end] = catalog_.VersionsOf(event.lsn);
  const uint32_t last = catalog_.version(end - 1).page;
  if (last > item->pages.size()) Resize(*item, last);
  TakePages(*item, event.lsn, item->hash);
}

// What was behind the horizon of a licence may have expired.
void Salvager::Miss(Item& item, Lsn lsn, std::optional<Timestamp> time) {
  if (item.lost + item.left_out == 0) item.report.first_lost = lsn;
  item.report.last_lost = lsn;
  if (time) item.report.last_lost_time = time;
  if (time && *time <= catalog_.expired_up_to) {
    ++item.left_out;
  } else {
    ++item.lost;
  }
}

// ---- pages
// ---------------------------------------------------------------------------------------

void Salvager::Resize(Item& item, uint32_t page_count) {
  while (item.pages.size() > page_count) {
    item.hash ^= HashOf(item.pages.back());
    item.pages.pop_back();
  }
  item.pages.resize(page_count);
}

void Salvager::SetPage(Item& item, uint32_t page, uint32_t version) {
  uint32_t& entry = item.pages[page - 1];
  item.hash ^= HashOf(entry) ^ HashOf(version + 1);
  entry = version + 1;
  if (!item.all_dirty) item.dirty.insert(page);
}

// On its own, then on those that it was made of. What cannot be decoded may have been what an
// earlier version is: the state hash will tell.
std::optional<uint32_t> Salvager::FindPage(TimelineId timeline, PageNo page, Lsn lsn) {
  // No ancestry is longer than there are timelines.
  for (size_t steps = 0; timeline.valid() && steps <= catalog_.timelines.size(); ++steps) {
    std::optional<Lsn> at = catalog_.LastVersion(timeline, page, lsn);
    while (at) {
      if (const auto good = pages_.FindGood(*at, page)) return good;
      at = at->valid() ? catalog_.LastVersion(timeline, page, Lsn(at->value - 1)) : std::nullopt;
    }
    const auto origin = origins_.find(timeline.value);
    if (origin == origins_.end()) return std::nullopt;
    timeline = origin->second.parent;
    lsn = std::min(lsn, origin->second.parent_lsn);
  }
  return std::nullopt;
}

void Salvager::Switch(Item& item, TimelineId timeline, Lsn lsn, uint32_t page_size,
                      uint32_t page_count) {
  const std::vector<uint32_t> before = std::move(item.pages);
  item.pages.assign(page_count, 0);
  item.hash = 0;
  if (item.page_size != page_size) item.all_dirty = true;
  item.page_size = page_size;
  item.current = timeline;
  for (uint32_t page = 1; page <= page_count; ++page) {
    const auto found = FindPage(timeline, PageNo(page), lsn);
    uint32_t& entry = item.pages[page - 1];
    entry = found ? *found + 1 : 0;
    item.hash ^= HashOf(entry);
    const bool same =
        page <= before.size() && before[page - 1] != 0 && HashOf(before[page - 1]) == HashOf(entry);
    if (!same && !item.all_dirty) item.dirty.insert(page);
  }
  // Those that the new store has above are cut off, and come again as zeros.
  for (size_t page = page_count + 1; page <= before.size() && !item.all_dirty; ++page) {
    item.dirty.insert(static_cast<uint32_t>(page));
  }
}

void Salvager::TakePages(Item& item, Lsn lsn, uint64_t state_hash) {
  std::vector<uint32_t> damaged;  // pages
  const auto [begin, end] = catalog_.VersionsOf(lsn);
  for (uint32_t i = begin; i < end;) {
    const uint32_t page = catalog_.version(i).page;
    const uint64_t hash = catalog_.version(i).hash;
    const bool ours =
        catalog_.version(i).timeline == item.current.value && page > 0 && page <= item.pages.size();
    if (ours) {
      auto found = pages_.FindGood(lsn, PageNo(page));
      if (!found && hash != 0) {
        found = pages_.FindTwin(PageNo(page), hash);
        item.report.rebuilt_pages += found ? 1 : 0;
      }
      if (found) SetPage(item, page, *found);
      if (!found) damaged.push_back(page);
    }
    while (i < end && catalog_.version(i).page == page) ++i;
  }
  // The hash of all pages tells that of the one that is missing.
  if (item.hash == state_hash || damaged.size() != 1) return;
  const uint64_t wanted = item.hash ^ state_hash ^ HashOf(item.pages[damaged[0] - 1]);
  if (const auto twin = pages_.FindTwin(PageNo(damaged[0]), wanted)) {
    SetPage(item, damaged[0], *twin);
    ++item.report.rebuilt_pages;
  }
}

// ---- the new store
// -------------------------------------------------------------------------------

Result<std::shared_ptr<Object>> Salvager::OpenNew(const Item& item, IfMissing if_missing) {
  if (item.by_id) return store_.OpenObject(item.report.namespace_name, item.report.id, if_missing);
  return store_.OpenObject(item.report.namespace_name, item.report.name, if_missing);
}

Bookmark Salvager::BookmarkOf(const Item& item, const Brought& brought) const {
  return {.epoch = epoch_,
          .lsn = brought.lsn,
          .object_tag = ObjectTag(item.report.id),
          .state_hash = brought.state_hash};
}

Status Salvager::Bring(Item& item, const CommitInfo& commit, const TimelineFields* start) {
  CommitInfo made;
  if (commit.kind == CommitKind::kDelete) {
    if (item.is_made && item.report.newest.kind != CommitKind::kDelete) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto object, OpenNew(item, IfMissing::kDeleted));
      TIDEMARK_ASSIGN_OR_RETURN(const RestoreInfo deleted, object->Delete());
      made = deleted.result;
    }
    item.made_size = 0;
    item.all_dirty = true;
  } else {
    bool forked = false;
    if (start != nullptr && commit.kind == CommitKind::kFork) {
      TIDEMARK_ASSIGN_OR_RETURN(forked, Fork(item, *start, &made));
    }
    if (!forked) {
      TIDEMARK_ASSIGN_OR_RETURN(made, Write(item, commit));
    }
    // A database without pages, of an object of which nothing else could be brought, is no commit.
    item.is_made = item.is_made || made.lsn.valid();
    item.made_size = item.page_size;
    item.all_dirty = !item.is_made;
  }
  item.dirty.clear();
  if (!made.lsn.valid() && item.is_made) {  // deleted again
    brought_[commit.lsn.value] = {&item, item.made_lsn, commit.state_hash};
  }
  if (made.lsn.valid()) {
    item.made_lsn = made.lsn;
    brought_[commit.lsn.value] = {&item, made.lsn, made.state_hash};
    ++item.report.commits;
    item.report.inexact_times += exact_time_ ? 0 : 1;
    ++catalog_.report.commits;
  }
  item.report.newest = commit;
  item.report.lost_older += std::exchange(item.lost, 0);
  item.report.left_out += std::exchange(item.left_out, 0);
  return OkStatus();
}

// Nothing is copied, if what it is a fork of is there.
Result<bool> Salvager::Fork(Item& item, const TimelineFields& start, CommitInfo* made) {
  Item* const parent = OwnerOf(start.parent);
  const auto at = brought_.find(start.parent_lsn.value);
  if (parent == nullptr || parent == &item || item.by_id || item.is_made || at == brought_.end() ||
      at->second.item != parent) {
    return false;
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto from, OpenNew(*parent, IfMissing::kDeleted));
  const auto forked =
      store_.Fork(*from, BookmarkOf(*parent, at->second), item.report.namespace_name,
                  item.report.name, {.alarms = Alarms::kClear, .alarm = start.alarm});
  if (!forked.ok()) return false;
  *made = (*forked)->head();
  return made->state_hash == item.hash && made->page_count == item.pages.size();
}

Result<CommitInfo> Salvager::Write(Item& item, const CommitInfo& commit) {
  TIDEMARK_ASSIGN_OR_RETURN(const auto object, OpenNew(item, IfMissing::kCreate));
  Transaction transaction(object);
  TIDEMARK_RETURN_IF_ERROR(transaction.Begin());
  if (transaction.page_size() != item.page_size || item.made_size != item.page_size) {
    item.all_dirty = true;
  }
  TIDEMARK_RETURN_IF_ERROR(transaction.ResetPageSize(item.page_size));
  const auto write = [&](uint32_t number) -> Status {
    if (number > item.pages.size()) return OkStatus();
    const SalvagePages::Page page = pages_.Decode(item.pages[number - 1] - 1);
    if (page == nullptr) {
      return Status(StatusCode::kIoError, item.report.display_name + ", page " +
                                              std::to_string(number) +
                                              ": what was read before cannot be read again");
    }
    return transaction.WritePage(PageNo(number), *page);
  };
  if (item.all_dirty) {
    for (uint32_t number = 1; number <= item.pages.size(); ++number) {
      TIDEMARK_RETURN_IF_ERROR(write(number));
    }
  } else {
    for (const uint32_t number : item.dirty) TIDEMARK_RETURN_IF_ERROR(write(number));
  }
  TIDEMARK_RETURN_IF_ERROR(transaction.SetPageCount(static_cast<uint32_t>(item.pages.size())));
  transaction.SetSchemaChanged(commit.schema_changed);
  transaction.SetAlarm(commit.alarm);
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo made, transaction.Commit());
  if (made.state_hash != commit.state_hash || made.page_count != commit.page_count) {
    return Status(StatusCode::kCorruption,
                  item.report.display_name + ": the new store has another state than LSN " +
                      std::to_string(commit.lsn.value) + " of the damaged one");
  }
  return made;
}

Status Salvager::ReplayLabel(const SalvageLabel& label) {
  const auto found = by_id_.find(label.object);
  // Automatic ones are of restores, and those are commits now.
  if (found == by_id_.end() || (label.automatic && !label.removed)) return OkStatus();
  Item& item = *found->second;
  item.lost_labels.erase(label.name);
  if (label.removed) {
    if (item.labels.erase(label.name) == 0) return OkStatus();
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, OpenNew(item, IfMissing::kDeleted));
    return object->RemoveLabel(label.name);
  }
  const auto commit = brought_.find(label.commit.value);
  if (commit == brought_.end() || commit->second.item != &item) {
    item.lost_labels.insert(label.name);
    // It must not name what it named before.
    if (item.labels.erase(label.name) == 0) return OkStatus();
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, OpenNew(item, IfMissing::kDeleted));
    return object->RemoveLabel(label.name);
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto object, OpenNew(item, IfMissing::kDeleted));
  item.labels.insert(label.name);
  return object->SetLabel(label.name, BookmarkOf(item, commit->second), IfLabelExists::kMove);
}

Status Salvager::ReplayRules() {
  for (const auto& [key, position] : rules_) {
    const RuleRow& rule = catalog_.rules[position];
    if (!rule.set || (key.object && catalog_.purged_objects.contains(*key.object))) continue;
    const Status status = SetRule(rule);
    if (status.code() == StatusCode::kNotFound) {
      ++catalog_.report.lost_policies;
    } else {
      TIDEMARK_RETURN_IF_ERROR(status);
      ++(key.kind == RuleKind::kHold ? catalog_.report.holds : catalog_.report.policies);
    }
  }
  return OkStatus();
}

Status Salvager::SetRule(const RuleRow& rule) {
  if (rule.key.object) {
    const auto item = by_id_.find(*rule.key.object);
    if (item == by_id_.end() || !item->second->is_made)
      return Status(StatusCode::kNotFound, "its object is lost");
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, OpenNew(*item->second, IfMissing::kDeleted));
    return rule.key.kind == RuleKind::kHold
               ? object->SetHold(rule.reason)
               : store_.SetRetention(RetentionScope(*object), rule.policy);
  }
  if (rule.key.namespace_id == 0) return store_.SetRetention(RetentionScope(), rule.policy);
  const auto ns = catalog_.namespaces.find(rule.key.namespace_id);
  if (ns == catalog_.namespaces.end()) return Status(StatusCode::kNotFound, "its name is lost");
  return store_.SetRetention(RetentionScope(std::string_view(ns->second)), rule.policy);
}

}  // namespace tidemark::internal
