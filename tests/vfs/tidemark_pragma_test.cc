// Tidemark's own pragmas, through connections of the library.

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

// What SQL that must fail leaves in sqlite3_errmsg, after its code.
std::string Failure(const Database& database, const std::string& sql) {
  const int code = Try(database, sql);
  return std::to_string(code) + ": " + sqlite3_errmsg(database.handle());
}

class TidemarkPragmaTest : public VfsTest {};

// Goal: tidemark_bookmark names the commit that the connection sees, and tidemark_durable names it
// too, once it is durable.
// Method: a connection whose commits are not waited for, and one that reads an older view.
TEST_F(TidemarkPragmaTest, BookmarkIsOfWhatIsSeen) {
  Database writer = Open("o", {.synchronous = Synchronous::kNormal});
  Database reader = Open("o");
  EXPECT_THAT(Failure(writer, "PRAGMA tidemark_bookmark"),
              ::testing::HasSubstr("object ns/o has no commit yet"));
  Exec(writer, "CREATE TABLE t(x)");
  const std::string one = writer.object().CurrentBookmark()->ToString();
  EXPECT_EQ(Query(writer, "PRAGMA tidemark_bookmark"), one);
  EXPECT_EQ(Query(reader, "BEGIN; SELECT * FROM t; PRAGMA tidemark_bookmark"), one);
  Exec(writer, "INSERT INTO t VALUES(1)");
  const std::string two = writer.object().CurrentBookmark()->ToString();
  EXPECT_EQ(Query(reader, "PRAGMA tidemark_bookmark"), one) << "its transaction sees no more";
  EXPECT_EQ(Query(reader, "COMMIT; PRAGMA Tidemark_Bookmark"), two);
  EXPECT_EQ(Query(writer, "BEGIN; INSERT INTO t VALUES(2); PRAGMA tidemark_bookmark"), two)
      << "what is not committed has no bookmark";
  Exec(writer, "COMMIT");

  EXPECT_EQ(Query(writer, "PRAGMA tidemark_durable"),
            writer.object().CurrentBookmark()->ToString());
  EXPECT_GE(store_->durable_lsn(), writer.object().head().lsn);
}

// Goal: tidemark_restore brings a point back, and what it gives undoes it; connections that are
// open see both. Method: there and back, by bookmark, by time and by label.
TEST_F(TidemarkPragmaTest, RestoreAndUndo) {
  Database a = Open("o");
  Database b = Open("o");
  Exec(a, "CREATE TABLE t(x); INSERT INTO t VALUES('one')");
  const std::string one = Query(a, "PRAGMA tidemark_bookmark");
  Exec(a, "UPDATE t SET x = 'two'");
  EXPECT_EQ(Query(b, "SELECT x FROM t"), "two");
  const std::string undo = Query(a, "PRAGMA tidemark_restore='" + one + "'");
  EXPECT_EQ(Query(a, "SELECT x FROM t"), "one");
  EXPECT_EQ(Query(b, "SELECT x FROM t"), "one");
  Exec(a, "PRAGMA tidemark_restore='" + undo + "'");
  EXPECT_EQ(Query(b, "SELECT x FROM t; PRAGMA integrity_check"), "two\nok");
  Exec(a, "PRAGMA tidemark_restore='now'");
  EXPECT_EQ(Query(b, "SELECT x FROM t"), "two");
  ASSERT_OK(a.object().SetLabel("first", *Bookmark::Parse(one)));
  Exec(b, "PRAGMA tidemark_restore='first'");
  EXPECT_EQ(Query(a, "SELECT x FROM t"), "one");
  EXPECT_THAT(Failure(a, "PRAGMA tidemark_restore='frist'"),
              ::testing::HasSubstr("has no label \"frist\"; its labels: first"));
}

// Goal: the restore journal has, newest first, what undoes each restore: for a caller that did not
// get the answer of tidemark_restore. Method: two restores and a deletion, parsed.
TEST_F(TidemarkPragmaTest, RestoresHaveTheUndoBookmark) {
  Database db = Open("o");
  EXPECT_EQ(Query(db, "PRAGMA tidemark_restores"), "[]");
  Exec(db, "CREATE TABLE t(x)");
  const std::string one = Query(db, "PRAGMA tidemark_bookmark");
  Exec(db, "INSERT INTO t VALUES(1)");
  const std::string two = Query(db, "PRAGMA tidemark_bookmark");
  EXPECT_EQ(Query(db, "PRAGMA tidemark_restore='" + one + "'"), two);
  const std::string three = Query(db, "PRAGMA tidemark_bookmark");
  EXPECT_EQ(Query(db, "PRAGMA tidemark_restore='" + two + "'"), three);
  EXPECT_OK(db.object().Delete());
  const auto journal = nlohmann::json::parse(Query(db, "PRAGMA tidemark_restores"));
  ASSERT_EQ(journal.size(), 3u);
  EXPECT_EQ(journal[0]["kind"], "delete");
  EXPECT_TRUE(journal[0]["to"].is_null());
  EXPECT_EQ(journal[1]["kind"], "restore");
  EXPECT_EQ(journal[1]["from"], three);
  EXPECT_EQ(journal[1]["to"], two);
  EXPECT_EQ(journal[2]["from"], two);
  EXPECT_EQ(journal[2]["to"], one);
  EXPECT_EQ(journal[2]["lsn"], Bookmark::Parse(three)->lsn.value);
}

