// Import and export keep content: real data, every page size, WAL mode, and what must not happen.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/tools/tools_fixture.h"
#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

// Everything SQL can see, byte for byte: schema, and each table's rows with their types. Shadow
// tables of FTS5 are tables like any other.
std::string ContentOf(const std::string& path) {
  const Connection connection(path, SQLITE_OPEN_READONLY);
  std::string content;
  const auto append = [&](const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    ASSERT_EQ(sqlite3_prepare_v2(connection.handle(), sql.c_str(), -1, &statement, nullptr),
              SQLITE_OK)
        << sql;
    while (sqlite3_step(statement) == SQLITE_ROW) {
      for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        content += std::to_string(sqlite3_column_type(statement, i)) + ":";
        const void* bytes = sqlite3_column_blob(statement, i);
        content.append(static_cast<const char*>(bytes),
                       static_cast<size_t>(sqlite3_column_bytes(statement, i)));
        content += '|';
      }
      content += '\n';
    }
    EXPECT_EQ(sqlite3_finalize(statement), SQLITE_OK) << sql;
  };
  append("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name");
  append("PRAGMA encoding");
  append("PRAGMA user_version");
  std::istringstream names(
      Query(connection.handle(),
            "SELECT name FROM sqlite_schema WHERE type='table' AND rootpage>0 ORDER BY name"));
  for (std::string name; std::getline(names, name);) append("SELECT * FROM \"" + name + "\"");
  return content;
}

std::string Integrity(const std::string& path) {
  return Query(Connection(path, SQLITE_OPEN_READONLY).handle(), "PRAGMA integrity_check");
}

std::string Pragma(const std::string& path, const std::string& name) {
  return Query(Connection(path, SQLITE_OPEN_READONLY).handle(), "PRAGMA " + name);
}

// The packages of this machine, as Debian's dpkg keeps them: thousands of lines of real text.
std::vector<std::pair<std::string, std::string>> RealTexts() {
  std::vector<std::pair<std::string, std::string>> texts;
  std::ifstream status("/var/lib/dpkg/status");
  std::string name;
  std::string text;
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("Package: ", 0) == 0) name = line.substr(9);
    if (!line.empty()) {
      text += line + "\n";
      continue;
    }
    texts.emplace_back(name, text);
    text.clear();
  }
  return texts;
}

class ImportExportTest : public ToolsTest {
 protected:
  void SetUp() override { MakeStore(); }

  // Tables of every sort, filled with the machine's package descriptions.
  std::string MakeRealDatabase(const std::string& name, const std::string& pragmas) {
    const std::string path = Path(name);
    const Connection connection(path);
    sqlite3* db = connection.handle();
    Exec(db, pragmas);
    Exec(db,
         "CREATE TABLE package(id INTEGER PRIMARY KEY, name TEXT, text TEXT);"
         "CREATE INDEX package_name ON package(name, id);"
         "CREATE TABLE word(name TEXT PRIMARY KEY, size INT) WITHOUT ROWID;"
         "CREATE VIRTUAL TABLE search USING fts5(name, text);"
         "CREATE TABLE file(name TEXT, bytes BLOB);"
         "CREATE VIEW long AS SELECT name FROM package WHERE length(text) > 2000;"
         "CREATE TRIGGER packaged AFTER INSERT ON package BEGIN "
         "  INSERT OR IGNORE INTO word VALUES (new.name, length(new.text)); "
         "  INSERT INTO search VALUES (new.name, new.text); END;"
         "PRAGMA user_version = 7; BEGIN");
    sqlite3_stmt* insert = nullptr;
    sqlite3_prepare_v2(db, "INSERT INTO package(name, text) VALUES (?1, ?2)", -1, &insert, nullptr);
    for (const auto& [package, text] : RealTexts()) {
      sqlite3_bind_text(insert, 1, package.c_str(), -1, SQLITE_TRANSIENT);
      sqlite3_bind_text(insert, 2, text.c_str(), -1, SQLITE_TRANSIENT);
      EXPECT_EQ(sqlite3_step(insert), SQLITE_DONE);
      sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    Exec(db,
         "INSERT INTO file VALUES ('zeros', zeroblob(300000)), ('random', randomblob(100000)), "
         "('empty', x''); COMMIT");
    // Free pages, too.
    Exec(db, "DELETE FROM package WHERE id % 7 = 0");
    EXPECT_GT(std::stoi(Query(db, "SELECT count(*) FROM package")), 100) << "too little real data";
    return path;
  }

  void ExpectSameContent(const std::string& a, const std::string& b) {
    EXPECT_EQ(Integrity(b), "ok");
    EXPECT_EQ(ContentOf(a), ContentOf(b));
    EXPECT_EQ(Pragma(a, "page_size"), Pragma(b, "page_size"));
    EXPECT_EQ(Pragma(a, "page_count"), Pragma(b, "page_count"));
    EXPECT_EQ(Pragma(b, "journal_mode"), "delete");
  }

  // What the file and its neighbours hold.
  static std::map<std::string, std::string> FilesOf(const std::string& path) {
    std::map<std::string, std::string> files;
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
      if (std::filesystem::exists(path + suffix)) files[suffix] = ReadFile(path + suffix);
    }
    return files;
  }
};

