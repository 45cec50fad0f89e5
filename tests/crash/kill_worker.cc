// The process that kill_test kills:
//
//   kill_worker DIRECTORY RUN SEED WRITERS CHECKPOINTERS PIPE
//
// Opens the store and works on it until it is killed, with a thread for each writer, and one for
// each checkpointer, which does nothing but bring the index up to date.
// What it learns to be durable it writes to the descriptor PIPE, as Reports.

#include <unistd.h>

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

void Work(const std::string& directory, uint32_t run, uint64_t seed, uint32_t writers,
          uint32_t checkpointers, int pipe) {
  Send(pipe, {.kind = Report::kOpening});
  auto store = Store::Open(directory, WorkOptions());
  DieIfFailed(pipe, store.status());
  Send(pipe, {.kind = Report::kOpened});
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < writers; ++i) {
    threads.emplace_back([&, i] {
      WorkWriter writer(**store, {.run = run, .writer = i}, writers, seed,
                        [pipe](const Report& report) { Send(pipe, report); });
      for (;;) DieIfFailed(pipe, writer.Step());
    });
  }
  for (uint32_t i = 0; i < checkpointers; ++i) {
    threads.emplace_back([&] { CheckpointForEver(**store, pipe); });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tidemark::testing

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  const auto number = [&](int i) {
    return static_cast<uint32_t>(std::strtoul(argv[i], nullptr, 10));
  };
  tidemark::testing::Work(argv[1], number(2), std::strtoull(argv[3], nullptr, 10), number(4),
                          number(5), static_cast<int>(number(6)));
}
