// A SQLite connection to one object, see database.h.

#include "vfs/database.h"

#include <new>
#include <utility>

#include "vfs/internal/database_name.h"
#include "vfs/internal/main_file.h"
#include "vfs/internal/sqlite_result.h"
#include "vfs/internal/store_registry.h"
#include "vfs/vfs.h"

namespace tidemark {
namespace {

internal::MainFile* MainFileOf(sqlite3* handle) {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  return internal::MainFileOf(file);
}

// What a connection that writes is told; every pragma is compiled, a good part of an open.
// secure_delete is on in some builds of SQLite, and costs a write for each deleted row; the history
// of the store keeps what was deleted anyway. A persistent journal is never reopened, nor is any in
// EXCLUSIVE locking.
std::string SetUp(const DatabaseOptions& options) {
  // The locking mode first: what reads the schema would give back a lock that was taken before.
  std::string sql = options.locking == Locking::kExclusive ? "PRAGMA locking_mode=EXCLUSIVE;"
                                                           : "PRAGMA journal_mode=PERSIST;";
  sql += "PRAGMA secure_delete=OFF;";
  if (options.synchronous == Synchronous::kOff) sql += "PRAGMA synchronous=OFF;";
  if (options.synchronous == Synchronous::kNormal) sql += "PRAGMA synchronous=NORMAL;";
  return sql;
}

IfMissing IfMissingOf(const DatabaseOptions& options) {
  if (options.at) return IfMissing::kDeleted;  // its past is there still
  return options.read_only ? IfMissing::kFail : options.if_missing;
}

}  // namespace

Result<Database> Database::Open(Store& store, std::string_view namespace_name,
                                std::string_view name, const DatabaseOptions& options) try {
  TIDEMARK_ASSIGN_OR_RETURN(auto object,
                            store.OpenObject(namespace_name, name, IfMissingOf(options)));
  return Open(store, std::move(object), options);
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

Result<Database> Database::Open(Store& store, std::shared_ptr<Object> object,
                                const DatabaseOptions& options) try {
  TIDEMARK_RETURN_IF_ERROR(RegisterVfs());
  const bool writable = !options.read_only && !options.at;
  const bool create = writable && options.if_missing == IfMissing::kCreate;
  internal::DatabaseName database_name{"", object->namespace_name(), object->name(), ""};
  if (database_name.name.empty()) {
    database_name.name = object->id().ToString();
    database_name.by_id = true;
  }
  if (options.at) {
    TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, object->Resolve(*options.at));
    database_name.at = internal::AtOf(*object, *options.at, commit);
  }
  TIDEMARK_ASSIGN_OR_RETURN(database_name.store_directory,
                            internal::StoreRegistry::Get().AddUser(&store));
  Database database(nullptr, std::move(object), &store);  // from here on the user it was added for

  // NOMUTEX: a Database is used by one thread at a time.
  const int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
                    (writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
                    (create ? SQLITE_OPEN_CREATE : 0);
  sqlite3*& handle = database.handle_;
  const int code = sqlite3_open_v2(database_name.Uri().c_str(), &handle, flags, nullptr);
  if (code != SQLITE_OK) {
    // SQLite keeps no reason for a failed open: ask for it again.
    const Status reason = database.object_->OpenSnapshot().status();
    return reason.ok() ? database.ErrorStatus() : reason;
  }
  sqlite3_extended_result_codes(handle, 1);
  if (options.begin_empty) {
    if (!writable || options.locking != Locking::kExclusive) {
      return Status(StatusCode::kInvalidArgument,
                    "begin_empty is for connections that write, with Locking::kExclusive");
    }
    TIDEMARK_RETURN_IF_ERROR(MainFileOf(handle)->BeginEmpty());  // before SQLite reads anything
  }
  if (writable) TIDEMARK_RETURN_IF_ERROR(database.Exec(SetUp(options).c_str()));
  if (writable && options.locking == Locking::kExclusive && !options.begin_empty) {
    // At once: a connection in this mode never leaves the snapshot it first read, so if another one
    // wrote before its first write, it could never write at all.
    TIDEMARK_RETURN_IF_ERROR(MainFileOf(handle)->LockForWriting());
  }
  return database;
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

Database::Database(sqlite3* handle, std::shared_ptr<Object> object, Store* store)
    : handle_(handle), object_(std::move(object)), store_(store) {}

Database::Database(Database&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)),
      object_(std::move(other.object_)),
      store_(std::exchange(other.store_, nullptr)) {}

Database& Database::operator=(Database&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(object_, other.object_);
  std::swap(store_, other.store_);
  return *this;
}

Database::~Database() {
  sqlite3_close_v2(handle_);
  if (store_ != nullptr) internal::StoreRegistry::Get().RemoveUser(store_);
}

Status Database::Exec(const char* sql) {
  if (internal::MainFile* file = MainFileOf(handle_)) file->errors().Clear();
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? OkStatus() : ErrorStatus();
}

Status Database::EngineError() const {
  internal::MainFile* file = handle_ == nullptr ? nullptr : MainFileOf(handle_);
  // FCNTL_FILE_POINTER leaves SQLite's error code as it is.
  return file == nullptr ? OkStatus() : file->errors().For(sqlite3_errcode(handle_));
}

void Database::SetWaitsForDurability(bool waits) {
  MainFileOf(handle_)->set_waits_for_durability(waits);
}

void Database::ReleaseMemory() noexcept {
  if (internal::MainFile* file = MainFileOf(handle_)) file->ReleaseMemory();
}

Status Database::SetAlarm(std::optional<Timestamp> earliest) try {
  return MainFileOf(handle_)->SetAlarm(earliest);
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

Status Database::ErrorStatus() const try {
  Status cause = EngineError();
  return cause.ok() ? internal::StatusFromSqlite(handle_) : cause;
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

}  // namespace tidemark
