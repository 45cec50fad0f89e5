// TransactionSet: transactions of several objects of one store that commit together, all or none.
//
//   Prepare(a) -> Prepare(b) -> ... -> Publish
//
// Their frames stand next to each other in one group of the log, which one write puts on disk and
// one hash covers: after a crash all of them are there, or none is. Each object's history shows a
// commit of its own, and a restore of one of them leaves the others as they are.

#ifndef TIDEMARK_ENGINE_TRANSACTION_SET_H_
#define TIDEMARK_ENGINE_TRANSACTION_SET_H_

#include <memory>

#include "engine/export.h"
#include "engine/lsn.h"
#include "engine/result.h"
#include "engine/status.h"
#include "engine/transaction.h"

namespace tidemark {

// Used by one thread at a time, as the transactions in it are; they must outlive it, or be
// forgotten by Clear.
class TIDEMARK_API TransactionSet {
 public:
  TransactionSet();
  ~TransactionSet();  // Clear()
  TransactionSet(const TransactionSet&) = delete;
  TransactionSet& operator=(const TransactionSet&) = delete;

  // Encodes what is staged in `transaction`, and reserves a place in the log for all that were
  // prepared so far. May wait for the disk when buffers are full. Staging more in one of them
  // undoes its part: prepare it again. Errors: as Transaction::Prepare, and kInvalidArgument for
  // another store, or for more transactions than one group of the log has room for (at least 50).
  // After an error nothing is reserved: Clear the set.
  Status Prepare(Transaction* transaction, PreImageSource* pre_images = nullptr);

  // Makes all of them commits, one after the other; those without changes stay as they are. Gives
  // the LSN of the last commit (0 if nothing changed): when Store::WaitDurable of it says so, all
  // are durable. The set is empty afterwards. Errors: kOutOfMemory, and then nothing is committed;
  // kBroken: whether they are committed, all or none, shows when the store is opened again.
  Result<Lsn> Publish(Transaction::AfterPublish after = Transaction::AfterPublish::kGoOn);

  // Forgets the transactions, which keep what is staged in them.
  void Clear();
  bool empty() const;

 private:
  class TIDEMARK_HIDDEN Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_TRANSACTION_SET_H_
