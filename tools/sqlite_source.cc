#include "tools/sqlite_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "tools/failure.h"
#include "tools/progress.h"
#include "tools/text.h"

namespace tidemark::tools {

namespace {

constexpr std::string_view kMagic("SQLite format 3\0", 16);
constexpr size_t kHeaderBytes = 100;
constexpr size_t kWriteVersionPosition = 18;
constexpr std::byte kWalVersion{2};
constexpr int kBackupPages = 256;
constexpr int kBusyTimeoutMs = 5000;
constexpr int kOpcodesBetweenProgress = 100'000;

constexpr const char* kNothingImported = "nothing was imported";

std::string SystemError() { return std::strerror(errno); }

// A file: URI, because only that can say "immutable".
std::string FileUri(const std::string& path, std::string_view query) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      uri += "%" + Hex(&c, 1);
    } else {
      uri += c;
    }
  }
  return uri + "?" + std::string(query);
}

// The file's header; checks that it is one.
std::array<std::byte, kHeaderBytes> ReadHeader(const std::string& path) {
  std::array<std::byte, kHeaderBytes> header{};
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    throw FileFailure("cannot open " + path + ": " + SystemError(),
                      "FILE is the SQLite database to import");
  }
  // Before SQLite has the file open: closing a descriptor drops the process's locks on its file.
  const ssize_t size = ::pread(fd, header.data(), header.size(), 0);
  const std::string error = SystemError();
  ::close(fd);
  if (size < 0) throw FileFailure("cannot read " + path + ": " + error, kNothingImported);
  if (size == 0) {
    throw FileFailure(path + " is empty: there is no database in it to import", kNothingImported);
  }
  if (size < static_cast<ssize_t>(kHeaderBytes) ||
      std::memcmp(header.data(), kMagic.data(), kMagic.size()) != 0) {
    throw FileFailure(path + " is no SQLite database: it does not begin with \"SQLite format 3\"",
                      "nothing was imported; an encrypted database must be decrypted first");
  }
  return header;
}

Failure SourceFailure(const std::string& path, sqlite3* db, int code) {
  const std::string message = db == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db);
  switch (code & 0xff) {
    case SQLITE_INTERRUPT:
      return Failure("interrupted", kExitFailed, "interrupted", kNothingImported);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return FileFailure(path + " is locked by another process: " + message,
                         "nothing was imported; try again when that process is done");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return FileFailure(path + " is a damaged SQLite database: " + message,
                         "nothing was imported; sqlite3's .recover command may save its rows");
    default: break;
  }
  const bool cannot_roll_back =
      sqlite3_extended_errcode(db) == SQLITE_READONLY_ROLLBACK || (code & 0xff) == SQLITE_CANTOPEN;
  std::error_code ignored;
  if (cannot_roll_back && std::filesystem::exists(path + "-journal", ignored)) {
    return FileFailure(
        path + " has a transaction that was never finished (" + path + "-journal): " + message,
        "nothing was imported; finish it with: sqlite3 " + ShellQuote(path) +
            " 'select 1 from sqlite_schema'");
  }
  return FileFailure("cannot read " + path + ": " + message, kNothingImported);
}

// Runs one statement; returns the text of the first column of its first rows, a line each.
int RunStatement(sqlite3* db, const char* sql, std::string* rows) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(db, sql, -1, &statement, nullptr);
  if (code != SQLITE_OK) return code;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    if (!rows->empty()) *rows += "; ";
    *rows += text == nullptr ? "" : text;
  }
  sqlite3_finalize(statement);
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

int OnProgress(void* progress) {
  static_cast<Progress*>(progress)->Update(0, 0);
  return InterruptGuard::interrupted() ? 1 : 0;
}

}  // namespace

// What tells that somebody wrote to the file or began to use it.
struct SqliteSource::FileState {
  explicit FileState(const std::string& path)
      : main(Stat(path)), wal(Stat(path + "-wal")), shm(Stat(path + "-shm")) {}

  struct One {
    bool exists = false;
    ino_t inode = 0;
    off_t size = 0;
    int64_t changed_ns = 0;
    bool operator==(const One&) const = default;
  };

  static One Stat(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return {};
    return {.exists = true,
            .inode = info.st_ino,
            .size = info.st_size,
            .changed_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
  }

  bool operator==(const FileState&) const = default;

  One main;
  One wal;
  One shm;
};

void SqliteSource::CloseConnection::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

SqliteSource::SqliteSource(const std::string& path) : path_(path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    throw FileFailure(path + " is not a regular file", "FILE is the SQLite database to import");
  }
  state_ = std::make_unique<FileState>(path);
  const auto header = ReadHeader(path);

  Access access = Access::kLocked;
  if (state_->wal.size > 0 || header[kWriteVersionPosition] == kWalVersion) {
    access = state_->shm.exists     ? Access::kSharedWal
             : state_->wal.size > 0 ? Access::kOrphanedWal
                                    : Access::kImmutable;
  }
  watch_ = access == Access::kImmutable || access == Access::kOrphanedWal;
  db_ = Open(path, access);
  try {
    BeginRead(db_.get());
    CheckIntegrity(db_.get());
    if (access == Access::kSharedWal || access == Access::kOrphanedWal) {
      CopyToTemporaryFile(db_.get());
      db_.reset();
      db_ = Open(temporary_path_, Access::kImmutable);
      BeginRead(db_.get());
    }
  } catch (...) {
    if (!temporary_path_.empty()) ::unlink(temporary_path_.c_str());
    throw;
  }
}

SqliteSource::~SqliteSource() {
  db_.reset();
  if (!temporary_path_.empty()) ::unlink(temporary_path_.c_str());
}

