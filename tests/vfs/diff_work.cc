#include "tests/vfs/diff_work.h"

#include <cstring>
#include <vector>

namespace tidemark::testing {
namespace {

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

}  // namespace

std::string DiffWork::Setup() {
  std::string sql = random_.OneIn(3) ? "PRAGMA auto_vacuum=FULL;" : "";
  if (random_.OneIn(4)) sql += "PRAGMA page_size=1024;";
  if (random_.OneIn(5)) sql += "PRAGMA encoding='UTF-16le';";
  return sql +
         "CREATE TABLE plain(a, b, c);"
         "CREATE TABLE keyed(id INTEGER PRIMARY KEY, u UNIQUE, v REAL);"
         "CREATE TABLE pairs(k TEXT COLLATE NOCASE, n, v, PRIMARY KEY(n, k)) WITHOUT ROWID;"
         "CREATE TABLE _cf_KV(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;"
         "CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, t TEXT);"
         "CREATE TABLE hidden(rowid TEXT, _rowid_, oid);"
         "CREATE TABLE \"of \"\"parts\"(a INT, twice AS (a * 2), stored AS (a + 1) STORED, b);"
         "CREATE INDEX by_b ON plain(b);"
         "CREATE TRIGGER logs AFTER INSERT ON keyed BEGIN INSERT INTO counted(t) "
         "VALUES(new.u); END;"
         "CREATE TRIGGER forgets AFTER DELETE ON plain BEGIN DELETE FROM counted WHERE id % 3 = 0; "
         "END;"
         "CREATE VIEW seen AS SELECT a, b FROM plain;";
}

std::string DiffWork::Value() {
  switch (random_.Below(10)) {
    case 0: return "NULL";
    case 1: return std::to_string(random_.Below(5));
    case 2: return std::to_string(random_.Below(5)) + ".0";
    case 3: return "0.1 * " + Id();
    case 4: return "'text " + Id() + "'";
    case 5: return "'it''s' || char(0, 10, 228, 8364) || '" + Id() + "'";
    case 6: return "x'00ff" + std::to_string(10 + random_.Below(80)) + "'";
    case 7: return "printf('%." + std::to_string(random_.Below(3)) + "c', 'x')";
    // Several sizes of several pages, so that some are overwritten in place.
    case 8:
      return "zeroblob(" + std::to_string(3000 * random_.Between(1, 3)) + ") || '" + Id() + "'";
    default:
      return "CAST(printf('%.*c', " + std::to_string(5000 * random_.Between(1, 2)) + ", '" +
             std::string(1, static_cast<char>('a' + random_.Below(26))) + "') AS BLOB)";
  }
}

std::string DiffWork::ChangeRows() {
  switch (random_.Below(14)) {
    case 0: return "INSERT INTO plain VALUES(" + Value() + "," + Value() + "," + Value() + ")";
    case 1: return "UPDATE plain SET c = " + Value() + " WHERE _rowid_ % 7 = " + Id() + " % 7";
    case 2: return "DELETE FROM plain WHERE rowid % 9 = " + Id() + " % 9";
    case 3:
      return "INSERT OR REPLACE INTO keyed VALUES(" + Id() + "," + Value() + "," + Value() + ")";
    case 4: return "UPDATE OR IGNORE keyed SET u = " + Value() + " WHERE id = " + Id();
    case 5: {  // two rows exchange what is unique
      const std::string a = Id();
      const std::string b = Id();
      return "BEGIN; UPDATE keyed SET u = 'away' WHERE id = " + a +
             "; UPDATE OR IGNORE keyed SET u = 'x" + a + "' WHERE id = " + b +
             "; UPDATE OR IGNORE keyed SET u = 'x" + b + "' WHERE id = " + a + "; COMMIT";
    }
    case 6:
      return "INSERT OR REPLACE INTO pairs VALUES('" +
             std::string(1, static_cast<char>((random_.OneIn(2) ? 'a' : 'A') + random_.Below(9))) +
             "'," + std::to_string(random_.Below(4)) + (random_.OneIn(2) ? ".5" : "") + "," +
             Value() + ")";
    case 7:
      return "DELETE FROM pairs WHERE k > '" +
             std::string(1, static_cast<char>('a' + random_.Below(9))) + "' AND n = 1";
    case 8: return "INSERT OR REPLACE INTO _cf_KV VALUES('key" + Id() + "'," + Value() + ")";
    case 9: return "INSERT INTO counted(t) VALUES(" + Value() + ")";
    case 10: return "DELETE FROM counted WHERE id < (SELECT max(id) FROM counted) - 20";
    case 11: return "INSERT INTO hidden VALUES(" + Value() + "," + Id() + ",1)";
    case 12: return "DELETE FROM hidden WHERE _rowid_ = " + Id();
    default: return "INSERT INTO \"of \"\"parts\"(a, b) VALUES(" + Id() + "," + Value() + ")";
  }
}

std::string DiffWork::ChangeSchema() {
  const std::string n = std::to_string(random_.Below(3));
  switch (random_.Below(14)) {
    case 0: return "ALTER TABLE plain ADD COLUMN d" + n;
    case 1: return "ALTER TABLE keyed ADD COLUMN e" + n + " DEFAULT 5";
    case 2: return "ALTER TABLE plain DROP COLUMN d" + n;
    case 3: return "ALTER TABLE plain RENAME COLUMN a TO z; ALTER TABLE plain RENAME COLUMN z TO a";
    case 4: return "CREATE TABLE more" + n + "(x, y); INSERT INTO more" + n + " VALUES(1, 2)";
    case 5: return "DROP TABLE more" + n;
    case 6: return "ALTER TABLE more" + n + " RENAME TO more" + std::to_string(random_.Below(3));
    case 7: return "DROP INDEX by_b";
    case 8: return "CREATE INDEX by_b ON plain(b, a)";
    case 9: return "DROP VIEW seen; CREATE VIEW seen AS SELECT " + n + " AS a, b FROM plain";
    case 10: return "PRAGMA user_version=" + n;
    case 11: return "DROP TRIGGER logs";
    case 12:
      return "DROP TABLE pairs; CREATE TABLE pairs(k TEXT PRIMARY KEY, n, v)" +
             std::string(random_.OneIn(2) ? " WITHOUT ROWID" : "");
    default:
      return random_.OneIn(3)
                 ? "PRAGMA page_size=" + std::string(n == "0" ? "512" : "2048") + "; VACUUM"
                 : "VACUUM";
  }
}

std::string DiffWork::Next() {
  if (random_.OneIn(12)) return ChangeSchema();
  if (random_.OneIn(15)) return "DELETE FROM plain; DELETE FROM keyed WHERE id > 30";
  if (!random_.OneIn(3)) return ChangeRows();
  std::string sql = "BEGIN; ";
  for (uint64_t left = random_.Between(2, 30); left > 0; --left) sql += ChangeRows() + "; ";
  return sql + "COMMIT";
}

std::string DumpExactly(sqlite3* connection) {
  std::string dump =
      Query(connection,
            "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE "
            "'sqlite_stat%' ORDER BY type, name");
  dump += "\nuser_version " + Query(connection, "PRAGMA user_version");
  const std::string tables =
      Query(connection,
            "SELECT name FROM sqlite_schema WHERE type='table' AND rootpage > 0 AND name NOT LIKE "
            "'sqlite_stat%' ORDER BY name");
  for (const std::string& name : Lines(tables)) {
    const std::string literal = Query(connection, "SELECT quote('" + name + "')");
    std::string columns;
    std::string types;
    for (const std::string& column : Lines(Query(
             connection, "SELECT '\"' || name || '\"' FROM pragma_table_xinfo(" + literal + ")"))) {
      // quote() ends at a NUL.
      columns += std::string(columns.empty() ? "" : ", ") + "CASE typeof(" + column +
                 ") WHEN 'text' THEN hex(" + column + ") ELSE quote(" + column + ") END";
      types += ", typeof(" + column + ")";
    }
    const std::string quoted =
        Query(connection, "SELECT '\"' || replace('" + name + "', '\"', '\"\"') || '\"'");
    const bool has_rowid =
        name != "hidden" && name != "sqlite_sequence" &&
        Query(connection,
              "SELECT wr FROM pragma_table_list WHERE schema='main' AND name=" + literal) == "0";
    dump += "\n[" + name + "]\n" +
            Query(connection, std::string("SELECT ") + (has_rowid ? "rowid, " : "") + columns +
                                  types + " FROM " + quoted + " ORDER BY " +
                                  (has_rowid ? "rowid" : columns + types));
  }
  return dump;
}

std::unique_ptr<Connection> CopyOf(const Snapshot& snapshot) {
  auto copy = std::make_unique<Connection>(":memory:");
  const size_t size = size_t{snapshot.page_size()} * snapshot.page_count();
  if (size == 0) return copy;
  auto* bytes = static_cast<unsigned char*>(sqlite3_malloc64(size));
  for (uint32_t page = 0; page < snapshot.page_count(); ++page) {
    const std::span<std::byte> out(
        reinterpret_cast<std::byte*>(bytes) + size_t{page} * snapshot.page_size(),
        snapshot.page_size());
    EXPECT_OK(snapshot.ReadPage(PageNo(page + 1), out));
  }
  constexpr unsigned kFlags = SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE;
  EXPECT_EQ(sqlite3_deserialize(copy->handle(), "main", bytes, static_cast<sqlite3_int64>(size),
                                static_cast<sqlite3_int64>(size), kFlags),
            SQLITE_OK);
  return copy;
}

}  // namespace tidemark::testing
