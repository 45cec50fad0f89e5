// Whole databases in and out: backup page by page with writers between, VACUUM INTO, serialize and
// deserialize, changesets, and blobs far larger than any cache.

// For the declarations of the session extension in sqlite3.h.
#define SQLITE_ENABLE_SESSION 1
#define SQLITE_ENABLE_PREUPDATE_HOOK 1

#include <dlfcn.h>
#include <sqlite3.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/test_seed.h"
#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

constexpr char kFill[] =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, x);"
    "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<400) "
    "INSERT INTO t SELECT i, 'row ' || i || hex(zeroblob(i % 300)) FROM n;";

class CopyTest : public AttachedVfsTest {};

// Goal: a backup that is taken a few pages at a time, while others write the source, is one state
// of the source: the last, since SQLite begins anew after another connection's commit, and follows
// those of its own. Method: steps of a few pages, a commit after each of the first ones, through
// the connection that is copied and through another one; into an object, and out to a file.
TEST_F(CopyTest, BackupPageByPageWithWritersBetween) {
  for (const bool into_object : {false, true}) {
    for (const bool own_writes : {false, true}) {
      SCOPED_TRACE(std::to_string(into_object) + std::to_string(own_writes));
      const std::string name = "o" + std::to_string(into_object) + std::to_string(own_writes);
      const Connection source(Uri(name));
      Exec(source.handle(), kFill);
      const Connection other(Uri(name));
      const Connection copy(into_object ? Uri(name + "-copy") : directory_ / name);
      sqlite3_backup* backup = sqlite3_backup_init(copy.handle(), "main", source.handle(), "main");
      ASSERT_NE(backup, nullptr);
      int steps = 0;
      while (sqlite3_backup_step(backup, 3) == SQLITE_OK) {
        if (++steps > 8) continue;
        Exec(own_writes ? source.handle() : other.handle(),
             "UPDATE t SET x = 'changed " + std::to_string(steps) + "' WHERE id % 50 = " +
                 std::to_string(steps) + "; INSERT INTO t(x) VALUES(zeroblob(9000))");
      }
      EXPECT_EQ(sqlite3_backup_finish(backup), SQLITE_OK);
      EXPECT_GT(steps, 8);
      EXPECT_EQ(Dump(copy.handle()), Dump(source.handle()));
      EXPECT_EQ(Query(copy.handle(), "PRAGMA integrity_check"), "ok");
      if (into_object) {
        EXPECT_EQ(CommitCount(name + "-copy"), 1);
      }
    }
  }
}

// Goal: a backup into an object that is given up in the middle leaves what was there.
// Method: a few steps, then finish.
TEST_F(CopyTest, BackupGivenUp) {
  const Connection source(directory_ / "source");
  Exec(source.handle(), kFill);
  const Connection object(Uri("o"));
  Exec(object.handle(), "CREATE TABLE old AS SELECT 1 AS x");
  const std::string before = Dump(object.handle());
  sqlite3_backup* backup = sqlite3_backup_init(object.handle(), "main", source.handle(), "main");
  EXPECT_EQ(sqlite3_backup_step(backup, 5), SQLITE_OK);
  EXPECT_EQ(sqlite3_backup_finish(backup), SQLITE_OK);
  EXPECT_EQ(Dump(object.handle()), before);
  EXPECT_EQ(CommitCount("o"), 1);
  EXPECT_EQ(Query(object.handle(), "PRAGMA integrity_check"), "ok");
}

// Goal: VACUUM INTO makes an object, or a file, and refuses one that holds something already.
// Method: from an object, from its past, and from a file.
TEST_F(CopyTest, VacuumInto) {
  const Connection object(Uri("o"));
  Exec(object.handle(), kFill);
  const std::string filled = Dump(object.handle());
  const Bookmark point =
      (*store_->OpenObject("ns", "o", IfMissing::kFail))->CurrentBookmark().value();
  Exec(object.handle(), "DELETE FROM t WHERE id > 10");
  Exec(object.handle(), "VACUUM INTO '" + Uri("small") + "'");
  EXPECT_EQ(CommitCount("small"), 1);
  EXPECT_LT(Head("small").page_count, Head("o").page_count);
  EXPECT_EQ(Dump(Connection(Uri("small")).handle()), Dump(object.handle()));
  EXPECT_EQ(Try(object.handle(), "VACUUM INTO '" + Uri("small") + "'"), SQLITE_ERROR);

  const Connection past(Uri("o", "&at=" + point.ToString()), SQLITE_OPEN_READONLY);
  Exec(past.handle(), "VACUUM INTO 'file:" + (directory_ / "out") + "?vfs=unix'");
  const Connection file(directory_ / "out");
  EXPECT_EQ(Dump(file.handle()), filled);
  Exec(file.handle(), "VACUUM INTO '" + Uri("back") + "'");
  EXPECT_EQ(Dump(Connection(Uri("back")).handle()), filled);
}

// Goal: serialize gives the bytes of a database that any SQLite opens, and what is deserialized can
// be copied into an object. Method: there and back.
TEST_F(CopyTest, SerializeAndDeserialize) {
  const Connection object(Uri("o"));
  Exec(object.handle(), kFill);
  sqlite3_int64 size = 0;
  unsigned char* bytes = sqlite3_serialize(object.handle(), "main", &size, 0);
  ASSERT_NE(bytes, nullptr);
  EXPECT_EQ(size, int64_t{Head("o").page_count} * Head("o").page_size);
  const Connection memory(":memory:");
  ASSERT_EQ(sqlite3_deserialize(memory.handle(), "main", bytes, size, size,
                                SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE),
            SQLITE_OK);
  EXPECT_EQ(Dump(memory.handle()), Dump(object.handle()));
  Exec(memory.handle(), "DELETE FROM t WHERE id % 2");
  ASSERT_EQ(Backup(object.handle(), memory.handle()), SQLITE_DONE);
  EXPECT_EQ(Query(object.handle(), "SELECT count(*) FROM t; PRAGMA integrity_check"), "200\nok");
}