SqliteSource::Connection SqliteSource::Open(const std::string& path, Access access) const {
  const std::string query = access == Access::kImmutable ? "mode=ro&immutable=1" : "mode=ro";
  const char* vfs = access == Access::kOrphanedWal ? "unix-none" : "unix";
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(FileUri(path, query).c_str(), &raw,
                                   SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, vfs);
  Connection db(raw);
  if (code != SQLITE_OK) throw SourceFailure(path_, raw, code);
  sqlite3_busy_timeout(raw, kBusyTimeoutMs);
  // Closing must not move the WAL's contents into the file.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  std::string ignored;
  if (access == Access::kOrphanedWal) {
    const int locking = RunStatement(raw, "PRAGMA locking_mode=EXCLUSIVE", &ignored);
    if (locking != SQLITE_OK) throw SourceFailure(path_, raw, locking);
  }
  return db;
}

void SqliteSource::BeginRead(sqlite3* db) {
  std::string ignored;
  int code = RunStatement(db, "BEGIN", &ignored);
  // The first read takes the lock and reads the schema: a broken one shows here.
  if (code == SQLITE_OK) code = RunStatement(db, "SELECT count(*) FROM sqlite_schema", &ignored);
  std::string page_size;
  std::string page_count;
  if (code == SQLITE_OK) code = RunStatement(db, "PRAGMA page_size", &page_size);
  if (code == SQLITE_OK) code = RunStatement(db, "PRAGMA page_count", &page_count);
  if (code != SQLITE_OK) throw SourceFailure(path_, db, code);
  page_size_ = static_cast<uint32_t>(std::stoul(page_size));
  page_count_ = static_cast<uint32_t>(std::stoul(page_count));
}

void SqliteSource::CheckIntegrity(sqlite3* db) const {
  Progress progress("checking " + path_);
  sqlite3_progress_handler(db, kOpcodesBetweenProgress, OnProgress, &progress);
  std::string findings;
  int code = RunStatement(db, "PRAGMA integrity_check(3)", &findings);
  if (code == SQLITE_ERROR) {
    // An index may need a collation or function that only its application has. The quick check
    // looks at the structure without comparing keys.
    findings.clear();
    code = RunStatement(db, "PRAGMA quick_check(3)", &findings);
  }
  sqlite3_progress_handler(db, 0, nullptr, nullptr);
  if (code != SQLITE_OK) throw SourceFailure(path_, db, code);
  if (findings != "ok") {
    throw FileFailure(path_ + " is a damaged SQLite database: " + findings,
                      "nothing was imported; sqlite3's .recover command may save its rows");
  }
}

void SqliteSource::CopyToTemporaryFile(sqlite3* db) {
  std::error_code error;
  std::filesystem::path directory = std::filesystem::temp_directory_path(error);
  if (error) directory = "/tmp";
  std::string path = (directory / "tidemark-import-XXXXXX").string();
  const int fd = ::mkstemp(path.data());
  if (fd < 0) {
    throw FileFailure(
        "cannot make a temporary copy in " + directory.string() + ": " + SystemError(),
        "nothing was imported; set TMPDIR to a directory with room for a copy");
  }
  ::close(fd);
  temporary_path_ = path;

  sqlite3* raw = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE, "unix");
  const Connection copy(raw);
  std::string ignored;
  // A copy that a crash destroys is no loss.
  if (code == SQLITE_OK) code = RunStatement(raw, "PRAGMA synchronous=OFF", &ignored);
  if (code == SQLITE_OK) code = RunStatement(raw, "PRAGMA journal_mode=OFF", &ignored);
  if (code == SQLITE_OK) {
    sqlite3_backup* backup = sqlite3_backup_init(raw, "main", db, "main");
    if (backup != nullptr) {
      Progress progress("copying " + path_);
      while ((code = sqlite3_backup_step(backup, kBackupPages)) == SQLITE_OK &&
             !InterruptGuard::interrupted()) {
        const auto total = static_cast<uint64_t>(sqlite3_backup_pagecount(backup));
        progress.Update(total - static_cast<uint64_t>(sqlite3_backup_remaining(backup)), total);
      }
      const bool stopped = code == SQLITE_OK;
      const int finished = sqlite3_backup_finish(backup);
      code = stopped ? SQLITE_INTERRUPT : finished;
    } else {
      code = sqlite3_errcode(raw);
    }
  }
  if (code == SQLITE_INTERRUPT) throw SourceFailure(path_, raw, code);
  if (code != SQLITE_OK) {
    throw FileFailure("cannot copy " + path_ + " to " + path + ": " + sqlite3_errmsg(raw),
                      "nothing was imported; set TMPDIR to a directory with room for a copy");
  }
}

void SqliteSource::ReadPage(PageNo page_no, std::span<std::byte> out) {
  // Through SQLite's own descriptor: opening the file again and closing it would drop the locks.
  sqlite3_file* file = nullptr;
  int code = sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (code == SQLITE_OK && (file == nullptr || file->pMethods == nullptr)) code = SQLITE_MISUSE;
  if (code == SQLITE_OK) {
    const auto offset = static_cast<sqlite3_int64>(page_no.value - 1) * page_size_;
    code = file->pMethods->xRead(file, out.data(), static_cast<int>(out.size()), offset);
  }
  if (code != SQLITE_OK) {
    throw FileFailure("cannot read page " + std::to_string(page_no.value) + " of " + path_ + ": " +
                          sqlite3_errstr(code),
                      kNothingImported);
  }
}

void SqliteSource::CheckUnchanged() const {
  if (!watch_ || FileState(path_) == *state_) return;
  throw FileFailure(path_ + " was changed by another process while it was read",
                    "nothing was imported; try again when that process is done");
}

}  // namespace tidemark::tools
