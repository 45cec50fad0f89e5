#include "tests/vfs/vfs_fixture.h"

#include <algorithm>
#include <utility>

namespace tidemark::testing {
namespace {

int AppendRow(void* out, int columns, char** values, char**) {
  auto& text = *static_cast<std::string*>(out);
  if (!text.empty()) text += '\n';
  for (int i = 0; i < columns; ++i) {
    if (i > 0) text += '|';
    text += values[i] == nullptr ? "NULL" : values[i];
  }
  return 0;
}

}  // namespace

std::string Query(sqlite3* connection, const std::string& sql) {
  std::string rows;
  if (sqlite3_exec(connection, sql.c_str(), AppendRow, &rows, nullptr) == SQLITE_OK) return rows;
  ADD_FAILURE() << sql.substr(0, 200) << ": " << sqlite3_errmsg(connection);
  return std::string("error: ") + sqlite3_errmsg(connection);
}

void Exec(sqlite3* connection, const std::string& sql) { Query(connection, sql); }

int Try(sqlite3* connection, const std::string& sql) {
  const int code = sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? code : sqlite3_extended_errcode(connection);
}

Connection::Connection(const std::string& uri, int flags)
    : code_(sqlite3_open_v2(uri.c_str(), &handle_, flags | SQLITE_OPEN_URI, nullptr)) {}

Connection::~Connection() { sqlite3_close(handle_); }

int Backup(sqlite3* to, sqlite3* from) {
  sqlite3_backup* backup = sqlite3_backup_init(to, "main", from, "main");
  if (backup == nullptr) return sqlite3_extended_errcode(to);
  const int code = sqlite3_backup_step(backup, -1);
  sqlite3_backup_finish(backup);
  return code;
}

std::string Dump(sqlite3* connection) {
  std::string dump = Query(connection,
                           "SELECT type, name, tbl_name, sql FROM sqlite_schema "
                           "ORDER BY type, name");
  const std::string tables =
      Query(connection, "SELECT name FROM sqlite_schema WHERE type='table' ORDER BY name");
  for (size_t begin = 0; begin < tables.size();) {
    const size_t end = std::min(tables.find('\n', begin), tables.size());
    const std::string name = tables.substr(begin, end - begin);
    dump += "\n[" + name + "]\n" + Query(connection, "SELECT * FROM \"" + name + "\" ORDER BY 1");
    begin = end + 1;
  }
  return dump;
}

Database VfsTest::Open(const std::string& name, DatabaseOptions options) {
  Result<Database> database = Database::Open(*store_, "ns", name, options);
  EXPECT_OK(database);
  return *std::move(database);
}

CommitInfo VfsTest::Head(const std::string& name) {
  const auto object = store_->OpenObject("ns", name, IfMissing::kFail);
  EXPECT_OK(object);
  return (*object)->head();
}

int VfsTest::CommitCount(const std::string& name) {
  const auto object = store_->OpenObject("ns", name, IfMissing::kCreate);
  EXPECT_OK(object);
  int count = 0;
  EXPECT_OK((*object)->History([&](const CommitInfo&) {
    ++count;
    return true;
  }));
  return count;
}

}  // namespace tidemark::testing
