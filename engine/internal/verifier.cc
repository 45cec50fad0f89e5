#include "engine/internal/verifier.h"

#include <algorithm>
#include <unordered_set>

#include "engine/internal/batched_pages.h"
#include "engine/internal/packed_scanner.h"
#include "engine/internal/recovery.h"
#include "engine/internal/segment_header.h"
#include "engine/internal/timeline_record.h"

namespace tidemark::internal {
namespace {

// What looking at an object's present counts for, about: its rows of the index.
constexpr uint64_t kObjectBytes = 4096;

// Ends a scan behind what is to be checked.
Status EndOfScan() { return Status(StatusCode::kOutOfRange, "enough was seen"); }

}  // namespace

Result<VerifyReport> Verifier::Run(const Progress& progress) {
  TIDEMARK_RETURN_IF_ERROR(Begin());
  in_order_ = true;
  CheckHeaders();
  TIDEMARK_RETURN_IF_ERROR(ScanSegments(progress));
  ReportMissingLabels();
  ReportSchedules();
  TIDEMARK_RETURN_IF_ERROR(CheckObjects([](uint64_t) { return OkStatus(); }));
  return std::move(report_);
}

Status Verifier::Begin() {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  TIDEMARK_RETURN_IF_ERROR(store_->queue().WaitDurable(store_->queue().last_lsn()));
  TIDEMARK_ASSIGN_OR_RETURN(end_, store_->queue().CutForCheckpoint());
  return OkStatus();
}

std::vector<uint32_t> Verifier::Files() const {
  std::vector<uint32_t> numbers;
  for (const Segments::Packed& packed : store_->segments().ListPacked()) {
    numbers.push_back(packed.header.number);
  }
  for (const auto& [number, header] : store_->segments().Headers()) {
    if (number <= end_.position.segment) numbers.push_back(number);
  }
  return numbers;
}

Status Verifier::CheckFile(uint32_t number, const Visited& visited) {
  const auto check = [&](const ScannedGroup& group) -> Status {
    TIDEMARK_RETURN_IF_ERROR(visited(group.bytes.size()));
    report_.bytes += group.bytes.size();
    return CheckGroup(group);
  };
  const auto headers = store_->segments().Headers();
  if (const auto header = headers.find(number); header != headers.end()) {
    CheckHeader(header->second);
    return ScanFrom(header->second, [&](const ScannedGroup& group) {
      return group.location.segment == number ? check(group) : EndOfScan();
    });
  }
  for (const Segments::Packed& packed : store_->segments().ListPacked()) {
    if (packed.header.number != number) continue;
    CheckHeader(packed);
    return ScanPacked(
        store_->segments(), {number, format::kFirstGroupOffset}, check,
        [this](Location begin, const Status& what) { Report(begin, "", what.message()); });
  }
  return OkStatus();  // it was packed
}

void Verifier::Report(Location location, const std::string& object, const std::string& message) {
  report_.damage.push_back({.object = object,
                            .segment = location.segment,
                            .offset = location.offset,
                            .message = message});
}

std::string Verifier::ObjectOf(TimelineId timeline) {
  if (!timeline.valid()) return "";
  const auto found = store_->FindTimeline(timeline);
  if (!found.ok()) return "";
  const TimelineRow& row = (*found)->row();
  const auto object = store_->AdoptObject(row.namespace_id, row.object, "");
  return object.ok() ? (*object)->DisplayName() : "";
}

// A record that creates something has a tag only, and so has a label's: of that the object is
// there.
std::string Verifier::ObjectOf(const DirectoryEntry& entry) {
  if (!entry.creates()) return ObjectOf(entry.timeline);
  const auto object = store_->FindObjectByTag(entry.tag);
  return object.ok() && *object != nullptr ? (*object)->DisplayName() : "";
}

// Either copy of a segment's header will do for reading; a lost one is still damage.
void Verifier::CheckHeader(const format::SegmentHeader& expected) {
  CheckCopies(expected.number, 0, std::as_bytes(std::span(&expected, 1)));
}

void Verifier::CheckHeader(const Segments::Packed& packed) {
  CheckHeader(packed.header);
  format::PackedLog log = packed.log;
  log.hash = PackedLogHash(log, packed.header.incarnation);  // which one that was just packed lacks
  CheckCopies(packed.header.number, sizeof(packed.header), std::as_bytes(std::span(&log, 1)));
}

void Verifier::CheckCopies(uint32_t segment, uint32_t offset, ConstBytes expected) {
  Buffer found(expected.size());
  for (const uint32_t copy : {0u, format::kSecondHeaderOffset}) {
    const Location place{segment, copy + offset};
    const Status read = store_->segments().Read(place, found);
    if (read.code() == StatusCode::kIoError) {
      Report(place, "", read.message());
    } else if (!read.ok() || !std::ranges::equal(found, expected)) {
      Report(place, "", "one of the two copies of the segment's header is damaged");
    }
  }
}

void Verifier::CheckHeaders() {
  const auto headers = store_->segments().Headers();
  uint32_t packed_through = 0;
  for (const Segments::Packed& packed : store_->segments().ListPacked()) {
    ++report_.segments;
    packed_through = packed.header.previous;
    CheckHeader(packed);
  }
  for (const auto& [number, expected] : headers) {
    if (number > end_.position.segment) break;  // its header may not be written yet
    ++report_.segments;
    if (expected.previous > packed_through && !headers.contains(expected.previous)) {
      Report({expected.previous, 0}, "",
             "the segment is missing, or both copies of its header are damaged");
    }
    CheckHeader(expected);
  }
}

Status Verifier::ScanSegments(const Progress& progress) {
  const auto headers = store_->segments().Headers();
  uint64_t total = end_.position.offset;
  for (const auto& [number, header] : headers) total += header.previous_end;
  const auto packed = store_->segments().ListPacked();
  for (const Segments::Packed& one : packed) total += one.size_bytes;
  const auto on_lost = [&](Location begin, const Status& what) {
    Report(begin, "", what.message());
  };
  const auto check = [&](const ScannedGroup& group) -> Status {
    report_.bytes += group.bytes.size();
    if (progress) progress(report_.bytes, total);
    return CheckGroup(group);
  };
  for (const Segments::Packed& one : packed) {
    TIDEMARK_RETURN_IF_ERROR(ScanPacked(
        store_->segments(), {one.header.number, format::kFirstGroupOffset}, check, on_lost));
  }
  return ScanFrom(headers.begin()->second, check);
}

Status Verifier::ScanFrom(const format::SegmentHeader& header,
                          const std::function<Status(const ScannedGroup&)>& check) {
  ScanStart start;
  start.position = {header.number, format::kFirstGroupOffset};
  start.last_lsn = Lsn(header.first_lsn - 1);
  start.proven_lsn = end_.lsn;
  const auto scanned = ScanLog(
      store_->segments(), start,
      [&](const ScannedGroup& group) {
        return group.directory.front().lsn > end_.lsn ? EndOfScan() : check(group);
      },
      [this](Location begin, const Status& what) { Report(begin, "", what.message()); });
  return scanned.status().code() == StatusCode::kOutOfRange ? OkStatus() : scanned.status();
}

Status Verifier::CheckGroup(const ScannedGroup& group) {
  ++report_.groups;
  if (!group.header_ok) Report(group.location, "", "the group's header is damaged");
  const size_t reported = report_.damage.size();
  for (const DirectoryEntry& entry : group.directory) {
    ++report_.records;
    const Location place = group.PlaceOf(entry);
    RecordView record;
    if (entry.offset >= group.bytes.size() ||
        ParseRecord(group.bytes.subspan(entry.offset), group.incarnation, record) !=
            ParseOutcome::kOk ||
        entry.offset + record.length > group.bytes.size() || record.place.lsn != entry.lsn.value) {
      Report(place, ObjectOf(entry),
             "the record with LSN " + std::to_string(entry.lsn.value) + " is damaged");
      continue;
    }
    if (store_->purges().Covers(entry, record)) continue;
    if (group.intact && store_->IsKnownDamage(entry.lsn)) {
      // Its file came back from a copy; or what it needs is damaged, and reported where that
      // stands.
      Report(
          place, ObjectOf(entry),
          "the index has left out the record with LSN " + std::to_string(entry.lsn.value) +
              ", which is whole now: if no other damage is found, close the store and remove its "
              "index, which opening it makes anew from the log");
      continue;
    }
    if (record.kind == RecordKind::kFrame) CheckFrame(group, entry, record);
    if (record.kind == RecordKind::kCommits) CheckCommits(entry, record, place);
    if (record.kind == RecordKind::kHistory) CheckHistory(group, entry, record);
    if (record.kind == RecordKind::kDictionary) CheckDictionary(group, entry, record);
    if (record.kind == RecordKind::kTimeline) CheckTimeline(group, entry, record);
    if (record.kind == RecordKind::kNamespace || record.kind == RecordKind::kObject) {
      CheckCreation(entry, record, place);
    }
    if (record.kind == RecordKind::kOpen) CheckEpoch(entry, record, place);
    if (record.kind == RecordKind::kLabel) CheckLabel(group, entry, record);
    if (record.kind == RecordKind::kSchedule) CheckSchedule(entry, record, place);
    CheckRetention(entry, record, place);
  }
  // What is not one of its records' is its directory's, or that of a batch nobody names.
  if (!group.intact && report_.damage.size() == reported && group.header_ok) {
    Report(group.location, "", "the group's hash does not fit its bytes");
  }
  return OkStatus();
}

// Where a timeline begins decides what all of its pages are.
void Verifier::CheckTimeline(const ScannedGroup& group, const DirectoryEntry& entry,
                             const RecordView& record) {
  const Location place = group.PlaceOf(entry);
  const auto fields = DecodeTimeline(record.fields);
  const auto report = [&](const std::string& message) {
    Report(place, ObjectOf(entry.timeline), message);
  };
  if (!fields) return report("the timeline's fields are malformed");
  if (fields->operation == format::TimelineOperation::kScheduledRestore) {
    NoteSchedule({.object = fields->object}, entry.lsn, place);
  }
  const TimelineId id(entry.lsn.value);
  const auto timeline = store_->FindTimeline(id);
  if (!timeline.ok()) return report(timeline.status().message());
  TimelineRow expected = MakeTimelineRow(*fields, (*timeline)->row().namespace_id);
  expected.id = id;
  CheckOwner((*timeline)->row(), place);
  if (fields->operation != format::TimelineOperation::kRewrite) {
    CheckCommitRow(**timeline, entry, place);
  }
  if (IsInJournal(fields->operation) && group.header_ok) {
    CheckJournal(*fields, entry, RecordTime(group.header, record.place), place);
  }
  if ((*timeline)->row() == expected) return;
  report("the index has timeline " + std::to_string(id.value) +
         " begin elsewhere than the log: it must be rebuilt from the log");
}

void Verifier::CheckFrame(const ScannedGroup& group, const DirectoryEntry& entry,
                          const RecordView& record) {
  const Location place = group.PlaceOf(entry);
  const auto fields = DecodeFrame(record.fields);
  const auto report = [&](const std::string& message) { Report(place, ObjectOf(entry), message); };
  if (!fields) return report("the frame's fields are malformed");
  const auto timeline = store_->FindTimeline(fields->timeline);
  if (!timeline.ok()) return report(timeline.status().message());
  CheckCommitRow(**timeline, entry, place);
  const auto own = ParsePageVersions(
      group.bytes.subspan(entry.offset + record.payload_offset, record.payload_length),
      {place.segment, place.offset + static_cast<uint32_t>(record.payload_offset)},
      fields->version_count, entry.lsn);
  if (!own) return report("the frame's pages are malformed");
  // A page's last version is the frame's, else the last batch's; the index knows only that one.
  const auto check = [&](const PageChange& change, bool is_last) {
    ++report_.page_versions;
    Status status = checker_.Check(**timeline, change, fields->page_size);
    if (status.code() == StatusCode::kCorruption && HasExpired(**timeline, change)) return;
    if (status.ok() && is_last) status = CheckIndexed(**timeline, change);
    if (!status.ok()) report(status.message());
  };
  if (fields->batch_count > 0) {
    const auto batched = BatchedPages::Load(store_->reader(), *fields);
    if (!batched.ok()) return report(batched.status().message());
    std::unordered_set<uint32_t> in_frame;
    for (const PageChange& change : *own) in_frame.insert(change.page.value);
    for (uint32_t number = (*batched)->packed_count() + 1; number <= (*batched)->batch_count();
         ++number) {
      auto batch = ReadBatch(store_->reader(), (*batched)->LocationOf(number), 0);
      if (!batch.ok()) return report(batch.status().message());
      for (PageChange& change : batch->table) {
        change.version.lsn = entry.lsn;
        check(change,
              (*batched)->BatchOf(change.page) == number && !in_frame.contains(change.page.value));
      }
    }
  }
  for (const PageChange& change : *own) check(change, true);
}

// What it was made on may have been packed away.
bool Verifier::HasExpired(const Timeline& timeline, const PageChange& change) {
  // Of a page that the same commit wrote again, as an image: nobody reads this one, nor keeps what
  // it was made on. Rot in it is found by its group's hash.
  const auto last = store_->reader().FindOwn(timeline, change.page, change.version.lsn);
  if (last.ok() && *last && (*last)->lsn == change.version.lsn && (*last)->depth == 0 &&
      (*last)->location != change.version.location) {
    return true;
  }
  const auto points = store_->retention().PointsOf(timeline.id());
  // The first version behind it: of those that the index does not have, unless it has one.
  Lsn end(UINT64_MAX);
  for (Lsn at = end; at > change.version.lsn; at = Lsn(end.value - 1)) {
    const RecentPage recent = timeline.FindRecent(change.page, at);
    const Lsn lsn = std::max(recent.large ? recent.large->lsn : Lsn(),
                             recent.version ? recent.version->lsn : Lsn());
    if (lsn <= change.version.lsn) break;
    end = lsn;
  }
  const auto next = store_->index().FindNextPageRow(timeline.id(), change.page, change.version.lsn);
  if (next.ok() && *next) end = (*next)->lsn;
  return points.ok() && next.ok() && !points->AnyIn(change.version.lsn, end);
}

Status Verifier::CheckIndexed(const Timeline& timeline, const PageChange& change) {
  TIDEMARK_ASSIGN_OR_RETURN(const auto known,
                            store_->reader().FindOwn(timeline, change.page, change.version.lsn));
  // A chain is checked where its row is.
  if (known && (*known == change.version || (known->in_chain && change.version.depth > 0 &&
                                             known->MayBuildOn(change.version)))) {
    return OkStatus();
  }
  return Status(StatusCode::kCorruption, "the index does not know " +
                                             Describe(change.page, change.version) +
                                             ": it must be rebuilt from the log");
}

Status Verifier::CheckObjects(const Visited& visited) {
  for (const auto& ns : store_->Namespaces()) {
    if (ns->id == 0) continue;
    std::optional<ObjectId> after;
    while (true) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto rows, store_->index().ListObjects(ns->id, after, 1000));
      for (const ObjectRow& row : rows) {
        if (store_->purges().Has(row.id)) continue;
        TIDEMARK_RETURN_IF_ERROR(visited(kObjectBytes));
        ++report_.objects;
        const auto object = store_->FindObject(ns, row.id, row.name, IfMissing::kCreate);
        if (object.status().code() == StatusCode::kIoError) {  // its latest commit's record
          Report({}, ns->name + "/" + row.name, object.status().message());
          continue;
        }
        TIDEMARK_RETURN_IF_ERROR(object.status());
        CheckObject(**object);
        TIDEMARK_RETURN_IF_ERROR(CheckAlarm(**object));
      }
      if (rows.size() < 1000) break;
      after = rows.back().id;
    }
  }
  // Those whose creation is not in the index yet.
  for (const auto& object : store_->DirtyObjects()) {
    {
      std::lock_guard lock(object->mutex);
      if (object->indexed_timeline.valid()) continue;
    }
    ++report_.objects;
    CheckObject(*object);
  }
  return CheckAlarms(visited);
}

