// What the engine knows of a database is not in it.

#include <sqlite3.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

class MetadataTest : public AttachedVfsTest {};

// Goal: SQL that a user runs reaches nothing of ours: a database is byte for byte the file that
// stock SQLite would have made, whatever was done to it, but for the counters of page 1. Method:
// the same statements on both; labels, a hold, a policy, forks, restores and licences on ours.
TEST_F(MetadataTest, IsOutOfReachOfSql) {
  constexpr char kSchema[] =
      "PRAGMA page_size=4096; PRAGMA auto_vacuum=NONE; PRAGMA secure_delete=OFF;"
      "CREATE TABLE t(id INTEGER PRIMARY KEY, x); CREATE INDEX i ON t(x);";
  constexpr char kRows[] =
      "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<300) "
      "INSERT INTO t(x) SELECT 'row ' || i || hex(zeroblob(i % 90)) FROM n;";
  const Database ours = Open("o");
  const Connection stock(directory_ / "stock.sqlite");
  EXPECT_EQ(Query(ours, "SELECT count(*) FROM sqlite_schema; PRAGMA page_count"), "0\n0");
  Exec(ours, kSchema);
  Exec(stock.handle(), kSchema);
  Object& object = ours.object();
  const Bookmark empty = object.CurrentBookmark().value();
  ASSERT_OK(object.SetLabel("empty", empty));
  Exec(ours, "INSERT INTO t(x) VALUES('a mistake')");
  ASSERT_OK(object.SetHold("a reason"));
  ASSERT_OK(store_->SetRetention(RetentionScope(object), {.window = std::chrono::hours(1)}));
  ASSERT_OK(store_->Fork(object, empty, "ns", "fork"));
  ASSERT_OK(object.Restore(empty));
  ASSERT_OK(store_->Prune());
  ASSERT_OK(store_->Reclaim(ReclaimWhat::kEverything));
  Exec(ours, kRows);
  Exec(stock.handle(), kRows);
  EXPECT_EQ(Query(ours, "SELECT name FROM sqlite_schema"), "t\ni");

  const auto bytes_of = [](sqlite3* handle) {
    sqlite3_int64 size = 0;
    unsigned char* const bytes = sqlite3_serialize(handle, "main", &size, 0);
    std::vector<unsigned char> copy(bytes, bytes + size);
    sqlite3_free(bytes);
    // The change counter, and the version that it is valid for; the schema cookie, which a restore
    // moves on, so that connections read their schema again.
    for (const size_t at : {24u, 40u, 92u}) std::memset(copy.data() + at, 0, 4);
    return copy;
  };
  const auto in_store = bytes_of(ours.handle());
  const auto in_file = bytes_of(stock.handle());
  ASSERT_EQ(in_store.size(), in_file.size());
  for (size_t i = 0; i < in_store.size(); ++i) {
    ASSERT_EQ(in_store[i], in_file[i]) << "page " << i / 4096 + 1 << ", byte " << i % 4096;
  }
}

}  // namespace
}  // namespace tidemark::testing
