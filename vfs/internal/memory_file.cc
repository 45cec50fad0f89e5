// Private files of a connection, see memory_file.h.

#include "vfs/internal/memory_file.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "vfs/internal/page_one.h"
#include "vfs/internal/plain_methods.h"

namespace tidemark::internal {

namespace {

// The buffer of the file of this thread that was emptied last. A thread that commits to a thousand
// objects in turn writes each journal into the same memory, which the processor still has at hand.
struct SpareBuffer {
  std::unique_ptr<std::byte[]> bytes;
  int64_t capacity = 0;
};
thread_local SpareBuffer spare_buffer;

}  // namespace

MemoryFile::~MemoryFile() { CloseSpill(); }

int MemoryFile::Reserve(int64_t capacity) noexcept {
  if (capacity <= capacity_) return SQLITE_OK;
  if (buffer_ == nullptr && capacity <= spare_buffer.capacity) {
    buffer_ = std::move(spare_buffer.bytes);
    capacity_ = std::exchange(spare_buffer.capacity, 0);
    return SQLITE_OK;
  }
  const int64_t grown = std::min(kMemoryLimit, std::max({capacity, capacity_ * 2, int64_t{8192}}));
  std::unique_ptr<std::byte[]> buffer(new (std::nothrow) std::byte[static_cast<size_t>(grown)]);
  if (buffer == nullptr) return SQLITE_IOERR_NOMEM;
  if (size_ > 0) std::memcpy(buffer.get(), buffer_.get(), static_cast<size_t>(size_));
  buffer_ = std::move(buffer);
  capacity_ = grown;
  return SQLITE_OK;
}

int MemoryFile::OpenSpill() noexcept {
  if (spill_ != nullptr) return SQLITE_OK;
  sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
  const auto bytes = static_cast<size_t>(vfs->szOsFile);
  spill_memory_.reset(new (std::nothrow) std::byte[bytes]());
  if (spill_memory_ == nullptr) return SQLITE_IOERR_NOMEM;
  auto* file = reinterpret_cast<sqlite3_file*>(spill_memory_.get());
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXCLUSIVE |
                    SQLITE_OPEN_DELETEONCLOSE | SQLITE_OPEN_TEMP_JOURNAL;
  tail_.reset(new (std::nothrow) std::byte[kTailCapacity]);
  if (tail_ == nullptr) return SQLITE_IOERR_NOMEM;
  tail_size_ = 0;
  const int code = vfs->xOpen(vfs, nullptr, file, flags, nullptr);
  if (code == SQLITE_OK) {
    spill_ = file;
  } else if (file->pMethods != nullptr) {
    file->pMethods->xClose(file);
  }
  return code;
}

void MemoryFile::CloseSpill() noexcept {
  if (spill_ == nullptr) return;
  spill_->pMethods->xClose(spill_);  // deletes it too
  spill_ = nullptr;
  spill_memory_.reset();
  tail_.reset();
}

int MemoryFile::WriteSpill(const std::byte* data, int amount, int64_t offset) noexcept {
  if (offset != tail_offset_ + tail_size_ || amount > kTailCapacity - tail_size_) {
    if (const int code = FlushTail(); code != SQLITE_OK) return code;
    if (amount > kTailCapacity) return spill_->pMethods->xWrite(spill_, data, amount, offset);
    tail_offset_ = offset;
  }
  std::memcpy(tail_.get() + tail_size_, data, static_cast<size_t>(amount));
  tail_size_ += amount;
  return SQLITE_OK;
}

int MemoryFile::FlushTail() noexcept {
  if (tail_size_ == 0) return SQLITE_OK;
  const int code = spill_->pMethods->xWrite(spill_, tail_.get(), tail_size_, tail_offset_);
  if (code == SQLITE_OK) tail_size_ = 0;
  return code;
}

int MemoryFile::Read(void* out, int amount, int64_t offset) noexcept {
  auto* bytes = static_cast<std::byte*>(out);
  const int64_t available = std::clamp<int64_t>(size_ - offset, 0, amount);
  const int64_t in_memory = std::clamp<int64_t>(kMemoryLimit - offset, 0, available);
  if (in_memory > 0) {
    std::memcpy(bytes, buffer_.get() + offset, static_cast<size_t>(in_memory));
  }
  if (available > in_memory) {
    if (const int code = FlushTail(); code != SQLITE_OK) return code;
    const int code =
        spill_->pMethods->xRead(spill_, bytes + in_memory, static_cast<int>(available - in_memory),
                                offset + in_memory - kMemoryLimit);
    // A hole at its end reads as zeros: the size is ours, not the temporary file's.
    if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ) return code;
  }
  if (available == amount) return SQLITE_OK;
  std::memset(bytes + available, 0, static_cast<size_t>(amount - available));
  return SQLITE_IOERR_SHORT_READ;
}

