#include "bench/durability.h"

#include <string>

#include "bench/workload.h"

namespace tidemark::bench {
namespace {

constexpr std::string_view kEach = "each durable when it returns";
constexpr std::string_view kAtEnd = "all durable at the end, and that wait counts";
constexpr std::string_view kNever = "none before a checkpoint";
constexpr std::string_view kMemory = "none: in memory";
constexpr std::string_view kReads = "reads only";
constexpr std::string_view kBoth =
    "ours all durable at the end, the stock side none before a checkpoint";

// The first that fits counts. An empty prefix or suffix fits all.
constexpr struct {
  std::string_view prefix, suffix, durability;
} kTable[] = {
    {"disk/sync", "", kEach},
    {"commit/waiting/litestream", "",
     "each durable here when it returns, in the copy a second later"},
    {"commit/waiting/", "", kEach},
    {"small_cache/", "", kReads},
    {"idle/", "", kReads},
    {"large/", "", kEach},
    {"diff/", "", kReads},
    {"import/", "", "import and export durable when they return, on both sides"},
    {"mix/", "", kBoth},
    {"kv/get/", "", kReads},
    {"kv/scan/", "", kReads},
    {"kv/batch/", "", "each batch of 1000 durable when it returns"},
    {"kv/pipelined/lmdb", "",
     "all durable at the end; a power failure before may destroy all of it"},
    {"kv/pipelined/", "", kAtEnd},
    {"growth/", "", kAtEnd},
    {"object/open_and_read/", "", kReads},
    {"object/ancestry", "", kReads},
    {"recovery/", "", "what is recovered was durable"},
    {"read/bulk_insert/tidemark_full", "", kEach},
    {"read/bulk_insert/wal_full", "", kEach},
    {"read/bulk_insert/rollback_full", "", kEach},
    {"read/mostly/written", "", kAtEnd},
    {"read/", "", kReads},
    {"history/", "", kAtEnd},
    {"packing/", "", kAtEnd},
    {"storage/put", "", "ours confirmed later, the stock side none before a checkpoint"},
    {"storage/commit", "", kBoth},
    {"storage/", "", kReads},
    {"actor/call/", "", "no storage"},
    {"actor/load/", "", "each reply held back until its commit is durable"},
    {"actor/wake", "", kReads},
    {"actor/", "", kAtEnd},
    {"", "/tidemark_full", kEach},
    {"", "/wal_full", kEach},
    {"", "/rollback_full", kEach},
    {"", "/tidemark_normal", kAtEnd},
    {"", "/wal_normal", kNever},
    {"", "/memory", kMemory},
};

}  // namespace

std::string_view DurabilityOf(std::string_view benchmark) {
  for (const auto& row : kTable) {
    if (benchmark.starts_with(row.prefix) && benchmark.ends_with(row.suffix)) return row.durability;
  }
  Fail("benchmark " + std::string(benchmark), "durability.cc does not say how durable it is");
}

}  // namespace tidemark::bench
