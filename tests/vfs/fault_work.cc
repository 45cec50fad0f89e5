// Work that is made to fail, see fault_work.h.

#include "tests/vfs/fault_work.h"

#include <gtest/gtest.h>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

constexpr char kRows[] = "40";

}  // namespace

FaultWork::FaultWork() : file_system_(TestSeed()) {
  OpenStore();
  Exec(*db_,
       "PRAGMA auto_vacuum=INCREMENTAL; CREATE TABLE t(id INTEGER PRIMARY KEY, x, y, z);"
       "CREATE INDEX i ON t(y); CREATE TABLE large(z);"
       "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<40) "
       "INSERT INTO t SELECT i, 0, 'row ' || i || hex(zeroblob(300)), zeroblob(600) FROM n");
  past_ = db_->object().CurrentBookmark().value();
}

FaultWork::~FaultWork() { Close(); }

void FaultWork::OpenStore() {
  StoreOptions options{.create_if_missing = true,
                       .transaction_memory_bytes = 16 << 10,
                       .background_work = BackgroundWork::kManual,
                       .file_system = &file_system_};
  options.segment_size_bytes = 1 << 20;
  options.index_directory = index_.path();
  store_ = Store::Open("store", options).value();
  EXPECT_OK(AttachStore(store_.get()));
  db_ = Database::Open(*store_, "ns", "o").value();
  Exec(*db_, "PRAGMA cache_size=4");
}

void FaultWork::Close() {
  db_.reset();
  EXPECT_OK(DetachStore(store_.get()));
  EXPECT_OK(store_->Close());
  store_.reset();
}

// The store is broken: what was done in the piece of work that met this is all there or not at all.
void FaultWork::Reopen(int adds) {
  ++broken_;
  db_.reset();
  EXPECT_OK(DetachStore(store_.get()));
  EXPECT_FALSE(store_->Close().ok());
  OpenStore();
  const int x = std::stoi(Query(*db_, "SELECT max(x) FROM t"));
  EXPECT_TRUE(x == x_ || x == x_ + adds) << x << " after " << x_;
  x_ = x;
}

std::string FaultWork::Uri(const std::string& name) const {
  return "file:ns/" + name + "?vfs=tidemark&store=" + store_->directory();
}

// Not with sqlite3_exec: it returns SQLITE_NOMEM and loses the code if its own message fails.
int FaultWork::Run(sqlite3* connection, const std::string& sql) {
  const char* next = sql.c_str();
  while (*next != '\0') {
    sqlite3_stmt* statement = nullptr;
    int code = sqlite3_prepare_v2(connection, next, -1, &statement, &next);
    if (code != SQLITE_OK) return code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    }
    sqlite3_finalize(statement);
    if (code != SQLITE_DONE) return code;
  }
  return SQLITE_OK;
}

int FaultWork::RunElsewhere(const std::string& name, const std::string& more,
                            const std::string& sql) {
  sqlite3* connection = nullptr;
  int code = sqlite3_open_v2((Uri(name) + more).c_str(), &connection,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, nullptr);
  if (code == SQLITE_OK) code = Run(connection, sql);
  sqlite3_close(connection);
  return code;
}

int FaultWork::CopyOut() {
  sqlite3* copy = nullptr;
  int code = sqlite3_open_v2(Uri("copy").c_str(), &copy,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, nullptr);
  if (code == SQLITE_OK) {
    sqlite3_backup* backup = sqlite3_backup_init(copy, "main", db_->handle(), "main");
    if (backup == nullptr) {
      code = sqlite3_errcode(copy);
    } else {
      while (sqlite3_backup_step(backup, 3) == SQLITE_OK) {
      }
      code = sqlite3_backup_finish(backup);
    }
  }
  sqlite3_close(copy);
  return code;
}

int FaultWork::WriteBlob() {
  sqlite3_blob* blob = nullptr;
  int code = sqlite3_blob_open(db_->handle(), "main", "t", "z", 7, 1, &blob);
  if (code == SQLITE_OK) code = sqlite3_blob_write(blob, "blob", 4, 300);
  const int closed = sqlite3_blob_close(blob);
  return code == SQLITE_OK ? closed : code;
}

int FaultWork::Serialize() {
  sqlite3_int64 size = 0;
  unsigned char* bytes = sqlite3_serialize(db_->handle(), "main", &size, 0);
  if (bytes == nullptr) return SQLITE_NOMEM;  // the only thing it can say
  sqlite3_free(bytes);
  return SQLITE_OK;
}

