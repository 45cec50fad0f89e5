#include "engine/internal/pack_job.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "engine/internal/batched_pages.h"
#include "engine/internal/packed_scanner.h"
#include "engine/internal/packer.h"
#include "engine/internal/segment_header.h"
#include "engine/internal/timeline_record.h"
#include "engine/internal/version_checker.h"

namespace tidemark::internal {
namespace {

constexpr Lsn kEndOfTime(UINT64_MAX);

// What a frame takes beside its pages, about.
constexpr uint64_t kFrameBytes = 40;

Location PlaceOf(const ScannedGroup& group, const DirectoryEntry& entry) {
  return {group.location.segment, group.location.offset + entry.offset};
}

Location PayloadOf(const ScannedGroup& group, const DirectoryEntry& entry,
                   const RecordView& record) {
  const Location place = PlaceOf(group, entry);
  return {place.segment, place.offset + static_cast<uint32_t>(record.payload_offset)};
}

ConstBytes PayloadBytes(const ScannedGroup& group, const DirectoryEntry& entry,
                        const RecordView& record) {
  return group.bytes.subspan(entry.offset + record.payload_offset, record.payload_length);
}

Status Damaged(Location place, const std::string& what) {
  return Status(StatusCode::kCorruption, SegmentLabel(place.segment) + ", offset " +
                                             std::to_string(place.offset) + ", " + what +
                                             ": it is not packed; see `tidemark verify`");
}

}  // namespace

// ---- scanning ----------------------------------------------------------------------------------

bool PackJob::IsInput(uint32_t segment) const {
  return format::IsPacked(segment) ? std::find(input_.numbers.begin(), input_.numbers.end(),
                                               segment) != input_.numbers.end()
                                   : segment >= input_.first && segment <= input_.end.segment;
}

Status PackJob::Scan(const std::function<Status(const ScannedGroup&, const DirectoryEntry&,
                                                const RecordView&)>& visit) {
  bool beyond = false;
  const auto visit_group = [&](const ScannedGroup& group) -> Status {
    TIDEMARK_RETURN_IF_ERROR(store_->packer().Pace());
    if (!IsInput(group.location.segment)) {
      beyond = true;
      return Status(StatusCode::kOutOfRange, "the end of the input");
    }
    if (!group.intact) return Damaged(group.location, "is damaged");
    for (const DirectoryEntry& entry : group.directory) {
      RecordView record;
      if (entry.offset >= group.bytes.size() ||
          ParseRecord(group.bytes.subspan(entry.offset), group.incarnation, record) !=
              ParseOutcome::kOk ||
          entry.offset + record.length > group.bytes.size() ||
          record.place.lsn != entry.lsn.value) {
        return Damaged(PlaceOf(group, entry), "is damaged");
      }
      TIDEMARK_RETURN_IF_ERROR(visit(group, entry, record));
      end_.last_lsn = entry.lsn.value;
      end_.last_time = group.header.time + record.place.time_delta;
      end_.epoch = group.header.epoch;
    }
    return OkStatus();
  };
  Segments& segments = store_->segments();
  for (const uint32_t number : input_.numbers) {
    if (format::IsPacked(number)) {
      TIDEMARK_RETURN_IF_ERROR(
          ScanPacked(segments, {number, format::kFirstGroupOffset}, visit_group));
      for (const Segments::Packed& packed : segments.ListPacked()) {
        if (packed.header.number == number) end_ = packed.log;
      }
      continue;
    }
    // The log, up to where the input ends.
    const auto headers = segments.Headers();
    const auto header = headers.find(number);
    if (header == headers.end()) return Damaged({number, 0}, "is missing");
    ScanStart start;
    start.position = {number, format::kFirstGroupOffset};
    start.last_lsn = Lsn(header->second.first_lsn - 1);
    start.proven_lsn = store_->checkpointer().checkpoint_lsn();
    const auto scanned = ScanLog(segments, start, visit_group);
    return beyond ? OkStatus() : scanned.status();
  }
  return OkStatus();
}

// Batches whose frames are in the input, and whether others have theirs behind it.
Status PackJob::FindBatches() {
  std::map<Location, uint32_t> unclaimed;  // and the epochs
  TIDEMARK_RETURN_IF_ERROR(Scan([&](const ScannedGroup& group, const DirectoryEntry& entry,
                                    const RecordView& record) -> Status {
    if (record.kind == RecordKind::kBatch) {
      unclaimed[PlaceOf(group, entry)] = group.header.epoch;
    }
    if (record.kind != RecordKind::kFrame) return OkStatus();
    const auto fields = DecodeFrame(record.fields);
    if (!fields) return Damaged(PlaceOf(group, entry), "is no frame");
    if (fields->batch_count == 0) return OkStatus();
    TIDEMARK_ASSIGN_OR_RETURN(const auto batched, BatchedPages::Load(store_->reader(), *fields));
    for (uint32_t number = 1; number <= batched->batch_count(); ++number) {
      const Location place = batched->LocationOf(number);
      unclaimed.erase(place);
      claims_[place] = {fields->timeline, fields->page_size, entry.lsn};
    }
    return OkStatus();
  }));
  if (unclaimed.empty()) return OkStatus();
  const Lsn checkpoint = store_->checkpointer().checkpoint_lsn();
  if (store_->open_batches().Oldest(checkpoint) <= input_.end.segment) {
    splits_commit_ = true;
    return OkStatus();
  }
  TIDEMARK_ASSIGN_OR_RETURN(const CheckpointRow cut, store_->queue().CutForCheckpoint());
  // A transaction that ended long ago without a commit, or one whose frame stands behind.
  uint32_t epoch = 0;
  for (const auto& [place, of_epoch] : unclaimed) epoch = std::max(epoch, of_epoch);
  const auto headers = store_->segments().Headers();
  const auto next = headers.upper_bound(input_.end.segment);
  if (next == headers.end()) return OkStatus();
  ScanStart start;
  start.position = {next->first, format::kFirstGroupOffset};
  start.last_lsn = Lsn(next->second.first_lsn - 1);
  start.proven_lsn = cut.lsn;
  const Status stop(StatusCode::kOutOfRange, "enough was seen");
  bool enough = false;
  const auto scanned = ScanLog(store_->segments(), start, [&](const ScannedGroup& group) -> Status {
    enough = splits_commit_ || (group.header_ok && group.header.epoch > epoch) ||
             group.directory.front().lsn > cut.lsn;
    if (enough) return stop;
    for (const DirectoryEntry& entry : group.directory) {
      RecordView record;
      if (ParseRecord(group.bytes.subspan(entry.offset), group.incarnation, record) !=
              ParseOutcome::kOk ||
          record.kind != RecordKind::kFrame) {
        continue;
      }
      const auto fields = DecodeFrame(record.fields);
      if (!fields || fields->batch_count == 0) continue;
      const auto batched = BatchedPages::Load(store_->reader(), *fields);
      splits_commit_ |= !batched.ok() || unclaimed.contains((*batched)->LocationOf(1));
    }
    return OkStatus();
  });
  return enough ? OkStatus() : scanned.status();
}

Result<PackJob::Line*> PackJob::LineOf(TimelineId id) {
  Line& line = lines_[id];
  if (line.timeline == nullptr) {
    TIDEMARK_ASSIGN_OR_RETURN(line.timeline, store_->FindTimeline(id));
    TIDEMARK_ASSIGN_OR_RETURN(line.points, store_->retention().PointsOf(id, licence_));
  }
  return &line;
}

// ---- what stays --------------------------------------------------------------------------------

// A patch stays one while its chain is shorter than an image would be; so what it is made on stays.
bool PackJob::StaysPatch(const PageVersion& version, uint32_t page_size) {
  return version.depth > 0 && version.chain_units * uint32_t{256} <= page_size;
}

Result<bool> PackJob::IsNeeded(const Line& line, PageNo page, uint32_t page_size,
                               PageVersion version) const {
  if (line.points.empty()) return false;  // nobody will ever read it, nor what was made on it
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto next, store_->index().FindNextPageVersion(
                                                   line.timeline->id(), page, version.lsn));
    if (line.points.AnyIn(version.lsn, next ? next->lsn : kEndOfTime)) return true;
    if (!next || next->depth == 0) return false;
    if (!IsInput(next->location.segment)) return true;  // it stays as it is, for now
    if (!StaysPatch(*next, page_size)) return false;
    version = *next;
  }
}

