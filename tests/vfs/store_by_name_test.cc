// Stores that file names open by themselves, and what a name that is wrong leads to.

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "engine/format.h"
#include "engine/internal/record.h"
#include "tests/vfs/vfs_fixture.h"
#include "vfs/internal/sqlite_result.h"

namespace tidemark::testing {
namespace {

class StoreByNameTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(RegisterVfs()); }

  std::string Uri(const std::string& object, const std::string& more = "") const {
    return "file:" + object + "?vfs=tidemark&store=" + directory_ + more;
  }
  // The message of an open that must fail.
  static std::string OpenFailure(const std::string& uri,
                                 int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) {
    Connection connection(uri, flags);
    EXPECT_EQ(connection.code(), SQLITE_CANTOPEN) << uri;
    return sqlite3_errmsg(connection.handle());
  }
  Status TryOpenStore() const {
    auto store = Store::Open(directory_, {});
    if (store.ok()) return (*store)->Close();
    return store.status();
  }

  TempDirectory parent_;
  const std::string directory_ = parent_ / "store";
};

// Goal: the first database that names a store creates and opens it, all of the process share it,
// whatever the spelling of its directory, and the last close closes it.
// Method: an engine's Open as the witness.
TEST_F(StoreByNameTest, IsSharedUntilTheLastClose) {
  {
    Connection first(Uri("ns/a"));
    Exec(first.handle(), "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    EXPECT_EQ(TryOpenStore().code(), StatusCode::kInUse);
    std::filesystem::create_directory_symlink(directory_, parent_ / "link");
    {
      Connection second("file:ns/a?vfs=tidemark&store=" + (parent_ / "link"));
      EXPECT_EQ(Query(second.handle(), "SELECT x FROM t"), "1");
      Exec(second.handle(), "ATTACH '" + Uri("ns/b") + "' AS b; CREATE TABLE b.u(y)");
    }
    EXPECT_EQ(TryOpenStore().code(), StatusCode::kInUse);
    EXPECT_EQ(Query(first.handle(), "SELECT x FROM t"), "1");
  }
  EXPECT_OK(TryOpenStore());
  Connection again(Uri("ns/b"), SQLITE_OPEN_READONLY);
  EXPECT_EQ(Query(again.handle(), "SELECT count(*) FROM u"), "0");
}

// Goal: opening and closing by name at once from many threads never meets a store that is half
// open. Method: threads that each open, write, close, so that the store comes and goes.
TEST_F(StoreByNameTest, ComesAndGoesUnderThreads) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 10;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, i] {
      for (int round = 0; round < kRounds; ++round) {
        Connection connection(Uri("ns/" + std::to_string(i)));
        ASSERT_EQ(connection.code(), SQLITE_OK) << sqlite3_errmsg(connection.handle());
        Exec(connection.handle(), "CREATE TABLE IF NOT EXISTS t(x); INSERT INTO t VALUES(1)");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < kThreads; ++i) {
    Connection connection(Uri("ns/" + std::to_string(i)));
    EXPECT_EQ(Query(connection.handle(), "SELECT count(*) FROM t"), std::to_string(kRounds));
  }
}