// Goal: what goes in comes out, for every page size, encoding and vacuum mode. Method: databases of
// real text with an index, FTS5, WITHOUT ROWID, BLOBs, free pages; content compared byte by byte.
TEST_F(ImportExportTest, KeepsContentForEveryPageSize) {
  const std::string more[] = {"PRAGMA auto_vacuum=2", "PRAGMA encoding='UTF-16le'", ""};
  size_t round = 0;
  for (const char* page_size : {"512", "1024", "2048", "4096", "8192", "16384", "32768", "65536"}) {
    SCOPED_TRACE(page_size);
    const std::string name = std::string("size") + page_size;
    const std::string source = MakeRealDatabase(
        name, std::string("PRAGMA page_size=") + page_size + ";" + more[round++ % 3]);
    const std::map<std::string, std::string> before = FilesOf(source);
    const nlohmann::json imported = ToolJson({"import", store(), "sizes/" + name, source});
    EXPECT_EQ(std::to_string(imported["page_size"].get<int>()), page_size);
    EXPECT_EQ(imported["undo"], nullptr);
    EXPECT_TRUE(FilesOf(source) == before) << "the source was changed";

    const std::string out = Path(name + ".out");
    const nlohmann::json exported = ToolJson({"export", store(), "sizes/" + name, "-o", out});
    EXPECT_EQ(exported["bookmark"], imported["bookmark"]);
    ExpectSameContent(source, out);
    EXPECT_EQ(Value("sizes/" + name, "PRAGMA integrity_check"), "\"ok\"");
  }
  EXPECT_EQ(ToolJson({"verify", store()})["whole"], true);
}

// Goal: an exported file is one that every SQLite writes to: a change there is seen by another
// connection, and its header's counters are valid.
TEST_F(ImportExportTest, ExportedFileIsAnOrdinaryDatabase) {
  MakeObject("rooms/lobby");
  const std::string out = Path("out.db");
  ASSERT_DONE(Tool({"export", store(), "rooms/lobby", "-o", out}));
  const std::string header = ReadFile(out).substr(0, 100);
  EXPECT_NE(header.substr(24, 4), std::string(4, '\0'));
  EXPECT_EQ(header.substr(24, 4), header.substr(92, 4));
  const Connection reader(out);
  EXPECT_EQ(Query(reader.handle(), "SELECT count(*) FROM t"), "3");
  Exec(Connection(out).handle(), "INSERT INTO t(text) VALUES ('four')");
  EXPECT_EQ(Query(reader.handle(), "SELECT count(*) FROM t"), "4");
  EXPECT_EQ(Integrity(out), "ok");
}

