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

  Database Open(Locking locking) {
    Result<Database> db = Database::Open(*store_, "ns", "o", {.locking = locking});
    EXPECT_OK(db);
    return *std::move(db);
  }

  TempDirectory directory_;
  SimFileSystem file_system_{TestSeed()};
  std::unique_ptr<Store> store_;
};

// Goal: a full disk is SQLITE_FULL, the transaction is undone, the connection reads on, and once
// there is room it writes again. Method: a capacity just above what is used; transactions that grow
// until one fails, in both locking modes, with large caches and with spills.
TEST_F(FailureTest, FullDisk) {
  for (const Locking locking : {Locking::kNormal, Locking::kExclusive}) {
    for (const char* cache : {"PRAGMA cache_size=2000", "PRAGMA cache_size=5"}) {
      SCOPED_TRACE(cache);
      Database db = Open(locking);
      Exec(db, std::string(cache) + "; DROP TABLE IF EXISTS t; CREATE TABLE t(x)");
      Exec(db, "INSERT INTO t VALUES(randomblob(10000))");
      const std::string before = Query(db, "SELECT hex(x) FROM t");
      const Lsn lsn = db.object().head().lsn;
      file_system_.SetCapacity(file_system_.UsedBytes());
      const std::string grow =
          "UPDATE t SET x = 1; WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE "
          "i<4000) INSERT INTO t SELECT randomblob(1000) FROM n; COMMIT";
      for (int attempt = 0; attempt < 2; ++attempt) {
        EXPECT_EQ(Try(db, "BEGIN;" + grow), SQLITE_FULL);
        EXPECT_EQ(db.ErrorStatus().code(), StatusCode::kFull) << db.ErrorStatus().ToString();
        EXPECT_EQ(sqlite3_get_autocommit(db.handle()), 1) << "SQLite has rolled back";
        EXPECT_EQ(Query(db, "SELECT hex(x) FROM t"), before);
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