Result<std::optional<PageVersion>> PackJob::KeptBase(const Line& line, PageNo page,
                                                     const PageVersionView& view) const {
  if (!view.base_lsn.valid()) return std::optional<PageVersion>();
  TIDEMARK_ASSIGN_OR_RETURN(const auto base,
                            store_->reader().Find(*line.timeline, page, view.base_lsn));
  if (!base || base->lsn != view.base_lsn) {
    return Status(StatusCode::kCorruption,
                  "page " + std::to_string(page.value) + " is a patch on its version at LSN " +
                      std::to_string(view.base_lsn.value) + ", which the index does not know");
  }
  if (!IsInput(base->location.segment)) return base;
  const auto there = stands_.find(base->location);
  return there == stands_.end() ? std::optional<PageVersion>() : there->second;
}

Status PackJob::KeepImage(PageNo page, uint64_t hash, ConstBytes image, PageVersion& version) {
  packed_.clear();
  const bool smaller = CompressPage(image, packed_);
  AppendPageVersion(page, smaller ? format::PageForm::kZstd : format::PageForm::kRaw, hash, nullptr,
                    smaller ? ConstBytes(packed_) : image, payload_, version);
  return OkStatus();
}

Status PackJob::KeepVersion(const Line& line, uint32_t page_size, const PageChange& change,
                            const PageVersionView& view) {
  std::optional<PageVersion> base;
  if (StaysPatch(change.version, page_size)) {
    TIDEMARK_ASSIGN_OR_RETURN(base, KeptBase(line, change.page, view));
  }
  if (estimate_) {
    const bool image = format::IsPatch(view.form) && !base;
    *estimated_bytes_ += image ? page_size / 2 : view.length;
    if (IsInput(change.version.location.segment)) stands_[change.version.location] = change.version;
    return OkStatus();
  }
  PageChange& kept = kept_.emplace_back(change);
  old_places_.push_back(change.version.location);
  kept.version.location.offset = static_cast<uint32_t>(payload_.size());
  if (view.form == format::PageForm::kRaw) {
    return KeepImage(change.page, view.hash, view.data, kept.version);
  }
  if (!format::IsPatch(view.form) || base) {
    AppendPageVersion(change.page, view.form, view.hash, base ? &*base : nullptr, view.data,
                      payload_, kept.version);
    return OkStatus();
  }
  page_.resize(page_size);
  TIDEMARK_RETURN_IF_ERROR(
      store_->reader().Read(line.timeline.get(), change.page, change.version, page_));
  return KeepImage(change.page, view.hash, page_, kept.version);
}