// Goal: a file in WAL mode is read with its WAL, in every state that one can be found in, and left
// as it was. Method: closed; in use by a connection that is writing; and as a crash leaves it.
TEST_F(ImportExportTest, WalModeInEveryState) {
  const std::string source = MakeRealDatabase("wal.db", "PRAGMA journal_mode=WAL");
  ASSERT_FALSE(std::filesystem::exists(source + "-wal"));
  std::map<std::string, std::string> before = FilesOf(source);
  ASSERT_DONE(Tool({"import", store(), "wal/closed", source}));
  EXPECT_TRUE(FilesOf(source) == before) << "the source was changed";
  ASSERT_DONE(Tool({"export", store(), "wal/closed", "-o", Path("closed.db")}));
  EXPECT_EQ(ContentOf(source), ContentOf(Path("closed.db")));

  {
    const Connection writer(source);
    Exec(writer.handle(), "CREATE TABLE late(a); INSERT INTO late VALUES ('in the WAL')");
    Exec(writer.handle(), "BEGIN IMMEDIATE; INSERT INTO late VALUES ('not committed')");
    const auto wal = ReadFile(source + "-wal");
    ASSERT_GT(wal.size(), 0u);
    ASSERT_DONE(Tool({"import", store(), "wal/used", source}));
    EXPECT_TRUE(ReadFile(source) == before[""]);
    EXPECT_TRUE(ReadFile(source + "-wal") == wal);
    EXPECT_EQ(Value("wal/used", "SELECT group_concat(a) FROM late"), "\"in the WAL\"");
    Exec(writer.handle(), "ROLLBACK");

    // As after a crash: the file and its WAL, without the WAL's index.
    const std::string orphan = Path("orphan.db");
    std::filesystem::copy_file(source, orphan);
    std::filesystem::copy_file(source + "-wal", orphan + "-wal");
    before = FilesOf(orphan);
    ASSERT_DONE(Tool({"import", store(), "wal/orphan", orphan}));
    EXPECT_TRUE(FilesOf(orphan) == before) << "the source or what lies beside it was changed";
    EXPECT_EQ(Value("wal/orphan", "SELECT group_concat(a) FROM late"), "\"in the WAL\"");
  }
  ASSERT_DONE(Tool({"export", store(), "wal/orphan", "-o", Path("orphan.out")}));
  EXPECT_EQ(ContentOf(source), ContentOf(Path("orphan.out")));
}

// Goal: --replace puts a file of any page size in an object's place, in one commit, and what it
// prints brings the old content back.
TEST_F(ImportExportTest, ReplaceCanBeUndone) {
  const std::string small = MakeRealDatabase("small.db", "PRAGMA page_size=1024");
  const std::string large = MakeRealDatabase("large.db", "PRAGMA page_size=8192");
  ASSERT_DONE(Tool({"import", store(), "a/b", small}));
  const std::string before = BookmarkOf("a/b");
  EXPECT_ENDS(Tool({"import", store(), "a/b", large}), 1, "a/b exists already");
  EXPECT_EQ(BookmarkOf("a/b"), before);

  const nlohmann::json replaced = ToolJson({"import", store(), "a/b", large, "--replace"});
  EXPECT_EQ(replaced["replaced"], true);
  EXPECT_EQ(replaced["before"], before);
  ASSERT_DONE(Tool({"export", store(), "a/b", "-o", Path("now.db")}));
  ExpectSameContent(large, Path("now.db"));
  ASSERT_DONE(Tool({"export", store(), "a/b", "--at", before, "-o", Path("then.db")}));
  ExpectSameContent(small, Path("then.db"));

  ASSERT_DONE(Paste(replaced["undo"]));
  ASSERT_DONE(Tool({"export", store(), "a/b", "-o", Path("undone.db")}));
  ExpectSameContent(small, Path("undone.db"));
}

// Goal: export never replaces a file unasked, never leaves half a file, and never writes beside a
// WAL or journal that SQLite would mix into it.
TEST_F(ImportExportTest, ExportGuardsItsTarget) {
  MakeObject("rooms/lobby");
  const std::string out = Path("out.db");
  WriteFile(out, "precious");
  EXPECT_ENDS(Tool({"export", store(), "rooms/lobby", "-o", out}), 1, "--force replaces it");
  EXPECT_EQ(ReadFile(out), "precious");
  ASSERT_DONE(Tool({"export", store(), "rooms/lobby", "-o", out, "--force"}));
  EXPECT_EQ(Integrity(out), "ok");

  WriteFile(out + "-wal", "of another life");
  EXPECT_ENDS(Tool({"export", store(), "rooms/lobby", "-o", out, "--force"}), 1, "out.db-wal");
  EXPECT_ENDS(Tool({"export", store(), "rooms/lobby", "-o", Path("no/such/dir.db")}), 1,
              "No such file or directory");
  EXPECT_ENDS(Tool({"export", store(), "rooms/lobby", "-o", Path("")}), 1, "not a regular file");
  for (const auto& entry : std::filesystem::directory_iterator(Path(""))) {
    EXPECT_EQ(entry.path().string().find(".tidemark-"), std::string::npos) << entry.path();
  }
}

}  // namespace
}  // namespace tidemark::testing
