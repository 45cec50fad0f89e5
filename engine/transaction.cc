#include "engine/transaction.h"

#include <bit>
#include <optional>
#include <unordered_map>

#include "engine/check.h"
#include "engine/internal/page_codec.h"
#include "engine/internal/record.h"
#include "engine/internal/staged_pages.h"
#include "engine/internal/store_impl.h"
#include "engine/object.h"

namespace tidemark {

using internal::Buffer;
using internal::CommitQueue;
using internal::ConstBytes;
using internal::ObjectState;
using internal::PageChange;
using internal::PageVersion;
using internal::StagedPages;
using internal::StoreImpl;
using internal::Timeline;

namespace {

// A full image in a commit of few pages is worth compressing; in a bulk load it would cost more
// than the disk.
constexpr size_t kCompressUpToPages = 16;
// Patches may add up to this before a full image is due, whatever their number.
constexpr uint32_t kMaxChainBytes = 32u << 10;

}  // namespace

class Transaction::Impl {
 public:
  explicit Impl(std::shared_ptr<Object> object)
      : object_(std::move(object)), store_(*object_->store_), state_(object_->state_) {}

  Status Begin();
  void End();
  Status ResetPageSize(uint32_t page_size);
  Status WritePage(PageNo page, ConstBytes image);
  Status ReadPage(PageNo page, std::span<std::byte> out);
  Status SetPageCount(uint32_t count);
  Status Prepare(PreImageSource* pre_images);
  Result<CommitInfo> Publish();
  void Rollback();

  bool active() const { return active_; }
  const CommitInfo& base() const { return base_; }
  uint32_t page_size() const { return page_size_; }
  uint32_t page_count() const { return page_count_; }
  bool has_changes() const {
    return !staged_.empty() || !batches_.empty() || rewrite_ || page_count_ != base_.page_count ||
           kept_ != base_.page_count;
  }

 private:
  // What a page is before the staged image: a version, or nothing.
  Result<std::optional<PageVersion>> Current(PageNo page) const;
  // Adds one page to `payload_` and `changes_`, and its hashes to `state_hash`.
  Status EncodePage(PageNo page, ConstBytes image, bool compress, PreImageSource* pre_images,
                    uint64_t* state_hash);
  Status EncodeZeros(uint64_t* state_hash);
  Status WriteBatch();
  Status DropPagesAbove(uint32_t count);
  void ForgetBatches();
  void Stand(const CommitInfo& base, std::shared_ptr<Timeline> timeline);

  const std::shared_ptr<Object> object_;
  StoreImpl& store_;
  const std::shared_ptr<ObjectState> state_;

  bool active_ = false;
  CommitInfo base_;
  std::shared_ptr<Timeline> timeline_;  // of the base; null for an object that does not exist

  uint32_t page_size_ = 0;
  uint32_t page_count_ = 0;
  uint32_t kept_ = 0;        // pages of the base up to here were never cut off
  bool rewrite_ = false;     // inherits no pages: another page size
  uint64_t state_hash_ = 0;  // with what was written in batches, without what is staged
  StagedPages staged_;

  std::vector<internal::BatchReference> batches_;
  uint64_t batch_bytes_ = 0;
  size_t batch_pages_ = 0;
  Lsn first_batch_;
  std::unordered_map<uint32_t, PageVersion>
      placed_;  // pages in batches, as the last batch has them

