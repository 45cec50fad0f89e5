// Random work on one object, and what two of its states are, for tests of what tells them apart.

#ifndef TIDEMARK_TESTS_VFS_DIFF_WORK_H_
#define TIDEMARK_TESTS_VFS_DIFF_WORK_H_

#include <memory>
#include <string>

#include "tests/support/test_seed.h"
#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {

// Statements over a few tables of all kinds: with rowids, without, with keys of several columns,
// AUTOINCREMENT, generated columns, names that hide the rowid; values of all types and sizes, some
// of them changed in place; indexes, triggers and views; changes of the schema and VACUUM.
class DiffWork {
 public:
  explicit DiffWork(uint64_t seed) : random_(seed) {}

  std::string Setup();
  // One statement or transaction; it may fail.
  std::string Next();

  Random& random() { return random_; }

 private:
  std::string Value();
  std::string Id() { return std::to_string(random_.Below(60)); }
  std::string ChangeRows();
  std::string ChangeSchema();

  Random random_;
};

// All that is in a database: the schema, each table's rows with their rowids and types in order.
std::string DumpExactly(sqlite3* connection);

// A copy in memory of what a snapshot shows.
std::unique_ptr<Connection> CopyOf(const Snapshot& snapshot);

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_VFS_DIFF_WORK_H_