void Verifier::CheckObject(const ObjectState& object) {
  CommitInfo head;
  std::shared_ptr<Timeline> timeline;
  {
    std::lock_guard lock(object.mutex);
    head = object.head;
    timeline = object.timeline;
  }
  uint64_t hash = 0;
  Status status;
  std::vector<std::optional<PageVersion>> versions;
  for (uint64_t first = 1; first <= head.page_count && status.ok(); first += 256) {
    versions.resize(std::min<uint64_t>(256, head.page_count - first + 1));
    status = store_->reader().FindRange(*timeline, PageNo(static_cast<uint32_t>(first)), head.lsn,
                                        versions);
    for (size_t i = 0; i < versions.size() && status.ok(); ++i) {
      if (!versions[i]) continue;
      const auto page_hash = store_->reader().HashOf(
          *timeline, PageNo(static_cast<uint32_t>(first + i)), *versions[i], head.page_size);
      status = page_hash.status();
      if (status.ok()) hash ^= *page_hash;
    }
  }
  if (status.ok() && timeline != nullptr && timeline->damaged_from().valid()) {
    status = Status(StatusCode::kCorruption, "its latest commits are damaged");
  }
  if (status.ok() && hash != head.state_hash) {
    status = Status(StatusCode::kCorruption,
                    "the pages in the index do not give the state hash of LSN " +
                        std::to_string(head.lsn.value));
  }
  if (!status.ok()) Report({}, object.DisplayName(), status.message());
}

}  // namespace tidemark::internal