Status PackJob::KeepVersions(const Line& line, Lsn lsn, uint32_t page_size,
                             std::span<const PageChange> changes, ConstBytes payload,
                             bool in_batch) {
  payload_.clear();
  kept_.clear();
  old_places_.clear();
  size_t at = 0;
  for (PageChange change : changes) {
    const auto view = ParsePageVersion(payload.subspan(at));
    if (!view) return Damaged(change.version.location, "is no page version");
    at += view->length;
    change.version.lsn = lsn;
    TIDEMARK_ASSIGN_OR_RETURN(
        const auto known, store_->index().FindPageVersion(line.timeline->id(), change.page, lsn));
    if (!known || known->lsn != lsn || known->location != change.version.location) {
      // In a batch: a later one of the same commit, or its frame, has the page's last version.
      if (in_batch) continue;
      return Damaged(change.version.location, "is not what the index says");
    }
    TIDEMARK_ASSIGN_OR_RETURN(const bool needed, IsNeeded(line, change.page, page_size, *known));
    if (needed) {
      TIDEMARK_RETURN_IF_ERROR(KeepVersion(line, page_size, change, *view));
    } else if (!estimate_) {
      moved_.push_back({line.timeline->id(), change.page, {}});
      moved_.back().version.lsn = lsn;
      page_sizes_.push_back(0);
    }
  }
  return OkStatus();
}

