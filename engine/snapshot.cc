#include "engine/snapshot.h"

#include <algorithm>
#include <new>
#include <utility>

#include "engine/check.h"
#include "engine/internal/changed_pages.h"
#include "engine/internal/read_ahead.h"
#include "engine/internal/store_impl.h"

namespace tidemark {

using internal::PageVersion;
using internal::ReadAhead;

namespace {

// Fetches the places of the pages from `first` on, and the bytes of those that follow each other in
// one segment. If it fails, by an exception too, nothing was fetched: the next read must not find
// pages of zeros there.
Status Fetch(const internal::PageReader& reader, const internal::Timeline& timeline, uint32_t first,
             uint32_t last, Lsn lsn, ReadAhead& ahead) {
  std::vector<std::optional<PageVersion>> versions;
  std::swap(versions, ahead.versions);  // its memory; from here on nothing is fetched
  internal::Buffer bytes;
  std::swap(bytes, ahead.bytes);
  versions.resize(std::min(ReadAhead::kPages, last - first + 1));
  TIDEMARK_RETURN_IF_ERROR(reader.FindRange(timeline, PageNo(first), lsn, versions));
  bytes.clear();
  if (versions[0]) {
    const PageVersion& begin = *versions[0];
    uint64_t end = begin.location.offset + begin.length;
    for (const auto& version : versions) {
      if (!version || version->location.segment != begin.location.segment ||
          version->location.offset < begin.location.offset) {
        break;
      }
      // Between neighbours stands at most a record's header: a gap means that this is no bulk load.
      if (version->location.offset > end + 1024) break;
      const uint64_t version_end = uint64_t{version->location.offset} + version->length;
      if (version_end - begin.location.offset > ReadAhead::kMaxBytes) break;
      end = std::max(end, version_end);
    }
    ahead.begin = begin.location;
    bytes.resize(end - begin.location.offset);
    // If some of it is still in the queue's buffers: page by page, then.
    if (!reader.ReadStretch(ahead.begin, bytes)) bytes.clear();
  }
  ahead.first = first;
  std::swap(ahead.versions, versions);
  std::swap(ahead.bytes, bytes);
  return OkStatus();
}

}  // namespace

Snapshot::Snapshot() = default;
Snapshot::Snapshot(Snapshot&&) noexcept = default;
Snapshot& Snapshot::operator=(Snapshot&&) noexcept = default;
Snapshot::~Snapshot() = default;

Snapshot::Snapshot(internal::StoreImpl* store, std::unique_ptr<internal::Pin> pin,
                   std::shared_ptr<internal::Timeline> timeline, const CommitInfo& commit)
    : store_(store), pin_(std::move(pin)), timeline_(std::move(timeline)), commit_(commit) {}

Status Snapshot::ReadPage(PageNo page_no, std::span<std::byte> out) const {
  return ReadPage(page_no, out, From::kCacheOrStore);
}

Status Snapshot::ReadStoredPage(PageNo page_no, std::span<std::byte> out) const {
  return ReadPage(page_no, out, From::kStore);
}

Status Snapshot::ReadPage(PageNo page_no, std::span<std::byte> out, From from) const try {
  if (!page_no.valid() || page_no.value > page_count()) {
    return Status(StatusCode::kOutOfRange,
                  "page " + std::to_string(page_no.value) + " of " + std::to_string(page_count()));
  }
  if (out.size() != page_size()) {
    return Status(StatusCode::kInvalidArgument, "the buffer has " + std::to_string(out.size()) +
                                                    " bytes, a page " +
                                                    std::to_string(page_size()));
  }
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  Status status = Read(page_no, out, from);
  return status.ok() ? status : status.WithContext("object " + pin_->object().DisplayName());
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Status Snapshot::Read(PageNo page_no, std::span<std::byte> out, From from) const {
  const internal::PageReader& reader = store_->reader();
  if (read_ahead_ == nullptr) read_ahead_ = std::make_unique<ReadAhead>();
  ReadAhead& ahead = *read_ahead_;
  ahead.run_length = page_no.value == ahead.last_page + 1 ? ahead.run_length + 1 : 0;
  ahead.last_page = page_no.value;

  std::optional<PageVersion> version;
  const uint32_t position = page_no.value - ahead.first;
  const bool fetched = page_no.value >= ahead.first && position < ahead.versions.size();
  const bool sequential = fetched || ahead.run_length >= ReadAhead::kSequentialReads;
  // What is read in order is not kept: it would only drive out what is read again.
  const bool cached = !sequential && from == From::kCacheOrStore;
  if (cached) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto written,
                              reader.ReadCached(*timeline_, page_no, lsn(), out));
    if (written) {
      NoteRead(*written);
      return OkStatus();
    }
  }
  if (!fetched && sequential) {
    TIDEMARK_RETURN_IF_ERROR(Fetch(reader, *timeline_, page_no.value, page_count(), lsn(), ahead));
    version = ahead.versions[0];
  } else if (fetched) {
    version = ahead.versions[position];
  } else {
    TIDEMARK_ASSIGN_OR_RETURN(version, reader.Find(*timeline_, page_no, lsn()));
  }
  if (!version) {
    std::fill(out.begin(), out.end(), std::byte{0});
    return OkStatus();
  }
  if (!version->is_block() && version->depth > 0) {
    // What is past gets no image by the next commit.
    internal::ChainReads& chain_reads = store_->chain_reads();
    if (pin_->is_head()) chain_reads.NoteRead(timeline_->id(), page_no, version->depth);
    chain_reads.NoteLinks(version->depth);
  }
  internal::PageIdentity identity;
  Status status;
  bool decoded = false;
  if (!ahead.bytes.empty() && version->location.segment == ahead.begin.segment &&
      version->location.offset >= ahead.begin.offset) {
    const size_t from = version->location.offset - ahead.begin.offset;
    if (from + version->length <= ahead.bytes.size()) {
      status = reader.Decode(timeline_.get(), page_no, *version,
                             internal::ConstBytes(ahead.bytes).subspan(from, version->length), out,
                             &identity);
      decoded = true;
    }
  }
  if (!decoded) {
    status = cached ? reader.ReadAndKeep(*timeline_, page_no, lsn(), *version, out, &identity)
                    : reader.Read(timeline_.get(), page_no, *version, out, &identity);
  }
  if (status.ok()) NoteRead(version->is_indirect() ? identity.lsn : version->lsn);
  return status;
}

