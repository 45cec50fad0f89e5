// An object of 1 GB: brought back to an earlier commit, and forked. Both cost one small record,
// whatever the size; what a copy of the same size as a stock file costs stands beside them.
//
//   large/restore    Object::Restore to a bookmark before 1000 rows were changed, and back again
//   large/fork       Store::Fork of the object at that bookmark
//   large/copy_file  the twin: a stock file of the same rows copied and synced
//
// `call_ms` is the median time of a call, durable when it returns; `most_ms` the longest.
// `first_row_ms` is what a reader then waits for, opening included.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int64_t kRowBytes = 8000;
constexpr char kName[] = "large";

double MillisecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count();
}

// Made when first used, and kept for all rounds.
class LargeObjects {
 public:
  explicit LargeObjects(const Settings& settings)
      : settings_(settings),
        rows_(settings.Scaled(1'000'000'000, 200'000'000, 800'000) / kRowBytes) {}

  Bed& Tidemark() {
    if (tidemark_ == nullptr) {
      tidemark_ = std::make_unique<Bed>(settings_, Mode::kTidemarkNormal);
      Load(*tidemark_);
      before_ = CurrentBookmark();
      tidemark_->Open(kName).Exec("update big set v=cast(x'02' || substr(v,2) as blob) where k<=" +
                                  std::to_string(std::min<int64_t>(1000, rows_)));
      tidemark_->Sync();
      after_ = CurrentBookmark();
      Require(tidemark_->store()->Checkpoint(), "checkpoint");
    }
    return *tidemark_;
  }

  Bed& File() {
    if (file_ == nullptr) {
      file_ = std::make_unique<Bed>(settings_, Mode::kRollbackFull);
      Load(*file_);
    }
    return *file_;
  }

  std::shared_ptr<Object> OpenObject() {
    return Require(Tidemark().store()->OpenObject("bench", kName, IfMissing::kFail),
                   "opening the object");
  }

  const Bookmark& before() const { return before_; }
  const Bookmark& after() const { return after_; }
  int64_t rows() const { return rows_; }

 private:
  void Load(Bed& bed) {
    Connection connection = bed.Open(kName);
    connection.Exec("create table big(k integer primary key, v blob)");
    connection.Exec("with recursive n(k) as (select 1 union all select k+1 from n where k<" +
                    std::to_string(rows_) +
                    ") insert into big select k, cast(x'01' || randomblob(" +
                    std::to_string(kRowBytes - 1) + ") as blob) from n");
    bed.Sync();
  }
  Bookmark CurrentBookmark() {
    const auto object = Require(tidemark_->store()->OpenObject("bench", kName, IfMissing::kFail),
                                "opening the object");
    return Require(object->CurrentBookmark(), "a bookmark");
  }

  const Settings settings_;
  const int64_t rows_;
  std::unique_ptr<Bed> tidemark_, file_;
  Bookmark before_{}, after_{};
};

// The first byte of row 1's value tells which state is there.
void CheckFirstByte(Connection connection, int64_t expected) {
  const int64_t changed =
      connection.QueryInteger("select count(*) from big where k=1 and substr(v,1,1)=x'02'");
  if (changed != expected) Fail("reading a row", "it is of another state than it should be");
}

// `call` gets the number of the call, and returns a connection to what it made.
void TimeCalls(benchmark::State& state, int64_t calls, const std::function<void(int64_t)>& call,
               const std::function<void(int64_t)>& read_row) {
  std::vector<double> took, first_row;
  for (auto _ : state) {
    for (int64_t i = 0; i < calls; ++i) {
      auto start = SteadyClock::now();
      call(i);
      took.push_back(MillisecondsSince(start));
      start = SteadyClock::now();
      read_row(i);
      first_row.push_back(MillisecondsSince(start));
    }
  }
  state.counters["call_ms"] = Percentile(took, 0.5);
  state.counters["most_ms"] = Percentile(took, 1);
  state.counters["first_row_ms"] = Percentile(first_row, 0.5);
}

void Restore(benchmark::State& state, LargeObjects& objects, int64_t calls) {
  Bed& bed = objects.Tidemark();
  TimeCalls(
      state, calls,
      [&](int64_t i) {
        const Bookmark& to = i % 2 == 0 ? objects.before() : objects.after();
        Require(objects.OpenObject()->Restore(to), "a restore");
      },
      [&](int64_t i) { CheckFirstByte(bed.Open(kName), i % 2); });
  state.counters["MB"] = static_cast<double>(objects.rows() * kRowBytes) / 1e6;
}

void Fork(benchmark::State& state, LargeObjects& objects, int64_t calls, int64_t& made) {
  Bed& bed = objects.Tidemark();
  std::string name;
  TimeCalls(
      state, calls,
      [&](int64_t) {
        name = "fork-" + std::to_string(made++);
        Require(bed.store()->Fork(*objects.OpenObject(), objects.before(), "bench", name),
                "a fork");
      },
      [&](int64_t) { CheckFirstByte(bed.Open(name), 0); });
  state.counters["MB"] = static_cast<double>(objects.rows() * kRowBytes) / 1e6;
}

void CopyFile(benchmark::State& state, LargeObjects& objects) {
  Bed& bed = objects.File();
  const std::string from = bed.directory() + "/" + kName;
  const std::string to = from + "-copy";
  TimeCalls(
      state, 1,
      [&](int64_t) {
        std::filesystem::copy_file(from, to);
        const int fd = open(to.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) != 0) Fail("syncing " + to, std::strerror(errno));
        close(fd);
      },
      [&](int64_t) { CheckFirstByte(bed.Open(std::string(kName) + "-copy"), 0); });
  std::filesystem::remove(to);
  state.counters["MB"] = static_cast<double>(objects.rows() * kRowBytes) / 1e6;
}

}  // namespace

void RegisterLargeBenchmarks(const Settings& settings) {
  const auto objects = std::make_shared<LargeObjects>(settings);
  const auto forks = std::make_shared<int64_t>(0);
  const int64_t calls = settings.Scaled(20, 20, 2);
  Register("large/restore", 1, [=](benchmark::State& state) { Restore(state, *objects, calls); });
  Register("large/fork", 1, [=](benchmark::State& state) { Fork(state, *objects, calls, *forks); });
  Register("large/copy_file", 1, [=](benchmark::State& state) { CopyFile(state, *objects); });
}

}  // namespace tidemark::bench