void PackJob::NoteMoved(TimelineId timeline, uint32_t page_size, uint32_t payload_offset) {
  for (size_t i = 0; i < kept_.size(); ++i) {
    PageVersion& version = kept_[i].version;
    version.location = {writer_->number(), payload_offset + version.location.offset};
    stands_[old_places_[i]] = version;
    moved_.push_back({timeline, kept_[i].page, version});
    page_sizes_.push_back(page_size);
  }
}

// ---- rewriting ---------------------------------------------------------------------------------

Status PackJob::Rewrite(const ScannedGroup& group, const DirectoryEntry& entry,
                        const RecordView& record) {
  switch (record.kind) {
    case RecordKind::kFrame: return RewriteFrame(group, entry, record);
    case RecordKind::kBatch: {
      const auto claim = claims_.find(PlaceOf(group, entry));
      if (claim == claims_.end()) {
        // Of a transaction that never committed, or, while this is an estimate, that may have.
        if (splits_commit_) *estimated_bytes_ += record.length;
        return OkStatus();
      }
      return RewriteBatch(group, entry, record, claim->second);
    }
    case RecordKind::kClose: return OkStatus();
    default: return CopyRecord(group, entry, record);
  }
}

Status PackJob::RewriteBatch(const ScannedGroup& group, const DirectoryEntry& entry,
                             const RecordView& record, const Claim& claim) {
  TIDEMARK_ASSIGN_OR_RETURN(Line* const line, LineOf(claim.timeline));
  const auto fields = DecodeBatch(record.fields);
  if (!fields) return Damaged(PlaceOf(group, entry), "is no batch");
  const auto changes =
      ParsePageVersions(PayloadBytes(group, entry, record), PayloadOf(group, entry, record),
                        static_cast<uint32_t>(fields->pages.size()), claim.lsn);
  if (!changes) return Damaged(PlaceOf(group, entry), "has malformed pages");
  TIDEMARK_RETURN_IF_ERROR(KeepVersions(*line, claim.lsn, claim.page_size, *changes,
                                        PayloadBytes(group, entry, record), true));
  if (estimate_ || kept_.empty()) return OkStatus();
  WrittenBatches& written = batches_[claim.lsn.value];
  BatchFields batch;
  batch.number = written.count + 1;
  batch.previous = written.last;
  for (const PageChange& change : kept_) {
    const PageVersion& version = change.version;
    batch.pages.push_back(
        {change.page, version.length, version.depth, version.chain_units, version.hash});
  }
  fields_.clear();
  EncodeBatch(batch, fields_);
  TIDEMARK_ASSIGN_OR_RETURN(
      const PackedWriter::Added added,
      writer_->Add(RecordKind::kBatch, entry, RecordTime(group.header, record.place),
                   group.header.epoch, fields_, payload_));
  NoteMoved(claim.timeline, claim.page_size, added.payload_offset);
  written.count = batch.number;
  written.versions += batch.pages.size();
  written.bytes += added.length;
  written.last = {added.location, added.hash};
  return OkStatus();
}

