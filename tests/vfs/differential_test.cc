// The same random SQL on stock files and on objects must give the same, whatever happens between.

#include <string>
#include <utility>
#include <vector>

#include "tests/support/test_seed.h"
#include "tests/vfs/differential_side.h"
#include "tests/vfs/random_sql.h"
#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

constexpr int kSteps = 150;

class DifferentialTest : public AttachedVfsTest {
 protected:
  // Several connections are compared with WAL mode, where as in a store readers and the writer do
  // not wait for each other; one connection is compared with a rollback journal, where the page
  // size may change.
  void RunScript(uint64_t seed, int connections) {
    SCOPED_TRACE("TIDEMARK_SEED=" + std::to_string(seed));
    const bool wal = connections > 1;
    RandomSql script(seed, connections,
                     wal ? RandomSql::PageSizes::kFixed : RandomSql::PageSizes::kChanging);
    const std::string name = "o" + std::to_string(seed);
    std::string our_modes = "PRAGMA synchronous=NORMAL;PRAGMA other.synchronous=NORMAL;";
    if (!wal) {
      const char* modes[] = {"persist", "delete", "truncate", "memory"};
      our_modes += std::string("PRAGMA journal_mode=") + modes[script.random().Below(4)] + ";";
      if (script.random().OneIn(2)) our_modes += "PRAGMA main.locking_mode=EXCLUSIVE;";
    }
    const Ticks ticks = wal ? Ticks::kEachCommit : Ticks::kNone;
    DifferentialSide stock(directory_ / name, directory_ / (name + "-other"),
                           "PRAGMA synchronous=OFF;PRAGMA other.synchronous=OFF;", ticks);
    DifferentialSide ours(Uri(name), Uri(name + "-other"), our_modes, ticks);

    std::string sql = script.Setup() + script.OnOpen();
    ASSERT_EQ(ours.Open(sql), stock.Open(sql)) << sql;
    if (wal) Exec(stock.handle(0), "PRAGMA main.journal_mode=WAL; PRAGMA other.journal_mode=WAL");
    for (int i = 1; i < connections; ++i) {
      sql = script.OnOpen();
      ASSERT_EQ(ours.Open(sql), stock.Open(sql)) << sql;
    }

    std::string log;
    std::vector<std::pair<Bookmark, std::string>> past;
    for (int i = 0; i < kSteps; ++i) {
      const Step step = script.Next();
      log += ToString(step) + "\n";
      sql = script.OnOpen();
      ASSERT_EQ(ours.Take(step, sql), stock.Take(step, sql)) << "after\n" << log;
      if (i % 50 == 25) {
        ASSERT_OK(store_->Checkpoint());
      }
      if (i % 30 == 15) past.push_back(Now(name));
    }
    ours.Settle();
    stock.Settle();
    ExpectEqual(ours.handle(0), stock.handle(0), log);
    {
      const Connection our_other(Uri(name + "-other"));
      const Connection stock_other(directory_ / (name + "-other"));
      EXPECT_EQ(Dump(our_other.handle()), Dump(stock_other.handle())) << log;
    }
    for (const auto& [bookmark, content] : past) {
      Connection then(Uri(name, "&at=" + bookmark.ToString()), SQLITE_OPEN_READONLY);
      ASSERT_EQ(then.code(), SQLITE_OK);
      EXPECT_EQ(Dump(then.handle()), content) << log;
    }
    for (const std::string& object : {name, name + "-other"}) {
      ASSERT_OK_AND_ASSIGN(const auto handle, store_->OpenObject("ns", object, IfMissing::kFail));
      ASSERT_OK_AND_ASSIGN(const auto snapshot, handle->OpenSnapshot());
      EXPECT_OK(snapshot.Verify()) << log;
    }
  }

  // The object's bookmark, and what a connection that opens now sees.
  std::pair<Bookmark, std::string> Now(const std::string& name) {
    const Database database = Open(name, {.read_only = true});
    return {database.object().CurrentBookmark().value(), Dump(database.handle())};
  }

  static void ExpectEqual(sqlite3* ours, sqlite3* stock, const std::string& log) {
    EXPECT_EQ(Dump(ours), Dump(stock)) << log;
    for (const char* sql :
         {"PRAGMA main.integrity_check", "PRAGMA other.integrity_check", "PRAGMA main.page_count",
          "PRAGMA other.page_count", "PRAGMA freelist_count", "PRAGMA page_size",
          "PRAGMA auto_vacuum", "PRAGMA user_version"}) {
      EXPECT_EQ(Query(ours, sql), Query(stock, sql)) << sql << "\n" << log;
    }
  }

  // Scripts of the seeds from TIDEMARK_SEED on.
  void RunScripts(uint64_t count, int connections) {
    for (uint64_t i = 0; i < Scaled(count) && !HasFailure(); ++i) {
      RunScript(TestSeed() + i, connections);
    }
    RecordProperty("scripts", std::to_string(Scaled(count)));
  }
};

// Goal: results, error codes, messages, counters and states are those of SQLite's own VFS after
// every step of a script, and at its end the content; each past that was bookmarked on the way
// shows what it was. Method: random scripts of definitions, changes, transactions, savepoints,
// pragmas, VACUUM, virtual tables, open cursors, blobs, interrupts, refused commits, temporary
// tables and an attached database, on one connection.
TEST_F(DifferentialTest, OneConnection) { RunScripts(8, 1); }

// Goal: as above, and who is told to wait or that its snapshot is old, too.
// Method: the same scripts, over two and over three connections.
TEST_F(DifferentialTest, TwoConnections) { RunScripts(8, 2); }
TEST_F(DifferentialTest, ThreeConnections) { RunScripts(8, 3); }

}  // namespace
}  // namespace tidemark::testing
