// The database file of a connection, see main_file.h: its pages, read and staged.

#include <algorithm>
#include <cstring>
#include <string>

#include "vfs/internal/main_file.h"

namespace tidemark::internal {

void MainFile::Serve(std::byte* header) {
  SetChangeCounter(header, page_one_written_ ? staged_counter_ : counter_);
  const uint32_t stored = SchemaCookie(header);
  if (!page_one_written_) base_cookie_ = stored;
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

void MainFile::ReleaseMemory() noexcept {
  if (staged_) return;
  lock_.transaction().ReleaseMemory();
  page_buffer_ = std::vector<std::byte>();
  compare_buffer_ = std::vector<std::byte>();
  if (!page_one_loaded_) page_one_buffer_ = std::vector<std::byte>();
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

}  // namespace tidemark::internal
