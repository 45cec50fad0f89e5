// The database file of a connection, see main_file.h.

#include "vfs/internal/main_file.h"

#include <algorithm>
#include <string>
#include <utility>

#include "vfs/internal/repaginate.h"

namespace tidemark::internal {

MainFile::MainFile(StoreLease store, std::shared_ptr<Object> object, bool read_only)
    : store_(std::move(store)), read_only_(read_only), lock_(std::move(object)) {}

MainFile::MainFile(StoreLease store, std::shared_ptr<Object> object, Snapshot past)
    : store_(std::move(store)), read_only_(true), lock_(std::move(object), std::move(past)) {}

Status MainFile::Open() {
  TIDEMARK_RETURN_IF_ERROR(lock_.Refresh().status());
  // Anything but 0, which an empty database stands for.
  counter_ = std::max(1u, static_cast<uint32_t>(lock_.commit().lsn.value));
  return OkStatus();
}

Status MainFile::LockForWriting() {
  TIDEMARK_RETURN_IF_ERROR(NewView());
  bool stale = false;
  return lock_.BeginWriting(&stale);
}

Status MainFile::BeginEmpty() {
  TIDEMARK_RETURN_IF_ERROR(LockForWriting());
  if (lock_.page_count() == 0) return OkStatus();
  staged_ = true;
  return lock_.transaction().SetPageCount(0);
}

int MainFile::RefuseInherited() {
  return errors_.Record(
      Status(StatusCode::kInvalidArgument,
             "this connection to object " + object().DisplayName() + " was opened by process " +
                 std::to_string(store_.owner_pid()) +
                 " before fork() made this one: connections do not survive fork(); close the store "
                 "in one of the two and open it in the other"),
      SQLITE_MISUSE);
}

int MainFile::Fail(const Status& status, FileOperation operation) {
  const int code = errors_.Record(status, operation, failed_ || journal_.rolling_back());
  if (operation != FileOperation::kRead && operation != FileOperation::kLock) {
    DropStaged();
    failed_ = true;
  }
  return code;
}

int MainFile::RanOutOfMemory(FileOperation operation) noexcept {
  const Status status = Status::OutOfMemory();
  // A pragma is no part of a transaction.
  return operation == FileOperation::kPragma ? errors_.Record(status, operation, false)
                                             : Fail(status, operation);
}

void MainFile::DropStaged() {
  if (staged_) {
    lock_.transaction().Rollback();
    header_loaded_ = false;
  }
  Unprepare();
  staged_ = false;
  alarm_of_ = 0;
  page_one_written_ = false;
  odd_size_.reset();
}

void MainFile::Unprepare() noexcept {
  prepared_ = false;
  if (set_ != nullptr) std::exchange(set_, nullptr)->Remove(this);
}

void MainFile::NoteRollback() {
  if (!journal_.rolling_back()) {
    dropped_for_rollback_ = false;
  } else if (!dropped_for_rollback_) {
    DropStaged();
    dropped_for_rollback_ = true;
  }
}

int64_t MainFile::Size() {
  NoteRollback();
  if (odd_size_) return *odd_size_;
  return int64_t{lock_.page_count()} * lock_.page_size();
}

// ---- Locks -------------------------------------------------------------------------------------

Status MainFile::NewView() {
  TIDEMARK_ASSIGN_OR_RETURN(const ViewChange change, lock_.Refresh());
  if (change == ViewChange::kNone) return OkStatus();
  ++counter_;
  header_loaded_ = false;
  page_one_loaded_ = false;
  base_cookie_ = 0;  // that of no page 1; SQLite reads one that is there before it writes
  if (change == ViewChange::kNewTimeline) new_timeline_ = true;
  return OkStatus();
}

int MainFile::Lock(int level) {
  if (level <= lock_.level()) return SQLITE_OK;
  if (lock_.level() == SQLITE_LOCK_NONE) {
    if (Status status = NewView(); !status.ok()) return Fail(status, FileOperation::kLock);
  }
  if (level >= SQLITE_LOCK_RESERVED && !lock_.writing()) {
    if (read_only_) {
      return Fail(Status(StatusCode::kReadOnly,
                         "this connection to object " + object().DisplayName() + " is read-only"),
                  FileOperation::kLock);
    }
    bool stale = false;
    if (Status status = lock_.BeginWriting(&stale); !status.ok()) {
      return stale ? errors_.Record(status, SQLITE_BUSY_SNAPSHOT)
                   : Fail(status, FileOperation::kLock);
    }
  }
  lock_.set_level(level);
  errors_.Clear();
  return SQLITE_OK;
}

int MainFile::Unlock(int level) noexcept {
  if (level >= lock_.level()) return SQLITE_OK;
  if (level < SQLITE_LOCK_RESERVED && lock_.writing()) {
    DropStaged();
    lock_.EndWriting();
    failed_ = false;
    dropped_for_rollback_ = false;
  }
  lock_.set_level(level);
  return SQLITE_OK;
}

// ---- Commit ------------------------------------------------------------------------------------

std::span<const std::byte> MainFile::PreImage(PageNo page_no) {
  const size_t page_size = lock_.page_size();
  const std::span<const std::byte> page = journal_.PageBefore(page_no, page_size);
  if (page.empty() || page_no.value != 1) return page;
  page_one_loaded_ = false;
  page_one_buffer_.assign(page.begin(), page.end());  // it has the counter that SQLite was served
  Unserve(page_one_buffer_.data());
  return page_one_buffer_;
}

Status MainFile::Prepare(const char* super_journal) {
  Transaction& transaction = lock_.transaction();
  if (page_one_written_) {
    const uint32_t page_size = DeclaredPageSize(header_.data());
    if (page_size != 0 && page_size != transaction.page_size()) {
      TIDEMARK_RETURN_IF_ERROR(Repaginate(transaction, page_size, Size()));
      odd_size_.reset();
    }
    // A set commits before SQLite cuts off the end of a database that has shrunk.
    const uint32_t page_count = DeclaredPageCount(header_.data());
    if (super_journal != nullptr && page_count != 0 && page_count < transaction.page_count()) {
      TIDEMARK_RETURN_IF_ERROR(transaction.SetPageCount(page_count));
    }
    transaction.SetSchemaChanged(StagedCookie() != base_cookie_);
  }
  // At PHASETWO the journal has ended; what was set before stays set in the engine's transaction.
  if (alarm_of_ != 0 && alarm_of_ == journal_.transaction()) transaction.SetAlarm(alarm_);
  alarm_of_ = 0;
  if (super_journal != nullptr) {
    TIDEMARK_RETURN_IF_ERROR(CommitSet::Of(super_journal)->Prepare(this));
  } else {
    TIDEMARK_RETURN_IF_ERROR(transaction.Prepare(this));
  }
  prepared_ = true;
  return OkStatus();
}

void MainFile::Left() noexcept {
  set_ = nullptr;
  prepared_ = false;
}

Status MainFile::SetAlarm(std::optional<Timestamp> alarm) {
  if (!lock_.writing() || journal_.transaction() == 0 || journal_.rolling_back()) {
    return Status(StatusCode::kInvalidArgument,
                  "an alarm is set by a transaction that has changed something, and none has of "
                  "object " +
                      object().DisplayName());
  }
  alarm_ = alarm;
  alarm_of_ = journal_.transaction();
  return OkStatus();
}

int MainFile::Sync(const char* super_journal) {
  NoteRollback();
  if (!staged_) {
    failed_ = false;  // this ends the rollback
    return SQLITE_OK;
  }
  if (Status status = Prepare(super_journal); !status.ok()) {
    return Fail(status, FileOperation::kPrepare);
  }
  return SQLITE_OK;
}

// At a commit, also if nothing changed: SQLite remembers the number that it wrote.
void MainFile::TakeCounter() {
  if (!page_one_written_) return;
  counter_ = staged_counter_;
  if (page_one_altered_) ++counter_;  // SQLite must read it anew
  SetChangeCounter(header_.data(), counter_);
  base_cookie_ = StagedCookie();
  page_one_written_ = false;
}

int MainFile::CommitPhaseTwo() {
  if (failed_) {
    return Fail(Status(StatusCode::kIoError, "a commit of object " + object().DisplayName() +
                                                 " after a failure that was not rolled back"),
                FileOperation::kPublish);
  }
  if (!staged_) {
    TakeCounter();
    return SQLITE_OK;
  }
  const Status status = set_ != nullptr ? std::shared_ptr(set_)->Publish() : Publish();
  return status.ok() ? SQLITE_OK : Fail(status, FileOperation::kPublish);
}

Status MainFile::Publish() {
  if (!prepared_) TIDEMARK_RETURN_IF_ERROR(Prepare(nullptr));
  const Lsn before = lock_.commit().lsn;
  TIDEMARK_ASSIGN_OR_RETURN(
      const CommitInfo commit,
      lock_.transaction().Publish(waits_for_durability_ ? Transaction::AfterPublish::kWait
                                                        : Transaction::AfterPublish::kGoOn));
  NotePublished();
  if (!waits_for_durability_ || commit.lsn == before) return OkStatus();
  return store_->WaitDurable(commit.lsn);
}

void MainFile::NotePublished() noexcept {
  TakeCounter();
  staged_ = false;
  prepared_ = false;
  odd_size_.reset();
  failed_ = false;
}

}  // namespace tidemark::internal
