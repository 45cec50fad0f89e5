// What programs build on SQLite, over objects: shared caches, functions, virtual tables, hooks and
// handlers that run inside a transaction, temporary tables beside it.

#include <string>
#include <vector>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class ProgramTest : public AttachedVfsTest {};

// Goal: a shared cache outlives the connection that opened it: the file asks whichever connection
// is there. Method: the first one closed, then the pragmas that depend on the connection. (Worth
// most under AddressSanitizer: the connection that is gone is freed memory.)
TEST_F(ProgramTest, SharedCacheWithoutItsFirstConnection) {
  auto first = std::make_unique<Connection>(Uri("o", "&cache=shared"));
  const Connection second(Uri("o", "&cache=shared"));
  Exec(first->handle(), "CREATE TABLE t(x)");
  Exec(second.handle(), "INSERT INTO t VALUES(1)");
  first.reset();
  Exec(second.handle(), "PRAGMA synchronous=OFF; INSERT INTO t VALUES(2)");
  Exec(second.handle(), "BEGIN; INSERT INTO t VALUES(3)");
  EXPECT_EQ(Try(second.handle(), "PRAGMA tidemark_restore='1 second ago'"), SQLITE_BUSY);
  Exec(second.handle(), "COMMIT");
}

// Goal: connections of a shared cache lock tables among themselves, as SQLite says, and see and are
// seen by connections outside; two objects, and an object and its past, never share a cache.
// Method: two connections with cache=shared, one without; the past with cache=shared.
TEST_F(ProgramTest, SharedCache) {
  const Connection a(Uri("o", "&cache=shared"));
  const Connection b(Uri("o", "&cache=shared"));
  const Connection outside(Uri("o"));
  Exec(a.handle(), "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
  EXPECT_EQ(Query(b.handle(), "SELECT x FROM t"), "1");
  Exec(a.handle(), "BEGIN; UPDATE t SET x = 2");
  EXPECT_EQ(Try(b.handle(), "SELECT x FROM t"), SQLITE_LOCKED_SHAREDCACHE);
  Exec(b.handle(), "PRAGMA read_uncommitted=1");
  EXPECT_EQ(Query(b.handle(), "SELECT x FROM t"), "2");
  EXPECT_EQ(Query(outside.handle(), "SELECT x FROM t"), "1");
  EXPECT_EQ(Try(outside.handle(), "UPDATE t SET x = 3"), SQLITE_BUSY);
  Exec(a.handle(), "COMMIT");
  EXPECT_EQ(Query(outside.handle(), "SELECT x FROM t"), "2");
  Exec(outside.handle(), "UPDATE t SET x = x + 1");
  EXPECT_EQ(Query(a.handle(), "SELECT x FROM t"), "3");

  const Bookmark three =
      (*store_->OpenObject("ns", "o", IfMissing::kFail))->CurrentBookmark().value();
  Exec(a.handle(), "UPDATE t SET x = 4");
  const Connection past(Uri("o", "&cache=shared&at=" + three.ToString()), SQLITE_OPEN_READONLY);
  const Connection other(Uri("other", "&cache=shared"));
  Exec(other.handle(), "CREATE TABLE t(x); INSERT INTO t VALUES('other')");
  EXPECT_EQ(Query(past.handle(), "SELECT x FROM t"), "3");
  EXPECT_EQ(Query(b.handle(), "SELECT x FROM t"), "4");
  EXPECT_EQ(Query(other.handle(), "SELECT x FROM t"), "other");
}

// Goal: a function may read and write through another connection to the same object, and one that
// writes through its own is part of the statement's transaction.
// Method: such functions, called by an UPDATE; a failing one undoes its statement.
TEST_F(ProgramTest, FunctionsThatUseConnections) {
  const Connection db(Uri("o"));
  const Connection other(Uri("o"));
  Exec(db.handle(), "CREATE TABLE t(x); CREATE TABLE log(x); INSERT INTO t VALUES(1), (2), (3)");
  const auto count_elsewhere = [](sqlite3_context* context, int, sqlite3_value**) {
    auto* connection = static_cast<sqlite3*>(sqlite3_user_data(context));
    sqlite3_result_int(context, std::stoi(Query(connection, "SELECT sum(x) FROM t")));
  };
  const auto write_here = [](sqlite3_context* context, int, sqlite3_value** values) {
    const int x = sqlite3_value_int(values[0]);
    Exec(sqlite3_context_db_handle(context), "INSERT INTO log VALUES(" + std::to_string(x) + ")");
    if (x == 30) sqlite3_result_error(context, "no thirty", -1);
  };
  sqlite3_create_function(db.handle(), "elsewhere", 0, SQLITE_UTF8, other.handle(), count_elsewhere,
                          nullptr, nullptr);
  sqlite3_create_function(db.handle(), "here", 1, SQLITE_UTF8, nullptr, write_here, nullptr,
                          nullptr);
  Exec(db.handle(), "UPDATE t SET x = x * 10 + elsewhere() - 6");
  EXPECT_EQ(Query(db.handle(), "SELECT x FROM t"), "10\n20\n30") << "others saw 6 throughout";
  EXPECT_EQ(Try(db.handle(), "UPDATE t SET x = x + 1 WHERE here(x) IS NULL"), SQLITE_ERROR);
  EXPECT_EQ(Query(db.handle(), "SELECT sum(x) FROM t; SELECT count(*) FROM log"), "60\n0");
  Exec(db.handle(), "UPDATE t SET x = x + 1 WHERE x < 30 AND here(x) IS NULL");
  EXPECT_EQ(Query(other.handle(), "SELECT x FROM log"), "10\n20");
}

// A table-valued module over the numbers 1 to 3, whose transaction methods are written down.
struct Numbers {
  static inline std::vector<std::string> calls;

  static int Connect(sqlite3* db, void*, int, const char* const*, sqlite3_vtab** out, char**) {
    *out = new sqlite3_vtab{};
    return sqlite3_declare_vtab(db, "CREATE TABLE n(value)");
  }
  static int Disconnect(sqlite3_vtab* table) {
    delete table;
    return SQLITE_OK;
  }
  static int BestIndex(sqlite3_vtab*, sqlite3_index_info*) { return SQLITE_OK; }
  struct Cursor : sqlite3_vtab_cursor {
    int at = 1;
  };
  static int Open(sqlite3_vtab*, sqlite3_vtab_cursor** out) {
    *out = new Cursor{};
    return SQLITE_OK;
  }
  static int Close(sqlite3_vtab_cursor* cursor) {
    delete static_cast<Cursor*>(cursor);
    return SQLITE_OK;
  }
  static int Filter(sqlite3_vtab_cursor*, int, const char*, int, sqlite3_value**) {
    return SQLITE_OK;
  }
  static int Next(sqlite3_vtab_cursor* cursor) {
    ++static_cast<Cursor*>(cursor)->at;
    return SQLITE_OK;
  }
  static int Eof(sqlite3_vtab_cursor* cursor) { return static_cast<Cursor*>(cursor)->at > 3; }
  static int Column(sqlite3_vtab_cursor* cursor, sqlite3_context* context, int) {
    sqlite3_result_int(context, static_cast<Cursor*>(cursor)->at);
    return SQLITE_OK;
  }
  static int Rowid(sqlite3_vtab_cursor* cursor, sqlite3_int64* out) {
    *out = static_cast<Cursor*>(cursor)->at;
    return SQLITE_OK;
  }
  static int Update(sqlite3_vtab*, int, sqlite3_value**, sqlite3_int64*) { return SQLITE_OK; }
  static int Begin(sqlite3_vtab*) { return calls.push_back("begin"), SQLITE_OK; }
  static int Sync(sqlite3_vtab*) { return calls.push_back("sync"), sync_result; }
  static int Commit(sqlite3_vtab*) { return calls.push_back("commit"), SQLITE_OK; }
  static int Rollback(sqlite3_vtab*) { return calls.push_back("rollback"), SQLITE_OK; }
  static inline int sync_result = SQLITE_OK;

  static const sqlite3_module* Module() {
    static sqlite3_module module{};
    module.xCreate = module.xConnect = Connect;
    module.xDestroy = module.xDisconnect = Disconnect;
    module.xBestIndex = BestIndex;
    module.xOpen = Open;
    module.xClose = Close;
    module.xFilter = Filter;
    module.xNext = Next;
    module.xEof = Eof;
    module.xColumn = Column;
    module.xRowid = Rowid;
    module.xUpdate = Update;
    module.xBegin = Begin;
    module.xSync = Sync;
    module.xCommit = Commit;
    module.xRollback = Rollback;
    return &module;
  }
};

// Goal: a virtual table of the program's own joins with an object's tables, and takes part in its
// commits: one that fails to sync stops the object's commit too. Method: the module above.
TEST_F(ProgramTest, VirtualTables) {
  const Connection db(Uri("o"));
  sqlite3_create_module(db.handle(), "numbers", Numbers::Module(), nullptr);
  Exec(db.handle(), "CREATE TABLE t(x); CREATE VIRTUAL TABLE n USING numbers");
  Exec(db.handle(), "INSERT INTO t SELECT value * 10 FROM n");
  EXPECT_EQ(Query(db.handle(), "SELECT t.x, n.value FROM t JOIN n ON t.x = n.value * 10"),
            "10|1\n20|2\n30|3");
  Numbers::calls.clear();
  Exec(db.handle(), "BEGIN; INSERT INTO n VALUES(1); DELETE FROM t WHERE x = 10; COMMIT");
  EXPECT_EQ(Numbers::calls, (std::vector<std::string>{"begin", "sync", "commit"}));
  const int commits = CommitCount("o");
  Numbers::sync_result = SQLITE_FULL;
  EXPECT_EQ(Try(db.handle(), "BEGIN; INSERT INTO n VALUES(1); DELETE FROM t; COMMIT"), SQLITE_FULL);
  if (sqlite3_get_autocommit(db.handle()) == 0) Exec(db.handle(), "ROLLBACK");
  Numbers::sync_result = SQLITE_OK;
  EXPECT_EQ(Query(db.handle(), "SELECT x FROM t; PRAGMA integrity_check"), "20\n30\nok");
  EXPECT_EQ(CommitCount("o"), commits);
}

// Goal: wherever a statement is interrupted, the commit of it included, it happened or it did not,
// as in a stock file. (SQLite may report an interrupt that came as the commit was done.)
// Method: a progress handler that interrupts one operation later each time, until the statement
// gets through; likewise sqlite3_interrupt from the commit hook.
TEST_F(ProgramTest, InterruptedAnywhere) {
  const Connection stock(directory_ / "stock");
  const Connection db(Uri("o"));
  const Connection other(Uri("o"));
  for (sqlite3* handle : {stock.handle(), db.handle()}) {
    Exec(handle,
         "PRAGMA cache_size=3; CREATE TABLE t(x, y); WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL "
         "SELECT i+1 FROM n WHERE i<30) INSERT INTO t SELECT 0, zeroblob(600) FROM n");
  }
  const std::string state = "SELECT count(*), min(x), max(x) FROM t";
  const auto interrupted = [&](sqlite3* handle, int after) {
    sqlite3_progress_handler(
        handle, after, [](void*) { return 1; }, nullptr);
    const int code = Try(handle, "UPDATE t SET x = x + 1");
    sqlite3_progress_handler(handle, 0, nullptr, nullptr);
    return code;
  };
  int interrupts = 0;
  for (int code = SQLITE_INTERRUPT; code == SQLITE_INTERRUPT; ++interrupts) {
    code = interrupted(db.handle(), interrupts + 1);
    ASSERT_EQ(code, interrupted(stock.handle(), interrupts + 1)) << interrupts;
    ASSERT_EQ(Query(other.handle(), state), Query(stock.handle(), state)) << interrupts;
  }
  EXPECT_GT(interrupts, 100);

  const auto interrupt = [](void* handle) {
    sqlite3_interrupt(static_cast<sqlite3*>(handle));
    return 0;
  };
  sqlite3_commit_hook(db.handle(), interrupt, db.handle());
  sqlite3_commit_hook(stock.handle(), interrupt, stock.handle());
  EXPECT_EQ(Try(db.handle(), "UPDATE t SET x = x + 1"),
            Try(stock.handle(), "UPDATE t SET x = x + 1"));
  EXPECT_EQ(Query(other.handle(), state), Query(stock.handle(), state));
  EXPECT_EQ(Query(other.handle(), "PRAGMA integrity_check"), "ok");
}

// Goal: temporary tables and files are SQLite's own business, and nothing of them is in the store.
// Method: temporary tables larger than the cache, sorts that spill, with each temp_store.
TEST_F(ProgramTest, TemporaryTables) {
  for (const char* where : {"FILE", "MEMORY"}) {
    const Connection db(Uri(where));
    Exec(db.handle(), std::string("PRAGMA temp_store=") + where +
                          "; PRAGMA temp.cache_size=3; PRAGMA cache_size=5; CREATE TABLE t(x)");
    const int commits = CommitCount(where);
    Exec(db.handle(),
         "CREATE TEMP TABLE w(x); WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n "
         "WHERE i<3000) INSERT INTO w SELECT hex(zeroblob(i % 400)) || i FROM n;"
         "CREATE INDEX temp.i ON w(x)");
    EXPECT_EQ(CommitCount(where), commits);
    Exec(db.handle(), "BEGIN; INSERT INTO t SELECT count(*) FROM w; DELETE FROM w; ROLLBACK");
    EXPECT_EQ(Query(db.handle(), "SELECT count(DISTINCT x) FROM w; SELECT count(*) FROM t"),
              "3000\n0");
    Exec(db.handle(), "INSERT INTO t SELECT x FROM w ORDER BY x DESC");
    EXPECT_EQ(CommitCount(where), commits + 1);
    EXPECT_EQ(Query(Connection(Uri(where)).handle(), "SELECT name FROM sqlite_temp_schema"), "");
  }
}

}  // namespace
}  // namespace tidemark::testing
