// Transaction's inside: what is staged, and its way into the log.
//
// Three sources: engine/transaction.cc stages pages and holds the write lock;
// engine/internal/transaction_encode.cc makes page versions of them, and batches;
// engine/internal/transaction_commit.cc publishes.
//
// The state hash is kept as the pages change: placing a page takes out the hash of what it was and
// puts in its own, cutting pages off takes theirs out. What is staged counts only when it is
// encoded.

#ifndef TIDEMARK_ENGINE_INTERNAL_TRANSACTION_IMPL_H_
#define TIDEMARK_ENGINE_INTERNAL_TRANSACTION_IMPL_H_

#include <memory>
#include <optional>
#include <vector>

#include "engine/internal/backoff.h"
#include "engine/internal/batched_pages.h"
#include "engine/internal/page_codec.h"
#include "engine/internal/record.h"
#include "engine/internal/staged_pages.h"
#include "engine/internal/store_impl.h"
#include "engine/object.h"
#include "engine/transaction.h"

namespace tidemark {

class Transaction::Impl {
 public:
  explicit Impl(std::shared_ptr<Object> object)
      : object_(std::move(object)), store_(*object_->store_), state_(object_->state_) {}

  Status Begin();
  void End();
  Status ResetPageSize(uint32_t page_size);
  Status WritePage(PageNo page, internal::ConstBytes image);
  Status ReadPage(PageNo page, std::span<std::byte> out);
  Status SetPageCount(uint32_t count);
  Status Prepare(PreImageSource* pre_images);
  Result<CommitInfo> Publish(AfterPublish after);
  void Rollback();
  void ReleaseMemory() noexcept;
  void SetSchemaChanged(bool changed) { schema_changed_ = changed; }
  void SetAlarm(std::optional<Timestamp> earliest);

  // What Prepare and Publish are made of, for one transaction or a set of them. Encode leaves the
  // page versions in memory, and makes batches of them when they and `beside_bytes` would outgrow a
  // group. The set of encoded ones needs a reservation of EncodedBytes and kMostRecords for each.
  static constexpr size_t kMostRecords = 3;
  Status Encode(PreImageSource* pre_images, size_t beside_bytes);
  size_t EncodedBytes() const;
  bool encoded() const { return encoded_; }
  bool ChangesNothing() const;
  static Status PublishAll(std::span<Impl* const> transactions,
                           internal::CommitQueue::Reservation reservation, AfterPublish after);
  internal::StoreImpl& store() const { return store_; }

  bool active() const { return active_; }
  const CommitInfo& base() const { return base_; }
  uint32_t page_size() const { return page_size_; }
  uint32_t page_count() const { return page_count_; }
  bool has_changes() const {
    return !staged_.empty() || batched_ != nullptr || rewrite_ || page_count_ != base_.page_count ||
           kept_ != base_.page_count || changes_alarm();
  }

 private:
  bool changes_alarm() const { return alarm_ != base_.alarm && page_size_ != 0; }
  // What a page is before the staged image: a version, or nothing.
  Result<std::optional<internal::PageVersion>> Current(PageNo page) const;
  // Adds one page to `payload_` and `changes_`, and its hashes to `state_hash`.
  Status EncodePage(PageNo page, internal::ConstBytes image, bool compress,
                    PreImageSource* pre_images, uint64_t* state_hash);
  std::optional<format::PageForm> EncodePatch(internal::ConstBytes pre_image,
                                              internal::ConstBytes image, bool compress);
  // Calls `visit` for each page that the database grew over and nobody wrote.
  template <typename Visit>
  Status ForEachHole(Visit visit) const;
  void EncodeHole(PageNo page, uint64_t* state_hash);
  // Write pages as batches, which count for nothing until the closing frame: what is staged, and
  // holes.
  Status WriteStagedBatches();
  Status WriteHoleBatches();
  bool HasBatchRoom() const;
  Status AppendBatch(uint64_t state_hash);
  Status DropPagesAbove(uint32_t count);
  void ForgetBatches();
  void Unprepare();
  // For what Install will add to the store's tables.
  void MakeRoom();
  // The steps of PublishAll: under the queue's lock, outside it, and when the queue knows of that.
  void Append(internal::CommitQueue::Scope& scope);
  void Install() noexcept;
  void Installed();
  void Stand(const CommitInfo& base, std::shared_ptr<internal::Timeline> timeline);

  const std::shared_ptr<Object> object_;
  internal::StoreImpl& store_;
  const std::shared_ptr<internal::ObjectState> state_;

  bool active_ = false;
  CommitInfo base_;
  std::shared_ptr<internal::Timeline>
      timeline_;  // of the base; null for an object that does not exist

  uint32_t page_size_ = 0;
  uint32_t page_count_ = 0;
  uint32_t kept_ = 0;     // pages of the base up to here were never cut off
  bool rewrite_ = false;  // inherits no pages: another page size
  bool schema_changed_ = false;
  std::optional<Timestamp> alarm_;  // as records have it
  uint64_t state_hash_ = 0;         // with what was written in batches, without what is staged
  internal::StagedPages staged_;

  std::shared_ptr<internal::BatchedPages> batched_;  // null without batches
  internal::OpenBatches::Entry* open_batches_ = nullptr;

  // Of Prepare, for Publish.
  bool encoded_ = false;
  internal::CommitQueue::Reservation reservation_;  // not if it is one of a set
  uint64_t prepared_hash_ = 0;
  internal::Buffer payload_;
  std::vector<internal::PageChange> changes_;  // locations relative to the payload until published
  internal::NewTimeline new_timeline_;         // if the commit begins one
  internal::PendingRow<internal::NamespaceRow> new_namespace_;
  internal::CommitRoom room_;
  // Of Append, for Install.
  struct {
    bool new_namespace = false;
    bool is_large = false;
    internal::TimelineRow timeline;  // without a number: the commit begins none
    internal::RecentCommit commit;
  } appended_;
  internal::Backoff zstd_patches_;
  internal::Buffer patch_;
  internal::Buffer page_;
  internal::Buffer fields_;
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_INTERNAL_TRANSACTION_IMPL_H_
