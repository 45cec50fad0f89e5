// The work that goes on in a store while it is killed (kill_test) or loses power with all its
// threads running (busy_power_loss_test), so that it can be checked afterwards: transactions whose
// every byte follows from three numbers, so that a page tells which commit wrote it; restores,
// labels, forks; and licences and packings beside them.
//
// A stamp names a commit for ever: (run, writer, count). A run is the life of one child; each of
// its writers counts its own commits from 1. Page 1 is written by every commit, and begins with the
// stamp.

#ifndef TIDEMARK_TESTS_CRASH_KILL_WORK_H_
#define TIDEMARK_TESTS_CRASH_KILL_WORK_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/store.h"
#include "engine/transaction.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {

inline constexpr uint32_t kObjectCount = 4;
inline constexpr uint32_t kWorkPageSize = 4096;
inline constexpr char kWorkNamespace[] = "rooms";

struct Stamp {
  uint32_t run = 0;
  uint32_t writer = 0;
  uint32_t count = 0;

  uint64_t Pack() const { return uint64_t{run} << 40 | uint64_t{writer} << 32 | count; }
  static Stamp Unpack(uint64_t packed) {
    return {.run = static_cast<uint32_t>(packed >> 40),
            .writer = static_cast<uint32_t>(packed >> 32 & 0xff),
            .count = static_cast<uint32_t>(packed)};
  }
};

// What a worker did, or is about to do. A child writes it to its pipe: one write of at most
// PIPE_BUF bytes: whole or absent.
struct Report {
  enum Kind : uint32_t {
    kOpening,  // about to call Store::Open
    kOpened,
    kMade,         // a commit that may not be durable yet
    kCommit,       // it is durable
    kRestore,      // durable; the stamp is that of the writer's last commit
    kLabel,        // durable: the label LabelName(stamp) of `object` names the commit `lsn`
    kUnlabel,      // about to remove that label
    kFork,         // durable: ForkName(stamp) began as `object` was at the commit `lsn`
    kDeletesFork,  // about to delete that fork
    kFailed,       // the reason is on stderr
    kCheckpoint,   // about to call Store::Checkpoint
    kCheckpointDone,
    kPacking,      // about to call Store::Prune and Store::Reclaim
    kPackingDone,  // `lsn` files were written anew
  };
  uint32_t kind = kFailed;
  uint32_t object = 0;
  uint64_t stamp = 0;  // packed
  uint64_t lsn = 0;
  // Of commits and restores:
  uint64_t restored_from = 0;
  int64_t time = 0;  // microseconds
  uint32_t epoch = 0;
  uint32_t unused = 0;
};
static_assert(sizeof(Report) == 48);  // no padding goes through the pipe

// Small segments, frequent checkpoints, little memory: much happens in a short life.
// What is older than `retention` expires when somebody prunes.
StoreOptions WorkOptions(std::chrono::seconds retention);
std::string WorkObjectName(uint32_t object);
std::string LabelName(uint64_t stamp);
std::string ForkName(uint64_t stamp);

// The pages of a database, each as the packed stamp of the commit that wrote it last; 0 is a page
// of zeros that nobody wrote. Page 1 is at 0.
using PageStamps = std::vector<uint64_t>;

// The transaction that a stamp stands for, on a database of `page_count` pages.
struct WorkPlan {
  uint32_t truncate_to = 0;     // first of all; 0: not
  std::vector<uint32_t> pages;  // to write; page 1 is among them
};
WorkPlan PlanWork(uint32_t object, const Stamp& stamp, uint32_t page_count);
PageStamps StampsAfter(const WorkPlan& plan, const Stamp& stamp, PageStamps stamps);
// What a page of `stamp` holds.
std::vector<std::byte> PageOf(uint32_t object, uint64_t stamp, uint32_t page_no);

// Commits the transaction of `stamp`; not waited for.
Result<CommitInfo> CommitWork(Store& store, uint32_t object, const Stamp& stamp);

// The report of a commit or restore.
Report ReportOf(Report::Kind kind, uint32_t object, const Stamp& stamp, const CommitInfo& commit);

// What a keeper does: a hold set or released now and then, a licence, then a packing. Nothing that
// is behind a hold, a label or the window expires by it.
Result<ReclaimReport> PruneAndPack(Store& store, Random& random);

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_CRASH_KILL_WORK_H_
