// How values of pragmas are read: as SQLite reads them.

#include "vfs/internal/pragma.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <string>

namespace tidemark::internal {
namespace {

// Goal: we take a value of synchronous for waiting exactly when SQLite takes it for FULL or EXTRA.
// Method: ask a stock connection what it made of the same value.
TEST(PragmaTest, SynchronousAsSqliteReadsIt) {
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(":memory:", &connection), SQLITE_OK);
  for (const char* value : {"0",     "1",      "2",           "3",          "4",    "5",    "6",
                            "7",     "8",      "9",           "10",         "255",  "256",  "258",
                            "0x2",   "0x1",    "99999999999", "2147483647", "on",   "ON",   "off",
                            "yes",   "No",     "true",        "false",      "full", "FULL", "extra",
                            "Extra", "normal", "fulll",       "nonsense",   "2x",   ""}) {
    ASSERT_EQ(sqlite3_exec(connection, "PRAGMA synchronous=OFF", nullptr, nullptr, nullptr),
              SQLITE_OK);
    const std::string set = "PRAGMA synchronous='" + std::string(value) + "'";
    ASSERT_EQ(sqlite3_exec(connection, set.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    int level = -1;
    sqlite3_stmt* statement = nullptr;
    ASSERT_EQ(sqlite3_prepare_v2(connection, "PRAGMA synchronous", -1, &statement, nullptr),
              SQLITE_OK);
    if (sqlite3_step(statement) == SQLITE_ROW) level = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    EXPECT_EQ(SynchronousWaits(value), level >= 2) << "'" << value << "' is " << level;
  }
  sqlite3_close(connection);
}

// Goal: every beginning of "wal" and "off" is refused, nothing else. Method: a list of both.
TEST(PragmaTest, RefusedJournalModes) {
  for (const char* mode : {"wal", "WAL", "Wal", "wa", "w", "off", "OFF", "of", "o"}) {
    EXPECT_TRUE(IsRefusedJournalMode(mode)) << mode;
  }
  for (const char* mode : {"", "delete", "persist", "truncate", "memory", "wall", "walk", "offf"}) {
    EXPECT_FALSE(IsRefusedJournalMode(mode)) << mode;
  }
}

}  // namespace
}  // namespace tidemark::internal