  // Of Prepare, for Publish.
  CommitQueue::Reservation reservation_;
  uint64_t prepared_hash_ = 0;
  Buffer payload_;
  std::vector<PageChange> changes_;  // locations relative to the payload until published
  Buffer patch_;
  Buffer page_;
  Buffer fields_;
};

// ---- staging -----------------------------------------------------------------------------------

Status Transaction::Impl::Begin() {
  CHECK(!active_);
  TIDEMARK_RETURN_IF_ERROR(store_.queue().broken());
  CommitInfo head;
  std::shared_ptr<Timeline> timeline;
  {
    std::lock_guard lock(state_->mutex);
    if (state_->writer) {
      return Status(StatusCode::kBusy,
                    "object " + state_->DisplayName() + " is being written by another transaction");
    }
    head = state_->head;
    timeline = state_->timeline;
    if (timeline != nullptr && timeline->damaged_from().valid() &&
        timeline->damaged_from() <= head.lsn) {
      const internal::Location place = timeline->damage_location();
      return Status(StatusCode::kCorruption,
                    "object " + state_->DisplayName() + " is damaged from LSN " +
                        std::to_string(timeline->damaged_from().value) + " on (segment " +
                        std::to_string(place.segment) + ", offset " + std::to_string(place.offset) +
                        "): restore it to a bookmark before that to write again");
    }
    state_->writer = true;
  }
  active_ = true;
  Stand(head, std::move(timeline));
  return OkStatus();
}

void Transaction::Impl::End() {
  if (!active_) return;
  Rollback();
  active_ = false;
  timeline_ = nullptr;
  std::lock_guard lock(state_->mutex);
  state_->writer = false;
}

void Transaction::Impl::Stand(const CommitInfo& base, std::shared_ptr<Timeline> timeline) {
  base_ = base;
  timeline_ = std::move(timeline);
  Rollback();
}

void Transaction::Impl::Rollback() {
  reservation_.Release();
  page_size_ = base_.page_size;
  page_count_ = kept_ = base_.page_count;
  state_hash_ = base_.state_hash;
  rewrite_ = false;
  staged_.Reset(page_size_);
  ForgetBatches();
}

void Transaction::Impl::ForgetBatches() {
  if (batches_.empty()) return;
  batches_.clear();
  batch_bytes_ = 0;
  batch_pages_ = 0;
  first_batch_ = Lsn();
  placed_ = {};
  changes_ = {};
}

Status Transaction::Impl::ResetPageSize(uint32_t page_size) {
  CHECK(active_);
  if (!std::has_single_bit(page_size) || page_size < format::kMinPageSize ||
      page_size > format::kMaxPageSize) {
    return Status(StatusCode::kInvalidArgument, "page size " + std::to_string(page_size) +
                                                    " is not a power of two from 512 to 65536");
  }
  if (page_size == page_size_) return OkStatus();
  reservation_.Release();
  // The object's first pages need no new timeline to have nothing to inherit.
  rewrite_ = base_.page_count > 0;
  page_size_ = page_size;
  page_count_ = kept_ = 0;
  state_hash_ = 0;
  staged_.Reset(page_size);
  ForgetBatches();
  return OkStatus();
}

Status Transaction::Impl::WritePage(PageNo page, ConstBytes image) {
  CHECK(active_);
  if (!page.valid()) return Status(StatusCode::kOutOfRange, "page numbers begin at 1");
  if (page_size_ == 0 || image.size() != page_size_) {
    return Status(StatusCode::kInvalidArgument, "a page of " + std::to_string(image.size()) +
                                                    " bytes was written where pages are " +
                                                    std::to_string(page_size_));
  }
  reservation_.Release();
  if (staged_.size_bytes() >= store_.options().transaction_memory_bytes &&
      staged_.Find(page).empty()) {
    TIDEMARK_RETURN_IF_ERROR(WriteBatch());
  }
  staged_.Put(page, image);
  page_count_ = std::max(page_count_, page.value);
  return OkStatus();
}

Status Transaction::Impl::ReadPage(PageNo page, std::span<std::byte> out) {
  CHECK(active_);
  if (!page.valid() || page.value > page_count_) {
    return Status(StatusCode::kOutOfRange,
                  "page " + std::to_string(page.value) + " of " + std::to_string(page_count_));
  }
  if (out.size() != page_size_) {
    return Status(StatusCode::kInvalidArgument, "the buffer is not one page");
  }
  if (const ConstBytes image = staged_.Find(page); !image.empty()) {
    std::copy(image.begin(), image.end(), out.begin());
    return OkStatus();
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto version, Current(page));
  if (!version) {
    std::fill(out.begin(), out.end(), std::byte{0});
    return OkStatus();
  }
  return store_.reader().Read(page, *version, out).WithContext(state_->DisplayName());
}

Result<std::optional<PageVersion>> Transaction::Impl::Current(PageNo page) const {
  if (!placed_.empty()) {
    const auto it = placed_.find(page.value);
    if (it != placed_.end()) return std::optional<PageVersion>(it->second);
  }
  if (page.value > kept_) return std::optional<PageVersion>();
  return store_.reader().Find(*timeline_, page, base_.lsn);
}

Status Transaction::Impl::SetPageCount(uint32_t count) {
  CHECK(active_);
  if (count == page_count_) return OkStatus();
  reservation_.Release();
  if (count < page_count_) TIDEMARK_RETURN_IF_ERROR(DropPagesAbove(count));
  page_count_ = count;
  return OkStatus();
}

// Takes pages out of the state hash and out of what is staged, for good: should the database grow
// again, they are new.
Status Transaction::Impl::DropPagesAbove(uint32_t count) {
  uint64_t hash = state_hash_;
  constexpr size_t kStep = 256;
  std::vector<std::optional<PageVersion>> versions;
  for (uint32_t first = count + 1; first <= kept_; first += kStep) {
    versions.resize(std::min<size_t>(kStep, kept_ - first + 1));
    TIDEMARK_RETURN_IF_ERROR(
        store_.reader().FindRange(*timeline_, PageNo(first), base_.lsn, versions));
    for (size_t i = 0; i < versions.size(); ++i) {
      const uint32_t page = first + static_cast<uint32_t>(i);
      if (versions[i] && !placed_.contains(page)) hash ^= versions[i]->hash;
    }
  }
  std::erase_if(placed_, [&](const auto& entry) {
    if (entry.first <= count) return false;
    hash ^= entry.second.hash;
    return true;
  });
  const std::vector<PageNo> pages = staged_.Sorted();
  if (!pages.empty() && pages.back().value > count) {
    StagedPages kept;
    kept.Reset(page_size_);
    for (const PageNo page : pages) {
      if (page.value <= count) kept.Put(page, staged_.Find(page));
    }
    std::swap(staged_, kept);
  }
  state_hash_ = hash;
  kept_ = std::min(kept_, count);
  return OkStatus();
}

// ---- encoding ----------------------------------------------------------------------------------

Status Transaction::Impl::EncodePage(PageNo page, ConstBytes image, bool compress,
                                     PreImageSource* pre_images, uint64_t* state_hash) {
  TIDEMARK_ASSIGN_OR_RETURN(const auto base, Current(page));
  const uint64_t hash = internal::PageHash(page, image);
  if (base) {
    if (base->hash == hash) return OkStatus();  // nothing changed
    *state_hash ^= base->hash;
  }
  *state_hash ^= hash;
  PageChange& change = changes_.emplace_back();
  change.page = page;
  change.version = {};
  change.version.location.offset = static_cast<uint32_t>(payload_.size());

  if (base && base->depth < store_.options().max_chain_length &&
      base->chain_units * 256u < kMaxChainBytes) {
    ConstBytes pre_image = pre_images != nullptr ? pre_images->PreImage(page) : ConstBytes();
    if (pre_image.size() != image.size() || internal::PageHash(page, pre_image) != base->hash) {
      page_.resize(page_size_);
      TIDEMARK_RETURN_IF_ERROR(
          store_.reader().Read(page, *base, page_).WithContext(state_->DisplayName()));
      pre_image = page_;
    }
    patch_.clear();
    if (internal::EncodePatch(pre_image, image, image.size() / 3, patch_)) {
      internal::AppendPageVersion(page, format::PageForm::kRanges, hash, &*base, patch_, payload_,
                                  change.version);
      return OkStatus();
    }
  }
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

// Pages that the database grew over and nobody wrote are zeros, whatever stood there before.
Status Transaction::Impl::EncodeZeros(uint64_t* state_hash) {
  for (uint32_t number = kept_ + 1; number <= page_count_; ++number) {
    const PageNo page(number);
    if (!staged_.Find(page).empty() || placed_.contains(number)) continue;
    const uint64_t hash = internal::ZeroPageHash(page, page_size_);
    *state_hash ^= hash;
    PageChange& change = changes_.emplace_back();
    change.page = page;
    change.version = {};
    change.version.location.offset = static_cast<uint32_t>(payload_.size());
    internal::AppendPageVersion(page, format::PageForm::kZero, hash, nullptr, {}, payload_,
                                change.version);
  }
  return OkStatus();
}

// Writes what is staged as batch records, which count for nothing until the closing frame.
Status Transaction::Impl::WriteBatch() {
  TIDEMARK_RETURN_IF_ERROR(store_.checkpointer().Throttle());
  const size_t most = CommitQueue::MaxRecordBytes(store_.options().segment_size_bytes) / 4 * 3;
  uint64_t hash = state_hash_;
  const std::vector<PageNo> pages = staged_.Sorted();
  for (size_t next = 0; next < pages.size();) {
    payload_.clear();
    changes_.clear();
    while (next < pages.size() &&
           payload_.size() + page_size_ + internal::kPageVersionOverhead <= most) {
      TIDEMARK_RETURN_IF_ERROR(
          EncodePage(pages[next], staged_.Find(pages[next]), false, nullptr, &hash));
      ++next;
    }
    if (changes_.empty()) continue;
    internal::BatchFields batch;
    batch.timeline = timeline_ != nullptr && !rewrite_ ? timeline_->id() : TimelineId();
    batch.first_batch = first_batch_;
    for (const PageChange& change : changes_) {
      batch.pages.push_back({change.page, change.version.length});
    }
    fields_.clear();
    internal::EncodeBatch(batch, fields_);
    TIDEMARK_ASSIGN_OR_RETURN(auto reservation,
                              store_.queue().Reserve(fields_.size() + payload_.size(), 1));
    CommitQueue::Appended appended;
    {
      CommitQueue::Scope scope(store_.queue(), std::move(reservation));
      TIDEMARK_RETURN_IF_ERROR(scope.status());
      appended = scope.Append(internal::RecordKind::kBatch, batch.timeline, fields_, payload_);
    }
    store_.queue().FinishPublish(appended.lsn);
    if (!first_batch_.valid()) first_batch_ = appended.lsn;
    batches_.push_back({appended.location, appended.hash});
    batch_bytes_ += appended.length;
    batch_pages_ += changes_.size();
    for (PageChange& change : changes_) {
      change.version.location = {appended.payload.segment,
                                 appended.payload.offset + change.version.location.offset};
      placed_[change.page.value] = change.version;
    }
    // What is placed is out of the staged pages only when all of it is; until then `hash` is ahead
    // of them, so it is kept page by page.
    state_hash_ = hash;
  }
  staged_.Reset(page_size_);
  return OkStatus();
}

Status Transaction::Impl::Prepare(PreImageSource* pre_images) {
  CHECK(active_);
  TIDEMARK_RETURN_IF_ERROR(store_.queue().broken());
  if (reservation_.held()) return OkStatus();
  if (!has_changes()) return OkStatus();
  TIDEMARK_RETURN_IF_ERROR(store_.checkpointer().Throttle());
  // More than a record holds goes out as batches, and the frame has only what is left.
  const size_t most = CommitQueue::MaxRecordBytes(store_.options().segment_size_bytes) / 2;
  if (staged_.size() * (page_size_ + internal::kPageVersionOverhead) > most) {
    TIDEMARK_RETURN_IF_ERROR(WriteBatch());
  }
  payload_.clear();
  changes_.clear();
  prepared_hash_ = state_hash_;
  const bool compress = staged_.size() <= kCompressUpToPages && batches_.empty();
  for (const PageNo page : staged_.Sorted()) {
    TIDEMARK_RETURN_IF_ERROR(
        EncodePage(page, staged_.Find(page), compress, pre_images, &prepared_hash_));
  }
  TIDEMARK_RETURN_IF_ERROR(EncodeZeros(&prepared_hash_));
  // The frame, and before it what brings its timeline into being.
  const size_t others = 4096 + batches_.size() * 24;
  const size_t needed = payload_.size() + others;
  if (needed > CommitQueue::MaxRecordBytes(store_.options().segment_size_bytes)) {
    return Status(StatusCode::kLimitExceeded,
                  "the commit's frame would take " + std::to_string(needed) +
                      " bytes, more than a record may: write the database in smaller steps");
  }
  TIDEMARK_ASSIGN_OR_RETURN(reservation_, store_.queue().Reserve(needed, 3));
  return OkStatus();
}

// ---- committing --------------------------------------------------------------------------------

Result<CommitInfo> Transaction::Impl::Publish() {
  CHECK(active_);
  TIDEMARK_RETURN_IF_ERROR(store_.queue().broken());
  if (!reservation_.held()) {
    CHECK(!has_changes());  // Prepare comes first
    return base_;
  }
  const bool nothing = changes_.empty() && batches_.empty() && !rewrite_ &&
                       page_count_ == base_.page_count && kept_ == base_.page_count;
  if (nothing) {
    Rollback();
    return base_;
  }
  internal::FrameFields frame;
  frame.page_size = page_size_;
  frame.page_count = page_count_;
  frame.state_hash = prepared_hash_;
  frame.version_count = static_cast<uint32_t>(changes_.size());
  frame.batches = batches_;

  const bool is_new = timeline_ == nullptr;
  bool new_namespace = false;
  internal::TimelineRow row;
  CommitQueue::Appended appended;
  Lsn first;
  {
    CommitQueue::Scope scope(store_.queue(), std::move(reservation_));
    TIDEMARK_RETURN_IF_ERROR(scope.status());
    first = scope.next_lsn();
    if (is_new && state_->ns->id == 0) {
      fields_.clear();
      internal::EncodeNamespace({.name = state_->ns->name, .unique_key = state_->ns->name},
                                fields_);
      state_->ns->id =
          scope.Append(internal::RecordKind::kNamespace, TimelineId(), fields_, {}).lsn.value;
      new_namespace = true;
    }
    if (is_new || rewrite_) {
      fields_.clear();
      row.kind = is_new ? internal::TimelineKind::kCreate : internal::TimelineKind::kRewrite;
      row.namespace_id = state_->ns->id;
      row.object = state_->id;
      auto kind = internal::RecordKind::kObject;
      if (is_new) {
        internal::EncodeObject(
            {.namespace_id = state_->ns->id, .id = state_->id, .name = state_->name}, fields_);
      } else {
        kind = internal::RecordKind::kTimeline;
        internal::EncodeTimeline({.operation = format::TimelineOperation::kRewrite,
                                  .object = state_->id,
                                  .parent = timeline_->id(),
                                  .parent_lsn = base_.lsn,
                                  .page_size = page_size_,
                                  .page_count = 0,
                                  .state_hash = 0,
                                  .from = {},
                                  .to = {}},
                                 fields_);
      }
      row.id = TimelineId(scope.next_lsn().value);
      row.location = scope.Append(kind, row.id, fields_, {}).location;
      frame.timeline = row.id;
    } else {
      frame.timeline = timeline_->id();
    }
    fields_.clear();
    internal::EncodeFrame(frame, fields_);
    appended = scope.Append(internal::RecordKind::kFrame, frame.timeline, fields_, payload_);
  }

  if (new_namespace) store_.AddNamespace(state_->ns);
  std::shared_ptr<Timeline> timeline = timeline_;
  if (row.id.valid()) {
    timeline = store_.AddTimeline(row, nullptr);
    if (is_new) {
      std::lock_guard lock(state_->mutex);
      state_->created = Lsn(row.id.value);
    }
  }
  for (PageChange& change : changes_) {
    change.version.lsn = appended.lsn;
    change.version.location = {appended.payload.segment,
                               appended.payload.offset + change.version.location.offset};
  }
  const size_t pages_changed = batch_pages_ + changes_.size();
  if (!placed_.empty()) {
    // Before the frame's: a page that both have is as the frame says.
    std::vector<PageChange> placed;
    placed.reserve(placed_.size() + changes_.size());
    for (const auto& [page, version] : placed_) {
      placed.push_back({PageNo(page), version});
      placed.back().version.lsn = appended.lsn;
    }
    placed.insert(placed.end(), changes_.begin(), changes_.end());
    changes_ = std::move(placed);
  }
  internal::RecentCommit commit;
  commit.location = appended.location;
  commit.info = {.lsn = appended.lsn,
                 .timeline = frame.timeline,
                 .epoch = appended.epoch,
                 .kind = CommitKind::kCommit,
                 .time = appended.time,
                 .page_size = page_size_,
                 .page_count = page_count_,
                 .state_hash = prepared_hash_,
                 .pages_changed = static_cast<uint32_t>(pages_changed),
                 .log_bytes = appended.length + batch_bytes_,
                 .restored_from = Lsn()};
  store_.PublishCommit(state_, timeline, commit, changes_);
  store_.queue().FinishPublish(first);
  store_.commits.fetch_add(1, std::memory_order_relaxed);
  Stand(commit.info, std::move(timeline));
  return commit.info;
}

// ---- the public face ---------------------------------------------------------------------------

Transaction::Transaction(std::shared_ptr<Object> object)
    : impl_(std::make_unique<Impl>(std::move(object))) {}
Transaction::~Transaction() { impl_->End(); }
Status Transaction::Begin() { return impl_->Begin(); }
void Transaction::End() { impl_->End(); }
bool Transaction::active() const { return impl_->active(); }
const CommitInfo& Transaction::base() const { return impl_->base(); }
uint32_t Transaction::page_size() const { return impl_->page_size(); }
uint32_t Transaction::page_count() const { return impl_->page_count(); }
bool Transaction::has_changes() const { return impl_->has_changes(); }
Status Transaction::ResetPageSize(uint32_t size) { return impl_->ResetPageSize(size); }
Status Transaction::WritePage(PageNo page_no, std::span<const std::byte> page) {
  return impl_->WritePage(page_no, page);
}
Status Transaction::ReadPage(PageNo page_no, std::span<std::byte> out) {
  return impl_->ReadPage(page_no, out);
}
Status Transaction::SetPageCount(uint32_t count) { return impl_->SetPageCount(count); }
Status Transaction::Prepare(PreImageSource* pre_images) { return impl_->Prepare(pre_images); }
Result<CommitInfo> Transaction::Publish() { return impl_->Publish(); }
Result<CommitInfo> Transaction::Commit() {
  TIDEMARK_RETURN_IF_ERROR(Prepare());
  return Publish();
}
void Transaction::Rollback() { impl_->Rollback(); }

}  // namespace tidemark
