// tidemark_bench: runs the benchmarks in rounds and compares them with their targets.
//
//   tidemark_bench [--directory=DIR] [--rounds=N] [--quick | --smoke] [--longer=N] [--json=FILE]
//                  [--peers=DIR] [--import-mb=N] [--benchmark_filter=REGEX]
//
// --quick takes smaller sizes, --smoke the smallest. --longer multiplies the iterations: so that a
// profiler sees the work and not its preparation. --json writes every figure of every round, and
// the targets (results.h). --peers names the folder where npm has put what peers_bench.cc runs,
// --import-mb another size for the object of import_bench.cc.
// Exit status: 0 if every benchmark ran (targets may be missed: a busy machine is no error), 1 if
// one failed or none matched, 2 for a wrong argument.

#include <benchmark/benchmark.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bench/durability.h"
#include "bench/population.h"
#include "bench/registry.h"
#include "bench/results.h"
#include "bench/rounds.h"
#include "bench/workload.h"

namespace tidemark::bench {

namespace {

int64_t longer = 1;  // --longer
std::vector<std::string> skipped;

}  // namespace

void Skip(const std::string& what_and_why) { skipped.push_back(what_and_why); }

const std::vector<std::string>& Skipped() { return skipped; }

void Register(const std::string& name, int64_t iterations,
              std::function<void(benchmark::State&)> run) {
  DurabilityOf(name);  // each has one, or this ends here
  benchmark::RegisterBenchmark(name.c_str(), std::move(run))
      ->Iterations(iterations * longer)
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

namespace {

constexpr long kExt4Magic = 0xef53, kTmpfsMagic = 0x01021994, kRamfsMagic = 0x858458f6;
constexpr long kXfsMagic = 0x58465342, kBtrfsMagic = 0x9123683e, kOverlayMagic = 0x794c7630;

long FileSystemMagic(const std::string& directory) {
  struct statfs info {};
  if (statfs(directory.c_str(), &info) != 0) Fail("statfs " + directory, std::strerror(errno));
  return info.f_type;
}

std::string FileSystemName(long magic) {
  switch (magic) {
    case kExt4Magic: return "ext4";
    case kTmpfsMagic: return "tmpfs";
    case kRamfsMagic: return "ramfs";
    case kXfsMagic: return "xfs";
    case kBtrfsMagic: return "btrfs";
    case kOverlayMagic: return "overlayfs";
  }
  char text[32];
  std::snprintf(text, sizeof(text), "file system 0x%lx", static_cast<unsigned long>(magic));
  return text;
}

void PrintConditions(const Settings& settings) {
  utsname system{};
  uname(&system);
  std::printf("%s %s, %s, SQLite %s, compiler %s, build type %s\n\n", system.sysname,
              system.release, FileSystemName(FileSystemMagic(settings.directory)).c_str(),
              sqlite3_libversion(), __VERSION__, TIDEMARK_BUILD_TYPE);
}

// A thousand stock databases are two thousand files.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// The value of `--name=value`, or null.
const char* FlagValue(std::string_view argument, std::string_view name) {
  if (!argument.starts_with(name)) return nullptr;
  argument.remove_prefix(name.size());
  return argument.starts_with('=') ? argument.data() + 1 : nullptr;
}

int Run(int argc, char** argv) {
  Settings settings;
  std::string json;
  long rounds = 1;
  benchmark::Initialize(&argc, argv);  // takes out the flags that are its own
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (const char* directory = FlagValue(argument, "--directory")) {
      settings.directory = directory;
    } else if (const char* count = FlagValue(argument, "--rounds")) {
      rounds = std::strtol(count, nullptr, 10);
    } else if (const char* factor = FlagValue(argument, "--longer")) {
      longer = std::strtol(factor, nullptr, 10);
    } else if (argument == "--smoke") {
      settings.size = RunSize::kSmoke;
    } else if (argument == "--quick") {
      settings.size = RunSize::kQuick;
    } else if (const char* file = FlagValue(argument, "--json")) {
      json = file;
    } else if (const char* megabytes = FlagValue(argument, "--import-mb")) {
      settings.import_mb = std::strtoll(megabytes, nullptr, 10);
    } else if (const char* packages = FlagValue(argument, "--peers")) {
      settings.peers = packages;
    } else {
      std::fprintf(stderr, "tidemark_bench: unknown argument %s\n", argv[i]);
      return 2;
    }
  }
  if (rounds < 1 || longer < 1) {
    std::fprintf(stderr, "tidemark_bench: --rounds and --longer must be at least 1\n");
    return 2;
  }
  const long magic = FileSystemMagic(settings.directory);
  if ((magic == kTmpfsMagic || magic == kRamfsMagic) && !settings.smoke()) {
    std::fprintf(stderr,
                 "tidemark_bench: %s is in memory, where a sync costs nothing and every figure is "
                 "wrong; choose another with --directory\n",
                 settings.directory.c_str());
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // a run is long, and may be read through a pipe
  RaiseFileLimit();
  PrintConditions(settings);

  RegisterWaitingBenchmarks(settings);
  RegisterWaitingPeers(settings);
  RegisterCommitBenchmarks(settings);
  RegisterThreadsBenchmarks(settings);
  RegisterHistoryBenchmarks(settings);
  RegisterPackingBenchmarks(settings);
  RegisterReadBenchmarks(settings);
  RegisterSmallCacheBenchmarks(settings);
  RegisterReadMostlyBenchmarks(settings);
  RegisterObjectBenchmarks(settings);
  RegisterLargeBenchmarks(settings);
  RegisterDiffBenchmarks(settings);
  RegisterImportBenchmarks(settings);
  RegisterMixBenchmarks(settings);
  RegisterKvBenchmarks(settings);
  RegisterGrowthBenchmarks(settings);
  RegisterRecoveryBenchmarks(settings);
  RegisterStorageBenchmarks(settings);
  RegisterActorBenchmarks(settings);
  RegisterActorLoadBenchmarks(settings);
  RegisterActorPeers(settings);

  RoundsReporter reporter;
  for (long round = 0; round < rounds; ++round) {
    if (benchmark::RunSpecifiedBenchmarks(&reporter) == 0) return 1;
    std::fflush(stdout);
    // After each round, so that what fails in the last one does not take the others with it.
    if (json.empty()) continue;
    WriteResults(json, reporter,
                 {.settings = settings,
                  .rounds = round + 1,
                  .file_system = FileSystemName(magic),
                  .build_type = TIDEMARK_BUILD_TYPE});
  }
  benchmark::ClearRegisteredBenchmarks();  // and with them their tables and stores
  if (rounds > 1) reporter.PrintFigures();
  reporter.PrintTargets();
  for (const std::string& reason : Skipped()) std::printf("skipped: %s\n", reason.c_str());
  return reporter.failed() ? 1 : 0;
}

}  // namespace
}  // namespace tidemark::bench

int main(int argc, char** argv) {
  // Not flags for people: recovery_bench.cc starts this program again as the writer it kills, and
  // population.cc as one that opens a store.
  if (argc == 4 && std::strcmp(argv[1], "--open-and-tell") == 0) {
    tidemark::bench::OpenAndTell(argv[2], std::strtoll(argv[3], nullptr, 10));
  }
  if (argc == 5 && std::strcmp(argv[1], "--write-and-die") == 0) {
    tidemark::bench::WriteAndDie(argv[2], std::strtoll(argv[3], nullptr, 10),
                                 std::strtoll(argv[4], nullptr, 10));
  }
  return tidemark::bench::Run(argc, argv);
}
