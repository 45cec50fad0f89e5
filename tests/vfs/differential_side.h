// DifferentialSide: one side of the differential test: connections to one database, stock or ours,
// that take the steps of a random script and say in text all that came of each.

#ifndef TIDEMARK_TESTS_VFS_DIFFERENTIAL_SIDE_H_
#define TIDEMARK_TESTS_VFS_DIFFERENTIAL_SIDE_H_

#include <sqlite3.h>

#include <string>
#include <vector>

#include "tests/vfs/random_sql.h"

namespace tidemark::testing {

// A commit that changes no byte is a commit in WAL mode, and none in a store: only there it makes
// the snapshots of other connections old. So where there are several connections, each commit
// counts a row up.
enum class Ticks { kNone, kEachCommit };

class DifferentialSide {
 public:
  // `on_open` is what this side needs beside what the script says, such as its journal mode. The
  // databases are main and, attached, "other".
  DifferentialSide(std::string main, std::string other, std::string on_open, Ticks ticks)
      : main_(std::move(main)),
        other_(std::move(other)),
        on_open_(std::move(on_open)),
        ticks_(ticks) {}
  ~DifferentialSide();
  DifferentialSide(const DifferentialSide&) = delete;
  DifferentialSide& operator=(const DifferentialSide&) = delete;

  // Adds a connection and runs `sql` on it. As Take().
  std::string Open(const std::string& sql);
  // Takes a step. Returns codes, messages, rows and the connection's counters and state: what must
  // be the same on both sides. `sql_on_open` is for Step::Kind::kReopen.
  std::string Take(const Step& step, const std::string& sql_on_open);

  sqlite3* handle(int connection) { return connections_[static_cast<size_t>(connection)].handle; }

  // Ends what is open on every connection, and rolls it back.
  void Settle();

 private:
  struct Connection {
    sqlite3* handle = nullptr;
    sqlite3_stmt* cursor = nullptr;
  };

  std::string OpenHandle(Connection* connection, const std::string& sql);
  void Close(Connection* connection);
  std::string RunAll(Connection& connection, const std::string& sql);
  std::string OpenCursor(Connection& connection, const std::string& sql);
  std::string StepCursor(Connection& connection, int rows);
  std::string WriteBlob(Connection& connection, const std::string& table, int row);
  std::string Tick(sqlite3* handle);
  static std::string State(sqlite3* handle);

  const std::string main_;
  const std::string other_;
  const std::string on_open_;
  const Ticks ticks_;
  std::vector<Connection> connections_;
  bool wrote_ = false;  // a statement of this step was no mere reader
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_VFS_DIFFERENTIAL_SIDE_H_
