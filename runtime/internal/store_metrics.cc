#include "runtime/internal/store_metrics.h"

#include <chrono>
#include <optional>

namespace tidemark::internal {
namespace {

struct Row {
  std::string_view family;
  std::string_view type;
  std::string_view help;
  uint64_t StoreStats::*value;
};
constexpr Row kRows[] = {
    {"tidemark_store_objects", "gauge", "Objects, deleted ones that have not expired included.",
     &StoreStats::object_count},
    {"tidemark_store_damaged_objects", "gauge", "Objects that damage was found in.",
     &StoreStats::damaged_object_count},
    {"tidemark_store_log_bytes", "gauge", "Records and headers in the log.",
     &StoreStats::log_bytes},
    {"tidemark_store_log_file_bytes", "gauge", "Files of the log, unused room included.",
     &StoreStats::log_file_bytes},
    {"tidemark_store_index_bytes", "gauge", "Pages of the index that are in use.",
     &StoreStats::index_bytes},
    {"tidemark_store_index_file_bytes", "gauge", "The file of the index.",
     &StoreStats::index_file_bytes},
    {"tidemark_store_waiting_bytes", "gauge", "Full segments that were not packed yet.",
     &StoreStats::waiting_bytes},
    {"tidemark_store_history_bytes", "gauge", "What counts against the budget of history.",
     &StoreStats::history_bytes},
    {"tidemark_store_page_cache_bytes", "gauge", "Pages in memory, decoded.",
     &StoreStats::page_cache_bytes},
    {"tidemark_store_page_cache_hits_total", "counter", "Pages read that were in memory.",
     &StoreStats::page_cache_hits},
    {"tidemark_store_page_cache_misses_total", "counter", "Pages read that were not.",
     &StoreStats::page_cache_misses},
    {"tidemark_store_commits_total", "counter", "Commits since the store was opened.",
     &StoreStats::commits},
    {"tidemark_store_groups_total", "counter", "Groups of commits, a write and a sync each.",
     &StoreStats::groups_written},
    {"tidemark_store_appended_bytes_total", "counter", "Records that came to the log.",
     &StoreStats::appended_bytes},
    {"tidemark_store_packed_bytes_total", "counter", "Log that was packed.",
     &StoreStats::packed_bytes},
    {"tidemark_store_rewritten_bytes_total", "counter", "What packing wrote.",
     &StoreStats::rewritten_bytes},
    {"tidemark_store_reclaimed_bytes_total", "counter", "What the background gave back.",
     &StoreStats::background_reclaimed_bytes},
    {"tidemark_store_checkpoints_total", "counter", "Checkpoints.", &StoreStats::checkpoints},
    {"tidemark_store_scrubs_total", "counter", "Scrubs that came to their end.",
     &StoreStats::scrubs},
    {"tidemark_store_scrubbed_bytes_total", "counter", "What scrubs have read.",
     &StoreStats::scrubbed_bytes},
    {"tidemark_store_drills_total", "counter", "Past states that drills restored and checked.",
     &StoreStats::drills},
    {"tidemark_store_failed_drills_total", "counter", "Of those, which were not as committed.",
     &StoreStats::failed_drills},
};

void WriteGauge(PrometheusWriter& writer, std::string_view family, std::string_view help,
                std::optional<uint64_t> value) {
  writer.Family(family, "gauge", help);
  if (value) writer.Sample({}, *value);
}

// In seconds since 1970; nothing of 1970, which stands for never.
std::optional<uint64_t> SecondsOf(Timestamp time) {
  if (time <= Timestamp()) return std::nullopt;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch());
  return static_cast<uint64_t>(seconds.count());
}

}  // namespace

void WriteStoreMetrics(const StoreStats& stats, PrometheusWriter& writer) {
  for (const Row& row : kRows) {
    writer.Family(row.family, row.type, row.help);
    writer.Sample({}, stats.*row.value);
  }
  const auto gauge = [&](std::string_view family, std::string_view help,
                         std::optional<uint64_t> value) {
    WriteGauge(writer, family, help, value);
  };
  gauge("tidemark_store_clock_alarm", "1: nothing expires until the clock is confirmed.",
        stats.clock_alarm.has_value());
  gauge("tidemark_store_budget_unmet", "1: history takes more than its budget, and must.",
        stats.budget_is_unmet);
  gauge("tidemark_store_retention_failing", "1: retention could not do its work, and tries again.",
        !stats.retention_error.ok());
  gauge("tidemark_store_horizon_seconds", "Bookmarks reach back to here, in Unix time.",
        SecondsOf(stats.horizon));
  const StoreHealth& health = stats.health;
  const std::optional<uint64_t> scrub = SecondsOf(health.last_scrub);
  const std::optional<uint64_t> drill = SecondsOf(health.last_drill);
  gauge("tidemark_store_last_scrub_seconds", "When a scrub last came to its end, in Unix time.",
        scrub);
  gauge("tidemark_store_scrub_damage", "Damaged places that it found.",
        scrub ? std::optional(health.scrub_damage) : std::nullopt);
  gauge("tidemark_store_last_drill_seconds", "When a drill was last made, in Unix time.", drill);
  gauge("tidemark_store_last_drill_ok", "1: it made the state that had been committed.",
        drill ? std::optional<uint64_t>(health.last_drill_ok) : std::nullopt);
  gauge("tidemark_store_oldest_verified_restorable_time_seconds",
        "The oldest commit that a drill restored and found right, in Unix time.",
        SecondsOf(health.oldest_verified));
}

}  // namespace tidemark::internal
