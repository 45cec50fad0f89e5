// The same random SQL on a stock file and on an object must give the same, whatever happens
// between.

#include <string>

#include "tests/support/test_seed.h"
#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class DifferentialTest : public VfsTest {};

// One random statement, the same text for both sides.
std::string RandomStatement(Random& random) {
  const std::string table = random.OneIn(2) ? "t" : "u";
  const std::string id = std::to_string(random.Below(300));
  switch (random.Below(16)) {
    case 0: return "CREATE INDEX IF NOT EXISTS i" + table + " ON " + table + "(x)";
    case 1: return "DROP INDEX IF EXISTS i" + table;
    case 2: return "DELETE FROM " + table + " WHERE id > " + id;
    case 3: return "DELETE FROM " + table + " WHERE id % 7 = " + std::to_string(random.Below(7));
    case 4: return "UPDATE " + table + " SET x = x || '+' WHERE id % 5 = 1 AND length(x) < 3000";
    case 5: return "UPDATE " + table + " SET x = x";
    case 6: return "PRAGMA incremental_vacuum(" + std::to_string(random.Below(20)) + ")";
    case 7:
      return "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<200) INSERT OR "
             "REPLACE INTO " +
             table + " SELECT i, hex(zeroblob(i % 50)) || " + id + " FROM n";
    case 8: return "INSERT OR REPLACE INTO " + table + " VALUES(" + id + ", hex(zeroblob(9000)))";
    case 9: return "ALTER TABLE " + table + " ADD COLUMN c" + std::to_string(random.Next());
    default:
      return "INSERT OR REPLACE INTO " + table + "(id, x) VALUES(" + id + ", 'text " +
             std::to_string(random.Next()) + "')";
  }
}

// A random transaction: a few statements, maybe savepoints, maybe rolled back.
std::string RandomTransaction(Random& random) {
  if (random.OneIn(20)) return "VACUUM";
  std::string sql = "BEGIN;";
  const uint64_t statements = random.Between(1, 8);
  for (uint64_t i = 0; i < statements; ++i) {
    if (random.OneIn(5)) {
      sql += "SAVEPOINT s;" + RandomStatement(random) + ";";
      sql += random.OneIn(2) ? "ROLLBACK TO s; RELEASE s;" : "RELEASE s;";
    } else {
      sql += RandomStatement(random) + ";";
    }
  }
  return sql + (random.OneIn(4) ? "ROLLBACK" : "COMMIT");
}

// Goal: as above. Method: random transactions with changing connections, caches, locking and
// journal modes on our side; both contents and integrity_check compared now and then.
TEST_F(DifferentialTest, EqualsAStockFile) {
  for (uint64_t round = 0; round < Scaled(6); ++round) {
    SCOPED_TRACE("seed " + std::to_string(TestSeed()) + ", round " + std::to_string(round));
    Random random(TestSeed() * 1000 + round);
    const std::string name = "o" + std::to_string(round);
    const std::string page_size = std::to_string(512 << random.Below(5));
    const std::string schema = "PRAGMA page_size=" + page_size +
                               "; PRAGMA auto_vacuum=INCREMENTAL;"
                               "CREATE TABLE t(id INTEGER PRIMARY KEY, x);"
                               "CREATE TABLE u(id PRIMARY KEY, x) WITHOUT ROWID;";
    Connection stock(directory_ / name);
    Exec(stock.handle(), "PRAGMA synchronous=OFF;" + schema);
    { Exec(Open(name), schema); }
    for (int connection = 0; connection < 6; ++connection) {
      const Locking locking = random.OneIn(2) ? Locking::kNormal : Locking::kExclusive;
      Database db = Open(name, {.locking = locking, .synchronous = Synchronous::kNormal});
      const char* modes[] = {"persist", "delete", "truncate", "memory"};
      Exec(db, "PRAGMA cache_size=" + std::to_string(random.Between(1, 60)) +
                   ";PRAGMA journal_mode=" + modes[random.Below(4)]);
      for (int i = 0; i < 25; ++i) {
        const std::string sql = RandomTransaction(random);
        ASSERT_EQ(Try(db, sql), Try(stock.handle(), sql)) << sql << db.ErrorStatus().ToString();
        // A failed statement leaves both in the same transaction.
        ASSERT_EQ(sqlite3_get_autocommit(db.handle()), sqlite3_get_autocommit(stock.handle()));
        if (sqlite3_get_autocommit(db.handle()) == 0) {
          Exec(db, "ROLLBACK");
          Exec(stock.handle(), "ROLLBACK");
        }
      }
      ASSERT_EQ(Dump(db.handle()), Dump(stock.handle()));
      ASSERT_EQ(Query(db, "PRAGMA integrity_check"), "ok");
      ASSERT_EQ(Query(db, "PRAGMA page_count"), Query(stock.handle(), "PRAGMA page_count"));
      const auto snapshot = db.object().OpenSnapshot();
      ASSERT_OK(snapshot);
      ASSERT_OK(snapshot->Verify());
    }
  }
}

}  // namespace
}  // namespace tidemark::testing