void Snapshot::NoteRead(Lsn written) const {
  if (!written.valid() || written > lsn()) written = lsn();
  newest_read_ = std::max(newest_read_, written);
}

Status Snapshot::VisitChangedPages(const Snapshot& other,
                                   const std::function<bool(PageNo)>& visit) const try {
  internal::StoreImpl* store = store_ != nullptr ? store_ : other.store_;
  if (store == nullptr) return OkStatus();
  if (other.store_ != nullptr && other.store_ != store) {
    return Status(StatusCode::kInvalidArgument, "the snapshots are of two stores");
  }
  TIDEMARK_RETURN_IF_ERROR(store->queue().broken());
  const uint32_t both = std::min(page_count(), other.page_count());
  std::optional<internal::PageSet> pages;
  if (both > 0 && page_size() == other.page_size()) {
    TIDEMARK_ASSIGN_OR_RETURN(
        pages,
        internal::FindChangedPages(store->index(), store->segments(), {timeline_.get(), lsn()},
                                   {other.timeline_.get(), other.lsn()}, both));
  }
  const uint32_t last = std::max(page_count(), other.page_count());
  for (uint64_t number = 1; number <= last; ++number) {
    const PageNo page(static_cast<uint32_t>(number));
    if (pages && number <= both && !pages->Contains(page)) continue;
    if (!visit(page)) break;
  }
  return OkStatus();
} catch (const std::bad_alloc&) {
  return store_ != nullptr ? store_->OutOfMemory() : Status::OutOfMemory();
}

Status Snapshot::Verify() const try {
  std::vector<std::byte> page(page_size());
  uint64_t hash = 0;
  for (uint64_t number = 1; number <= page_count(); ++number) {
    const PageNo page_no(static_cast<uint32_t>(number));
    TIDEMARK_RETURN_IF_ERROR(ReadStoredPage(page_no, page));
    hash ^= internal::PageHash(page_no, page);
  }
  if (hash != commit_.state_hash) {
    return Status(StatusCode::kCorruption,
                  "object " + pin_->object().DisplayName() + ": the pages at LSN " +
                      std::to_string(lsn().value) +
                      " are not those that were committed: the state hash differs");
  }
  return OkStatus();
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

}  // namespace tidemark
