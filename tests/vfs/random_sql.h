// RandomSql: random scripts for the differential test, the same for a seed on every machine.
//
// A script is a list of steps over a few connections to one database. It knows no state: a
// statement may well fail, on both sides alike. It uses nothing that differs from run to run
// (random(), times, the order of a hash).

#ifndef TIDEMARK_TESTS_VFS_RANDOM_SQL_H_
#define TIDEMARK_TESTS_VFS_RANDOM_SQL_H_

#include <string>
#include <vector>

#include "tests/support/test_seed.h"

namespace tidemark::testing {

// What one connection does next.
struct Step {
  enum class Kind {
    kRun,            // all statements of `sql`, up to the first that fails
    kInterrupted,    // likewise; a progress handler interrupts after `number` operations
    kCommitRefused,  // likewise; the commit hook refuses
    kOpenCursor,     // prepares `sql`, steps it once, and leaves it open
    kStepCursor,     // up to `number` rows more
    kCloseCursor,
    kWriteBlob,  // into column b of table `sql`, row `number`, by sqlite3_blob_write
    kReopen,     // closes the connection, whatever it is at, and opens it again
  };
  Kind kind = Kind::kRun;
  int connection = 0;
  std::string sql;
  int number = 0;
};

std::string ToString(const Step& step);

class RandomSql {
 public:
  enum class PageSizes {
    kFixed,     // as in WAL mode
    kChanging,  // VACUUM may change it
  };

  RandomSql(uint64_t seed, int connections, PageSizes page_sizes)
      : random_(seed), connections_(connections), page_sizes_(page_sizes) {}

  // What the first connection does before all others are opened.
  std::string Setup();
  // What each connection does when it is opened. The database "other" is attached by then.
  std::string OnOpen();
  Step Next();

  Random& random() { return random_; }

 private:
  std::string Name(const char* prefix, uint64_t below);
  std::string Id() { return std::to_string(random_.Below(120)); }
  std::string Table();
  std::string Value();
  std::string Conflict();
  std::string CreateTable(const std::string& table);
  std::string Definition();
  std::string Change();
  std::string Select();
  std::string Pragma();
  std::string Control();
  std::string Statement();

  Random random_;
  const int connections_;
  const PageSizes page_sizes_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_VFS_RANDOM_SQL_H_
