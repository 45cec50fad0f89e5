#include "engine/transaction.h"

#include <bit>
#include <new>
#include <optional>

#include "engine/check.h"
#include "engine/internal/transaction_impl.h"

namespace tidemark {

using internal::ConstBytes;
using internal::PageVersion;
using internal::StagedPages;
using internal::Timeline;

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
    TIDEMARK_RETURN_IF_ERROR(state_->CheckCurrent());
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
  Unprepare();
  page_size_ = base_.page_size;
  page_count_ = kept_ = base_.page_count;
  state_hash_ = base_.state_hash;
  rewrite_ = false;
  schema_changed_ = false;
  alarm_ = base_.alarm;
  staged_.Reset(page_size_);
  ForgetBatches();
}

void Transaction::Impl::ReleaseMemory() noexcept {
  if (!staged_.empty() || encoded_ || batched_ != nullptr) return;
  staged_.ReleaseMemory();
  changes_ = std::vector<internal::PageChange>();
  for (internal::Buffer* buffer : {&payload_, &patch_, &page_, &fields_}) {
    *buffer = internal::Buffer();  // not {}, which leaves the memory where it is
  }
}

void Transaction::Impl::SetAlarm(std::optional<Timestamp> earliest) {
  CHECK(active_);
  const auto alarm = internal::RecordedAlarm(earliest);
  if (alarm == alarm_) return;
  Unprepare();
  alarm_ = alarm;
}

void Transaction::Impl::ForgetBatches() {
  if (open_batches_ != nullptr) {
    store_.open_batches().Close(std::exchange(open_batches_, nullptr), Lsn());
  }
  if (batched_ == nullptr) return;
  batched_ = nullptr;
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
  Unprepare();
  // The object's first pages need no new timeline to have nothing to inherit. Others do, also where
  // the base has none: no page of a timeline has versions of two sizes.
  rewrite_ = base_.page_size != 0;
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
  Unprepare();
  if (staged_.size_bytes() >= store_.options().transaction_memory_bytes &&
      staged_.Find(page).empty()) {
    TIDEMARK_RETURN_IF_ERROR(WriteStagedBatches());
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
  const internal::PageReader& reader = store_.reader();
  const bool of_base = page.value <= kept_ && (batched_ == nullptr || !batched_->Contains(page));
  if (of_base) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto written,
                              reader.ReadCached(*timeline_, page, base_.lsn, out));
    if (written) return OkStatus();
  }
  TIDEMARK_ASSIGN_OR_RETURN(const auto version, Current(page));
  if (!version) {
    std::fill(out.begin(), out.end(), std::byte{0});
    return OkStatus();
  }
  if (of_base) {
    return reader.ReadAndKeep(*timeline_, page, base_.lsn, *version, out)
        .WithContext(state_->DisplayName());
  }
  return reader.Read(timeline_.get(), page, *version, out).WithContext(state_->DisplayName());
}

Result<std::optional<PageVersion>> Transaction::Impl::Current(PageNo page) const {
  if (batched_ != nullptr) {
    TIDEMARK_ASSIGN_OR_RETURN(auto version, batched_->Find(store_.reader(), page));
    if (version) return version;
  }
  if (page.value > kept_) return std::optional<PageVersion>();
  return store_.reader().Find(*timeline_, page, base_.lsn);
}

Status Transaction::Impl::SetPageCount(uint32_t count) {
  CHECK(active_);
  if (count == page_count_) return OkStatus();
  Unprepare();
  if (count < page_count_) TIDEMARK_RETURN_IF_ERROR(DropPagesAbove(count));
  page_count_ = count;
  return OkStatus();
}