// Goal: sqlite3_errmsg says why a database cannot be opened or attached, and what to do.
// Method: everything that can be wrong with a name, each with a part of its message.
TEST_F(StoreByNameTest, WrongNamesSayWhy) {
  { Exec(Connection(Uri("ns/a")).handle(), "CREATE TABLE t(x)"); }
  std::filesystem::create_directory(parent_ / "full");
  { Exec(Connection("file:" + (parent_ / "full/plain")).handle(), "CREATE TABLE t(x)"); }
  const std::string tidemark = "?vfs=tidemark&store=";
  const struct {
    std::string uri;
    std::string message;
  } cases[] = {
      {"file:ns/a?vfs=tidemark", "no store is named"},
      {"file:ns/a?vfs=tidemark&store=", "store= names no directory"},
      {"file:ns/a" + tidemark + directory_ + "/none&mode=rw", "/none is not a tidemark store"},
      {"file:ns/a" + tidemark + directory_ + "/no/ne", "cannot create directory"},
      {"file:ns/a" + tidemark + (parent_ / "full"), "/full is not a tidemark store"},
      {"file:ns/a" + tidemark + (parent_ / "full/plain"), "/full/plain"},
      {Uri("a"), "\"a\" is not NAMESPACE/NAME"},
      {Uri("/ns/a"), "\"/ns/a\" is not NAMESPACE/NAME"},
      {Uri("ns/"), "\"ns/\" is not NAMESPACE/NAME"},
      {Uri("../a"), "\"../a\" has a \".\" or \"..\" in it"},
      {Uri("ns/../../a"), "is no path"},
      {Uri("ns/%ff"), "not valid UTF-8"},
      {Uri("ns/" + std::string(1025, 'n')), "at most 1024"},
      {Uri("ns/none", "&mode=rw"), "object ns/none does not exist"},
      {Uri("ns/none", "&at=now"), "object ns/none does not exist"},
      {Uri("ns/a", "&at="), "at= is not a point in time"},
      {Uri("ns/a", "&at=long%20ago"), "\"long ago\" is no point in time"},
      {Uri("ns/a", "&at=1970-01-02"), "ns/a"},
      {Uri("ns/a", "&at=now&mode=rwc"), "at=now and mode=rwc contradict each other"},
      {Uri("ns/a", "&at=now&mode=rw"), "at=now and mode=rw contradict each other"},
      {Uri("ns/a", "&at=now&at=now"), "at= is given twice"},
      {Uri("ns/a", "&store=/elsewhere"), "store= is given twice"},
      {Uri("ns/a", "&vfs=tidemark"), "vfs= is given twice"},
      {Uri("ns/a", "&nolock=1"), "nolock=1 is not possible"},
  };
  const Connection main(":memory:");
  for (const auto& wrong : cases) {
    EXPECT_THAT(OpenFailure(wrong.uri), ::testing::HasSubstr(wrong.message)) << wrong.uri;
    EXPECT_EQ(Try(main.handle(), "ATTACH '" + wrong.uri + "' AS a"), SQLITE_CANTOPEN);
    EXPECT_THAT(sqlite3_errmsg(main.handle()), ::testing::HasSubstr(wrong.message)) << wrong.uri;
  }
  EXPECT_THAT(OpenFailure(Uri("ns/none"), SQLITE_OPEN_READONLY),
              ::testing::HasSubstr("ns/none does not exist"));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/none")) << "mode=rw creates nothing";

  // A name with dots is possible, for who says so; and Database::Open does.
  EXPECT_EQ(Connection(Uri("ns/../a", "&exact=1")).code(), SQLITE_OK);
}

