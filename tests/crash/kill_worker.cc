// The process that kill_test kills:  kill_worker DIRECTORY RUN SEED WRITERS PIPE
//
// Opens the store and works on it, with as many threads as there are writers, until it is killed.
// What it learns to be durable it writes to the descriptor PIPE, as Reports.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tests/crash/kill_work.h"
#include "tests/support/test_seed.h"

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

// One thread's work, on objects that are its own.
class Writer {
 public:
  Writer(Store& store, int pipe, const Stamp& stamp, uint32_t writers, uint64_t seed)
      : store_(store), pipe_(pipe), stamp_(stamp), random_(seed * 64 + stamp.writer) {
    for (uint32_t i = stamp.writer; i < kObjectCount; i += writers) objects_.push_back(i);
  }

  void Step() {
    const uint32_t object = objects_[random_.Below(objects_.size())];
    if (stamp_.count > 0 && random_.OneIn(40)) {
      DieIfFailed(pipe_, Restore(object));
      return;
    }
    ++stamp_.count;
    const Result<CommitInfo> commit = CommitWork(store_, object, stamp_);
    DieIfFailed(pipe_, commit.status());
    unreported_.push_back({Report::kCommit, object, stamp_.Pack(), commit->lsn.value});
    if (random_.OneIn(6)) DieIfFailed(pipe_, store_.WaitDurable(commit->lsn));
    if (random_.OneIn(200)) DieIfFailed(pipe_, store_.Checkpoint());
    ReportDurable();
  }

 private:
  // To one of the last commits; to the last itself, too.
  Status Restore(uint32_t object) {
    TIDEMARK_ASSIGN_OR_RETURN(
        auto handle, store_.OpenObject(kWorkNamespace, WorkObjectName(object), IfMissing::kCreate));
    if (!handle->exists()) return OkStatus();
    std::vector<CommitInfo> past;
    TIDEMARK_RETURN_IF_ERROR(handle->History([&](const CommitInfo& commit) {
      past.push_back(commit);
      return past.size() < 30;
    }));
    const Bookmark to = handle->BookmarkOf(past[random_.Below(past.size())]);
    TIDEMARK_ASSIGN_OR_RETURN(const RestoreInfo info, handle->Restore(to));
    unreported_.push_back({Report::kRestore, object, stamp_.Pack(), info.result.lsn.value});
    ReportDurable();
    return OkStatus();
  }

  void ReportDurable() {
    const uint64_t durable = store_.durable_lsn().value;
    size_t reported = 0;
    while (reported < unreported_.size() && unreported_[reported].lsn <= durable) {
      Send(pipe_, unreported_[reported++]);
    }
    unreported_.erase(unreported_.begin(), unreported_.begin() + static_cast<ptrdiff_t>(reported));
  }

  Store& store_;
  const int pipe_;
  Stamp stamp_;
  Random random_;
  std::vector<uint32_t> objects_;
  std::vector<Report> unreported_;  // in order of LSNs
};

void Work(const std::string& directory, uint32_t run, uint64_t seed, uint32_t writers, int pipe) {
  Send(pipe, {.kind = Report::kOpening});
  auto store = Store::Open(directory, WorkOptions());
  DieIfFailed(pipe, store.status());
  Send(pipe, {.kind = Report::kOpened});
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < writers; ++i) {
    threads.emplace_back([&, i] {
      Writer writer(**store, pipe, {.run = run, .writer = i}, writers, seed);
      for (;;) writer.Step();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tidemark::testing

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  tidemark::testing::Work(argv[1], static_cast<uint32_t>(std::atoi(argv[2])),
                          std::strtoull(argv[3], nullptr, 10),
                          static_cast<uint32_t>(std::atoi(argv[4])), std::atoi(argv[5]));
}