// Goal: a program that has only SQL names commits, finds the names and removes them; and makes a
// copy of an object that goes its own way. Method: each pragma, and what it must not do.
TEST_F(TidemarkPragmaTest, LabelsAndForks) {
  Database db = Open("o");
  EXPECT_THAT(Failure(db, "PRAGMA tidemark_label='v1'"), ::testing::HasSubstr("no commit yet"));
  EXPECT_THAT(Failure(db, "PRAGMA tidemark_fork='ns/copy'"), ::testing::HasSubstr("no commit yet"));
  Exec(db, "CREATE TABLE t(x); INSERT INTO t VALUES('one')");
  const std::string one = Query(db, "PRAGMA tidemark_bookmark");
  EXPECT_EQ(Query(db, "PRAGMA tidemark_label='v1'"), one);
  EXPECT_EQ(Query(db, "PRAGMA tidemark_label='v1'"), one) << "again";
  EXPECT_GE(store_->durable_lsn(), db.object().head().lsn);
  const std::string copy = Query(db, "PRAGMA tidemark_fork='copies/of o/1'");
  const auto fork = store_->OpenObject("copies", "of o/1", IfMissing::kFail);
  ASSERT_OK(fork);
  EXPECT_EQ(copy, (*fork)->CurrentBookmark()->ToString());
  Exec(db, "UPDATE t SET x = 'two'");
  EXPECT_THAT(Failure(db, "PRAGMA tidemark_label='v1'"),
              ::testing::HasSubstr("1: object ns/o has a label \"v1\""));
  EXPECT_EQ(Query(db, "BEGIN; SELECT x FROM t; PRAGMA tidemark_label='v2'; COMMIT"),
            "two\n" + Query(db, "PRAGMA tidemark_bookmark"));

  const auto labels = nlohmann::json::parse(Query(db, "PRAGMA tidemark_labels"));
  ASSERT_EQ(labels.size(), 2u);
  EXPECT_EQ(labels[0]["name"], "v1");
  EXPECT_EQ(labels[0]["bookmark"], one);
  EXPECT_EQ(labels[0]["automatic"], false);
  EXPECT_TRUE(labels[0]["damage"].is_null());
  EXPECT_EQ(labels[1]["name"], "v2");
  EXPECT_EQ(Query(db, "PRAGMA tidemark_unlabel='v2'"), "v2");
  EXPECT_EQ(db.object().ListLabels()->size(), 1u);
  EXPECT_THAT(Failure(db, "PRAGMA tidemark_unlabel='v2'"), ::testing::HasSubstr("no label \"v2\""));

  Database other = Database::Open(*store_, "copies", "of o/1").value();
  EXPECT_EQ(Query(other, "SELECT x FROM t"), "one");
  Exec(other, "UPDATE t SET x = 'three'");
  EXPECT_EQ(Query(db, "SELECT x FROM t"), "two");
}

// Goal: a schema before the pragma's name says which database is meant.
// Method: the same object attached as of an earlier commit, and another object.
TEST_F(TidemarkPragmaTest, SchemaChoosesTheDatabase) {
  ASSERT_OK(AttachStore(store_.get()));
  {
    Database db = Open("o");
    Exec(Open("other"), "CREATE TABLE u(y)");
    Exec(db, "CREATE TABLE t(x)");
    const std::string one = Query(db, "PRAGMA tidemark_bookmark");
    Exec(db, "INSERT INTO t VALUES(1)");
    Exec(db, "ATTACH '" + Uri("o", "&at=" + one) + "' AS past");
    Exec(db, "ATTACH '" + Uri("other") + "' AS other");
    EXPECT_EQ(Query(db, "PRAGMA past.tidemark_bookmark; PRAGMA past.tidemark_durable"),
              one + "\n" + one);
    EXPECT_EQ(Query(db, "PRAGMA other.tidemark_bookmark"),
              Open("other").object().CurrentBookmark()->ToString());
    EXPECT_NE(Query(db, "PRAGMA main.tidemark_bookmark"), one);
    EXPECT_THAT(Failure(db, "PRAGMA past.tidemark_restore='now'"),
                ::testing::HasSubstr("8: this connection to object ns/o is read-only"));
  }
  EXPECT_OK(DetachStore(store_.get()));
}

