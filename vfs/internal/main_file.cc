// The database file of a connection, see main_file.h.

#include "vfs/internal/main_file.h"

#include <algorithm>
#include <cstring>
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

void MainFile::Serve(std::byte* header) {
  SetChangeCounter(header, page_one_written_ ? staged_counter_ : counter_);
  const uint32_t stored = SchemaCookie(header);
  if (new_timeline_) {
    cookie_difference_ = highest_cookie_ + 1 - stored;
    new_timeline_ = false;
  }
  highest_cookie_ = std::max(highest_cookie_, stored + cookie_difference_);
  SetSchemaCookie(header, stored + cookie_difference_);
}

bool MainFile::Unserve(std::byte* header) {
  if (new_timeline_) {  // page 1 was not there to be served: SQLite began with a cookie of 0
    cookie_difference_ = 0;
    new_timeline_ = false;
  }
  const uint32_t served = SchemaCookie(header);
  highest_cookie_ = std::max(highest_cookie_, served);
  SetSchemaCookie(header, served - cookie_difference_);
  SetChangeCounter(header, 0);
  return ClearWalVersions(header);
}

std::span<std::byte> MainFile::PageBuffer() {
  page_buffer_.resize(lock_.page_size());
  return page_buffer_;
}

int64_t MainFile::Size() {
  NoteRollback();
  if (odd_size_) return *odd_size_;
  return int64_t{lock_.page_count()} * lock_.page_size();
}

// ---- Reading -----------------------------------------------------------------------------------

int MainFile::Read(std::byte* out, int64_t amount, int64_t offset) {
  if (lock_.writing() && offset == kChangeCounterOffset && amount == 16) {
    // SQLite asks this when it begins to read anew: whatever is still staged belongs to a
    // transaction that ended in an error, without a commit.
    DropStaged();
    failed_ = false;
  }
  const int64_t available = std::clamp<int64_t>(Size() - offset, 0, amount);
  if (Status status = ReadRange(out, available, offset); !status.ok()) {
    return Fail(status, FileOperation::kRead);
  }
  if (available == amount) return SQLITE_OK;
  std::memset(out + available, 0, static_cast<size_t>(amount - available));
  return SQLITE_IOERR_SHORT_READ;
}

Status MainFile::ReadRange(std::byte* out, int64_t amount, int64_t offset) {
  if (offset + amount <= static_cast<int64_t>(kHeaderSize)) {
    if (amount == 0) return OkStatus();
    TIDEMARK_RETURN_IF_ERROR(LoadHeader());
    std::memcpy(out, header_.data() + offset, static_cast<size_t>(amount));
    return OkStatus();
  }
  const int64_t page_size = lock_.page_size();
  while (amount > 0) {
    const PageNo page_no(static_cast<uint32_t>(offset / page_size) + 1);
    const int64_t skip = offset % page_size;
    const int64_t length = std::min(page_size - skip, amount);
    const bool whole = length == page_size;
    const std::span<std::byte> page =
        whole ? std::span(out, static_cast<size_t>(page_size)) : PageBuffer();
    if (page_no.value == 1 && page_one_loaded_) {
      // SQLite keeps it from here on.
      std::copy(page_one_buffer_.begin(), page_one_buffer_.end(), page.begin());
      page_one_loaded_ = false;
    } else {
      TIDEMARK_RETURN_IF_ERROR(lock_.ReadPage(page_no, page));
    }
    if (page_no.value == 1) {
      Serve(page.data());
      std::copy_n(page.begin(), kHeaderSize, header_.begin());
      header_loaded_ = true;
    }
    if (!whole) std::memcpy(out, page.data() + skip, static_cast<size_t>(length));
    out += length;
    offset += length;
    amount -= length;
  }
  return OkStatus();
}

Status MainFile::LoadHeader() {
  if (header_loaded_) return OkStatus();
  page_one_buffer_.resize(lock_.page_size());
  TIDEMARK_RETURN_IF_ERROR(lock_.ReadPage(PageNo(1), page_one_buffer_));
  page_one_loaded_ = true;
  std::copy_n(page_one_buffer_.begin(), kHeaderSize, header_.begin());
  Serve(header_.data());
  header_loaded_ = true;
  return OkStatus();
}

// ---- Staging -----------------------------------------------------------------------------------

