// The loadable extension libtidemark_vfs.so: its entry point.
//
//   sqlite> .load libtidemark_vfs                      or, with the entry point's name,
//   SELECT load_extension('libtidemark_vfs', 'sqlite3_tidemark_init');
//
// Registers the VFS "tidemark" (vfs.h) with the SQLite that loads it, once in a process and for all
// of its connections, those to come too: the extension stays loaded. Beside that:
//
//   * TIDEMARK_STORE=DIR in the environment makes plain file names objects of that store
//     (internal/database_name.h).
//   * TIDEMARK_DEFAULT_VFS=1 makes the VFS SQLite's default, so that a name needs no vfs=.
//   * SELECT tidemark_error() is what went wrong last on this thread, in full, where SQLite has no
//     more than "disk I/O error"; null if nothing did. It is there for the connection that loaded
//     the extension and for those opened afterwards.
//
// SQLite unloads an extension that fails to load, which by then may have registered something: so
// the library cannot be unloaded at all (-z nodelete). Everything in it but the entry point is
// hidden (extension.map): it has an engine, and a pointer to SQLite's functions, that must not be
// mixed up with another library's of the same name.

#include <cstdlib>
#include <mutex>
#include <new>
#include <string>
#include <string_view>

#include "engine/result.h"
#include "vfs/internal/main_file.h"
#include "vfs/internal/sqlite.h"
#include "vfs/internal/sqlite_result.h"
#include "vfs/vfs.h"

SQLITE_EXTENSION_INIT1

namespace tidemark::internal {
namespace {

void ErrorFunction(sqlite3_context* context, int, sqlite3_value**) noexcept try {
  const Status status = LastError();
  if (status.ok()) {
    sqlite3_result_null(context);
  } else {
    sqlite3_result_text(context, status.ToString().c_str(), -1, SQLITE_TRANSIENT);
  }
} catch (const std::bad_alloc&) {
  sqlite3_result_error_nomem(context);
}

// An automatic extension, for every connection.
int SetUp(sqlite3* connection, char**, const sqlite3_api_routines*) noexcept {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (MainFileOf(file) != nullptr) {
    // On in some builds of SQLite: it costs a write for each deleted row, and the history of the
    // store keeps what was deleted anyway. If this fails, things are as the host had them.
    sqlite3_exec(connection, "PRAGMA secure_delete=OFF", nullptr, nullptr, nullptr);
  }
  return sqlite3_create_function_v2(connection, "tidemark_error", 0,
                                    SQLITE_UTF8 | SQLITE_DIRECTONLY, nullptr, ErrorFunction,
                                    nullptr, nullptr, nullptr);
}

bool IsSet(const char* value) { return value != nullptr && value[0] != '\0'; }

// Whether TIDEMARK_DEFAULT_VFS asks for it.
Result<bool> WantsToBeDefault() {
  const char* value = std::getenv("TIDEMARK_DEFAULT_VFS");
  if (!IsSet(value) || std::string_view(value) == "0") return false;
  if (std::string_view(value) != "1") {
    return Status(StatusCode::kInvalidArgument,
                  "TIDEMARK_DEFAULT_VFS=" + std::string(value) + " is neither 0 nor 1");
  }
  if (!IsSet(std::getenv("TIDEMARK_STORE"))) {
    return Status(StatusCode::kInvalidArgument,
                  "TIDEMARK_DEFAULT_VFS=1 needs TIDEMARK_STORE=DIR, the store that plain file "
                  "names are in");
  }
  return true;
}

Status Load(sqlite3* connection) {
  TIDEMARK_ASSIGN_OR_RETURN(const bool as_default, WantsToBeDefault());
  TIDEMARK_RETURN_IF_ERROR(RegisterVfs());
  int code = SetUp(connection, nullptr, nullptr);
  if (code == SQLITE_OK) {
    code = sqlite3_auto_extension(reinterpret_cast<void (*)()>(SetUp));
  }
  if (code == SQLITE_OK && as_default) {
    // Registering a VFS again is how SQLite lets it become the default.
    code = sqlite3_vfs_register(sqlite3_vfs_find(kVfsName), 1);
  }
  return code == SQLITE_OK ? OkStatus() : StatusFromSqlite(code);
}

// With the functions of `api` only: it may be the wrong SQLite.
int Refuse(const sqlite3_api_routines* api, char** message, const std::string& text) {
  if (message != nullptr) *message = api->mprintf("tidemark: %s", text.c_str());
  return SQLITE_ERROR;
}

int Init(sqlite3* connection, char** message, const sqlite3_api_routines* api) noexcept try {
  static std::mutex mutex;  // a host may load from several threads at once
  std::lock_guard lock(mutex);
  // The first functions of the table are those of the first SQLite that had one; what lies behind
  // its end in an older one may not even be looked at.
  if (api->libversion_number() < kMinSqliteVersion) {
    return Refuse(api, message,
                  std::string("this program has SQLite ") + api->libversion() +
                      "; the extension needs " + kMinSqliteVersionText + " or newer");
  }
  if (sqlite3_api != nullptr && sqlite3_api != api) {
    return Refuse(api, message,
                  "the extension is already loaded into another SQLite of this process; it can "
                  "serve one only");
  }
  SQLITE_EXTENSION_INIT2(api);
  if (const Status status = Load(connection); !status.ok()) {
    return Refuse(api, message, status.message());
  }
  return SQLITE_OK_LOAD_PERMANENTLY;
} catch (const std::bad_alloc&) {
  return SQLITE_NOMEM;
}

}  // namespace
}  // namespace tidemark::internal

extern "C" {

__attribute__((visibility("default"))) int sqlite3_tidemark_init(sqlite3* connection,
                                                                 char** message,
                                                                 const sqlite3_api_routines* api) {
  return tidemark::internal::Init(connection, message, api);
}

// The name that SQLite makes up from the file's when it is told none.
__attribute__((visibility("default"))) int sqlite3_tidemarkvfs_init(
    sqlite3* connection, char** message, const sqlite3_api_routines* api) {
  return tidemark::internal::Init(connection, message, api);
}
}
