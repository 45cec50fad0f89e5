// Failures of the disk below: what SQLite reports, and that nothing is half done afterwards.

#include <string>

#include "tests/support/sim_file_system.h"
#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class FailureTest : public ::testing::Test {
 protected:
  void SetUp() override {
    StoreOptions options{.create_if_missing = true,
                         .transaction_memory_bytes = 64 << 10,
                         .background_work = BackgroundWork::kManual,
                         .file_system = &file_system_};
    options.segment_size_bytes = 1 << 20;
    options.index_directory = directory_.path();
    ASSERT_OK_AND_ASSIGN(store_, Store::Open("store", options));
  }

  Database Open(Locking locking, const std::string& name = "o") {
    Result<Database> db = Database::Open(*store_, "ns", name, {.locking = locking});
    EXPECT_OK(db);
    return *std::move(db);
  }

  TempDirectory directory_;
  SimFileSystem file_system_{TestSeed()};
  std::unique_ptr<Store> store_;
};

// Goal: a full disk is SQLITE_FULL, the transaction is undone, the connection reads on, and once
// there is room it writes again. Method: a capacity just above what is used; transactions that grow
// until one fails, in both locking modes, with large caches and with spills, with either journal.
TEST_F(FailureTest, FullDisk) {
  for (const Locking locking : {Locking::kNormal, Locking::kExclusive}) {
    for (const char* mode : {"PRAGMA cache_size=2000", "PRAGMA cache_size=5",
                             "PRAGMA cache_size=2000; PRAGMA journal_mode=MEMORY",
                             "PRAGMA cache_size=5; PRAGMA journal_mode=MEMORY"}) {
      SCOPED_TRACE(mode);
      Database db = Open(locking);
      Exec(db, std::string(mode) + "; DROP TABLE IF EXISTS t; CREATE TABLE t(x)");
      Exec(db, "INSERT INTO t VALUES(randomblob(10000))");
      const std::string before = Query(db, "SELECT hex(substr(x, 1, 20)) FROM t");
      const Lsn lsn = db.object().head().lsn;
      file_system_.SetCapacity(file_system_.UsedBytes());
      const std::string grow =
          "UPDATE t SET x = 1; WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE "
          "i<4000) INSERT INTO t SELECT randomblob(1000) FROM n; COMMIT";
      for (int attempt = 0; attempt < 2; ++attempt) {
        EXPECT_EQ(Try(db, "BEGIN;" + grow), SQLITE_FULL);
        EXPECT_EQ(db.ErrorStatus().code(), StatusCode::kFull) << db.ErrorStatus().ToString();
        EXPECT_EQ(sqlite3_get_autocommit(db.handle()), 1) << "SQLite has rolled back";
        EXPECT_EQ(Query(db, "SELECT hex(substr(x, 1, 20)) FROM t"), before);
        EXPECT_EQ(db.object().head().lsn, lsn);
      }
      EXPECT_EQ(Query(db, "PRAGMA integrity_check"), "ok");
      file_system_.SetCapacity(UINT64_MAX);
      Exec(db, "BEGIN;" + grow);
      EXPECT_EQ(Query(db, "SELECT count(*) FROM t WHERE length(x) = 1000; PRAGMA integrity_check"),
                "4000\nok");
    }
  }
  EXPECT_OK(store_->Close());
}

// Goal: when the second object of a transaction over two cannot be prepared, the first one is
// rolled back too, in the store and in SQLite's cache. By then its journal names a super-journal.
// Method: a disk with room for the first object's change only.
TEST_F(FailureTest, FullDiskInATransactionOverTwoObjects) {
  for (const std::string mode : {"NORMAL", "EXCLUSIVE"}) {
    SCOPED_TRACE(mode);
    file_system_.SetCapacity(UINT64_MAX);
    Database a = Open(Locking::kNormal, "a" + mode);
    Database b = Open(Locking::kNormal, "b" + mode);
    Exec(a, "CREATE TABLE t(x); INSERT INTO t VALUES('old')");
    Exec(b, "CREATE TABLE u(x)");
    Exec(a, "ATTACH 'file:ns/b" + mode +
                "?vfs=tidemark&store=store' AS b;"
                "PRAGMA locking_mode=" +
                mode);
    // So that SQLite has counted the change already, and its counter does not give it away.
    Exec(a, "BEGIN; UPDATE t SET x = 'older'; INSERT INTO b.u VALUES(1); COMMIT");
    file_system_.SetCapacity(file_system_.UsedBytes());
    EXPECT_EQ(Try(a,
                  "BEGIN; UPDATE t SET x = 'new'; INSERT INTO b.u VALUES(randomblob(1500000));"
                  "COMMIT"),
              SQLITE_FULL);
    EXPECT_EQ(Query(a, "SELECT x FROM t; SELECT count(*) FROM b.u"), "older\n1");
    file_system_.SetCapacity(UINT64_MAX);
    Exec(a, "BEGIN; UPDATE t SET x = x || '!'; INSERT INTO b.u VALUES(2); COMMIT");
    EXPECT_EQ(Query(a, "SELECT x FROM t; PRAGMA integrity_check"), "older!\nok");
    EXPECT_EQ(Query(b, "SELECT x FROM u"), "1\n2");
  }
  EXPECT_OK(store_->Close());
}