int MainFile::Write(const std::byte* data, int64_t amount, int64_t offset) {
  if (!lock_.writing()) {
    return Fail(Status(StatusCode::kReadOnly,
                       "a write to object " + object().DisplayName() + " without its write lock"),
                FileOperation::kWrite);
  }
  NoteRollback();
  page_one_loaded_ = false;
  Transaction& transaction = lock_.transaction();
  Status status;
  if (transaction.page_count() == 0 && IsPageSize(amount) && offset % amount == 0) {
    status = transaction.ResetPageSize(static_cast<uint32_t>(amount));  // an empty one: its choice
  }
  if (status.ok() && amount == transaction.page_size() && offset % amount == 0) {
    status = StagePage(PageNo(static_cast<uint32_t>(offset / amount) + 1), data);
  } else if (status.ok()) {
    status = WriteRange(data, amount, offset);
  }
  if (!status.ok()) return Fail(status, FileOperation::kWrite);
  if (odd_size_ && offset + amount > *odd_size_) odd_size_.reset();
  return SQLITE_OK;
}

// Part of a page, or pages of another size: the bytes around them stay.
Status MainFile::WriteRange(const std::byte* data, int64_t amount, int64_t offset) {
  const int64_t page_size = lock_.page_size();
  if (page_size == 0) {
    return Status(StatusCode::kInvalidArgument,
                  "the first write to object " + object().DisplayName() + " is not a page");
  }
  while (amount > 0) {
    const PageNo page_no(static_cast<uint32_t>(offset / page_size) + 1);
    const int64_t skip = offset % page_size;
    const int64_t length = std::min(page_size - skip, amount);
    if (length == page_size) {
      TIDEMARK_RETURN_IF_ERROR(StagePage(page_no, data));
    } else {
      const std::span<std::byte> page = PageBuffer();
      if (page_no.value <= lock_.page_count()) {
        TIDEMARK_RETURN_IF_ERROR(lock_.ReadPage(page_no, page));
        if (page_no.value == 1) Serve(page.data());
      } else {
        std::fill(page.begin(), page.end(), std::byte{0});
      }
      std::memcpy(page.data() + skip, data, static_cast<size_t>(length));
      TIDEMARK_RETURN_IF_ERROR(StagePage(page_no, page.data()));
    }
    data += length;
    offset += length;
    amount -= length;
  }
  return OkStatus();
}

Status MainFile::StagePage(PageNo page_no, const std::byte* page) {
  Transaction& transaction = lock_.transaction();
  std::span<const std::byte> stored(page, transaction.page_size());
  if (page_no.value == 1) {
    page_one_buffer_.assign(stored.begin(), stored.end());
    page_one_altered_ = Unserve(page_one_buffer_.data());
    stored = page_one_buffer_;
  }
  bool changed = true;
  if ((failed_ || journal_.rolling_back()) && page_no.value <= transaction.page_count()) {
    // What is staged was dropped, so this reads the base, or what this rollback has staged.
    compare_buffer_.resize(stored.size());
    TIDEMARK_RETURN_IF_ERROR(transaction.ReadPage(page_no, compare_buffer_));
    changed = !std::equal(stored.begin(), stored.end(), compare_buffer_.begin());
  }
  if (changed) {
    Unprepare();
    staged_ = true;
    TIDEMARK_RETURN_IF_ERROR(transaction.WritePage(page_no, stored));
  }
  if (page_no.value == 1) {  // also if only its counter changed, which is not stored
    staged_counter_ = ChangeCounter(page);
    page_one_written_ = true;
    std::copy_n(page_one_buffer_.begin(), kHeaderSize, header_.begin());
    Serve(header_.data());
    header_loaded_ = true;
  }
  return OkStatus();
}

int MainFile::Truncate(int64_t size) {
  if (!lock_.writing()) {
    return Fail(Status(StatusCode::kReadOnly, "a truncation of object " + object().DisplayName() +
                                                  " without its write lock"),
                FileOperation::kTruncate);
  }
  NoteRollback();
  if (size == Size()) return SQLITE_OK;
  page_one_loaded_ = false;
  Transaction& transaction = lock_.transaction();
  const int64_t page_size = transaction.page_size();
  if (page_size == 0) return SQLITE_OK;  // nothing there to cut
  const auto page_count = static_cast<uint32_t>((size + page_size - 1) / page_size);
  Unprepare();
  staged_ = true;
  if (Status status = transaction.SetPageCount(page_count); !status.ok()) {
    return Fail(status, FileOperation::kTruncate);
  }
  odd_size_.reset();
  if (size % page_size != 0) odd_size_ = size;
  return SQLITE_OK;
}

// ---- Locks -------------------------------------------------------------------------------------

Status MainFile::NewView() {
  TIDEMARK_ASSIGN_OR_RETURN(const ViewChange change, lock_.Refresh());
  if (change == ViewChange::kNone) return OkStatus();
  ++counter_;
  header_loaded_ = false;
  page_one_loaded_ = false;
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
  }
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