// Takes pages out of the state hash and out of what is staged, for good: should the database grow
// again, they are new.
Status Transaction::Impl::DropPagesAbove(uint32_t count) {
  uint64_t hash = state_hash_;
  if (batched_ != nullptr) {
    for (uint32_t number = count + 1; number <= page_count_; ++number) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto version,
                                batched_->Find(store_.reader(), PageNo(number)));
      if (version) hash ^= version->hash;  // never of a block: it is this transaction's own
    }
  }
  constexpr size_t kStep = 256;
  std::vector<std::optional<PageVersion>> versions;
  for (uint32_t first = count + 1; first <= kept_; first += kStep) {
    versions.resize(std::min<size_t>(kStep, kept_ - first + 1));
    TIDEMARK_RETURN_IF_ERROR(
        store_.reader().FindRange(*timeline_, PageNo(first), base_.lsn, versions));
    for (size_t i = 0; i < versions.size(); ++i) {
      const PageNo page(first + static_cast<uint32_t>(i));
      if (batched_ != nullptr && batched_->Contains(page)) continue;
      if (!versions[i]) continue;
      TIDEMARK_ASSIGN_OR_RETURN(const uint64_t page_hash,
                                store_.reader().HashOf(*timeline_, page, *versions[i], page_size_));
      hash ^= page_hash;
    }
  }
  const std::vector<PageNo> pages = staged_.Sorted();
  if (!pages.empty() && pages.back().value > count) {
    StagedPages kept;
    kept.Reset(page_size_);
    for (const PageNo page : pages) {
      if (page.value <= count) kept.Put(page, staged_.Find(page));
    }
    std::swap(staged_, kept);
  }
  // From here on nothing fails, so all of it counts.
  if (batched_ != nullptr) batched_->CutAbove(count);
  state_hash_ = hash;
  kept_ = std::min(kept_, count);
  return OkStatus();
}

// ---- the public face ---------------------------------------------------------------------------

namespace {

// Calls `call`; memory that runs out in it becomes its error.
template <typename Call>
auto Guarded(const internal::StoreImpl& store, Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return store.OutOfMemory();
  }
}

}  // namespace

Transaction::Transaction(std::shared_ptr<Object> object)
    : impl_(std::make_unique<Impl>(std::move(object))) {}
Transaction::~Transaction() { impl_->End(); }
Status Transaction::Begin() {
  return Guarded(impl_->store(), [&] { return impl_->Begin(); });
}
void Transaction::End() { impl_->End(); }
bool Transaction::active() const { return impl_->active(); }
const CommitInfo& Transaction::base() const { return impl_->base(); }
uint32_t Transaction::page_size() const { return impl_->page_size(); }
uint32_t Transaction::page_count() const { return impl_->page_count(); }
void Transaction::SetSchemaChanged(bool changed) { impl_->SetSchemaChanged(changed); }
void Transaction::SetAlarm(std::optional<Timestamp> earliest) { impl_->SetAlarm(earliest); }
bool Transaction::has_changes() const { return impl_->has_changes(); }
Status Transaction::ResetPageSize(uint32_t size) {
  return Guarded(impl_->store(), [&] { return impl_->ResetPageSize(size); });
}
Status Transaction::WritePage(PageNo page_no, std::span<const std::byte> page) {
  return Guarded(impl_->store(), [&] { return impl_->WritePage(page_no, page); });
}
Status Transaction::ReadPage(PageNo page_no, std::span<std::byte> out) {
  return Guarded(impl_->store(), [&] { return impl_->ReadPage(page_no, out); });
}
Status Transaction::SetPageCount(uint32_t count) {
  return Guarded(impl_->store(), [&] { return impl_->SetPageCount(count); });
}
Status Transaction::Prepare(PreImageSource* pre_images) {
  return Guarded(impl_->store(), [&] { return impl_->Prepare(pre_images); });
}
Result<CommitInfo> Transaction::Publish(AfterPublish after) {
  return Guarded(impl_->store(), [&] { return impl_->Publish(after); });
}
Result<CommitInfo> Transaction::Commit() {
  TIDEMARK_RETURN_IF_ERROR(Prepare());
  return Publish();
}
void Transaction::Rollback() { impl_->Rollback(); }
void Transaction::ReleaseMemory() noexcept { impl_->ReleaseMemory(); }

}  // namespace tidemark