int MemoryFile::Write(const void* data, int amount, int64_t offset) noexcept {
  const auto* bytes = static_cast<const std::byte*>(data);
  const int64_t end = offset + amount;
  if (const int code = Reserve(std::min(end, kMemoryLimit)); code != SQLITE_OK) return code;
  if (offset > size_ && size_ < kMemoryLimit) {  // the gap
    std::memset(buffer_.get() + size_, 0,
                static_cast<size_t>(std::min(offset, kMemoryLimit) - size_));
  }
  const int64_t in_memory = std::clamp<int64_t>(kMemoryLimit - offset, 0, amount);
  if (in_memory > 0) std::memcpy(buffer_.get() + offset, bytes, static_cast<size_t>(in_memory));
  if (amount > in_memory) {
    if (const int code = OpenSpill(); code != SQLITE_OK) return code;
    const int code = WriteSpill(bytes + in_memory, static_cast<int>(amount - in_memory),
                                offset + in_memory - kMemoryLimit);
    if (code != SQLITE_OK) return code;
  }
  size_ = std::max(size_, end);
  return SQLITE_OK;
}

int MemoryFile::Truncate(int64_t size) noexcept {
  if (size >= size_) return SQLITE_OK;
  size_ = size;
  if (spill_ != nullptr && size_ <= kMemoryLimit) {
    CloseSpill();
  } else if (spill_ != nullptr) {
    if (const int code = FlushTail(); code != SQLITE_OK) return code;
    return spill_->pMethods->xTruncate(spill_, size_ - kMemoryLimit);
  }
  if (size_ == 0) {
    if (capacity_ > spare_buffer.capacity && capacity_ <= kSpareCapacity) {
      spare_buffer.bytes = std::move(buffer_);
      spare_buffer.capacity = capacity_;
    }
    buffer_.reset();
    capacity_ = 0;
  }
  return SQLITE_OK;
}

std::span<const std::byte> MemoryFile::View(int64_t offset, size_t amount) const {
  if (offset + static_cast<int64_t>(amount) > std::min(size_, kMemoryLimit)) return {};
  return {buffer_.get() + offset, amount};
}

int JournalFile::Read(void* out, int amount, int64_t offset) noexcept {
  if (offset == 8 && amount == 4) rolling_back_ = true;
  if (offset == file_.size() - 16 && amount == 4) {  // where the length of the name would be
    std::memset(out, 0, 4);
    return SQLITE_OK;
  }
  return file_.Read(out, amount, offset);
}

int JournalFile::Write(const void* data, int amount, int64_t offset) noexcept {
  if (offset == 0) Restart();
  if (offset == 0 && amount <= kZeroedHeaderSize && *static_cast<const char*>(data) == '\0') {
    return SQLITE_OK;  // "no journal here" (PERSIST), which an empty file says as well
  }
  if (amount == 4) {
    number_seen_ = LoadBigEndian32(static_cast<const std::byte*>(data));
    number_end_offset_ = offset + 4;
  } else if (offset == number_end_offset_ && offset != 0 && IsPageSize(amount) &&
             records_.size() < kMaxRecords) {
    if (!records_.empty() && records_.back().page_no >= number_seen_) sorted_ = false;
    try {
      records_.push_back({number_seen_, static_cast<uint32_t>(amount), offset});
    } catch (const std::bad_alloc&) {
      // Then it is not remembered: the engine reads the page instead.
    }
  }
  return file_.Write(data, amount, offset);
}

int JournalFile::Truncate(int64_t size) noexcept {
  if (size == 0) Restart();
  return file_.Truncate(size);
}

void JournalFile::Restart() noexcept {
  file_.Truncate(0);
  if (records_.capacity() > 1024) records_ = {};
  records_.clear();
  sorted_ = true;
  rolling_back_ = false;
  ++restarts_;
  number_end_offset_ = 0;
}

