#include "engine/internal/batched_pages.h"

#include <algorithm>
#include <string>

#include "engine/internal/page_reader.h"

namespace tidemark::internal {
namespace {

// No record is longer; what claims to be is damaged.
constexpr size_t kMaxRecordBytes = 16u << 20;

Status Damaged(Location location, const char* what) {
  return Status(StatusCode::kCorruption,
                "the batch at segment " + std::to_string(location.segment) + ", offset " +
                    std::to_string(location.offset) + " is damaged: " + what);
}

}  // namespace

Result<Batch> ReadBatch(const PageReader& reader, Location location, uint32_t header_length) {
  TIDEMARK_ASSIGN_OR_RETURN(const uint64_t incarnation, reader.IncarnationOf(location.segment));
  // What ParseRecord needs to see how long the header is; any batch is longer.
  constexpr size_t kLengthBytes = 1 + 2 * kMaxVarintBytes;
  Buffer bytes(std::max<size_t>(header_length, kLengthBytes));
  RecordView record;
  TIDEMARK_RETURN_IF_ERROR(reader.ReadBytes(location, bytes));
  ParseOutcome outcome = ParseRecord(bytes, incarnation, record);
  if (outcome == ParseOutcome::kShort) {
    if (record.length > kMaxRecordBytes) return Damaged(location, "its length");
    bytes.resize(record.length);
    TIDEMARK_RETURN_IF_ERROR(reader.ReadBytes(location, bytes));
    outcome = ParseRecord(bytes, incarnation, record);
  }
  if (outcome != ParseOutcome::kOk) return Damaged(location, "its header");
  auto fields = record.kind == RecordKind::kBatch ? DecodeBatch(record.fields) : std::nullopt;
  if (!fields || record.length > kMaxRecordBytes) return Damaged(location, "its fields");

  Batch batch;
  batch.number = fields->number;
  batch.previous = fields->previous;
  batch.record_hash = record.hash;
  batch.header_length = static_cast<uint32_t>(record.payload_offset);
  batch.length = static_cast<uint32_t>(record.length);
  batch.table.reserve(fields->pages.size());
  uint64_t offset = record.payload_offset;
  for (const BatchEntry& entry : fields->pages) {
    PageChange& change = batch.table.emplace_back();
    change.page = entry.page;
    change.version.location = {location.segment, location.offset + static_cast<uint32_t>(offset)};
    change.version.length = entry.length;
    change.version.depth = entry.depth;
    change.version.chain_units = entry.chain_units;
    change.version.hash = entry.hash;
    offset += entry.length;
  }
  if (offset != record.length) return Damaged(location, "its table");
  return batch;
}

Result<std::shared_ptr<const BatchedPages>> BatchedPages::Load(const PageReader& reader,
                                                               const FrameFields& frame) {
  auto pages = std::make_shared<BatchedPages>();
  // A count that lies must not take memory: every batch has to be there, and be one of the chain.
  std::deque<Place> places;
  BatchReference reference = frame.last_batch;
  for (uint32_t number = frame.batch_count; number > 0; --number) {
    auto read = ReadBatch(reader, reference.location, 0);
    if (!read.ok() && reader.WasPacked(reference.location.segment)) {
      pages->packed_count_ = number;
      break;
    }
    TIDEMARK_ASSIGN_OR_RETURN(const Batch batch, std::move(read));
    if (batch.record_hash != reference.record_hash || batch.number != number) {
      return Damaged(reference.location, "it is not the one that was written");
    }
    places.push_front({reference.location, batch.header_length});
    pages->version_count_ += batch.table.size();
    pages->bytes_ += batch.length;
    for (const PageChange& change : batch.table) {
      if (change.page.value <= frame.page_count && !pages->Contains(change.page)) {
        pages->Set(change.page, number);
      }
    }
    reference = batch.previous;
  }
  if (pages->packed_count_ > 0) {
    pages->version_count_ = frame.batch_versions;
    pages->bytes_ = frame.batch_bytes;
  }
  if (pages->version_count_ != frame.batch_versions || pages->bytes_ != frame.batch_bytes) {
    return Damaged(frame.last_batch.location, "the frame's counts do not fit");
  }
  pages->batches_.assign(places.begin(), places.end());
  pages->last_ = frame.last_batch;
  return std::shared_ptr<const BatchedPages>(std::move(pages));
}

void BatchedPages::MakeRoom(const BatchTable& table) {
  if (batches_.size() == batches_.capacity()) batches_.reserve(batches_.size() * 2 + 4);
  for (const PageChange& change : table) LeafOf(change.page);
}

void BatchedPages::Add(const BatchReference& reference, uint32_t header_length, uint32_t length,
                       const BatchTable& table) noexcept {
  batches_.push_back({reference.location, header_length});
  last_ = reference;
  version_count_ += table.size();
  bytes_ += length;
  for (const PageChange& change : table) Set(change.page, batch_count());
}

void BatchedPages::CutAbove(uint32_t page_count) {
  for (size_t leaf = page_count / kLeafPages; leaf < leaves_.size(); ++leaf) {
    if (leaves_[leaf] == nullptr) continue;
    const size_t keep = std::max<size_t>(leaf * kLeafPages, page_count + size_t{1});
    std::fill(leaves_[leaf]->begin() + static_cast<ptrdiff_t>(keep - leaf * kLeafPages),
              leaves_[leaf]->end(), 0);
    if (keep == leaf * kLeafPages) leaves_[leaf] = nullptr;
  }
}

uint32_t BatchedPages::BatchOf(PageNo page) const {
  const size_t leaf = page.value / kLeafPages;
  if (leaf >= leaves_.size() || leaves_[leaf] == nullptr) return 0;
  return (*leaves_[leaf])[page.value % kLeafPages];
}

BatchedPages::Leaf& BatchedPages::LeafOf(PageNo page) {
  const size_t leaf = page.value / kLeafPages;
  if (leaf >= leaves_.size()) leaves_.resize(leaf + 1);
  if (leaves_[leaf] == nullptr) leaves_[leaf] = std::make_unique<Leaf>();
  return *leaves_[leaf];
}

void BatchedPages::Set(PageNo page, uint32_t batch) {
  LeafOf(page)[page.value % kLeafPages] = batch;
}

Result<BatchedPages::SharedTable> BatchedPages::TableOf(const PageReader& reader,
                                                        uint32_t batch) const {
  {
    std::lock_guard lock(mutex_);
    for (const auto& [number, table] : cache_) {
      if (number == batch) return table;
    }
  }
  const Place& place = PlaceOf(batch);
  TIDEMARK_ASSIGN_OR_RETURN(Batch read, ReadBatch(reader, place.location, place.header_length));
  if (read.number != batch) return Damaged(place.location, "it has another number");
  auto table = std::make_shared<const BatchTable>(std::move(read.table));
  std::lock_guard lock(mutex_);
  cache_.emplace_front(batch, table);
  if (cache_.size() > kCachedTables) cache_.pop_back();
  return table;
}

Result<std::optional<PageVersion>> BatchedPages::Find(const PageReader& reader, PageNo page) const {
  const uint32_t batch = BatchOf(page);
  if (batch == 0) return std::optional<PageVersion>();
  TIDEMARK_ASSIGN_OR_RETURN(const SharedTable table, TableOf(reader, batch));
  const auto it = std::lower_bound(
      table->begin(), table->end(), page,
      [](const PageChange& change, PageNo number) { return change.page < number; });
  if (it == table->end() || it->page != page) {
    return Damaged(LocationOf(batch), "a page is missing");
  }
  return std::optional<PageVersion>(it->version);
}

Result<BatchTable> BatchedPages::LastVersions(const PageReader& reader, uint32_t number) const {
  if (number <= packed_count_) return BatchTable();
  TIDEMARK_ASSIGN_OR_RETURN(const SharedTable table, TableOf(reader, number));
  BatchTable last;
  for (const PageChange& change : *table) {
    if (BatchOf(change.page) == number) last.push_back(change);
  }
  return last;
}

}  // namespace tidemark::internal
