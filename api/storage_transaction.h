// StorageTransaction: an explicit transaction on an object's storage, rolled back unless committed.
//
//   StorageTransaction transaction = storage->BeginTransaction();
//   storage->kv().Put("from", 90);
//   storage->kv().Put("to", 110);
//   transaction.Commit();

#ifndef TIDEMARK_API_STORAGE_TRANSACTION_H_
#define TIDEMARK_API_STORAGE_TRANSACTION_H_

#include <cstddef>
#include <memory>

#include "api/kv.h"
#include "api/sql.h"
#include "engine/export.h"

namespace tidemark {

class ObjectStorage;

// All calls on the object's storage are part of the innermost transaction that is open. Used by the
// object's thread. One that is open when the storage is destroyed is rolled back with it: calls on
// it throw, and its destructor does nothing.
class TIDEMARK_API StorageTransaction {
 public:
  StorageTransaction(StorageTransaction&&) noexcept;
  StorageTransaction& operator=(StorageTransaction&&) = delete;
  ~StorageTransaction();  // rolls back if it was not ended

  // The outermost one: as ObjectStorage::Commit. A nested one becomes part of what is around it.
  // Errors: kInvalidArgument if it has ended, or one inside it has not; what SQLite says, and then
  // the object is broken.
  void Commit();
  // What was written in it is undone. Nothing happens if it was rolled back already. Errors:
  // kInvalidArgument if it was committed, or one inside it has not ended.
  void Rollback();
  // Neither of them was done.
  bool open() const { return phase_ == Phase::kOpen; }

  // The storage's own, while this is open. Errors: kInvalidArgument if it has ended.
  Sql& sql();
  Kv& kv();

 private:
  friend class ObjectStorage;
  enum class Phase { kOpen, kCommitted, kRolledBack };
  StorageTransaction(std::shared_ptr<internal::StorageState> state, ObjectStorage* storage,
                     bool savepoint);
  void CommitIfOpen();
  void RequireOpen() const;

  std::shared_ptr<internal::StorageState> state_;
  ObjectStorage* storage_;
  bool savepoint_;          // belongs to what is around it
  bool owns_turn_ = false;  // a savepoint that is a call of its own (CommitMode::kEachCall)
  size_t level_ = 0;
  Phase phase_ = Phase::kOpen;
};

}  // namespace tidemark

#endif  // TIDEMARK_API_STORAGE_TRANSACTION_H_