// Goal: changesets recorded on one object apply to another. Method: the session extension, if this
// SQLite has it; its functions are looked up, since not every library has them.
TEST_F(CopyTest, SessionsAndChangesets) {
  const auto find = [](const char* name) { return dlsym(RTLD_DEFAULT, name); };
  const auto create =
      reinterpret_cast<decltype(&sqlite3session_create)>(find("sqlite3session_create"));
  if (create == nullptr) GTEST_SKIP() << "this SQLite is built without the session extension";
  const auto attach =
      reinterpret_cast<decltype(&sqlite3session_attach)>(find("sqlite3session_attach"));
  const auto changeset =
      reinterpret_cast<decltype(&sqlite3session_changeset)>(find("sqlite3session_changeset"));
  const auto apply =
      reinterpret_cast<decltype(&sqlite3changeset_apply)>(find("sqlite3changeset_apply"));
  const auto drop =
      reinterpret_cast<decltype(&sqlite3session_delete)>(find("sqlite3session_delete"));

  const Connection from(Uri("from"));
  const Connection to(Uri("to"));
  Exec(from.handle(), kFill);
  Exec(to.handle(), kFill);
  sqlite3_session* session = nullptr;
  ASSERT_EQ(create(from.handle(), "main", &session), SQLITE_OK);
  ASSERT_EQ(attach(session, nullptr), SQLITE_OK);
  Exec(from.handle(),
       "UPDATE t SET x = 'new' WHERE id % 9 = 0; DELETE FROM t WHERE id % 10 = 0;"
       "INSERT INTO t VALUES(1000, zeroblob(5000))");
  int size = 0;
  void* bytes = nullptr;
  ASSERT_EQ(changeset(session, &size, &bytes), SQLITE_OK);
  drop(session);
  const auto abort = [](void*, int, sqlite3_changeset_iter*) { return SQLITE_CHANGESET_ABORT; };
  EXPECT_EQ(apply(to.handle(), size, bytes, nullptr, abort, nullptr), SQLITE_OK);
  EXPECT_EQ(Dump(to.handle()), Dump(from.handle()));
  // Once more is a conflict: all of it is rolled back.
  EXPECT_EQ(apply(to.handle(), size, bytes, nullptr, abort, nullptr), SQLITE_ABORT);
  EXPECT_EQ(Dump(to.handle()), Dump(from.handle()));
  sqlite3_free(bytes);
}

// Goal: a blob much larger than SQLite's cache and a transaction's memory is written and read piece
// by piece, survives a rollback of changes to it, and is there after reopening.
// Method: 8 MB (400 MB where TIDEMARK_TEST_SCALE is 50), each piece with its number in it.
TEST_F(CopyTest, LargeBlob) {
  constexpr int kPiece = 1 << 16;
  const int pieces = static_cast<int>(std::min<uint64_t>(Scaled(128), 12800));  // SQLite's 1 GB
  const auto piece = [](int number) {
    std::vector<char> bytes(kPiece);
    for (size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>(i * 7 + static_cast<size_t>(number) * 31);
    }
    return bytes;
  };
  const auto expect_whole = [&](sqlite3* connection) {
    sqlite3_blob* blob = nullptr;
    ASSERT_EQ(sqlite3_blob_open(connection, "main", "t", "x", 1, 0, &blob), SQLITE_OK);
    ASSERT_EQ(sqlite3_blob_bytes(blob), pieces * kPiece);
    std::vector<char> read(kPiece);
    for (int i = 0; i < pieces; ++i) {
      ASSERT_EQ(sqlite3_blob_read(blob, read.data(), kPiece, i * kPiece), SQLITE_OK);
      ASSERT_EQ(read, piece(i)) << i;
    }
    sqlite3_blob_close(blob);
  };
  const auto write = [&](sqlite3* connection, int from_number) {
    sqlite3_blob* blob = nullptr;
    ASSERT_EQ(sqlite3_blob_open(connection, "main", "t", "x", 1, 1, &blob), SQLITE_OK);
    for (int i = 0; i < pieces; ++i) {
      const std::vector<char> bytes = piece(from_number + i);
      ASSERT_EQ(sqlite3_blob_write(blob, bytes.data(), kPiece, i * kPiece), SQLITE_OK);
    }
    sqlite3_blob_close(blob);
  };
  {
    const Connection object(Uri("o"));
    Exec(object.handle(), "CREATE TABLE t(x); BEGIN; INSERT INTO t VALUES(zeroblob(" +
                              std::to_string(pieces * kPiece) + "))");
    write(object.handle(), 0);
    Exec(object.handle(), "COMMIT");
    expect_whole(object.handle());
    Exec(object.handle(), "BEGIN");
    write(object.handle(), 1);
    Exec(object.handle(), "ROLLBACK");
    EXPECT_EQ(CommitCount("o"), 2);
  }
  EXPECT_OK(DetachStore(store_.get()));
  ASSERT_OK(store_->Close());
  OpenStore({});
  ASSERT_OK(AttachStore(store_.get()));
  const Connection object(Uri("o"));
  expect_whole(object.handle());
}

}  // namespace
}  // namespace tidemark::testing