// Goal: whichever write or sync of the disk fails, SQLite reports SQLITE_FULL or SQLITE_IOERR for a
// transaction that did not happen or (if its sync failed) is not confirmed; the connection then
// shows a whole state; and after reopening everything confirmed is there.
// Method: a script of transactions, each adding 1 to every row, some rolled back, some spilling,
// some shrinking; it is run again and again, failing one operation later each time; on one object,
// and on two that each transaction changes.
class FaultSweepTest : public ::testing::Test {
 protected:
  enum class Fault { kFullWrite, kFailedWrite, kFailedSync };

  enum class Objects { kOne, kTwo };

  // What the transactions have added up to, the same in every row of both objects.
  static int StateOf(const Database& db, const Database& other, Objects objects) {
    EXPECT_EQ(Query(db, "SELECT count(DISTINCT x), count(*) FROM t"), "1|40");
    EXPECT_EQ(Query(db, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(Query(other, "PRAGMA integrity_check"), "ok");
    const std::string x = Query(db, "SELECT max(x) FROM t");
    EXPECT_EQ(Query(other, "SELECT x FROM u"), objects == Objects::kTwo ? x : "0");
    return std::stoi(x);
  }

  // Returns false if the fault did not happen any more.
  static bool RunWithFault(Fault fault, uint64_t nth, Locking locking, Objects objects) {
    TempDirectory directory;
    SimFileSystem file_system(TestSeed());
    StoreOptions options{.create_if_missing = true,
                         .transaction_memory_bytes = 16 << 10,
                         .background_work = BackgroundWork::kManual,
                         .file_system = &file_system};
    options.segment_size_bytes = 1 << 20;
    options.index_directory = directory.path();
    Result<std::unique_ptr<Store>> store = Store::Open("store", options);
    EXPECT_OK(store);
    bool failed = false;
    int confirmed = 0;
    {
      Result<Database> db = Database::Open(**store, "ns", "o", {.locking = locking});
      EXPECT_OK(db);
      Exec(*db,
           "PRAGMA auto_vacuum=FULL; PRAGMA cache_size=4; CREATE TABLE t(x, y);"
           "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<40) "
           "INSERT INTO t SELECT 0, randomblob(900) FROM n; CREATE TABLE large(z)");
      Exec(Database::Open(**store, "ns", "other").value(),
           "CREATE TABLE u(x, y); INSERT INTO u VALUES(0, randomblob(9000))");
      std::string both;
      if (objects == Objects::kTwo) {
        Exec(*db, "ATTACH 'file:ns/other?vfs=tidemark&store=store' AS b");
        both = "UPDATE b.u SET x = x + 1, y = randomblob(9000);";
      }
      if (fault == Fault::kFullWrite) file_system.FailWrite(nth, StatusCode::kFull);
      if (fault == Fault::kFailedWrite) file_system.FailWrite(nth, StatusCode::kIoError);
      if (fault == Fault::kFailedSync) file_system.FailSync(nth);
      for (int i = 1; i <= 8; ++i) {
        const std::string extra =
            i % 2 == 1 ? "INSERT INTO large VALUES(randomblob(60000));" : "DELETE FROM large;";
        if (i % 3 == 0) Try(*db, "BEGIN; UPDATE t SET x = -1;" + extra + "ROLLBACK");
        const int code = Try(*db, "BEGIN; UPDATE t SET x = x + 1;" + both + extra + "COMMIT");
        if (code == SQLITE_OK) {
          confirmed = i;
          continue;
        }
        failed = true;
        EXPECT_TRUE(code == SQLITE_FULL || (code & 0xff) == SQLITE_IOERR) << code;
        EXPECT_FALSE(db->ErrorStatus().ok());
        if (sqlite3_get_autocommit(db->handle()) == 0) Try(*db, "ROLLBACK");
        // A broken store may refuse to read, but never shows a mixture.
        if (Try(*db, "SELECT * FROM t") == SQLITE_OK) {
          EXPECT_EQ(Query(*db, "SELECT count(DISTINCT x), count(*) FROM t"), "1|40");
          EXPECT_EQ(Query(*db, "PRAGMA integrity_check"), "ok");
        }
        break;
      }
    }
    const bool fired = !(*store)->Close().ok() || failed;  // the fault may also hit the closing
    store->reset();
    file_system.FailWrite(0, StatusCode::kIoError);  // no more faults
    file_system.FailSync(0);
    options.create_if_missing = false;
    Result<std::unique_ptr<Store>> again = Store::Open("store", options);
    EXPECT_OK(again);
    if (!again.ok()) return fired;
    {
      Result<Database> db = Database::Open(**again, "ns", "o");
      EXPECT_OK(db);
      const Result<Database> other = Database::Open(**again, "ns", "other");
      EXPECT_OK(other);
      const int state = StateOf(*db, *other, objects);
      EXPECT_GE(state, confirmed);
      EXPECT_LE(state, confirmed + 1);
    }
    EXPECT_OK((*again)->Close());
    return fired;
  }

  static void Sweep(Fault fault) {
    for (const Locking locking : {Locking::kNormal, Locking::kExclusive}) {
      for (const Objects objects : {Objects::kOne, Objects::kTwo}) {
        uint64_t nth = 1;
        while (RunWithFault(fault, nth, locking, objects) && !HasFailure()) ++nth;
        EXPECT_GT(nth, 8u) << "the script makes at least a write for each commit";
      }
    }
  }
};

TEST_F(FaultSweepTest, FullWrites) { Sweep(Fault::kFullWrite); }
TEST_F(FaultSweepTest, FailedWrites) { Sweep(Fault::kFailedWrite); }
TEST_F(FaultSweepTest, FailedSyncs) { Sweep(Fault::kFailedSync); }

// Goal: a sync that fails is SQLITE_IOERR for the commit that waited for it, the Status says which
// failure it was, and from then on the store refuses, saying the same.
// Method: fail the next sync.
TEST_F(FailureTest, FailedSync) {
  {
    Database db = Open(Locking::kNormal);
    Exec(db, "CREATE TABLE t(x)");
    file_system_.FailSync(1);
    EXPECT_EQ(Try(db, "INSERT INTO t VALUES(1)") & 0xff, SQLITE_IOERR);
    const Status status = db.ErrorStatus();
    EXPECT_TRUE(status.code() == StatusCode::kBroken || status.code() == StatusCode::kIoError)
        << status.ToString();
    EXPECT_EQ(Try(db, "INSERT INTO t VALUES(2)") & 0xff, SQLITE_IOERR);
    EXPECT_EQ(db.ErrorStatus().code(), StatusCode::kBroken) << db.ErrorStatus().ToString();
  }
  EXPECT_FALSE(store_->Close().ok());
}

// Goal: bytes that were damaged on the disk are never returned as data: the read fails with an I/O
// error, and the Status names the damage; other objects are untouched.
// Method: flip a bit in every copy of a row's text in the log, and read it back.
TEST_F(FailureTest, DamageIsAnErrorNotData) {
  {
    Database db = Open(Locking::kNormal);
    Exec(db, "PRAGMA cache_size=1; CREATE TABLE t(x); INSERT INTO t SELECT 'needle-in-the-log'");
    ASSERT_OK_AND_ASSIGN(Database other, Database::Open(*store_, "ns", "other"));
    Exec(other, "CREATE TABLE u(x); INSERT INTO u VALUES('fine')");
    ASSERT_OK(store_->Checkpoint());
    const auto names = file_system_.ListDirectory("store/log");
    ASSERT_OK(names);
    int hits = 0;
    for (const std::string& name : *names) {
      const std::string path = "store/log/" + name;
      const std::vector<std::byte> bytes = file_system_.Contents(path);
      const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      for (size_t at = text.find("needle"); at != text.npos; at = text.find("needle", at + 1)) {
        file_system_.FlipBit(path, at, 0);
        ++hits;
      }
    }
    ASSERT_GT(hits, 0);
    ASSERT_OK_AND_ASSIGN(Database reader, Database::Open(*store_, "ns", "o"));
    const int code = Try(reader, "SELECT * FROM t");
    EXPECT_EQ(code & 0xff, SQLITE_IOERR) << code;
    EXPECT_ERROR(reader.ErrorStatus(), StatusCode::kCorruption, "");
    EXPECT_EQ(Query(other, "SELECT x FROM u"), "fine");
  }
  EXPECT_OK(store_->Close());
}

}  // namespace
}  // namespace tidemark::testing
