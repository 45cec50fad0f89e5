// StoreImpl's look-ups of commits: which one an object had at an LSN, and what the log says of it.

#include <algorithm>
#include <optional>

#include "engine/bookmark.h"
#include "engine/internal/commit_queue.h"
#include "engine/internal/commit_run.h"
#include "engine/internal/group.h"
#include "engine/internal/recovery.h"
#include "engine/internal/store_impl.h"
#include "engine/internal/timeline_record.h"

namespace tidemark::internal {
namespace {

// The time of the latest group whose header stands before a commit's place in the log, empty if
// none is whole there. LSNs are in order of time, so the commit is not older than any group that
// begins at or before its LSN. The nearest header need not be the latest: a misdirected write can
// have brought it there.
Result<std::optional<Timestamp>> GroupTimeBefore(Segments& segments, const CommitRow& row) {
  const Location place = row.location;
  constexpr uint32_t kMostGroupBytes = 2u << 20;
  const auto segment = segments.Get(place.segment);
  if (segment.status().code() == StatusCode::kCorruption) return std::optional<Timestamp>();
  if (!segment.ok()) return segment.status();
  const uint32_t begin =
      std::max(format::kFirstGroupOffset, place.offset - std::min(place.offset, kMostGroupBytes)) /
      uint32_t{format::kGroupAlignment} * uint32_t{format::kGroupAlignment};
  Buffer bytes(place.offset - std::min(place.offset, begin));
  TIDEMARK_ASSIGN_OR_RETURN(const size_t got, segments.ReadUpTo(**segment, begin, bytes));
  std::optional<Timestamp> latest;
  format::GroupHeader header;
  for (size_t at = 0; at + sizeof(header) <= got; at += format::kGroupAlignment) {
    std::memcpy(&header, bytes.data() + at, sizeof(header));
    if (IsGroupHeader(header, (*segment)->incarnation) && header.first_lsn <= row.lsn.value) {
      latest = std::max(latest.value_or(Timestamp()), RecordTime(header, {}));
    }
  }
  return latest;
}

// Where a whole segment is gone, its commits are not gone through one by one.
constexpr int kMostStepsBack = 100;

}  // namespace

Status StoreImpl::LoadHead(ObjectState& object, const ObjectRow& row) {
  TIDEMARK_ASSIGN_OR_RETURN(object.timeline, FindTimelineLocked(row.timeline));
  object.created = row.created;
  object.indexed_timeline = row.timeline;
  object.indexed_alarm = row.alarm;
  TIDEMARK_ASSIGN_OR_RETURN(const auto commit, index_->FindCommit(row.timeline, Lsn(UINT64_MAX)));
  if (!commit) return OkStatus();
  auto head = ReadCommit(*commit, row.timeline, Lsn(UINT64_MAX));
  if (!head.ok()) {
    if (head.status().code() != StatusCode::kCorruption) return head.status();
    // The object opens, and says what is wrong when it is read or written; its past can be reached.
    object.head = {};
    TIDEMARK_ASSIGN_OR_RETURN(object.head.time, NotOlderThan(object.id, *commit));
    object.timeline->MarkDamaged(
        {.lsn = commit->lsn, .location = commit->location, .time = object.head.time});
    object.head.lsn = commit->lsn;
    object.head.timeline = row.timeline;
    object.head.kind = CommitKind::kCommit;
    object.head.alarm = row.alarm;
  } else {
    object.head = *head;
  }
  object.change_counter = static_cast<uint32_t>(object.head.lsn.value);
  return OkStatus();
}

Result<std::shared_ptr<Timeline>> StoreImpl::FindTimelineAt(const ObjectState& object, Lsn lsn) {
  std::shared_ptr<Timeline> recent;
  {
    std::lock_guard lock(object.mutex);
    if (object.timeline != nullptr && object.timeline->id().value <= lsn.value) {
      return object.timeline;
    }
    for (const auto& timeline : object.recent_timelines) {
      if (timeline->id().value <= lsn.value) recent = timeline;
    }
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto indexed, index_->FindTimelineAt(object.id, lsn));
  if (!indexed || (recent != nullptr && recent->id() >= *indexed)) return recent;
  return FindTimeline(*indexed);
}

Result<FoundCommit> StoreImpl::LocateCommitAt(const ObjectState& object, Lsn lsn) {
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto timeline, FindTimelineAt(object, lsn));
    if (timeline == nullptr) return FoundCommit{};
    TIDEMARK_ASSIGN_OR_RETURN(auto found, LocateCommitOn(object, *timeline, lsn));
    if (found) return *std::move(found);
    lsn = Lsn(timeline->id().value - 1);  // nothing yet: what was before it
  }
}

