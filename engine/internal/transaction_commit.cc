// A transaction's way into the log: encoding what is staged, batches, and publishing the frame.

#include <optional>

#include "engine/check.h"
#include "engine/internal/transaction_impl.h"

namespace tidemark {

using internal::CommitQueue;
using internal::ConstBytes;
using internal::PageChange;
using internal::Timeline;

namespace {

// A full image in a commit of few pages is worth compressing; in a bulk load it would cost more
// than the disk.
constexpr size_t kCompressUpToPages = 16;
// Patches may add up to this before a full image is due, whatever their number.
constexpr uint32_t kMaxChainBytes = 32u << 10;

}  // namespace

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
      // As in Object::Restore: the directory names the timeline that a rewrite ends.
      row.location = scope.Append(kind, is_new ? row.id : timeline_->id(), fields_, {}).location;
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

}  // namespace tidemark