// Goal: tidemark_stat is JSON with the sizes of the object and of its store.
// Method: parsed, and compared with what the engine says.
TEST_F(TidemarkPragmaTest, StatIsJson) {
  Database db = Open("quote\" \\ and\ttab");
  Exec(db, "CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(20000))");
  const auto stat = nlohmann::json::parse(Query(db, "PRAGMA tidemark_stat"));
  const CommitInfo head = db.object().head();
  EXPECT_EQ(stat["object"], "ns/quote\" \\ and\ttab");
  EXPECT_EQ(stat["lsn"], head.lsn.value);
  EXPECT_EQ(stat["page_size"], 4096);
  EXPECT_EQ(stat["page_count"], head.page_count);
  EXPECT_EQ(stat["bytes"], 4096 * head.page_count);
  EXPECT_EQ(stat["store"], store_->directory());
  EXPECT_EQ(stat["objects"], 1);
  EXPECT_EQ(stat["log_file_bytes"], store_->Stats().log_file_bytes);
  for (const char* name :
       {"last_lsn", "durable_lsn", "log_bytes", "index_bytes", "index_file_bytes", "horizon"}) {
    EXPECT_TRUE(stat.contains(name)) << name;
  }
}

// Goal: a wrong pragma, a wrong value and a wrong moment each say what is wrong, and leave the
// connection and the object as they were. Method: each of them.
TEST_F(TidemarkPragmaTest, WrongUse) {
  Database db = Open("o");
  Exec(db, "CREATE TABLE t(x)");
  Database other = Open("p");
  Exec(other, "CREATE TABLE t(x)");
  const std::string foreign = Query(other, "PRAGMA tidemark_bookmark");
  const struct {
    std::string sql;
    std::string message;
  } cases[] = {
      {"PRAGMA tidemark_bokmark", "1: there is no pragma tidemark_bokmark"},
      {"PRAGMA tidemark_bookmark=1", "1: tidemark_bookmark takes no value, but is given '1'"},
      {"PRAGMA tidemark_durable('x')", "1: tidemark_durable takes no value"},
      {"PRAGMA tidemark_stat=''", "1: tidemark_stat takes no value"},
      {"PRAGMA tidemark_restore", "1: tidemark_restore needs a point"},
      {"PRAGMA tidemark_restore=''", "1: \"\" is no point in time"},
      {"PRAGMA tidemark_restore='long ago'", "1: \"long ago\" is no point in time"},
      {"PRAGMA tidemark_restore='" + foreign + "'", "1: "},
      {"PRAGMA tidemark_restore='1970-01-02'", "1: "},
      {"PRAGMA tidemark_label", "1: tidemark_label needs a name"},
      {"PRAGMA tidemark_label='1st'", "1: "},
      {"PRAGMA tidemark_labels='x'", "1: tidemark_labels takes no value"},
      {"PRAGMA tidemark_restores='x'", "1: tidemark_restores takes no value"},
      {"PRAGMA tidemark_unlabel", "1: tidemark_unlabel needs the name of a label"},
      {"PRAGMA tidemark_fork", "1: tidemark_fork needs a name for the new object"},
      {"PRAGMA tidemark_fork='copy'", "1: \"copy\" is not NAMESPACE/NAME"},
      {"PRAGMA tidemark_fork='ns/../p'", "1: \"ns/../p\" has a \".\" or \"..\" in it"},
      {"PRAGMA tidemark_fork='ns/p'", "1: object ns/p"},
      {"BEGIN; PRAGMA tidemark_restore='now'", "5: tidemark_restore inside a transaction"},
      {"INSERT INTO t VALUES(0); PRAGMA tidemark_label='v1'",
       "5: tidemark_label inside a transaction that writes"},
      {"PRAGMA tidemark_fork='ns/copy'", "5: tidemark_fork inside a transaction that writes"},
  };
  for (const auto& wrong : cases) {
    EXPECT_THAT(Failure(db, wrong.sql), ::testing::StartsWith(wrong.message)) << wrong.sql;
  }
  Exec(db, "INSERT INTO t VALUES(1); COMMIT");
  EXPECT_EQ(CommitCount("o"), 2);

  Exec(other, "BEGIN IMMEDIATE");
  EXPECT_THAT(Failure(Open("p"), "PRAGMA tidemark_restore='now'"), ::testing::StartsWith("5: "));
  Exec(other, "ROLLBACK");
  Database exclusive = Open("p", {.locking = Locking::kExclusive});
  EXPECT_THAT(Failure(exclusive, "PRAGMA tidemark_restore='now'"),
              ::testing::HasSubstr("keeps the write lock"));
  Exec(exclusive, "PRAGMA locking_mode=NORMAL; SELECT * FROM t; PRAGMA tidemark_restore='now'");
}

}  // namespace
}  // namespace tidemark::testing