Result<std::optional<FoundCommit>> StoreImpl::LocateCommitOn(const ObjectState& object,
                                                             const Timeline& timeline, Lsn lsn) {
  FoundCommit found;
  if (const auto recent = timeline.FindRecentCommit(lsn)) {
    found.info = recent->info;
    return std::optional(std::move(found));
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto row, index_->FindCommit(timeline.id(), lsn));
  if (!row) return std::optional<FoundCommit>();
  auto commit = ReadCommit(*row, timeline.id(), lsn);
  if (commit.ok()) {
    found.info = *commit;
  } else if (commit.status().code() == StatusCode::kCorruption) {
    found.info.lsn = row->lsn;
    found.info.timeline = timeline.id();
    found.info.kind = CommitKind::kCommit;
    TIDEMARK_ASSIGN_OR_RETURN(found.info.time, NotOlderThan(object.id, *row));
    found.damage = commit.status().WithContext("object " + object.DisplayName());
  } else {
    return commit.status();
  }
  return std::optional(std::move(found));
}

// Commit times rise with LSNs, so this is a binary search over LSNs, each step one look-up.
Result<FoundCommit> StoreImpl::LocateCommitAtTime(const ObjectState& object, Timestamp time) {
  CommitInfo head;
  {
    std::lock_guard lock(object.mutex);
    head = object.head;
  }
  if (head.kind == CommitKind::kNone || head.time <= time) return FoundCommit{.info = head};
  uint64_t high = head.lsn.value - 1;  // what is found lies in [low, high]
  uint64_t low = 0;
  TIDEMARK_ASSIGN_OR_RETURN(const auto after, index_->FirstLsnAfter(time));
  if (after && after->value <= high) high = after->value;
  FoundCommit found;
  while (low <= high) {
    const uint64_t middle = low + (high - low) / 2;
    TIDEMARK_ASSIGN_OR_RETURN(FoundCommit commit, LocateCommitAt(object, Lsn(middle)));
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

Result<bool> StoreImpl::IsCreatedAfter(const ObjectState& object, Timestamp time) {
  Lsn created;
  {
    std::lock_guard lock(object.mutex);
    created = object.created;
  }
  if (!created.valid()) return true;
  // Its first commit stands directly behind the record that creates it.
  TIDEMARK_ASSIGN_OR_RETURN(const FoundCommit first,
                            LocateCommitAt(object, Lsn(created.value + 1)));
  if (first.info.lsn.valid()) return first.info.time > time;
  TIDEMARK_ASSIGN_OR_RETURN(const auto after, index_->FirstLsnAfter(time));
  return after && created >= *after;
}

Result<CommitInfo> StoreImpl::FindCommitAt(const ObjectState& object, Lsn lsn) {
  TIDEMARK_ASSIGN_OR_RETURN(const FoundCommit found, LocateCommitAt(object, lsn));
  TIDEMARK_RETURN_IF_ERROR(found.damage);
  return found.info;
}

Result<Timestamp> StoreImpl::NotOlderThan(const ObjectId& object, CommitRow row) const {
  TIDEMARK_ASSIGN_OR_RETURN(const auto group, GroupTimeBefore(*segments_, row));
  Timestamp bound = group.value_or(Timestamp());
  // What the object's commit before it says may be more: they can share a group.
  for (int steps = 0; steps < kMostStepsBack; ++steps) {
    Lsn lsn(row.lsn.value - 1);
    Lsn before_lsn;
    std::optional<CommitRow> before;
    std::optional<TimelineId> timeline;
    while (!before) {
      TIDEMARK_ASSIGN_OR_RETURN(timeline, index_->FindTimelineAt(object, lsn));
      if (!timeline) return bound;
      TIDEMARK_ASSIGN_OR_RETURN(before, index_->FindCommit(*timeline, lsn));
      before_lsn = lsn;
      lsn = Lsn(timeline->value - 1);
    }
    const auto commit = ReadCommit(*before, *timeline, before_lsn);
    if (commit.ok()) return std::max(bound, commit->time);
    if (commit.status().code() != StatusCode::kCorruption) return commit.status();
    row = *before;
  }
  return bound;
}

Result<CommitInfo> StoreImpl::ReadCommit(const CommitRow& row, TimelineId timeline, Lsn lsn) const {
  CommitRow at = row;
  while (true) {
    auto commit = ReadCommitAt(at, timeline, lsn);
    if (commit.ok() && commit->lsn >= row.lsn) return commit;
    if (!commit.ok() && !segments_->WasPacked(at.location.segment)) return commit;
    TIDEMARK_ASSIGN_OR_RETURN(const auto found, index_->FindCommit(timeline, lsn));
    if (commit.ok() || !found) {
      return Status(StatusCode::kExpired,
                    "the commit with LSN " + std::to_string(row.lsn.value) + " has expired");
    }
    if (*found == at) return commit;
    at = *found;
  }
}

namespace {

// The run that this thread read last: whoever goes through a history asks for its commits one by
// one.
struct LastRun {
  uint64_t incarnation = 0;  // of its segment
  uint32_t offset = 0;
  std::vector<CommitInfo> commits;
};
thread_local LastRun last_run;

// The latest commit of a run at or before `lsn`.
std::optional<CommitInfo> FindInRun(const std::vector<CommitInfo>& commits, Lsn lsn) {
  const auto behind = std::upper_bound(commits.begin(), commits.end(), lsn,
                                       [](Lsn a, const CommitInfo& b) { return a < b.lsn; });
  if (behind == commits.begin()) return std::nullopt;
  return *std::prev(behind);
}

// Is this the header of the group that the record stands in? A misdirected write can bring that of
// another one, with another time. In the log LSNs leave nothing out; in packed segments they do, so
// there the directory says it, or the records.
Result<bool> IsHeaderOf(const Segments& segments, const Segment& segment, uint32_t begin,
                        const format::GroupHeader& header, const RecordPlace& place) {
  if (!IsGroupHeader(header, segment.incarnation) || place.lsn < header.first_lsn) return false;
  if (!format::IsPacked(segment.number)) return place.lsn - header.first_lsn < header.record_count;
  if (header.length > segment.size_bytes - begin) return false;
  Buffer bytes(header.length);
  TIDEMARK_ASSIGN_OR_RETURN(const size_t got, segments.ReadUpTo(segment, begin, bytes));
  if (got != bytes.size()) return false;
  auto directory = ParseDirectory(bytes, segment.incarnation);
  if (!directory) directory = DirectoryFromRecords(bytes, header, segment.incarnation);
  return directory && directory->size() == header.record_count &&
         directory->front().lsn.value == header.first_lsn &&
         std::ranges::any_of(*directory, [&](const DirectoryEntry& entry) {
           return entry.offset == place.group_offset && entry.lsn.value == place.lsn;
         });
}

}  // namespace

Result<CommitInfo> StoreImpl::ReadCommitAt(const CommitRow& row, TimelineId timeline,
                                           Lsn lsn) const {
  const auto damaged = [&](const std::string& what) {
    return Status(StatusCode::kCorruption, "the commit with LSN " + std::to_string(row.lsn.value) +
                                               " (segment " + std::to_string(row.location.segment) +
                                               ", offset " + std::to_string(row.location.offset) +
                                               ") is damaged: " + what);
  };
  TIDEMARK_ASSIGN_OR_RETURN(const auto segment, segments_->Get(row.location.segment));
  if (last_run.incarnation == segment->incarnation && last_run.offset == row.location.offset) {
    const auto commit = FindInRun(last_run.commits, lsn);
    if (commit && commit->timeline == timeline) return *commit;
  }
  Buffer bytes(192);
  RecordView record;
  ParseOutcome outcome = ParseOutcome::kShort;
  for (int i = 0; i < 3 && outcome == ParseOutcome::kShort; ++i) {
    TIDEMARK_ASSIGN_OR_RETURN(const size_t got,
                              segments_->ReadUpTo(*segment, row.location.offset, bytes));
    outcome = ParseRecord(ConstBytes(bytes).first(got), segment->incarnation, record);
    if (outcome != ParseOutcome::kShort) break;
    if (record.length > (16u << 20)) return damaged("it is too long");
    bytes.resize(std::max(bytes.size(), record.length));
  }
  if (outcome != ParseOutcome::kOk) return damaged("its header");
  if (record.kind == RecordKind::kCommits) {
    auto commits = DecodeCommitRun(record.fields);
    const auto commit = commits ? FindInRun(*commits, lsn) : std::nullopt;
    if (!commit || commit->timeline != timeline) return damaged("the run that it is in");
    last_run = {segment->incarnation, row.location.offset, *std::move(commits)};
    return *commit;
  }
  if (record.place.group_offset > row.location.offset) return damaged("its place");
  const uint32_t begin = row.location.offset - record.place.group_offset;
  format::GroupHeader header;
  TIDEMARK_ASSIGN_OR_RETURN(
      const size_t got,
      segments_->ReadUpTo(*segment, begin, std::as_writable_bytes(std::span(&header, 1))));
  if (got != sizeof(header) || record.place.lsn != row.lsn.value) {
    return damaged("its group's header");
  }
  TIDEMARK_ASSIGN_OR_RETURN(const bool is_its_own,
                            IsHeaderOf(*segments_, *segment, begin, header, record.place));
  if (!is_its_own) return damaged("its group's header");

  CommitInfo info;
  info.lsn = row.lsn;
  info.timeline = timeline;
  info.epoch = header.epoch;
  info.time = RecordTime(header, record.place);
  info.log_bytes = record.length;
  if (record.kind == RecordKind::kFrame) {
    const auto fields = DecodeFrame(record.fields);
    if (!fields || fields->timeline != timeline) return damaged("its fields");
    info.kind = CommitKind::kCommit;
    info.page_size = fields->page_size;
    info.page_count = fields->page_count;
    info.state_hash = fields->state_hash;
    info.pages_changed = static_cast<uint32_t>(fields->version_count + fields->batch_versions);
    info.log_bytes += fields->batch_bytes;
    info.schema_changed = fields->schema_changed;
    info.alarm = fields->alarm;
  } else if (record.kind == RecordKind::kTimeline) {
    const auto fields = DecodeTimeline(record.fields);
    if (!fields) return damaged("its fields");
    SetCommit(*fields, &info);
  } else {
    return damaged("it is of another kind");
  }
  return info;
}

}  // namespace tidemark::internal