// Goal: an ATTACH that fails leaves the connection, its transaction and what else is attached as
// they were, and where SQLite's own message is all there is, LastError() has the reason.
// Method: in a transaction; with writable_schema, where SQLite would take a schema that it cannot
// make out for loaded; VACUUM INTO, which sets that; a reason longer than a page.
TEST_F(StoreByNameTest, AFailedAttachChangesNothing) {
  const Connection db(Uri("ns/a"));
  Exec(db.handle(), "CREATE TABLE t(x); ATTACH '" + Uri("ns/b") + "' AS b; CREATE TABLE b.u(y)");
  const std::string attach = "ATTACH '" + Uri("ns/none", "&mode=rw") + "' AS c";
  const auto databases = [&] { return Query(db.handle(), "PRAGMA database_list"); };
  const std::string before = databases();
  Exec(db.handle(), "BEGIN; INSERT INTO t VALUES(1); INSERT INTO u VALUES(2)");
  EXPECT_EQ(Try(db.handle(), attach), SQLITE_CANTOPEN);
  EXPECT_STREQ(
      sqlite3_errmsg(db.handle()),
      ("malformed database schema (tidemark: object ns/none does not exist in " + directory_ + ")")
          .c_str());
  EXPECT_EQ(sqlite3_get_autocommit(db.handle()), 0);
  Exec(db.handle(), "COMMIT");
  EXPECT_EQ(Query(db.handle(), "SELECT x FROM t; SELECT y FROM u"), "1\n2");
  EXPECT_EQ(databases(), before);

  Exec(db.handle(), "PRAGMA writable_schema=ON");
  EXPECT_EQ(Try(db.handle(), attach), SQLITE_CANTOPEN);
  EXPECT_STREQ(sqlite3_errmsg(db.handle()), "unable to open database file");
  EXPECT_THAT(internal::LastError().message(), ::testing::HasSubstr("ns/none does not exist"));
  Exec(db.handle(), "PRAGMA writable_schema=OFF");
  EXPECT_EQ(Try(db.handle(), "VACUUM INTO 'file:ns?vfs=tidemark&store=" + directory_ + "'"),
            SQLITE_CANTOPEN);
  EXPECT_THAT(internal::LastError().message(), ::testing::HasSubstr("is not NAMESPACE/NAME"));
  EXPECT_EQ(databases(), before);

  std::string name;  // two bytes a character, one of which may not be cut
  for (int i = 0; i < 2000; ++i) name += "\u00e9";
  for (const char* shift : {"", "e"}) {
    EXPECT_EQ(Try(db.handle(), "ATTACH '" + Uri("/" + (shift + name)) + "' AS c"), SQLITE_CANTOPEN);
    const std::string message = sqlite3_errmsg(db.handle());
    EXPECT_THAT(message, ::testing::HasSubstr("\u00e9)"));
    EXPECT_GT(message.size(), 3900u);
  }
  EXPECT_EQ(databases(), before);
}

// Goal: the reason can be read, whatever texts the main database has. Method: objects and stock
// files in each encoding, and a reason with characters of one to four bytes.
TEST_F(StoreByNameTest, AFailedAttachToEveryEncoding) {
  for (const char* encoding : {"UTF-8", "UTF-16le", "UTF-16be"}) {
    for (const std::string& main : {Uri("ns/" + std::string(encoding)),
                                    "file:" + directory_ + "-" + encoding + "?vfs=unix"}) {
      SCOPED_TRACE(main);
      const Connection db(main);
      Exec(db.handle(), "PRAGMA encoding='" + std::string(encoding) + "'; CREATE TABLE t(x)");
      const std::string name = "ns/k\u00e9\u20ac\U0001f30a";
      EXPECT_EQ(Try(db.handle(), "ATTACH '" + Uri(name, "&mode=rw") + "' AS c"), SQLITE_CANTOPEN);
      EXPECT_THAT(sqlite3_errmsg(db.handle()),
                  ::testing::HasSubstr("tidemark: object " + name + " does not exist in"));
    }
    std::filesystem::remove(directory_ + "-" + encoding);
  }
}

// Goal: the past is opened read-only unasked, and a write says so. Method: default flags.
TEST_F(StoreByNameTest, ThePastIsReadOnly) {
  Connection db(Uri("ns/a"));
  Exec(db.handle(), "CREATE TABLE t(x)");
  for (const char* mode : {"", "&mode=ro"}) {
    Connection past(Uri("ns/a", std::string("&at=now") + mode));
    EXPECT_EQ(Try(past.handle(), "INSERT INTO t VALUES(1)"), SQLITE_READONLY);
    EXPECT_STREQ(sqlite3_errmsg(past.handle()), "attempt to write a readonly database");
  }
}

