// Random statements, see random_sql.h.

#include "tests/vfs/random_sql.h"

namespace tidemark::testing {
namespace {

constexpr char kSeries[] = "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<";

}  // namespace

std::string ToString(const Step& step) {
  static constexpr const char* kNames[] = {"run",         "interrupted", "commit refused",
                                           "open cursor", "step cursor", "close cursor",
                                           "write blob",  "reopen"};
  return std::to_string(step.connection) + " " + kNames[static_cast<int>(step.kind)] + " " +
         std::to_string(step.number) + ": " + step.sql;
}

std::string RandomSql::Name(const char* prefix, uint64_t below) {
  return prefix + std::to_string(random_.Below(below));
}

std::string RandomSql::Table() {
  switch (random_.Below(8)) {
    case 0: return "temp.tt";
    case 1: return Name("other.t", 2);
    default: return Name("main.t", 3);
  }
}

std::string RandomSql::Value() {
  switch (random_.Below(7)) {
    case 0: return "NULL";
    case 1: return std::to_string(random_.Below(50));
    case 2: return "'" + std::to_string(random_.Next()) + "'";
    case 3: return "zeroblob(" + std::to_string(random_.Below(9000)) + ")";
    case 4: return "hex(zeroblob(" + std::to_string(random_.Below(300)) + "))";
    case 5: return std::to_string(random_.Below(1000)) + ".5";
    default: return "'words " + Id() + " and " + Id() + "'";
  }
}

std::string RandomSql::Conflict() {
  static constexpr const char* kClauses[] = {
      "", "", "OR REPLACE ", "OR REPLACE ", "OR IGNORE ", "OR FAIL ", "OR ABORT ", "OR ROLLBACK "};
  return kClauses[random_.Below(8)];
}

std::string RandomSql::CreateTable(const std::string& table) {
  const std::string create = "CREATE TABLE IF NOT EXISTS " + table;
  switch (random_.Below(7)) {
    case 0: return create + "(id PRIMARY KEY, a, b, c) WITHOUT ROWID";
    case 1: return create + "(id INTEGER PRIMARY KEY AUTOINCREMENT, a UNIQUE, b, c)";
    case 2: return create + "(id INTEGER PRIMARY KEY, a, b, c AS (a || '/' || length(b)) STORED)";
    case 3: return create + "(id INTEGER PRIMARY KEY, a, b, c AS (length(b)))";
    case 4: return create + "(id INTEGER PRIMARY KEY, a CHECK (a IS NOT 7), b NOT NULL, c)";
    case 5:
      return create +
             "(id INTEGER PRIMARY KEY, a, b, c, FOREIGN KEY(c) REFERENCES t0(id) "
             "ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED)";
    default: return create + "(id INTEGER PRIMARY KEY, a, b, c)";
  }
}

std::string RandomSql::Setup() {
  // One for both: VACUUM gives the one that a connection asked for last to whichever database.
  const std::string page_size = "page_size=" + std::to_string(512 << random_.Below(5));
  return "PRAGMA main." + page_size + ";PRAGMA other." + page_size +
         ";PRAGMA auto_vacuum=" + std::to_string(random_.Below(3)) + ";" + CreateTable("t0") + ";" +
         CreateTable("t1") + ";" + CreateTable("t2") + ";" + CreateTable("other.t0") +
         ";CREATE TABLE tick(n); INSERT INTO tick VALUES(0);"
         "CREATE TABLE other.tick(n); INSERT INTO other.tick VALUES(0);"
         "CREATE VIRTUAL TABLE words USING fts5(text);"
         "CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1);";
}

std::string RandomSql::OnOpen() {
  return "PRAGMA cache_size=" + std::to_string(random_.Between(2, 80)) +
         ";PRAGMA other.cache_size=" + std::to_string(random_.Between(2, 80)) +
         ";PRAGMA foreign_keys=" + std::to_string(random_.Below(2)) +
         ";CREATE TEMP TABLE tt(id INTEGER PRIMARY KEY, a, b, c)";
}

std::string RandomSql::Definition() {
  const std::string table = Name("t", 3);
  switch (random_.Below(18)) {
    case 0: return "DROP TABLE IF EXISTS " + table;
    case 1:
    case 2:
    case 3: return CreateTable(table);
    case 4: return "CREATE INDEX IF NOT EXISTS i_" + table + " ON " + table + "(a, b)";
    case 5: return "CREATE INDEX IF NOT EXISTS p_" + table + " ON " + table + "(c) WHERE a > 5";
    case 6: return "CREATE INDEX IF NOT EXISTS e_" + table + " ON " + table + "(length(b))";
    case 7: return "DROP INDEX IF EXISTS i_" + table;
    case 8: return "ALTER TABLE " + table + " ADD COLUMN " + Name("d", 3) + " DEFAULT 'added'";
    case 9: return "ALTER TABLE " + table + " DROP COLUMN " + Name("d", 3);
    case 10: return "ALTER TABLE " + table + " RENAME COLUMN " + Name("d", 3) + " TO renamed";
    case 11: return "ALTER TABLE " + table + " RENAME TO spare";
    case 12: return "ALTER TABLE spare RENAME TO " + table;
    case 13:
      return "CREATE TRIGGER IF NOT EXISTS g_" + table + " AFTER UPDATE ON " + table +
             " BEGIN INSERT OR IGNORE INTO t1(id, a, b) VALUES(new.id + 200, old.a, new.b); END";
    case 14:
      return "CREATE TRIGGER IF NOT EXISTS r_" + table + " BEFORE INSERT ON " + table +
             " WHEN new.a = 11 BEGIN SELECT RAISE(" +
             std::string(random_.OneIn(2) ? "ABORT" : "ROLLBACK") + ", 'eleven'); END";
    case 15: return "DROP TRIGGER IF EXISTS " + Name(random_.OneIn(2) ? "g_t" : "r_t", 3);
    case 16: return "CREATE VIEW IF NOT EXISTS v AS SELECT a, count(*) AS k FROM t0 GROUP BY a";
    default: return "DROP VIEW IF EXISTS v";
  }
}

std::string RandomSql::Change() {
  const std::string table = Table();
  switch (random_.Below(16)) {
    case 0: return "DELETE FROM " + table + " WHERE id > " + Id();
    case 1: return "DELETE FROM " + table + " WHERE id % 7 = " + Id() + " % 7";
    case 2:
      return "UPDATE " + Conflict() + table + " SET b = b || '+' WHERE id % 5 = 1 " +
             "AND length(b) < 3000";
    case 3: return "UPDATE " + Conflict() + table + " SET a = " + Value() + " WHERE id > " + Id();
    case 4: return "UPDATE " + table + " SET b = b";
    case 5:
      return kSeries + std::to_string(random_.Between(5, 200)) + ") INSERT " + Conflict() +
             "INTO " + table + "(id, a, b) SELECT i, i % 13, hex(zeroblob(i % 50)) || " + Id() +
             " FROM n";
    case 6: return "DELETE FROM " + table;
    case 7:
      return "INSERT INTO " + table + "(id, a, b) VALUES(" + Id() + "," + Value() + "," + Value() +
             ") ON CONFLICT(id) DO UPDATE SET b = excluded.b RETURNING id, a, length(b)";
    case 8: return "INSERT INTO words(rowid, text) VALUES(" + Id() + "," + Value() + ")";
    case 9: return "DELETE FROM words WHERE words MATCH '" + Id() + "'";
    case 10:
      return kSeries + std::to_string(random_.Between(5, 90)) +
             ") INSERT INTO words SELECT 'word' || (i * " + Id() + ") FROM n";
    case 11: {
      const std::string x = Id();
      return "INSERT OR REPLACE INTO boxes VALUES(" + Id() + "," + x + "," + x + " + 5)";
    }
    case 12: return "INSERT INTO " + table + "(a, b) SELECT b, a FROM " + Table() + " LIMIT 20";
    default:
      return "INSERT " + Conflict() + "INTO " + table + "(id, a, b) VALUES(" + Id() + "," +
             Value() + "," + Value() + ")";
  }
}

std::string RandomSql::Select() {
  const std::string table = Table();
  switch (random_.Below(9)) {
    case 0: return "SELECT * FROM " + table;
    case 1: return "SELECT a, count(*), sum(length(b)) FROM " + table + " GROUP BY a";
    case 2: return "SELECT x.id, y.b FROM " + table + " x JOIN " + Table() + " y USING(a)";
    case 3: return "SELECT id, c FROM " + table + " ORDER BY b DESC, id LIMIT 15";
    case 4: return "SELECT rowid, text FROM words WHERE words MATCH 'words AND " + Id() + "'";
    case 5: return "SELECT * FROM boxes WHERE x0 < " + Id() + " AND x1 > " + Id();
    case 6: return "SELECT * FROM v ORDER BY 1, 2";
    case 7: return "SELECT * FROM tick, other.tick";
    default: return "SELECT id, a FROM " + table + " WHERE id > " + Id();
  }
}

std::string RandomSql::Pragma() {
  switch (random_.Below(15)) {
    case 0: return "PRAGMA incremental_vacuum(" + std::to_string(random_.Below(20)) + ")";
    case 1: return "PRAGMA user_version=" + Id();
    case 2: return "PRAGMA application_id=" + Id();
    case 3: return "PRAGMA cache_size=" + std::to_string(random_.Between(2, 60));
    case 4: return "PRAGMA page_count; PRAGMA freelist_count; PRAGMA other.page_count";
    case 5: return "PRAGMA schema_version; PRAGMA user_version";
    case 6:
      return "PRAGMA max_page_count=" +
             std::to_string(random_.OneIn(2) ? 1000000000 : random_.Between(20, 200));
    case 7: return "PRAGMA cache_spill=" + std::to_string(random_.Below(2));
    case 8: return "PRAGMA integrity_check";
    case 9: return "PRAGMA foreign_key_check";
    case 10: return "PRAGMA defer_foreign_keys=1";
    case 11: return "PRAGMA auto_vacuum=" + std::to_string(random_.Below(3));
    case 12: return "PRAGMA secure_delete=" + std::to_string(random_.Below(2));
    case 13: return "PRAGMA temp_store=" + std::to_string(random_.Below(3));
    default: return "PRAGMA table_info(t0); PRAGMA index_list(t1)";
  }
}

std::string RandomSql::Control() {
  const std::string savepoint = Name("s", 3);
  switch (random_.Below(16)) {
    case 0:
    case 1:
    case 2: return "BEGIN";
    case 3: return "BEGIN IMMEDIATE";
    case 4: return "BEGIN EXCLUSIVE";
    case 5:
    case 6:
    case 7:
    case 8: return "COMMIT";
    case 9: return "ROLLBACK";
    case 10:
    case 11: return "SAVEPOINT " + savepoint;
    case 12: return "RELEASE " + savepoint;
    case 13:
    case 14: return "ROLLBACK TO " + savepoint;
    default:
      if (page_sizes_ == PageSizes::kChanging && random_.OneIn(2)) {
        return "PRAGMA page_size=" + std::to_string(512 << random_.Below(6)) + "; VACUUM";
      }
      return random_.OneIn(3) ? "VACUUM other" : "VACUUM";
  }
}

std::string RandomSql::Statement() {
  switch (random_.Below(20)) {
    case 0:
    case 1: return Definition();
    case 2: return random_.OneIn(2) ? "REINDEX" : "ANALYZE";
    case 3: return Pragma();
    case 4:
    case 5:
    case 6: return Select();
    case 7:
    case 8:
    case 9:
    case 10: return Control();
    default: return Change();
  }
}

Step RandomSql::Next() {
  Step step;
  step.connection = static_cast<int>(random_.Below(static_cast<uint64_t>(connections_)));
  switch (random_.Below(24)) {
    case 0:
      step.kind = Step::Kind::kInterrupted;
      step.sql = random_.OneIn(4) ? Definition() : Change();
      step.number = static_cast<int>(random_.Between(1, 3000));
      break;
    case 1:
      step.kind = Step::Kind::kCommitRefused;
      step.sql = random_.OneIn(3) ? "COMMIT" : Change();
      break;
    case 2:
    case 3:
      step.kind = Step::Kind::kOpenCursor;
      step.sql = random_.OneIn(5) ? Change() : Select();
      break;
    case 4:
    case 5:
      step.kind = Step::Kind::kStepCursor;
      step.number = static_cast<int>(random_.Between(1, 30));
      break;
    case 6: step.kind = Step::Kind::kCloseCursor; break;
    case 7:
      step.kind = Step::Kind::kWriteBlob;
      step.sql = Name("t", 3);
      step.number = static_cast<int>(random_.Below(120));
      break;
    case 8:
      if (random_.OneIn(4)) {
        step.kind = Step::Kind::kReopen;
        break;
      }
      [[fallthrough]];
    default: step.sql = Statement();
  }
  return step;
}

}  // namespace tidemark::testing
