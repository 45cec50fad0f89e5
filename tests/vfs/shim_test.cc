// A VFS of someone else's that stands on ours, as those do that trace calls or check sums.

#include <cstdlib>
#include <string>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

// Hands every call on to a file of the VFS below, which stands behind it in memory.
struct ShimFile : sqlite3_file {
  sqlite3_file* below() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

sqlite3_file* Below(sqlite3_file* file) { return static_cast<ShimFile*>(file)->below(); }

const sqlite3_io_methods kShimMethods = {
    .iVersion = 1,
    .xClose = [](sqlite3_file* file) { return Below(file)->pMethods->xClose(Below(file)); },
    .xRead =
        [](sqlite3_file* file, void* out, int amount, sqlite3_int64 offset) {
          return Below(file)->pMethods->xRead(Below(file), out, amount, offset);
        },
    .xWrite =
        [](sqlite3_file* file, const void* data, int amount, sqlite3_int64 offset) {
          return Below(file)->pMethods->xWrite(Below(file), data, amount, offset);
        },
    .xTruncate =
        [](sqlite3_file* file, sqlite3_int64 size) {
          return Below(file)->pMethods->xTruncate(Below(file), size);
        },
    .xSync = [](sqlite3_file* file,
                int flags) { return Below(file)->pMethods->xSync(Below(file), flags); },
    .xFileSize =
        [](sqlite3_file* file, sqlite3_int64* size) {
          return Below(file)->pMethods->xFileSize(Below(file), size);
        },
    .xLock = [](sqlite3_file* file,
                int level) { return Below(file)->pMethods->xLock(Below(file), level); },
    .xUnlock = [](sqlite3_file* file,
                  int level) { return Below(file)->pMethods->xUnlock(Below(file), level); },
    .xCheckReservedLock =
        [](sqlite3_file* file, int* out) {
          return Below(file)->pMethods->xCheckReservedLock(Below(file), out);
        },
    .xFileControl =
        [](sqlite3_file* file, int operation, void* argument) {
          return Below(file)->pMethods->xFileControl(Below(file), operation, argument);
        },
    .xSectorSize =
        [](sqlite3_file* file) { return Below(file)->pMethods->xSectorSize(Below(file)); },
    .xDeviceCharacteristics =
        [](sqlite3_file* file) {
          return Below(file)->pMethods->xDeviceCharacteristics(Below(file));
        },
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int ShimOpen(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* base = static_cast<sqlite3_vfs*>(vfs->pAppData);
  file->pMethods = nullptr;
  const int code = base->xOpen(base, name, Below(file), flags, out_flags);
  if (Below(file)->pMethods != nullptr) file->pMethods = &kShimMethods;
  return code;
}

class ShimTest : public AttachedVfsTest {
 protected:
  void SetUp() override {
    AttachedVfsTest::SetUp();
    sqlite3_vfs* base = sqlite3_vfs_find(kVfsName);
    vfs_ = *base;  // its functions hand on to what pAppData points at: here, to ours
    vfs_.pAppData = base;
    vfs_.zName = "shim";
    vfs_.szOsFile = static_cast<int>(sizeof(ShimFile)) + base->szOsFile;
    vfs_.xOpen = ShimOpen;
    ASSERT_EQ(sqlite3_vfs_register(&vfs_, 0), SQLITE_OK);
  }
  void TearDown() override {
    sqlite3_vfs_unregister(&vfs_);
    AttachedVfsTest::TearDown();
  }

  sqlite3_vfs vfs_{};
};

// Goal: transactions, savepoints and rollbacks work through such a VFS, though its journals cannot
// be matched with the files they belong to. Method: each of them in each journal mode, also with
// pages written before the end.
TEST_F(ShimTest, CommitsAndRollsBack) {
  for (const char* mode : {"delete", "truncate", "persist", "memory"}) {
    SCOPED_TRACE(mode);
    const std::string uri =
        "file:ns/" + std::string(mode) + "?vfs=shim&store=" + store_->directory();
    {
      Connection db(uri);
      ASSERT_EQ(db.code(), SQLITE_OK);
      EXPECT_EQ(Query(db.handle(), std::string("PRAGMA journal_mode=") + mode), mode);
      Exec(db.handle(), "PRAGMA cache_size=2; CREATE TABLE t(x)");
      const std::string fill =
          "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
          "INSERT INTO t SELECT hex(zeroblob(200)) FROM n;";
      Exec(db.handle(), "BEGIN;" + fill + "COMMIT");
      Exec(db.handle(), "BEGIN; UPDATE t SET x = 'lost'; DROP TABLE t; ROLLBACK");
      Exec(db.handle(),
           "BEGIN; SAVEPOINT s; UPDATE t SET x = 'lost'; ROLLBACK TO s;" + fill + "COMMIT");
      EXPECT_EQ(Query(db.handle(), "SELECT count(*), count(DISTINCT x) FROM t"), "600|1");
    }
    Database db = Open(mode);
    EXPECT_EQ(Query(db, "SELECT count(*), max(length(x)) FROM t; PRAGMA integrity_check"),
              "600|400\nok");
  }
}

}  // namespace
}  // namespace tidemark::testing
