// The authorizer of object storage, see authorizer.h.

#include "api/internal/authorizer.h"

#include <new>
#include <string_view>

#include "api/internal/sql_lists.h"

namespace tidemark::internal {
namespace {

constexpr std::string_view kUseTransaction =
    "statements that begin or end a transaction or a savepoint are not for SQL inside an object: "
    "use ObjectStorage::Transaction() or TransactionSync(), which also keep the rest of the "
    "object's state in step";

}  // namespace

void Authorizer::Install(sqlite3* connection) noexcept {
  sqlite3_set_authorizer(connection, &Authorizer::Callback, this);
}

bool Authorizer::AllowsName(const char* name) noexcept {
  return name == nullptr || sqlite3_strnicmp(name, "_cf_", 4) != 0;
}

int Authorizer::Callback(void* self, int action, const char* first, const char* second,
                         const char* database, const char* trigger) noexcept {
  Authorizer& authorizer = *static_cast<Authorizer*>(self);
  // A trigger is the application's, also where the layer's own statement sets it off (a foreign key
  // on one of its tables can).
  if (authorizer.trusted_ > 0 && trigger == nullptr) return SQLITE_OK;
  if (action == SQLITE_DELETE && trigger == nullptr && authorizer.compiling_) {
    try {
      authorizer.deletes_from_ = first;
    } catch (const std::bad_alloc&) {
      return SQLITE_DENY;
    }
  }
  return authorizer.Check(action, first, second, database);
}

int Authorizer::Check(int action, const char* first, const char* second,
                      const char* database) noexcept {
  if (action == SQLITE_ALTER_TABLE) {
    // Its arguments are the database and the table.
    database = first;
    first = second;
  }
  if (database != nullptr && std::string_view(database) != "main") {
    // ALTER TABLE looks for names that it must change in the temporary schema, too.
    const bool alter = action == SQLITE_READ || action == SQLITE_UPDATE;
    if (!alter || std::string_view(database) != "temp") return SQLITE_DENY;
  }
  return Allows(action, first, second) ? SQLITE_OK : SQLITE_DENY;
}

bool Authorizer::Allows(int action, const char* first, const char* second) noexcept {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
    case SQLITE_ANALYZE:  // it may look at the layer's own tables, and shows nothing of them
      return true;
    case SQLITE_READ:
    case SQLITE_CREATE_TABLE:
    case SQLITE_ALTER_TABLE: changes_table_ = true; return AllowsName(first);
    case SQLITE_CREATE_VIEW: creates_program_ = true; return AllowsName(first);
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_VIEW:
    case SQLITE_INSERT:
    case SQLITE_DELETE:
    case SQLITE_UPDATE:
    case SQLITE_REINDEX: return AllowsName(first);
    case SQLITE_CREATE_TRIGGER:
      creates_program_ = true;
      return AllowsName(first) && AllowsName(second);
    case SQLITE_CREATE_INDEX:
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_TRIGGER: return AllowsName(first) && AllowsName(second);
    case SQLITE_CREATE_VTABLE:
      creates_program_ = true;
      return AllowsName(first) && IsAllowedModule(second);
    case SQLITE_DROP_VTABLE: return AllowsName(first) && IsAllowedModule(second);
    case SQLITE_FUNCTION: return IsAllowedFunction(second);
    case SQLITE_PRAGMA: return IsAllowedPragma(first, second);
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
      if (!compiling_) return true;  // rtreecheck() begins one
      reason_ = kUseTransaction;
      return false;
    default: return false;  // ATTACH, DETACH, whatever is TEMP, and what is not known
  }
}

}  // namespace tidemark::internal