std::span<const std::byte> JournalFile::PageBefore(PageNo page_no, size_t page_size) {
  const auto by_page = [](const PageRecord& a, const PageRecord& b) {
    return a.page_no < b.page_no;
  };
  if (!sorted_) {
    std::sort(records_.begin(), records_.end(), by_page);
    sorted_ = true;
  }
  const auto it =
      std::lower_bound(records_.begin(), records_.end(), PageRecord{page_no.value, 0, 0}, by_page);
  if (it == records_.end() || it->page_no != page_no.value || it->size != page_size) return {};
  return file_.View(it->offset, page_size);
}

namespace {

// One shape of handle for both, so that one set of methods serves both; one of the first two is
// set.
struct MemoryHandle : sqlite3_file {
  JournalFile* journal;
  MemoryFile* owned;
  JournalFile* owned_journal;  // null, or the same as `journal`
};

MemoryHandle* Handle(sqlite3_file* file) { return static_cast<MemoryHandle*>(file); }

int CloseHandle(sqlite3_file* file) noexcept {
  // A journal is closed when its transaction is over, or when its connection forgot its cache.
  if (Handle(file)->journal != nullptr) Handle(file)->journal->Truncate(0);
  delete Handle(file)->owned_journal;
  delete Handle(file)->owned;
  file->pMethods = nullptr;
  return SQLITE_OK;
}

int ReadHandle(sqlite3_file* file, void* out, int amount, sqlite3_int64 offset) noexcept {
  MemoryHandle* handle = Handle(file);
  return handle->journal != nullptr ? handle->journal->Read(out, amount, offset)
                                    : handle->owned->Read(out, amount, offset);
}

int WriteHandle(sqlite3_file* file, const void* data, int amount, sqlite3_int64 offset) noexcept {
  MemoryHandle* handle = Handle(file);
  return handle->journal != nullptr ? handle->journal->Write(data, amount, offset)
                                    : handle->owned->Write(data, amount, offset);
}

int TruncateHandle(sqlite3_file* file, sqlite3_int64 size) noexcept {
  MemoryHandle* handle = Handle(file);
  return handle->journal != nullptr ? handle->journal->Truncate(size)
                                    : handle->owned->Truncate(size);
}

int HandleSize(sqlite3_file* file, sqlite3_int64* size) noexcept {
  MemoryHandle* handle = Handle(file);
  *size = handle->journal != nullptr ? handle->journal->size() : handle->owned->size();
  return SQLITE_OK;
}

int HandleCharacteristics(sqlite3_file*) noexcept {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_SAFE_APPEND | SQLITE_IOCAP_SEQUENTIAL |
         SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN;
}

const sqlite3_io_methods kMemoryMethods = [] {
  sqlite3_io_methods methods = PlainMethods();
  methods.xClose = CloseHandle;
  methods.xRead = ReadHandle;
  methods.xWrite = WriteHandle;
  methods.xTruncate = TruncateHandle;
  methods.xFileSize = HandleSize;
  methods.xDeviceCharacteristics = HandleCharacteristics;
  return methods;
}();

}  // namespace

void OpenJournalHandle(JournalFile* journal, sqlite3_file* handle) noexcept {
  Handle(handle)->journal = journal;
  Handle(handle)->owned = nullptr;
  Handle(handle)->owned_journal = nullptr;
  handle->pMethods = &kMemoryMethods;
}

int OpenJournalHandle(sqlite3_file* handle) noexcept {
  auto* journal = new (std::nothrow) JournalFile;
  if (journal == nullptr) return SQLITE_NOMEM;
  OpenJournalHandle(journal, handle);
  Handle(handle)->owned_journal = journal;
  return SQLITE_OK;
}

int OpenMemoryHandle(sqlite3_file* handle) noexcept {
  Handle(handle)->journal = nullptr;
  Handle(handle)->owned_journal = nullptr;
  Handle(handle)->owned = new (std::nothrow) MemoryFile;
  handle->pMethods = Handle(handle)->owned == nullptr ? nullptr : &kMemoryMethods;
  return handle->pMethods == nullptr ? SQLITE_NOMEM : SQLITE_OK;
}

int MemoryHandleSize() noexcept { return static_cast<int>(sizeof(MemoryHandle)); }

}  // namespace tidemark::internal
