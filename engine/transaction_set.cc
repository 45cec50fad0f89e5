#include "engine/transaction_set.h"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "engine/check.h"
#include "engine/internal/transaction_impl.h"

namespace tidemark {

using internal::CommitQueue;

class TransactionSet::Impl {
 public:
  Status Prepare(Transaction::Impl* transaction, PreImageSource* pre_images);
  Result<Lsn> Publish(Transaction::AfterPublish after);
  void Clear() {
    reservation_.Release();
    members_.clear();
  }
  bool empty() const { return members_.empty(); }

 private:
  std::vector<Transaction::Impl*> members_;
  CommitQueue::Reservation reservation_;  // for all of them
};

Status TransactionSet::Impl::Prepare(Transaction::Impl* transaction, PreImageSource* pre_images) {
  internal::StoreImpl& store = transaction->store();
  if (!members_.empty() && &members_.front()->store() != &store) {
    return Status(StatusCode::kInvalidArgument,
                  "objects of two stores cannot commit together: each store has a log of its own");
  }
  TIDEMARK_RETURN_IF_ERROR(store.queue().broken());
  // Whoever waits for room in the log, as Encode may, must not hold any that others wait for.
  reservation_.Release();
  std::erase(members_, transaction);
  TIDEMARK_RETURN_IF_ERROR(store.checkpointer().Throttle());
  size_t bytes = 0;
  for (const Transaction::Impl* member : members_) bytes += member->EncodedBytes();
  TIDEMARK_RETURN_IF_ERROR(transaction->Encode(pre_images, bytes));
  members_.push_back(transaction);
  bytes += transaction->EncodedBytes();
  const size_t records = members_.size() * Transaction::Impl::kMostRecords;
  if (!CommitQueue::FitsGroup(bytes, records, store.options().segment_size_bytes)) {
    return Status(StatusCode::kInvalidArgument,
                  std::to_string(members_.size()) +
                      " objects are too many to commit together in segments of " +
                      std::to_string(store.options().segment_size_bytes) +
                      " bytes: use fewer, or larger segments");
  }
  TIDEMARK_ASSIGN_OR_RETURN(reservation_,
                            store.queue().Reserve(bytes, records, internal::LogRoom::kCommits));
  return OkStatus();
}

Result<Lsn> TransactionSet::Impl::Publish(Transaction::AfterPublish after) {
  std::vector<Transaction::Impl*> members = std::exchange(members_, {});
  CommitQueue::Reservation reservation = std::move(reservation_);
  if (members.empty()) return Lsn();
  const internal::StoreImpl& store = members.front()->store();
  TIDEMARK_RETURN_IF_ERROR(members.front()->store().queue().broken());
  for (const Transaction::Impl* member : members) CHECK(member->encoded());
  std::erase_if(members, [](Transaction::Impl* member) {
    const bool nothing = member->ChangesNothing();
    if (nothing) member->Rollback();
    return nothing;
  });
  if (members.empty()) return Lsn();
  CHECK(reservation.held());
  try {
    TIDEMARK_RETURN_IF_ERROR(Transaction::Impl::PublishAll(members, std::move(reservation), after));
  } catch (const std::bad_alloc&) {
    return store.OutOfMemory();
  }
  return members.back()->base().lsn;
}

TransactionSet::TransactionSet() : impl_(std::make_unique<Impl>()) {}
TransactionSet::~TransactionSet() = default;
Status TransactionSet::Prepare(Transaction* transaction, PreImageSource* pre_images) try {
  return impl_->Prepare(transaction->impl_.get(), pre_images);
} catch (const std::bad_alloc&) {
  return transaction->impl_->store().OutOfMemory();
}
Result<Lsn> TransactionSet::Publish(Transaction::AfterPublish after) {
  return impl_->Publish(after);
}
void TransactionSet::Clear() { impl_->Clear(); }
bool TransactionSet::empty() const { return impl_->empty(); }

}  // namespace tidemark
