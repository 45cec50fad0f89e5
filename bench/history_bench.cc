// What thirty days of history cost: bytes on disk a commit, and the time to read any past page.
//
// One object of 10 MB, 200,000 commits of one statement each, rows chosen uniformly. Everything on
// disk counts, index and group headers included; room that the log's files have ready does not.
//   replace  a value of 100 random bytes is replaced: no codec can go below 100
//   counter  an integer beside such a value is incremented
//   append   a row of 200 bytes of JSON is inserted, and a random number into an index
// Figures:
//   B/commit        growth of log and index file
//   log_B/commit    the log's part of it
//   past_p50_us     any page at any of these commits, its bytes in the system's cache; also p99
//   now_p50_us      any page of the present
// and the same when all of it was packed, and the store opened again:
//   packed_B/commit, packed_past_p50_us, ...
//   pack_cpu_us/commit  processor time that packing took
//   write_amp       bytes that packing wrote for each byte of log that it took in

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/registry.h"
#include "bench/workload.h"

namespace tidemark::bench {
namespace {

constexpr int64_t kReads = 20'000;

std::string HexLiteral(std::span<const std::byte> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "x'";
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return text + "'";
}

// An event as a program would log it: 200 bytes of JSON, half of them keys that all rows share.
std::string JsonEvent(int64_t number, Random& random) {
  static constexpr std::string_view kActions[] = {"view", "search", "add_to_cart", "purchase",
                                                  "refund"};
  static constexpr std::string_view kWords[] = {
      "red",  "green", "large", "small", "cotton", "wool",  "jacket", "shoes",
      "belt", "scarf", "blue",  "black", "winter", "sport", "summer", "shirt"};
  char head[200];
  const auto size = std::snprintf(
      head, sizeof(head),
      "{\"id\":%lld,\"user\":\"user-%05lld\",\"action\":\"%s\",\"price\":%lld.%02lld,"
      "\"time\":\"2026-11-21T%02lld:%02lld:%02lldZ\",\"session\":\"%016llx\",\"text\":\"",
      static_cast<long long>(number), static_cast<long long>(random.Below(20'000)),
      kActions[random.Below(std::size(kActions))].data(), static_cast<long long>(random.Below(500)),
      static_cast<long long>(random.Below(100)), static_cast<long long>(number / 3600 % 24),
      static_cast<long long>(number / 60 % 60), static_cast<long long>(number % 60),
      static_cast<unsigned long long>(random.Next()));
  std::string json(head, static_cast<size_t>(size));
  constexpr std::string_view kEnd = "\"}";
  while (json.size() < 200 - kEnd.size()) {
    json += kWords[random.Below(std::size(kWords))];
    json += ' ';
  }
  json.resize(200 - kEnd.size());
  return json + std::string(kEnd);
}

struct Workload {
  const char* name;
  const char* schema;
  int64_t rows;  // that make the object 10 MB
  std::function<std::string(int64_t number, Random& random)> insert;
  std::function<std::string(int64_t number, Random& random, int64_t rows)> change;
};

std::string InsertValue(int64_t number, Random& random) {
  return "insert into t values(" + std::to_string(number) + ",1000," +
         HexLiteral(random.NextValue()) + ")";
}

std::string AppendEvent(int64_t number, Random& random) {
  const std::string who = std::to_string(random.Below(1'000'000));
  return "insert into t values(" + std::to_string(number) + "," + who + ",'" +
         JsonEvent(number, random) + "')";
}

constexpr char kTable[] = "create table t(k integer primary key, n integer, v blob)";

const Workload kWorkloads[] = {
    {"replace", kTable, 84'000, InsertValue,
     [](int64_t, Random& random, int64_t rows) {
       const std::string value = HexLiteral(random.NextValue());
       return "update t set v=" + value + " where k=" + std::to_string(random.Below(rows));
     }},
    {"counter", kTable, 84'000, InsertValue,
     [](int64_t, Random& random, int64_t rows) {
       return "update t set n=n+1 where k=" + std::to_string(random.Below(rows));
     }},
    {"append",
     "create table t(k integer primary key, who integer, json text);"
     "create index t_who on t(who)",
     44'000, AppendEvent,
     [](int64_t number, Random& random, int64_t rows) {
       return AppendEvent(rows + number, random);
     }},
};

// The time of each of kReads reads of a random page, in microseconds, at a commit that `choose`
// gives.
std::vector<double> TimeReads(Object& object, Random& random,
                              const std::function<CommitInfo()>& choose) {
  std::vector<double> times;
  std::vector<std::byte> page;
  for (int64_t i = 0; i < kReads; ++i) {
    const CommitInfo commit = choose();
    const auto number = 1 + static_cast<uint32_t>(random.Below(commit.page_count));
    page.resize(commit.page_size);
    const auto begin = std::chrono::steady_clock::now();
    const Snapshot snapshot = Require(object.OpenSnapshot(commit), "opening a snapshot");
    Require(snapshot.ReadPage(PageNo(number), page), "reading a page");
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
    times.push_back(took.count());
  }
  return times;
}

// The present and the past, as counters that begin with `prefix`.
void ReadTimes(benchmark::State& state, const std::string& prefix, Object& object, Random& random,
               const std::vector<CommitInfo>& history) {
  std::vector<double> past = TimeReads(object, random, [&] {
    return history[static_cast<size_t>(random.Below(static_cast<int64_t>(history.size())))];
  });
  std::vector<double> now = TimeReads(object, random, [&] { return object.head(); });
  state.counters[prefix + "past_p50_us"] = Percentile(past, 0.5);
  state.counters[prefix + "past_p99_us"] = Percentile(past, 0.99);
  state.counters[prefix + "now_p50_us"] = Percentile(now, 0.5);
}

uint64_t DiskBytes(Bed& bed) {
  Require(bed.store()->Checkpoint(), "checkpoint");
  const StoreStats stats = bed.store()->Stats();
  return stats.log_bytes + stats.index_file_bytes;
}

void History(benchmark::State& state, const Settings& settings, const Workload& work) {
  const int64_t rows = settings.Scaled(work.rows, work.rows, 100);
  const int64_t commits = settings.Scaled(200'000, 200'000, 50);
  Bed bed(settings, Mode::kTidemarkNormal);
  Random random(5);
  std::optional<Connection> connection = bed.Open("one");
  connection->Exec(work.schema);
  connection->Exec("begin");
  for (int64_t row = 0; row < rows; ++row) connection->Exec(work.insert(row, random));
  connection->Exec("commit");
  bed.Sync();
  const uint64_t disk_before = DiskBytes(bed);
  const uint64_t log_before = bed.store()->Stats().log_bytes;
  for (auto _ : state) {
    for (int64_t i = 0; i < commits; ++i) connection->Exec(work.change(i, random, rows));
    bed.Sync();
  }
  const auto a_commit = [&](uint64_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(commits);
  };
  state.counters["B/commit"] = a_commit(DiskBytes(bed) - disk_before);
  state.counters["log_B/commit"] = a_commit(bed.store()->Stats().log_bytes - log_before);

  auto object =
      Require(bed.store()->OpenObject("bench", "one", IfMissing::kFail), "opening the object");
  std::vector<CommitInfo> history;
  Require(object->History([&](const CommitInfo& commit) {
    history.push_back(commit);
    return history.size() < static_cast<size_t>(commits);
  }),
          "reading the history");
  ReadTimes(state, "", *object, random, history);

  object.reset();
  connection.reset();
  const double begin = ThreadSeconds();
  const ReclaimReport packed = Require(bed.store()->Reclaim(ReclaimWhat::kEverything), "packing");
  state.counters["pack_cpu_us/commit"] =
      (ThreadSeconds() - begin) * 1e6 / static_cast<double>(commits);
  state.counters["write_amp"] =
      static_cast<double>(packed.bytes_after) / static_cast<double>(packed.bytes_before);
  bed.Reopen();
  state.counters["packed_B/commit"] = a_commit(DiskBytes(bed) - disk_before);
  state.counters["packed_log_B/commit"] = a_commit(bed.store()->Stats().log_bytes - log_before);
  object = Require(bed.store()->OpenObject("bench", "one", IfMissing::kFail), "opening the object");
  ReadTimes(state, "packed_", *object, random, history);
}

}  // namespace

void RegisterHistoryBenchmarks(const Settings& settings) {
  for (const Workload& work : kWorkloads) {
    Register(std::string("history/") + work.name, 1,
             [=](benchmark::State& state) { History(state, settings, work); });
  }
}

}  // namespace tidemark::bench