std::vector<FaultWork::Piece> FaultWork::Pieces() {
  const auto sql = [this](const std::string& text) {
    return [this, text] { return Run(db_->handle(), text); };
  };
  return {
      {"update", 1,
       sql("BEGIN; UPDATE t SET x = x + 1; INSERT INTO large VALUES(zeroblob(60000));"
           "DELETE FROM large; COMMIT")},
      {"savepoints", 1,
       sql("SAVEPOINT a; UPDATE t SET x = x + 5; SAVEPOINT b; UPDATE t SET x = x + 7, y = y || '+';"
           "ROLLBACK TO b; UPDATE t SET x = x - 4; RELEASE a")},
      {"rollback", 0,
       sql("BEGIN; UPDATE t SET x = -1; INSERT INTO large VALUES(zeroblob(60000)); ROLLBACK")},
      {"rollback to the beginning", 1,
       sql("SAVEPOINT a; UPDATE t SET x = -1, y = x; ROLLBACK TO a; UPDATE t SET x = x + 1;"
           "RELEASE a")},
      {"schema", 1,
       sql("BEGIN; CREATE TABLE extra(p UNIQUE); INSERT INTO extra SELECT y FROM t; ALTER TABLE "
           "extra RENAME TO spare; DROP TABLE spare; UPDATE t SET x = x + 1; COMMIT")},
      {"vacuum", 0, sql("VACUUM")},
      {"another page size", 0, sql("PRAGMA page_size=1024; VACUUM; PRAGMA page_size=4096; VACUUM")},
      {"incremental vacuum", 0,
       sql("INSERT INTO large VALUES(zeroblob(20000)); DELETE FROM large;"
           "PRAGMA incremental_vacuum")},
      {"sort", 0, sql("SELECT a.y, count(*) FROM t a JOIN t b ON a.x = b.x GROUP BY a.y")},
      {"temporary table", 0,
       sql("CREATE TEMP TABLE w AS SELECT * FROM t; UPDATE w SET y = y || y; DROP TABLE w")},
      {"another connection", 1,
       [this] { return RunElsewhere("o", "", "PRAGMA cache_size=4; UPDATE t SET x = x + 1"); }},
      {"a new object", 0,
       [this] {
         return RunElsewhere("new" + std::to_string(objects_made_++), "",
                             "CREATE TABLE n(x); INSERT INTO n VALUES(1)");
       }},
      {"the past", 0,
       [this] { return RunElsewhere("o", "&at=" + past_.ToString(), "SELECT sum(x) FROM t"); }},
      {"backup", 0, [this] { return CopyOut(); }},
      {"blob", 0, [this] { return WriteBlob(); }},
      {"serialize", 0, [this] { return Serialize(); }},
  };
}

void FaultWork::ExpectWhole() {
  const std::string all = "SELECT count(*), min(x), max(x) FROM t";
  const std::string expected = kRows + ("|" + std::to_string(x_)) + "|" + std::to_string(x_);
  EXPECT_EQ(Query(*db_, all), expected);
  EXPECT_EQ(Query(*db_, "PRAGMA integrity_check"), "ok");
  const Database other = Database::Open(*store_, "ns", "o", {.read_only = true}).value();
  EXPECT_EQ(Query(other, all), expected);
  const Result<Snapshot> snapshot = db_->object().OpenSnapshot();
  ASSERT_OK(snapshot);
  EXPECT_OK(snapshot->Verify());
}

bool FaultWork::RunWithFault(FaultSource* faults, const Piece& piece, uint64_t nth, bool all) {
  faults->FailAt(nth, all);
  const int code = piece.run();
  const bool fired = faults->Stop();
  if (store_->Sync().code() == StatusCode::kBroken) {
    EXPECT_TRUE(fired);
    Reopen(piece.adds);
    ExpectWhole();
    return fired;
  }
  if (sqlite3_get_autocommit(db_->handle()) == 0) {
    EXPECT_NE(code, SQLITE_OK);
    EXPECT_EQ(Try(*db_, "ROLLBACK"), SQLITE_OK);  // a failure that SQLite left to us
  }
  Exec(*db_, "DROP TABLE IF EXISTS temp.w");
  if (code == SQLITE_OK) {
    x_ += piece.adds;
  } else {
    EXPECT_TRUE(fired) << code << " " << db_->ErrorStatus().ToString();
    EXPECT_TRUE(faults->Explains(code)) << code << " " << db_->ErrorStatus().ToString();
  }
  ExpectWhole();
  return fired;
}

void FaultWork::Sweep(FaultSource* faults, uint64_t stride) {
  Random random(TestSeed());
  for (const Piece& piece : Pieces()) {
    for (const bool all : {false, true}) {
      for (uint64_t nth = 1;; nth += random.Between(1, stride)) {
        SCOPED_TRACE(std::string(piece.name) + ", call " + std::to_string(nth) +
                     (all ? " and all after it" : ""));
        if (!RunWithFault(faults, piece, nth, all)) break;
        ++failures_;
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

}  // namespace tidemark::testing