Status PackJob::RewriteFrame(const ScannedGroup& group, const DirectoryEntry& entry,
                             const RecordView& record) {
  auto fields = DecodeFrame(record.fields);
  if (!fields) return Damaged(PlaceOf(group, entry), "is no frame");
  TIDEMARK_ASSIGN_OR_RETURN(Line* const line, LineOf(fields->timeline));
  const auto changes =
      ParsePageVersions(PayloadBytes(group, entry, record), PayloadOf(group, entry, record),
                        fields->version_count, entry.lsn);
  if (!changes) return Damaged(PlaceOf(group, entry), "has malformed pages");
  TIDEMARK_RETURN_IF_ERROR(KeepVersions(*line, entry.lsn, fields->page_size, *changes,
                                        PayloadBytes(group, entry, record), false));
  const bool is_point = line->points.AnyIn(entry.lsn, Lsn(entry.lsn.value + 1));
  if (estimate_) {
    if (is_point) *estimated_bytes_ += kFrameBytes;
    return OkStatus();
  }
  const WrittenBatches written = batches_[entry.lsn.value];
  batches_.erase(entry.lsn.value);
  if (!is_point && kept_.empty() && written.count == 0) {
    commits_.push_back({fields->timeline, {.lsn = entry.lsn, .location = {}}});
    return OkStatus();
  }
  fields->version_count = static_cast<uint32_t>(kept_.size());
  fields->batch_count = written.count;
  fields->batch_versions = written.versions;
  fields->batch_bytes = written.bytes;
  fields->last_batch = written.last;
  fields_.clear();
  EncodeFrame(*fields, fields_);
  TIDEMARK_ASSIGN_OR_RETURN(
      const PackedWriter::Added added,
      writer_->Add(RecordKind::kFrame, entry, RecordTime(group.header, record.place),
                   group.header.epoch, fields_, payload_));
  NoteMoved(fields->timeline, fields->page_size, added.payload_offset);
  commits_.push_back({fields->timeline, {.lsn = entry.lsn, .location = added.location}});
  return OkStatus();
}

Result<bool> PackJob::HasExpired(const DirectoryEntry& entry, const LabelFields& label) {
  if (label.operation != format::LabelOperation::kSet || !label.automatic) return false;
  TIDEMARK_ASSIGN_OR_RETURN(Line* const line, LineOf(label.timeline));
  if (line->points.Has(label.commit)) return false;
  TIDEMARK_ASSIGN_OR_RETURN(const auto row, store_->index().FindLabel(label.object, label.name));
  if (row && row->lsn == entry.lsn) labels_.push_back(*row);
  return true;
}

Status PackJob::CopyRecord(const ScannedGroup& group, const DirectoryEntry& entry,
                           const RecordView& record) {
  if (record.kind == RecordKind::kLabel) {
    const auto label = DecodeLabel(record.fields);
    if (!label) return Damaged(PlaceOf(group, entry), "is no label record");
    TIDEMARK_ASSIGN_OR_RETURN(const bool expired, HasExpired(entry, *label));
    if (expired) return OkStatus();
  }
  if (estimate_) {
    *estimated_bytes_ += record.length;
    return OkStatus();
  }
  TIDEMARK_ASSIGN_OR_RETURN(
      const PackedWriter::Added added,
      writer_->Add(record.kind, entry, RecordTime(group.header, record.place), group.header.epoch,
                   record.fields, PayloadBytes(group, entry, record)));
  if (record.kind != RecordKind::kTimeline) return OkStatus();
  const auto fields = DecodeTimeline(record.fields);
  if (!fields) return Damaged(PlaceOf(group, entry), "is no timeline record");
  if (fields->operation == format::TimelineOperation::kRewrite) return OkStatus();
  commits_.push_back({TimelineId(entry.lsn.value), {.lsn = entry.lsn, .location = added.location}});
  return OkStatus();
}

// ---- running -----------------------------------------------------------------------------------

