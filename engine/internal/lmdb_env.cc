#include "engine/internal/lmdb_env.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <optional>
#include <utility>

#include "engine/check.h"

namespace tidemark::internal {
namespace {

constexpr size_t kMaxTables = 20;
// A disk with less than this left is taken as full when LMDB says EIO: see ErrorStatus.
constexpr uint64_t kFullDiskBytes = 1 << 20;

// A new name in a directory is durable only after this.
int SyncDirectory(const std::string& path) {
  int fd;
  do {
    fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return errno;
  int rc;
  do {
    rc = fsync(fd) == 0 ? 0 : errno;
  } while (rc == EINTR);
  close(fd);
  return rc;
}

// LMDB writes to its file of readers through a map, and only gives it a size before: without blocks
// a full disk would end the process (SIGBUS). 0, or errno.
int AllocateReaders(const std::string& directory) {
  const std::string path = directory + "/lock.mdb";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return errno;
  constexpr off_t kBytes = 8192;  // more than its table takes
  int rc;
  do {
    rc = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, kBytes) == 0 ? 0 : errno;
  } while (rc == EINTR);
  close(fd);
  return rc == EOPNOTSUPP || rc == ENOSYS ? 0 : rc;
}

std::string ParentOf(const std::string& path) {
  const size_t end = path.find_last_not_of('/');
  const size_t slash = end == std::string::npos ? end : path.rfind('/', end);
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

uint64_t RoundUpToPage(uint64_t bytes) {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

void TellDamage(MDB_env* env, const char* message) {
  const char* path = nullptr;
  mdb_env_get_path(env, &path);
  std::fprintf(
      stderr,
      "tidemark: index %s is damaged (%s); no data is lost: `tidemark rebuild STORE` makes "
      "it anew from the log\n",
      path == nullptr ? "" : path, message);
}

bool IsDiskFull(const std::string& directory) {
  struct statvfs info;
  return statvfs(directory.c_str(), &info) == 0 && info.f_bavail * info.f_frsize < kFullDiskBytes;
}

}  // namespace

// --- Read transactions ----------------------------------------------------------------------

struct alignas(64) LmdbReadTransaction::Slot {
  std::mutex mutex;
  MDB_txn* txn = nullptr;  // reset while nobody reads
  std::array<LmdbCursor, kMaxTables> cursors;
  uint32_t renewed = 0;  // a bit for each cursor that belongs to the present transaction

  ~Slot() { Close(); }
  void Close() {
    for (LmdbCursor& cursor : cursors) {
      if (cursor.cursor_ != nullptr) mdb_cursor_close(std::exchange(cursor.cursor_, nullptr));
    }
    if (txn != nullptr) mdb_txn_abort(std::exchange(txn, nullptr));
  }
};

LmdbReadTransaction::LmdbReadTransaction(const LmdbEnv& env) : env_(env), slot_(env.TakeSlot()) {
  error_ = env_.Begin(*slot_);
  while (error_ == MDB_MAP_RESIZED) {
    // The file has outgrown the map: somebody else wrote it. Follow, which needs every slot.
    slot_->mutex.unlock();
    int rc = 0;
    {
      std::lock_guard lock(env_.write_mutex_);
      rc = env_.Remap(0);
    }
    slot_ = env_.TakeSlot();
    error_ = rc != 0 ? rc : env_.Begin(*slot_);
  }
  if (error_ == MDB_PANIC && env_.closed_) {
    slot_->mutex.unlock();
    int rc = 0;
    {
      std::lock_guard lock(env_.write_mutex_);
      rc = env_.OpenIfClosed();
    }
    slot_ = env_.TakeSlot();
    error_ = rc != 0 ? rc : env_.Begin(*slot_);
  }
}

LmdbReadTransaction::~LmdbReadTransaction() {
  if (slot_->txn != nullptr) mdb_txn_reset(slot_->txn);
  slot_->mutex.unlock();
}

LmdbCursor& LmdbReadTransaction::cursor(size_t table) {
  LmdbCursor& cursor = slot_->cursors[table];
  cursor.error_ = &error_;
  const uint32_t bit = 1u << table;
  if (error_ != 0 || (slot_->renewed & bit) != 0) return cursor;
  error_ = cursor.cursor_ != nullptr
               ? mdb_cursor_renew(slot_->txn, cursor.cursor_)
               : mdb_cursor_open(slot_->txn, env_.handles_[table], &cursor.cursor_);
  if (error_ == 0) slot_->renewed |= bit;
  return cursor;
}

uint64_t LmdbReadTransaction::CountValues(size_t table) {
  if (error_ != 0) return 0;
  MDB_stat stat;
  error_ = mdb_stat(slot_->txn, env_.handles_[table], &stat);
  return error_ == 0 ? stat.ms_entries : 0;
}

uint64_t LmdbReadTransaction::UsedBytes() {
  if (error_ != 0) return 0;
  // LMDB's table 0 is its list of free pages: values begin with how many page numbers follow.
  MDB_cursor* cursor = nullptr;
  error_ = mdb_cursor_open(slot_->txn, 0, &cursor);
  if (error_ != 0) return 0;
  MDB_val key;
  MDB_val value;
  uint64_t free_pages = 0;
  int rc;
  while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
    size_t count = 0;
    if (value.mv_size >= sizeof(count)) std::memcpy(&count, value.mv_data, sizeof(count));
    free_pages += count;
  }
  mdb_cursor_close(cursor);
  if (rc != MDB_NOTFOUND) {
    error_ = rc;
    return 0;
  }
  MDB_envinfo info;
  MDB_stat stat;
  mdb_env_info(env_.env_, &info);
  mdb_env_stat(env_.env_, &stat);
  const uint64_t pages = info.me_last_pgno + 1;
  return (pages - std::min(pages, free_pages)) * stat.ms_psize;
}

uint64_t LmdbReadTransaction::Number() const { return error_ == 0 ? mdb_txn_id(slot_->txn) : 0; }

Status LmdbReadTransaction::status() const {
  return error_ == 0 ? OkStatus() : env_.ErrorStatus(error_, "cannot read");
}

// --- The environment ------------------------------------------------------------------------

LmdbEnv::LmdbEnv(const std::string& directory, std::span<const LmdbTable> tables,
                 const LmdbOptions& options)
    : directory_(directory),
      tables_(tables.begin(), tables.end()),
      options_(options),
      slots_(std::make_unique<Slot[]>(kSlotCount)) {
  CHECK(tables_.size() <= kMaxTables);
}

LmdbEnv::~LmdbEnv() {
  slots_.reset();
  if (env_ != nullptr) mdb_env_close(env_);
}

Result<std::unique_ptr<LmdbEnv>> LmdbEnv::Open(const std::string& directory,
                                               std::span<const LmdbTable> tables,
                                               const LmdbOptions& options) {
  std::unique_ptr<LmdbEnv> env(new LmdbEnv(directory, tables, options));
  TIDEMARK_RETURN_IF_ERROR(env->OpenFile());
  if (options.check) TIDEMARK_RETURN_IF_ERROR(options.check(env->LastTransaction()));
  TIDEMARK_RETURN_IF_ERROR(env->OpenTables());
  return env;
}

Status LmdbEnv::OpenFile() const {
  const char* const kDoing = "cannot open";
  const bool created = mkdir(directory_.c_str(), 0777) == 0;
  if (!created && errno != EEXIST) return ErrorStatus(errno, "cannot create");

  // LMDB begins a file by writing two pages at once. One page is what a kill in between leaves:
  // nothing was ever committed to it.
  if (FileBytes() == RoundUpToPage(1) && unlink((directory_ + "/data.mdb").c_str()) != 0) {
    return ErrorStatus(errno, "cannot begin anew");
  }
  const uint64_t wanted = RoundUpToPage(std::max(options_.initial_map_bytes, FileBytes()));
  int rc = AllocateReaders(directory_);
  if (rc == 0) rc = mdb_env_create(&env_);
  if (rc == 0) rc = mdb_env_set_maxdbs(env_, static_cast<MDB_dbi>(tables_.size()));
  // A slot holds one reader; UsedBytes and the like use the slots' too.
  if (rc == 0) rc = mdb_env_set_maxreaders(env_, kSlotCount + 8);
  if (rc == 0) rc = mdb_env_set_mapsize(env_, wanted);
  // LMDB ends the process when it meets pages that cannot be: the last words should help.
  if (rc == 0) rc = mdb_env_set_assert(env_, TellDamage);
  if (rc == 0) rc = mdb_env_open(env_, directory_.c_str(), MDB_NOTLS, 0666);
  if (rc != 0) return ErrorStatus(rc, kDoing);

  MDB_envinfo info;
  MDB_stat stat;
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  map_bytes_ = info.me_mapsize;
  // LMDB does not write pages that are free, so its file may end before its last page. A page that
  // was cut off must read as zeros, which LMDB reports, and not as SIGBUS.
  const uint64_t needed = (info.me_last_pgno + 1) * stat.ms_psize;
  int fd = -1;
  rc = mdb_env_get_fd(env_, &fd);
  if (rc == 0 && FileBytes() < needed && ftruncate(fd, static_cast<off_t>(needed)) != 0) rc = errno;
  // LMDB syncs its file, not the names that lead to it.
  if (rc == 0) rc = SyncDirectory(directory_);
  if (rc == 0 && created) rc = SyncDirectory(ParentOf(directory_));
  return rc == 0 ? OkStatus() : ErrorStatus(rc, kDoing);
}

Status LmdbEnv::OpenTables() {
  handles_.resize(tables_.size());
  // Writes nothing when all tables are there.
  return Write([this](LmdbWriteTransaction& transaction) {
    int rc = 0;
    for (size_t i = 0; i < tables_.size() && rc == 0; ++i) {
      const unsigned kind =
          tables_[i].kind == LmdbTableKind::kDuplicates ? MDB_DUPSORT | MDB_DUPFIXED : 0u;
      rc = mdb_dbi_open(transaction.txn_, tables_[i].name, MDB_CREATE | kind, &handles_[i]);
    }
    return transaction.Check(rc);
  });
}

Status LmdbEnv::Write(const std::function<Status(LmdbWriteTransaction&)>& change) {
  std::lock_guard lock(write_mutex_);
  if (const int rc = OpenIfClosed(); rc != 0) return ErrorStatus(rc, "cannot open");
  for (;;) {
    int rc = 0;
    {
      // Comes first: it asks for memory, and a transaction of LMDB's that is begun must be ended.
      LmdbWriteTransaction transaction(*this);
      rc = unmapped_ ? MDB_PANIC : mdb_txn_begin(env_, nullptr, 0, &transaction.txn_);
      if (rc == MDB_MAP_RESIZED && (rc = Remap(0)) == 0) continue;
      if (rc != 0) return ErrorStatus(rc, "cannot begin to write");
      const Status status = change(transaction);
      rc = transaction.error_;
      if (rc != MDB_MAP_FULL) {
        if (!status.ok()) return status;
        if (rc == 0) rc = transaction.Commit();  // may find the map full, too
      }
    }
    if (rc == 0) return OkStatus();
    if (rc != MDB_MAP_FULL) return ErrorStatus(rc, "cannot commit");
    TIDEMARK_RETURN_IF_ERROR(Grow());
  }
}

Status LmdbEnv::Grow() {
  const uint64_t limit = options_.max_map_bytes;
  const uint64_t larger = std::min(map_bytes_ * 2, RoundUpToPage(limit));
  if (larger <= map_bytes_) {
    return Status(StatusCode::kFull, "index " + directory_ + " is full: it may not outgrow " +
                                         std::to_string(limit) + " bytes (max_index_bytes)");
  }
  // LMDB gives up its old map before it asks for the new one, and cannot go back. So ask first.
  void* probe =
      mmap(nullptr, larger, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (probe == MAP_FAILED) return ErrorStatus(errno, "cannot enlarge");
  munmap(probe, larger);
  const int rc = Remap(larger);
  return rc == 0 ? OkStatus() : ErrorStatus(rc, "cannot enlarge");
}

int LmdbEnv::WithoutReads(const std::function<int()>& change) const {
  std::lock_guard lock(remap_mutex_);
  remapping_ = true;
  for (size_t i = 0; i < kSlotCount; ++i) slots_[i].mutex.lock();
  const auto end = [this](Slot* slots) {
    for (size_t i = 0; i < kSlotCount; ++i) slots[i].mutex.unlock();
    remapping_ = false;
  };
  const std::unique_ptr<Slot, decltype(end)> held(slots_.get(), end);
  return change();
}

int LmdbEnv::Remap(uint64_t map_bytes) const {
  return WithoutReads([&] {
    const int rc = mdb_env_set_mapsize(env_, map_bytes);
    unmapped_ = rc != 0;
    MDB_envinfo info;
    if (rc == 0 && mdb_env_info(env_, &info) == 0) map_bytes_ = info.me_mapsize;
    return rc;
  });
}

void LmdbEnv::CloseSlots() const {
  for (size_t i = 0; i < kSlotCount; ++i) slots_[i].Close();
}

LmdbEnv::Slot* LmdbEnv::TakeSlot() const {
  static std::atomic<size_t> next_thread = 0;
  thread_local const size_t preferred = next_thread.fetch_add(1, std::memory_order_relaxed);

  // A stream of reads could keep Remap from its turn for long: mutexes are not fair.
  if (remapping_.load(std::memory_order_relaxed)) std::lock_guard wait(remap_mutex_);
  for (size_t i = 0; i < kSlotCount; ++i) {
    Slot& slot = slots_[(preferred + i) % kSlotCount];
    if (slot.mutex.try_lock()) return &slot;
  }
  Slot& slot = slots_[preferred % kSlotCount];
  slot.mutex.lock();
  return &slot;
}

int LmdbEnv::Begin(Slot& slot) const {
  if (unmapped_.load(std::memory_order_relaxed)) return MDB_PANIC;
  slot.renewed = 0;
  return slot.txn != nullptr ? mdb_txn_renew(slot.txn)
                             : mdb_txn_begin(env_, nullptr, MDB_RDONLY, &slot.txn);
}

uint64_t LmdbEnv::FileBytes() const {
  struct stat info;
  return stat((directory_ + "/data.mdb").c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size)
                                                              : 0;
}

uint64_t LmdbEnv::map_bytes() const { return map_bytes_; }

uint64_t LmdbEnv::LastTransaction() const {
  MDB_envinfo info;
  return !closed_ && mdb_env_info(env_, &info) == 0 ? info.me_last_txnid : 0;
}

Status LmdbEnv::ErrorStatus(int rc, const char* doing) const {
  if (rc == ENOMEM) throw std::bad_alloc();  // as if it were ours
  const std::string subject = "index " + directory_;
  const std::string message = subject + ": " + doing + ": " + mdb_strerror(rc);
  switch (rc) {
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_VALSIZE:
      return Status(StatusCode::kCorruption,
                    subject + " is damaged (" + mdb_strerror(rc) +
                        "); no data is lost: the index can be rebuilt from the log");
    case MDB_PANIC: return Status(StatusCode::kBroken, message + "; reopen the store");
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case MDB_MAP_FULL: return Status(StatusCode::kFull, message);
    case EIO:
      // LMDB turns a write that was cut short, which is how a disk becomes full, into EIO.
      if (IsDiskFull(directory_)) return Status(StatusCode::kFull, message + " (the disk is full)");
      return Status(StatusCode::kIoError, message);
    case EACCES:
    case EPERM:
    case EROFS: return Status(StatusCode::kReadOnly, message);
    default: return Status(StatusCode::kIoError, message);
  }
}

}  // namespace tidemark::internal
