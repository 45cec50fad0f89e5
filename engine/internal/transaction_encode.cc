// A transaction's way into the log, first part: what is staged becomes page versions in memory, and
// batches in the log where they are too many. transaction_commit.cc publishes them.

#include <optional>
#include <utility>

#include "engine/check.h"
#include "engine/internal/transaction_impl.h"

namespace tidemark {

using internal::CommitQueue;
using internal::ConstBytes;
using internal::PageChange;
using internal::PageVersion;
using internal::Timeline;

namespace {

// A full image in a commit of few pages is worth compressing; in a bulk load it would cost more
// than the disk.
constexpr size_t kCompressUpToPages = 16;
// Byte ranges up to here are taken as they are: zstd costs ten times as much to make, and wins
// little on one small value.
constexpr size_t kSmallPatchBytes = 160;
// Patches may add up to this before a full image is due, whatever their number.
constexpr uint32_t kMaxChainBytes = 32u << 10;
// More than the fields of any frame.
constexpr size_t kFrameFieldBytes = 256;

}  // namespace

// ---- encoding ----------------------------------------------------------------------------------

Status Transaction::Impl::EncodePage(PageNo page, ConstBytes image, bool compress,
                                     PreImageSource* pre_images, uint64_t* state_hash) {
  TIDEMARK_ASSIGN_OR_RETURN(const auto current, Current(page));
  const uint64_t hash = internal::PageHash(page, image);
  std::optional<PageVersion> base = current;
  bool has_pre_image = false;  // in `page_`
  // A commit builds on others only: so its batches can be packed one without the other.
  const bool in_batch = batched_ != nullptr && batched_->Contains(page);
  if (in_batch) {
    if (current->hash == hash) return OkStatus();
    *state_hash ^= current->hash;
    base.reset();
    if (page.value <= kept_) {
      TIDEMARK_ASSIGN_OR_RETURN(base, store_.reader().Find(*timeline_, page, base_.lsn));
    }
  }
  if (base && base->is_indirect()) {
    page_.resize(page_size_);
    internal::PageIdentity identity;
    TIDEMARK_RETURN_IF_ERROR(store_.reader()
                                 .Read(timeline_.get(), page, *base, page_, &identity)
                                 .WithContext(state_->DisplayName()));
    has_pre_image = true;
    base = identity.version.value_or(PageVersion());  // of what is in a block without a place
    base->lsn = identity.lsn;
    base->hash = identity.hash;
  }
  if (base && !in_batch) {
    if (base->hash == hash) return OkStatus();  // nothing changed
    *state_hash ^= base->hash;
  }
  *state_hash ^= hash;
  PageChange& change = changes_.emplace_back();
  change.page = page;
  change.version = {};
  change.version.location.offset = static_cast<uint32_t>(payload_.size());

  internal::ChainReads& chain_reads = store_.chain_reads();
  if (base && base->depth < store_.options().max_chain_length &&
      base->chain_units * 256u < kMaxChainBytes &&
      (base->depth == 0 || !chain_reads.IsImageDue(timeline_->id(), page))) {
    ConstBytes pre_image = pre_images != nullptr ? pre_images->PreImage(page) : ConstBytes();
    if (has_pre_image) {
      pre_image = page_;
    } else if (pre_image.size() != image.size() ||
               internal::PageHash(page, pre_image) != base->hash) {
      page_.resize(page_size_);
      TIDEMARK_RETURN_IF_ERROR(store_.reader()
                                   .Read(timeline_.get(), page, *base, page_)
                                   .WithContext(state_->DisplayName()));
      pre_image = page_;
    }
    if (const auto form = EncodePatch(pre_image, image, compress)) {
      internal::AppendPageVersion(page, *form, hash, &*base, patch_, payload_, change.version);
      chain_reads.NotePatch(timeline_->id(), page, base->depth);
      return OkStatus();
    }
  }
  if (base) chain_reads.NoteImage(timeline_->id(), page);
  patch_.clear();
  if (compress && internal::CompressPage(image, patch_)) {
    internal::AppendPageVersion(page, format::PageForm::kZstd, hash, nullptr, patch_, payload_,
                                change.version);
  } else {
    internal::AppendPageVersion(page, format::PageForm::kRaw, hash, nullptr, image, payload_,
                                change.version);
  }
  return OkStatus();
}

// Leaves the patch in `patch_`; empty if a full image is better.
std::optional<format::PageForm> Transaction::Impl::EncodePatch(ConstBytes pre_image,
                                                               ConstBytes image, bool compress) {
  patch_.clear();
  const size_t most = image.size() / 3;
  const bool has_ranges = internal::EncodeRanges(pre_image, image, most, patch_);
  if (compress && (!has_ranges || patch_.size() > kSmallPatchBytes) && zstd_patches_.IsDue()) {
    const size_t ranges = patch_.size();
    const bool pays =
        internal::CompressPatch(pre_image, image, has_ranges ? ranges - ranges / 4 : most, patch_);
    zstd_patches_.Note(pays);
    if (pays) {
      patch_.erase(patch_.begin(), patch_.begin() + static_cast<ptrdiff_t>(ranges));
      return format::PageForm::kZstdPatch;
    }
  }
  if (!has_ranges) return std::nullopt;
  return format::PageForm::kRanges;
}

// Pages that the database grew over and nobody wrote are zeros, whatever stood there before.
template <typename Visit>
Status Transaction::Impl::ForEachHole(Visit visit) const {
  for (uint32_t number = kept_ + 1; number <= page_count_; ++number) {
    const PageNo page(number);
    if (!staged_.Find(page).empty()) continue;
    if (batched_ != nullptr && batched_->Contains(page)) continue;
    TIDEMARK_RETURN_IF_ERROR(visit(page));
  }
  return OkStatus();
}

void Transaction::Impl::EncodeHole(PageNo page, uint64_t* state_hash) {
  const uint64_t hash = internal::ZeroPageHash(page, page_size_);
  *state_hash ^= hash;
  PageChange& change = changes_.emplace_back();
  change.page = page;
  change.version = {};
  change.version.location.offset = static_cast<uint32_t>(payload_.size());
  internal::AppendPageVersion(page, format::PageForm::kZero, hash, nullptr, {}, payload_,
                              change.version);
}

// ---- batches -----------------------------------------------------------------------------------

bool Transaction::Impl::HasBatchRoom() const {
  const size_t most = CommitQueue::MaxRecordBytes(store_.options().segment_size_bytes) / 4 * 3;
  const size_t page = page_size_ + internal::kPageVersionOverhead;
  return payload_.size() + page + (changes_.size() + 1) * internal::kBatchEntryBytes <= most;
}

Status Transaction::Impl::WriteStagedBatches() {
  uint64_t hash = state_hash_;
  payload_.clear();
  changes_.clear();
  for (const PageNo page : staged_.Sorted()) {
    if (!HasBatchRoom()) TIDEMARK_RETURN_IF_ERROR(AppendBatch(hash));
    TIDEMARK_RETURN_IF_ERROR(EncodePage(page, staged_.Find(page), false, nullptr, &hash));
  }
  TIDEMARK_RETURN_IF_ERROR(AppendBatch(hash));
  // Only now: had a batch failed, what it should have held would still be staged.
  staged_.Reset(page_size_);
  return OkStatus();
}

Status Transaction::Impl::WriteHoleBatches() {
  uint64_t hash = state_hash_;
  payload_.clear();
  changes_.clear();
  TIDEMARK_RETURN_IF_ERROR(ForEachHole([&](PageNo page) -> Status {
    if (!HasBatchRoom()) TIDEMARK_RETURN_IF_ERROR(AppendBatch(hash));
    EncodeHole(page, &hash);
    return OkStatus();
  }));
  return AppendBatch(hash);
}

// Writes `payload_` and `changes_` as one batch and empties them. `state_hash` is that of the
// database with them.
Status Transaction::Impl::AppendBatch(uint64_t state_hash) {
  if (changes_.empty()) return OkStatus();
  internal::BatchFields batch;
  if (batched_ != nullptr) {
    batch.number = batched_->batch_count() + 1;
    batch.previous = batched_->last();
  }
  for (const PageChange& change : changes_) {
    const internal::PageVersion& version = change.version;
    batch.pages.push_back(
        {change.page, version.length, version.depth, version.chain_units, version.hash});
  }
  fields_.clear();
  internal::EncodeBatch(batch, fields_);
  if (batched_ == nullptr) batched_ = std::make_shared<internal::BatchedPages>();
  batched_->MakeRoom(changes_);
  if (open_batches_ == nullptr) open_batches_ = store_.open_batches().Open();
  TIDEMARK_ASSIGN_OR_RETURN(
      auto reservation,
      store_.queue().Reserve(fields_.size() + payload_.size(), 1, internal::LogRoom::kCommits));
  CommitQueue::Scope scope(store_.queue(), std::move(reservation));
  TIDEMARK_RETURN_IF_ERROR(scope.status());
  const CommitQueue::Appended appended =
      scope.Append(internal::RecordKind::kBatch, TimelineId(), fields_, payload_);
  scope.Leave();
  scope.Finish();
  if (batch.number == 1) store_.open_batches().Place(open_batches_, appended.location.segment);
  batched_->Add({appended.location, appended.hash},
                appended.payload.offset - appended.location.offset, appended.length, changes_);
  state_hash_ = state_hash;
  payload_.clear();
  changes_.clear();
  return OkStatus();
}

// ---- a frame -----------------------------------------------------------------------------------

Status Transaction::Impl::Encode(PreImageSource* pre_images, size_t beside_bytes) {
  CHECK(active_);
  encoded_ = false;
  room_.Release();  // of an earlier Encode, before its timeline goes
  // More than a record holds goes out as batches, and the frame has only what is left.
  const size_t most = CommitQueue::MaxRecordBytes(store_.options().segment_size_bytes);
  const size_t staged = staged_.size() * (page_size_ + internal::kPageVersionOverhead);
  if (beside_bytes + staged > most / 2) TIDEMARK_RETURN_IF_ERROR(WriteStagedBatches());
  size_t holes = 0;
  TIDEMARK_RETURN_IF_ERROR(ForEachHole([&](PageNo) { return ++holes, OkStatus(); }));
  if (beside_bytes + holes * internal::kImageOverhead > most / 4) {
    TIDEMARK_RETURN_IF_ERROR(WriteHoleBatches());
  }
  payload_.clear();
  changes_.clear();
  prepared_hash_ = state_hash_;
  const bool compress = staged_.size() <= kCompressUpToPages && batched_ == nullptr;
  for (const PageNo page : staged_.Sorted()) {
    TIDEMARK_RETURN_IF_ERROR(
        EncodePage(page, staged_.Find(page), compress, pre_images, &prepared_hash_));
  }
  TIDEMARK_RETURN_IF_ERROR(ForEachHole([&](PageNo page) {
    EncodeHole(page, &prepared_hash_);
    return OkStatus();
  }));
  MakeRoom();
  encoded_ = true;
  return OkStatus();
}

// Nothing that comes behind this asks for memory, but for a new segment.
void Transaction::Impl::MakeRoom() {
  fields_.reserve(kFrameFieldBytes + 2 * state_->ns->name.size() + state_->name.size());
  Timeline* timeline = timeline_.get();
  if (timeline == nullptr || rewrite_) {
    new_timeline_ = store_.MakeTimeline(nullptr);
    timeline = new_timeline_.timeline.get();
  }
  if (state_->ns->id == 0) {
    new_namespace_ = internal::PendingRow<internal::NamespaceRow>({.name = state_->ns->name});
  }
  store_.MakeRoom(state_, *timeline, changes_, &room_);
}

size_t Transaction::Impl::EncodedBytes() const {
  // The frame's fields, and before the frame what brings its timeline into being.
  constexpr size_t kOthers = 4096;
  return payload_.size() + kOthers;
}

}  // namespace tidemark