// Goal: a store of another format version is refused, with both versions.
// Method: a segment whose header says so, hashed as it should be.
TEST_F(StoreByNameTest, ANewerFormatIsRefused) {
  { Exec(Connection(Uri("ns/a")).handle(), "CREATE TABLE t(x)"); }
  format::SegmentHeader header;
  std::fstream segment(directory_ + "/log/00000001.seg",
                       std::ios::in | std::ios::out | std::ios::binary);
  segment.read(reinterpret_cast<char*>(&header), sizeof(header));
  ++header.version;
  header.hash = internal::SeededHash(
      std::as_bytes(std::span(&header, 1)).first(offsetof(format::SegmentHeader, hash)), 0);
  for (const size_t offset : {size_t{0}, size_t{format::kSecondHeaderOffset}}) {
    segment.seekp(static_cast<std::streamoff>(offset));
    segment.write(reinterpret_cast<const char*>(&header), sizeof(header));
  }
  segment.close();
  ASSERT_TRUE(segment.good());
  EXPECT_THAT(OpenFailure(Uri("ns/a")),
              ::testing::HasSubstr("version " + std::to_string(header.version) +
                                   ", this library reads version " +
                                   std::to_string(format::kFormatVersion)));
}

// Goal: a commit that was not waited for outlives a program that ends in order without closing its
// connections. Method: a child process that commits and ends at once, before the flusher's time.
TEST_F(StoreByNameTest, AnOrderlyExitLosesNothing) {
  for (int round = 0; round < 5; ++round) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      static auto* const db = new Connection(Uri("ns/a"));  // which nothing closes
      const int code = Try(db->handle(),
                           "PRAGMA synchronous=OFF; CREATE TABLE IF NOT EXISTS t(x);"
                           "INSERT INTO t VALUES(1)");
      std::exit(code == SQLITE_OK ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    Connection db(Uri("ns/a"));
    EXPECT_EQ(Query(db.handle(), "SELECT count(*) FROM t"), std::to_string(round + 1));
  }
}

// What a child of fork() does with a connection of its parent's; 0 if all of it is refused clearly.
int UseInChild(sqlite3* inherited, const std::string& uri) {
  const std::string parent = std::to_string(::getppid());
  if (Try(inherited, "SELECT * FROM t") != SQLITE_MISUSE) return 1;
  const std::string reason = internal::LastError().message();
  if (reason.find("opened by process " + parent + " before fork()") == reason.npos) return 2;
  if (Try(inherited, "INSERT INTO t VALUES(2)") != SQLITE_MISUSE) return 3;
  if (Try(inherited, "PRAGMA tidemark_bookmark") != SQLITE_MISUSE) return 4;
  sqlite3* own = nullptr;
  const int code = sqlite3_open_v2(uri.c_str(), &own, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, "");
  if (code != SQLITE_CANTOPEN) return 5;
  if (std::string(sqlite3_errmsg(own)).find(parent) == std::string::npos) return 6;
  sqlite3_close(own);
  if (sqlite3_close(inherited) != SQLITE_OK) return 7;
  return 0;
}

// Goal: a child of fork() cannot use its parent's connections, nor the store that its parent has
// open, and is told whose they are; the parent goes on. Once the parent closed the store, the child
// can open it.
// Method: fork with a connection open, in the middle of a transaction and outside of one.
TEST_F(StoreByNameTest, ForkIsRefused) {
  for (const char* before : {"SELECT 1", "BEGIN; INSERT INTO t VALUES(1)"}) {
    Connection db(Uri("ns/a"));
    Exec(db.handle(), "CREATE TABLE IF NOT EXISTS t(x)");
    Exec(db.handle(), before);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const bool in_transaction = sqlite3_get_autocommit(db.handle()) == 0;
      if (in_transaction) ::_exit(sqlite3_close(db.handle()) == SQLITE_OK ? 0 : 8);
      ::_exit(UseInChild(db.handle(), Uri("ns/a")));
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    if (sqlite3_get_autocommit(db.handle()) == 0) Exec(db.handle(), "COMMIT");
    EXPECT_EQ(Query(db.handle(), "PRAGMA integrity_check"), "ok");
  }
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Connection db(Uri("ns/a"));
    ::_exit(Try(db.handle(), "INSERT INTO t VALUES(3)") == SQLITE_OK ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(Query(Connection(Uri("ns/a")).handle(), "SELECT x FROM t"), "1\n3");
}

}  // namespace
}  // namespace tidemark::testing
