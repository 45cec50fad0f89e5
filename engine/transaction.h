// Transaction: the one writer of an object. The commit path begins here.
//
//   Begin -> WritePage... -> Prepare -> Publish -> WritePage... -> ... -> End
//
// A Transaction is made once for a connection and used for many commits: its buffers stay. After
// Publish it still holds the write lock and stands on the new commit, ready for the next pages.

#ifndef TIDEMARK_ENGINE_TRANSACTION_H_
#define TIDEMARK_ENGINE_TRANSACTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "engine/commit_info.h"
#include "engine/export.h"
#include "engine/lsn.h"
#include "engine/result.h"
#include "engine/status.h"

namespace tidemark {

class Object;

// Where a transaction may find the committed bytes of a page it is about to replace, cheaper than
// by reading the log (SQLite's rollback journal has them). Advice only: what it gives is checked
// against the stored hash, and wrong bytes cost a read, never a wrong patch.
class TIDEMARK_API PreImageSource {
 public:
  virtual ~PreImageSource() = default;
  // The page as of the transaction's base, or an empty span. Valid until the next call.
  virtual std::span<const std::byte> PreImage(PageNo page_no) = 0;
};

// Used by one thread at a time. The object's handle and the store must outlive it.
class TIDEMARK_API Transaction {
 public:
  explicit Transaction(std::shared_ptr<Object> object);
  ~Transaction();  // End()
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // Takes the object's write lock, without waiting, and stands on its latest commit.
  // Errors: kBusy if another transaction (or a restore) of this object holds it; kBroken;
  // kCorruption if the object is quarantined.
  Status Begin();
  // Drops what is staged and releases the write lock. Does nothing if there is none.
  void End();
  bool active() const;

  // The commit it stands on: the base of what is staged.
  const CommitInfo& base() const;

  // Size of the database as staged.
  uint32_t page_size() const;
  uint32_t page_count() const;

  // Sets the page size, 512 to 65536, a power of two. The pages of the base and what is staged are
  // dropped (page_count() becomes 0): the database is written anew, on a timeline that inherits no
  // pages. Nothing happens if the size is the same. Errors: kInvalidArgument.
  Status ResetPageSize(uint32_t page_size_bytes);

  // Stages a copy of a page, page_size() bytes; grows page_count() to include it. The last one
  // written counts. When staged pages outgrow memory they go to the log as batches, which count
  // for nothing until the commit. Errors: kFull; kBroken; kOutOfRange for page 0.
  Status WritePage(PageNo page_no, std::span<const std::byte> page);
  // Reads as the commit would leave it. Errors: as Snapshot::ReadPage.
  Status ReadPage(PageNo page_no, std::span<std::byte> out);
  // Makes the database end after page `page_count`; pages beyond it are gone, and read as zeros if
  // the database grows again.
  Status SetPageCount(uint32_t page_count);

  // Says whether what is staged changes the database's schema, so that histories can show it
  // (CommitInfo::schema_changed). Counts at Publish; false again after it, and after a rollback.
  void SetSchemaChanged(bool changed);

  // Sets when the object is to be woken next: in whole milliseconds, rounded down, and not before
  // 1970; none: never. Nothing of the engine wakes anybody: see Store::ListAlarms. Counts at
  // Publish, and is a change by itself, but not of an object without a page size. A transaction
  // that does not call it leaves the alarm as it is in base(); so does a rollback.
  void SetAlarm(std::optional<Timestamp> earliest);

  // True if something is staged that differs from the base in more than nothing.
  bool has_changes() const;

  // Encodes what is staged and reserves its place in the log. May wait for the disk when buffers
  // are full. After success Publish cannot fail, except that the store broke, or that memory ran
  // out. Staging more undoes it. Errors: kFull, kIoError, kCorruption (a base page cannot be read),
  // kBroken.
  Status Prepare(PreImageSource* pre_images = nullptr);

  // Makes the prepared pages the object's latest commit: visible to new snapshots at once, durable
  // when Store::WaitDurable of its LSN says so. With kWait the caller calls that next, and writes
  // the commit by it: nobody else is woken for it. Without changes returns base(). Errors: kBroken;
  // kOutOfMemory, and then the pages stay staged: prepare them again, or roll back.
  enum class AfterPublish { kGoOn, kWait };
  Result<CommitInfo> Publish(AfterPublish after = AfterPublish::kGoOn);

  // Prepare and Publish.
  Result<CommitInfo> Commit();

  // Drops what is staged, keeps the write lock.
  void Rollback();

  // Gives back the buffers that are kept for the next commit: for an object that is idle. Nothing
  // happens while something is staged.
  void ReleaseMemory() noexcept;

 private:
  friend class TransactionSet;
  class TIDEMARK_HIDDEN Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_TRANSACTION_H_
