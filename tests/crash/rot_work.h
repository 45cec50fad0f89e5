// A store whose whole history is known, and a map of its log: what rot_test damages and what it
// must then find.

#ifndef TIDEMARK_TESTS_CRASH_ROT_WORK_H_
#define TIDEMARK_TESTS_CRASH_ROT_WORK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/store.h"
#include "tests/support/sim_file_system.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {

using RotPage = std::shared_ptr<const std::vector<std::byte>>;

// One commit or restore, and all that the object was after it.
struct RotVersion {
  CommitInfo commit;
  std::vector<RotPage> pages;  // null: zeros
};

// What a label's record did.
struct RotLabelChange {
  std::string name;
  uint64_t lsn = 0;     // of the record
  uint64_t commit = 0;  // that the label names from then on; 0: it was removed
};

struct RotObject {
  std::string ns;
  std::string name;
  std::vector<RotVersion> versions;  // in order of LSNs
  // LSNs of its other records: its creation, timelines, batches; and of all that it has from
  // another object by a fork or a promote.
  std::set<uint64_t> records;
  bool is_fork = false;                  // it comes into being as one
  std::string origin{};                  // of a fork: the name of what it is one of
  std::vector<RotLabelChange> labels{};  // in order of LSNs
};

// A stretch of a segment: a copy of the segment's header, or a part of a group.
struct RotStretch {
  uint32_t segment = 0;
  uint32_t begin = 0;
  uint32_t end = 0;
  enum class Kind { kSegmentHeader, kGroupHeader, kRecord, kDirectory } kind = Kind::kRecord;
  size_t group = 0;  // the number of its group in the log, from 0
  uint64_t lsn = 0;  // of a record; of a group's other parts, of its first record
};

// What a store held when it stopped.
struct RotWork {
  enum class Stop { kClose, kCrash };

  uint64_t seed = 0;
  Stop stop = Stop::kClose;
  StoreOptions options;  // without files
  Timestamp now;
  uint64_t checkpoint_lsn = 0;
  std::vector<RotObject> objects;
  std::map<std::string, uint64_t> namespaces;  // the LSNs of their records
  SimFileSystem::Image disk;
  std::vector<SimFileSystem::Image> earlier;  // the same disk at some moments before
  std::shared_ptr<TempDirectory> index;       // a copy of data.mdb
  std::vector<RotStretch> map;                // every used byte of the log, in the log's order
  size_t group_count = 0;
};

// Several objects in two namespaces: small commits alone and many in a group, other page sizes,
// truncations, restores, forks, promotes, deletions and undeletions, labels, transactions in
// batches, one that is rolled back; over several segments; closed and opened again in between;
// everything confirmed in the end.
RotWork MakeRotWork(uint64_t seed);

std::string RotSegmentPath(uint32_t segment);

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_CRASH_ROT_WORK_H_
