// tidemark_large_transaction: one transaction far larger than memory.
//
//   tidemark_large_transaction [--stock] DIRECTORY SIZE_MB LIMIT_MB
//
// Inserts SIZE_MB of rows in one transaction, then changes a byte of each in a second one (which
// sends every old page through the rollback journal), then reads everything back from a store that
// was closed and opened again. Fails if the process needs more than LIMIT_MB: RLIMIT_DATA bounds
// what it may allocate, and its peak resident size is checked at the end. --stock does the same on
// a plain SQLite file.

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench/workload.h"

namespace tidemark::bench {
namespace {

constexpr int64_t kRowBytes = 8000;  // two pages a row, so that rows are not what takes the time

struct Job {
  Settings settings;
  Mode mode = Mode::kTidemarkFull;
  int64_t size_mb = 0;
  int64_t limit_mb = 0;
  int64_t rows() const { return size_mb * 1'000'000 / kRowBytes; }
};

class StopWatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void LimitMemory(int64_t limit_mb) {
  const auto bytes = static_cast<rlim_t>(limit_mb) << 20;
  const rlimit limit{bytes, bytes};
  if (setrlimit(RLIMIT_DATA, &limit) != 0) Fail("setrlimit", std::strerror(errno));
}

int64_t PeakResidentMb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

void PrintStep(const Job& job, const char* what, const StopWatch& watch) {
  std::printf("%-8s %6lld MB in %7.2f s, %7.1f MB/s, peak resident so far %lld MB\n", what,
              static_cast<long long>(job.size_mb), watch.Seconds(),
              static_cast<double>(job.size_mb) / watch.Seconds(),
              static_cast<long long>(PeakResidentMb()));
  std::fflush(stdout);
}

void ReadBack(const Job& job, Connection& connection, const std::string& first_byte) {
  const StopWatch watch;
  const int64_t good = connection.QueryInteger(
      "select count(*) from big where length(v)=" + std::to_string(kRowBytes) +
      " and substr(v,1,1)=" + first_byte);
  if (good != job.rows()) {
    Fail("reading back", std::to_string(good) + " of " + std::to_string(job.rows()) + " rows");
  }
  PrintStep(job, "read", watch);
}

int Run(const Job& job) {
  LimitMemory(job.limit_mb);
  Bed bed(job.settings, job.mode);
  {
    Connection connection = bed.Open("large");
    connection.Exec("create table big(k integer primary key, v blob)");
    const StopWatch insert;
    // A random tail, so that nothing can be saved by compression, and a first byte to look for.
    connection.Exec("with recursive n(k) as (select 1 union all select k+1 from n where k<" +
                    std::to_string(job.rows()) +
                    ") insert into big select k, cast(x'01' || randomblob(" +
                    std::to_string(kRowBytes - 1) + ") as blob) from n");
    bed.Sync();
    PrintStep(job, "insert", insert);

    const StopWatch update;
    connection.Exec("update big set v=cast(x'02' || substr(v,2) as blob)");
    bed.Sync();
    PrintStep(job, "update", update);
  }
  bed.Reopen();
  Connection connection = bed.Open("large");
  ReadBack(job, connection, "x'02'");
  if (PeakResidentMb() > job.limit_mb) {
    Fail("peak resident size", std::to_string(PeakResidentMb()) + " MB, more than " +
                                   std::to_string(job.limit_mb) + " MB");
  }
  return 0;
}

int Main(int argc, char** argv) {
  Job job;
  int next = 1;
  if (next < argc && std::strcmp(argv[next], "--stock") == 0) {
    job.mode = Mode::kRollbackFull;
    ++next;
  }
  if (argc - next == 3) {
    job.settings.directory = argv[next];
    job.size_mb = std::strtoll(argv[next + 1], nullptr, 10);
    job.limit_mb = std::strtoll(argv[next + 2], nullptr, 10);
  }
  if (job.size_mb < 1 || job.limit_mb < 1) {
    std::fprintf(stderr,
                 "usage: tidemark_large_transaction [--stock] DIRECTORY SIZE_MB LIMIT_MB\n");
    return 2;
  }
  return Run(job);
}

}  // namespace
}  // namespace tidemark::bench

int main(int argc, char** argv) { return tidemark::bench::Main(argc, argv); }
