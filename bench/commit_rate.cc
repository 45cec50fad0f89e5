// tidemark_commit_rate: commits a second with and without waiting for durability, in seconds.
//
//   tidemark_commit_rate [--json] [--seconds=S] DIRECTORY
//
// A first impression for tools/quickstart. The figures to quote come from tidemark_bench, which
// repeats and interleaves. Each commit is one `insert ... on conflict do update` of 100 random
// bytes over 1000 keys of one object. Its scratch files go under DIRECTORY and are removed.

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "bench/workload.h"

namespace tidemark::bench {
namespace {

// Commits for about `seconds`, waits until all of it is durable, and says how many a second.
double CommitsPerSecond(const Settings& settings, Mode mode, double seconds) {
  using SteadyClock = std::chrono::steady_clock;
  Bed bed(settings, mode);
  Random random(1);
  Connection connection = bed.Open("one");
  connection.Preload(kKeys, random);
  bed.Sync();
  const auto start = SteadyClock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(SteadyClock::now() - start).count();
  };
  int64_t commits = 0;
  while (elapsed() < seconds) {
    for (int i = 0; i < 100; ++i) connection.Upsert(random.Below(kKeys), random.NextValue());
    commits += 100;
  }
  bed.Sync();
  return static_cast<double>(commits) / elapsed();
}

int Run(const Settings& settings, double seconds, bool json) {
  const double waiting = CommitsPerSecond(settings, Mode::kTidemarkFull, seconds);
  const double stock = CommitsPerSecond(settings, Mode::kWalFull, seconds);
  const double pipelined = CommitsPerSecond(settings, Mode::kTidemarkNormal, seconds);
  if (json) {
    std::printf(
        "{\"waiting_commits_per_second\": %.0f, \"pipelined_commits_per_second\": %.0f, "
        "\"sqlite_wal_full_commits_per_second\": %.0f}\n",
        waiting, pipelined, stock);
    return 0;
  }
  std::printf("waiting for each commit to be durable:  %9.0f commits/s\n", waiting);
  std::printf("stock SQLite (WAL, synchronous=FULL):   %9.0f commits/s\n", stock);
  std::printf("not waiting, all durable at the end:    %9.0f commits/s\n", pipelined);
  return 0;
}

int Main(int argc, char** argv) {
  Settings settings;
  double seconds = 1;
  bool json = false;
  int directories = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--json") {
      json = true;
    } else if (argument.starts_with("--seconds=")) {
      seconds = std::strtod(argv[i] + std::string_view("--seconds=").size(), nullptr);
    } else if (!argument.starts_with("-")) {
      settings.directory = argument;
      ++directories;
    } else {
      directories = 2;
    }
  }
  if (directories != 1 || !(seconds > 0)) {
    std::fprintf(stderr, "usage: tidemark_commit_rate [--json] [--seconds=S] DIRECTORY\n");
    return 2;
  }
  return Run(settings, seconds, json);
}

}  // namespace
}  // namespace tidemark::bench

int main(int argc, char** argv) { return tidemark::bench::Main(argc, argv); }
