// RestoreRows against Object::Restore: with all tables, and all that is new deleted, both give the
// same rows.

#include <string>
#include <vector>

#include "tests/support/test_seed.h"
#include "tests/vfs/vfs_fixture.h"
#include "vfs/partial_restore.h"

namespace tidemark::testing {
namespace {

using PartialRestoreModelTest = VfsTest;

// Tables of each kind, with values that must be exchanged, and rows that hang together.
constexpr char kSchema[] =
    "CREATE TABLE rows(id INTEGER PRIMARY KEY AUTOINCREMENT, u UNIQUE, v);"
    "CREATE INDEX rows_v ON rows(v);"
    "CREATE TABLE bare(u INT, v TEXT, g AS (u + 1)); CREATE UNIQUE INDEX bare_u ON bare(u, v);"
    "CREATE TABLE word(k TEXT PRIMARY KEY COLLATE NOCASE, u UNIQUE, v);"
    "CREATE TABLE pair(a, b, u, v CHECK(v <> 'never'), PRIMARY KEY(b, a), UNIQUE(u)) WITHOUT ROWID;"
    "CREATE TABLE child(id INTEGER PRIMARY KEY, u REFERENCES rows(id), v);"
    "CREATE TRIGGER t AFTER DELETE ON rows BEGIN DELETE FROM child WHERE u = old.id; END;";

const std::vector<std::string> kTables = {"rows", "bare", "word", "pair", "child"};

std::string Value(Random& random) {
  switch (random.Below(5)) {
    case 0: return "NULL";
    case 1: return std::to_string(random.Below(1000));
    case 2: return "'" + std::string(random.Below(300), 'x') + "'";
    case 3: return "x'00ff'";
    default: return std::to_string(random.Below(100)) + ".5";
  }
}

std::string Statement(Random& random) {
  const std::string& table = kTables[random.Below(kTables.size())];
  const std::string small = std::to_string(random.Below(12));
  const std::string other = std::to_string(random.Below(12));
  switch (random.Below(6)) {
    case 0: return "DELETE FROM " + table + " WHERE u = " + small;
    case 1:
      return "UPDATE OR IGNORE " + table + " SET v = " + Value(random) + " WHERE u > " + small;
    case 2: return "UPDATE OR REPLACE " + table + " SET u = " + small + " WHERE u = " + other;
    case 3:
      // All values of the unique column move on by one.
      return "UPDATE " + table + " SET u = -u; UPDATE " + table + " SET u = 1 - u";
    default: break;
  }
  std::string columns = "(u, v) VALUES(" + small + ", " + Value(random) + ")";
  if (table == "word") {
    columns = "(k, u, v) VALUES('" + std::string(1, "aAbBcC"[random.Below(6)]) + small + "', " +
              other + ", " + Value(random) + ")";
  } else if (table == "pair") {
    columns = "(a, b, u, v) VALUES(" + small + ", '" + other + "', " + small + ", 1)";
  } else if (table == "child" || random.OneIn(2)) {
    if (table != "bare") {
      columns = "(id, u, v) VALUES(" + other + ", " + small + ", " + Value(random) + ")";
    }
  }
  return "INSERT OR REPLACE INTO " + table + columns;
}

// Rows as they are told apart: those with a key by it, the others by their rowid.
std::string Rows(const Database& database) {
  return Query(database,
               "SELECT id, quote(u), quote(v) FROM rows ORDER BY id;"
               "SELECT rowid, quote(u), quote(v), g FROM bare ORDER BY rowid;"
               "SELECT k, quote(u), quote(v) FROM word ORDER BY k COLLATE BINARY;"
               "SELECT quote(a), quote(b), quote(u), quote(v) FROM pair ORDER BY b, a;"
               "SELECT id, quote(u), quote(v) FROM child ORDER BY id; PRAGMA integrity_check");
}

// Goal: partial restore of all tables equals restore. Method: random commits; then from the last
// one to each of some random ones, by the one way, undone, and by the other.
TEST_F(PartialRestoreModelTest, AllTablesEqualRestore) {
  Random random(TestSeed());
  Database db = Open("o");
  Exec(db, kSchema);
  std::vector<Bookmark> points = {*db.object().CurrentBookmark()};
  const auto object = store_->OpenObject("ns", "o", IfMissing::kFail);
  ASSERT_OK(object);
  for (uint64_t round = 0; round < Scaled(30); ++round) {
    for (uint64_t commit = random.Between(1, 8); commit > 0; --commit) {
      Exec(db, "BEGIN");
      for (uint64_t i = random.Between(1, 5); i > 0; --i) {
        // Constraints that a statement meets end it, not the transaction.
        Try(db, Statement(random));
      }
      Exec(db, "COMMIT");
      points.push_back(*db.object().CurrentBookmark());
    }
    const Bookmark& to = points[random.Below(points.size())];
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", round " << round);
    const std::string before = Rows(db);
    ASSERT_OK_AND_ASSIGN(
        const PartialRestoreInfo info,
        RestoreRows(*store_, *object, to, {.tables = kTables, .delete_new = true}));
    const std::string by_rows = Rows(db);
    ASSERT_OK((*object)->Restore(info.undo));
    ASSERT_EQ(Rows(db), before);
    ASSERT_OK((*object)->Restore(to));
    ASSERT_EQ(by_rows, Rows(db));
    if (random.OneIn(2)) {
      ASSERT_OK((*object)->Restore(info.undo));
    }
  }
}

}  // namespace
}  // namespace tidemark::testing