Result<std::map<uint32_t, uint64_t>> PackJob::Estimate(const LicenceRow* licence) {
  estimate_ = true;
  licence_ = licence;
  TIDEMARK_RETURN_IF_ERROR(FindBatches());
  TIDEMARK_RETURN_IF_ERROR(Scan(
      [this](const ScannedGroup& group, const DirectoryEntry& entry, const RecordView& record) {
        estimated_bytes_ = &estimated_[group.location.segment];
        return Rewrite(group, entry, record);
      }));
  return std::move(estimated_);
}

Status PackJob::Run() {
  TIDEMARK_RETURN_IF_ERROR(FindBatches());
  if (splits_commit_) return OkStatus();
  writer_ = std::make_unique<PackedWriter>(&store_->segments(), store_->store_id(), input_.first,
                                           input_.end);
  TIDEMARK_RETURN_IF_ERROR(writer_->Begin());
  TIDEMARK_RETURN_IF_ERROR(
      Scan([this](const ScannedGroup& group, const DirectoryEntry& entry,
                  const RecordView& record) { return Rewrite(group, entry, record); }));
  TIDEMARK_RETURN_IF_ERROR(writer_->Finish(end_));
  const Status checked = CheckWritten();
  // The index does not name it. What cannot be removed goes when the store is opened again.
  if (!checked.ok()) (void)store_->segments().Release({writer_->number()});
  TIDEMARK_RETURN_IF_ERROR(checked);
  // Should this fail, the new segment stays unused until the next open, which asks the index.
  TIDEMARK_RETURN_IF_ERROR(Switch());
  store_->segments().UsePacked(writer_->number());
  return store_->segments().Release(input_.numbers);
}

// What is written is read again, before what it was made from goes.
Status PackJob::CheckWritten() {
  VersionChecker checker(store_->reader());
  for (size_t i = 0; i < moved_.size(); ++i) {
    if (moved_[i].version.location.segment == 0) continue;
    TIDEMARK_RETURN_IF_ERROR(store_->packer().Pace());
    const Line& line = lines_.at(moved_[i].timeline);
    TIDEMARK_RETURN_IF_ERROR(
        checker.Check(*line.timeline, {moved_[i].page, moved_[i].version}, page_sizes_[i])
            .WithContext("packing"));
  }
  for (const MovedCommit& commit : commits_) {
    if (commit.row.location.segment == 0) continue;
    TIDEMARK_RETURN_IF_ERROR(
        store_->ReadCommit(commit.row, commit.timeline).status().WithContext("packing"));
  }
  return OkStatus();
}

Status PackJob::Switch() {
  std::sort(moved_.begin(), moved_.end(), [](const MovedVersion& a, const MovedVersion& b) {
    return std::tie(a.timeline, a.page, a.version.lsn) <
           std::tie(b.timeline, b.page, b.version.lsn);
  });
  std::sort(commits_.begin(), commits_.end(), [](const MovedCommit& a, const MovedCommit& b) {
    return std::tie(a.timeline, a.row.lsn) < std::tie(b.timeline, b.row.lsn);
  });
  Index& index = store_->index();
  return store_->checkpointer().UpdateIndex([&](IndexWriter& writer) -> Status {
    TIDEMARK_RETURN_IF_ERROR(writer.PutPacked(
        {.number = writer_->number(), .first = input_.first, .last = input_.end.segment}));
    for (const uint32_t number : input_.numbers) {
      if (format::IsPacked(number)) TIDEMARK_RETURN_IF_ERROR(writer.RemovePacked(number));
    }
    for (const MovedVersion& moved : moved_) TIDEMARK_RETURN_IF_ERROR(writer.Move(moved));
    for (const MovedCommit& commit : commits_) TIDEMARK_RETURN_IF_ERROR(writer.Move(commit));
    for (const LabelRow& label : labels_) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto row, index.FindLabel(label.object, label.name));
      if (row != label) continue;  // it was moved since
      TIDEMARK_RETURN_IF_ERROR(writer.RemoveLabel(label.object, label.name));
    }
    return OkStatus();
  });
}

}  // namespace tidemark::internal
