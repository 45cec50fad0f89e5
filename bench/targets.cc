// The speeds to reach, in one place. A name is that of a benchmark as Register() got it.

#include "bench/registry.h"

namespace tidemark::bench {
namespace {

constexpr std::string_view kRate = "items_per_second";
constexpr auto kAtLeast = Target::Sense::kAtLeast;
constexpr auto kAtMost = Target::Sense::kAtMost;

// Hot reads run SQLite's code and none of ours, on both sides. Two connections to equal stock files
// in the same loop gave ratios of 0.966, 0.980 and 0.983: less than 2% is not a difference.
constexpr double kNoSlower = 0.98;

constexpr Target kTargets[] = {
    {"one object, waiting for each commit, to the raw write+sync", "commit/waiting/interleaved", "",
     "to_floor", kAtLeast, 0.9},
    {"one object, waiting for each commit, to WAL FULL", "commit/waiting/interleaved", "",
     "to_wal_full", kAtLeast, 1.0},
    {"one object, pipelined, to WAL FULL", "commit/one/tidemark_normal", "commit/one/wal_full",
     kRate, kAtLeast, 20},
    {"1000 objects round robin, pipelined, to WAL FULL", "commit/many/tidemark_normal",
     "commit/many/wal_full", kRate, kAtLeast, 15},
    {"history, 100 random bytes replaced, before packing: bytes a commit", "history/replace", "",
     "B/commit", kAtMost, 230},
    {"history, a counter incremented, before packing: bytes a commit", "history/counter", "",
     "B/commit", kAtMost, 120},
    {"history, 200 bytes of JSON appended, before packing: bytes a commit", "history/append", "",
     "B/commit", kAtMost, 700},
    {"the same, packed: 100 random bytes replaced", "history/replace", "", "packed_B/commit",
     kAtMost, 120},
    {"the same, packed: a counter incremented", "history/counter", "", "packed_B/commit", kAtMost,
     24},
    {"the same, packed: 200 bytes of JSON appended", "history/append", "", "packed_B/commit",
     kAtMost, 200},
    {"read any page at any past commit: median, us", "history/replace", "", "past_p50_us", kAtMost,
     50},
    {"the same, packed", "history/append", "", "packed_past_p50_us", kAtMost, 50},
    {"one object, pipelined, packing beside, to commits alone", "packing/one", "", "to_alone",
     kAtLeast, 0.8},
    {"1000 objects, pipelined, packing beside, to commits alone", "packing/many", "", "to_alone",
     kAtLeast, 0.8},
    {"log packed to log written, one object", "packing/one", "", "packed_to_log", kAtLeast, 0.9},
    {"log packed to log written, 1000 objects", "packing/many", "", "packed_to_log", kAtLeast, 0.9},
    {"space beyond the allowance to what must be kept", "packing/space", "", "to_must_keep",
     kAtMost, 1.3},
    {"bulk insert in one transaction, to rollback FULL", "read/bulk_insert/tidemark_full",
     "read/bulk_insert/rollback_full", kRate, kAtLeast, 1.0},
    {"full scan, to a file", "read/full_scan/interleaved", "", "to_file", kAtLeast, 1.0},
    {"hot point reads, to a file", "read/hot_point/interleaved", "", "to_file", kAtLeast,
     kNoSlower},
    {"objects created a second, one table each", "object/create/tidemark_normal", "", kRate,
     kAtLeast, 5000},
    {"open an object and read a row: median, us", "object/open_and_read/tidemark_full", "",
     "p50_us", kAtMost, 100},
    {"reopen after a kill, 64 MB of one object's log: s", "recovery/after_kill/one_object", "",
     "open_s", kAtMost, 1.0},
    {"reopen after a kill, 64 MB of 1000 objects' log: s", "recovery/after_kill/1000_objects", "",
     "open_s", kAtMost, 1.0},
    {"keys read a second", "storage/get", "", "calls/s", kAtLeast, 1'000'000},
    {"keys read, to the same statement on a stock file", "storage/get", "", "to_raw", kAtLeast,
     0.85},
    {"puts a second inside of one turn", "storage/put", "", "calls/s", kAtLeast, 500'000},
    {"durable commits a second, each put its own turn", "storage/commit", "", "calls/s", kAtLeast,
     200'000},
    {"keys listed a second", "storage/list", "", "calls/s", kAtLeast, 3'000'000},
    {"keys listed, to the same statement on a stock file", "storage/list", "", "to_raw", kAtLeast,
     0.85},
    {"cached one-row SELECTs a second", "storage/select", "", "calls/s", kAtLeast, 600'000},
    {"one-row SELECTs, to the same statement on a stock file", "storage/select", "", "to_raw",
     kAtLeast, 0.85},
    {"calls of a resident actor a second, one core, no storage", "actor/call/64", "", kRate,
     kAtLeast, 1'000'000},
    {"durable increments a second, 1000 actors", "actor/load/durable", "", "calls/s", kAtLeast,
     50'000},
    {"a durable call at half of 50,000 a second: p99, us", "actor/load/half", "", "p99_us_at_25k",
     kAtMost, 5000},
    {"wake a hibernated actor: median, us", "actor/wake", "", "p50_us", kAtMost, 150},
    {"100,000 resident actors: MB", "actor/resident", "", "MB", kAtMost, 4000},
    {"open a clean store of 100,000 objects: s", "recovery/clean_open/100000_objects", "", "open_s",
     kAtMost, 1.0},
};

}  // namespace

std::span<const Target> Targets() { return kTargets; }

}  // namespace tidemark::bench
