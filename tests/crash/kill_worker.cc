// The process that kill_test kills:
//
//   kill_worker DIRECTORY RETENTION RUN SEED WRITERS CHECKPOINTERS KEEPERS PIPE
//
// Opens the store, with a retention in seconds, and works on it until it is killed: with a thread
// for each writer, for each checkpointer, which does nothing but bring the index up to date, and
// for each keeper, which lets expire what may and packs. What it learns to be durable it writes to
// the descriptor PIPE, as Reports.

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tests/crash/kill_work.h"
#include "tests/crash/work_writer.h"

namespace tidemark::testing {
namespace {

void Send(int pipe, const Report& report) {
  // A reader that is gone ends the process by SIGPIPE: no child outlives its test.
  if (::write(pipe, &report, sizeof report) != sizeof report) std::_Exit(2);
}

void DieIfFailed(int pipe, const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "kill_worker: %s\n", status.ToString().c_str());
  Send(pipe, {});
  std::_Exit(1);
}

// Commits to the index whenever there is something new.
void CheckpointForEver(Store& store, int pipe) {
  for (Lsn last;;) {
    const Lsn durable = store.durable_lsn();
    if (durable == last) {
      std::this_thread::yield();
      continue;
    }
    last = durable;
    Send(pipe, {.kind = Report::kCheckpoint});
    DieIfFailed(pipe, store.Checkpoint());
    Send(pipe, {.kind = Report::kCheckpointDone});
  }
}

// Writers go on while a packing is under way, but not for ever: their log would outgrow it.
class Pace {
 public:
  void BeginPacking() {
    steps_ = 0;
    packing_ = true;
  }
  void EndPacking() { packing_ = false; }
  void BeforeStep() {
    while (packing_ && steps_ >= kMostSteps) std::this_thread::yield();
    ++steps_;
  }

 private:
  static constexpr uint64_t kMostSteps = 200;
  std::atomic<bool> packing_ = false;
  std::atomic<uint64_t> steps_ = 0;
};

// Packs whenever there is a segment that no longer grows.
void PackForEver(Store& store, uint64_t seed, Pace& pace, int pipe) {
  Random random(seed);
  for (;;) {
    const StoreStats stats = store.Stats();
    if (stats.segment_count < stats.packed_segment_count + stats.spare_segment_count + 2) {
      std::this_thread::yield();
      continue;
    }
    Send(pipe, {.kind = Report::kPacking});
    pace.BeginPacking();
    const auto packed = PruneAndPack(store, random);
    pace.EndPacking();
    DieIfFailed(pipe, packed.status());
    Send(pipe, {.kind = Report::kPackingDone, .lsn = packed->files});
  }
}

struct Crew {
  uint32_t writers = 0;
  uint32_t checkpointers = 0;
  uint32_t keepers = 0;
};

void Work(const std::string& directory, std::chrono::seconds retention, uint32_t run, uint64_t seed,
          const Crew& crew, int pipe) {
  Send(pipe, {.kind = Report::kOpening});
  auto store = Store::Open(directory, WorkOptions(retention));
  DieIfFailed(pipe, store.status());
  Send(pipe, {.kind = Report::kOpened});
  Pace pace;
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < crew.writers; ++i) {
    threads.emplace_back([&, i] {
      WorkWriter writer(**store, {.run = run, .writer = i}, crew.writers, seed,
                        [pipe](const Report& report) { Send(pipe, report); });
      for (;;) {
        pace.BeforeStep();
        DieIfFailed(pipe, writer.Step());
      }
    });
  }
  for (uint32_t i = 0; i < crew.checkpointers; ++i) {
    threads.emplace_back([&] { CheckpointForEver(**store, pipe); });
  }
  for (uint32_t i = 0; i < crew.keepers; ++i) {
    threads.emplace_back([&, i] { PackForEver(**store, seed + i, pace, pipe); });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tidemark::testing

int main(int argc, char** argv) {
  if (argc != 9) return 2;
  const auto number = [&](int i) {
    return static_cast<uint32_t>(std::strtoul(argv[i], nullptr, 10));
  };
  tidemark::testing::Work(argv[1], std::chrono::seconds(number(2)), number(3),
                          std::strtoull(argv[4], nullptr, 10), {number(5), number(6), number(7)},
                          static_cast<int>(number(8)));
}
