// tidemark stat: sizes, counts and positions of a store.

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/byte_size.h"
#include "tools/session.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

// Null if it has not come to be.
Json TimeJson(Timestamp time) { return time == Timestamp() ? Json() : Json(FormatTime(time)); }

Json StatsJson(const std::string& path, const StoreStats& stats) {
  return {{"store", path},
          {"store_id", stats.store_id},
          {"format_version", stats.format_version},
          {"epoch", stats.epoch},
          {"namespaces", stats.namespace_count},
          {"objects", stats.object_count},
          {"damaged_objects", stats.damaged_object_count},
          {"alarms", stats.alarm_count},
          {"horizon", TimeJson(stats.horizon)},
          {"budget_bytes", stats.budget_bytes == 0 ? Json() : Json(stats.budget_bytes)},
          {"history_bytes", stats.history_bytes},
          {"budget_unmet", stats.budget_is_unmet},
          {"paused", stats.clock_alarm.has_value()},
          {"last_lsn", stats.last_lsn.value},
          {"durable_lsn", stats.durable_lsn.value},
          {"checkpoint_lsn", stats.checkpoint_lsn.value},
          {"segments", stats.segment_count},
          {"packed_segments", stats.packed_segment_count},
          {"spare_segments", stats.spare_segment_count},
          {"log_bytes", stats.log_bytes},
          {"log_file_bytes", stats.log_file_bytes},
          {"waiting_bytes", stats.waiting_bytes},
          {"index_bytes", stats.index_bytes},
          {"index_file_bytes", stats.index_file_bytes},
          {"recent_versions", stats.recent_version_count},
          {"purges", stats.purge_count},
          {"last_scrub", TimeJson(stats.health.last_scrub)},
          {"scrub_damage", stats.health.scrub_damage},
          {"last_drill", TimeJson(stats.health.last_drill)},
          {"last_drill_ok",
           stats.health.last_drill == Timestamp() ? Json() : Json(stats.health.last_drill_ok)},
          {"oldest_verified_restorable_time", TimeJson(stats.health.oldest_verified)}};
}

void PrintField(const std::string& name, const std::string& value) {
  PrintLine(name + std::string(name.size() < 12 ? 12 - name.size() : 1, ' ') +
            PrintableLine(value));
}

void PrintStats(const std::string& path, const StoreStats& stats) {
  PrintField("store", path);
  PrintField("id", stats.store_id + ", format version " + std::to_string(stats.format_version));
  PrintField("objects", FormatCount(stats.object_count) + " in " +
                            Plural(stats.namespace_count, "namespace") +
                            (stats.damaged_object_count == 0
                                 ? std::string()
                                 : ", " + FormatCount(stats.damaged_object_count) + " damaged"));
  PrintField("log", FormatBytes(stats.log_bytes) + " in " + Plural(stats.segment_count, "segment") +
                        " of " + FormatBytes(stats.log_file_bytes) + ", " +
                        FormatCount(stats.spare_segment_count) + " of them spare, " +
                        FormatBytes(stats.waiting_bytes) + " to be packed");
  PrintField("index", FormatBytes(stats.index_bytes) + " in a file of " +
                          FormatBytes(stats.index_file_bytes));
  PrintField("LSN", "last " + std::to_string(stats.last_lsn.value) + ", durable " +
                        std::to_string(stats.durable_lsn.value) + ", checkpoint " +
                        std::to_string(stats.checkpoint_lsn.value) + " (" +
                        Plural(stats.recent_version_count, "page version") + " since)");
  PrintField("epoch", std::to_string(stats.epoch) + " (opened that many times)");
  PrintField("horizon", stats.horizon == Timestamp()
                            ? "none (nothing has expired)"
                            : FormatLocalTime(stats.horizon) + " (bookmarks reach back to here)");
  if (stats.budget_bytes != 0) {
    PrintField("budget", FormatBytes(stats.budget_bytes) + " for history, " +
                             FormatBytes(stats.history_bytes) + " used");
  }
  if (stats.budget_is_unmet) PrintField("OVER", kUnmetBudget);
  if (stats.clock_alarm) {
    PrintField("PAUSED", "nothing expires: the clock said " +
                             FormatLocalTime(stats.clock_alarm->to) + " where about " +
                             FormatLocalTime(stats.clock_alarm->from) +
                             " was to be expected; see `tidemark retention --help`");
  }
}

void PrintHealth(const StoreHealth& health) {
  PrintField("scrub",
             health.last_scrub == Timestamp()
                 ? "never"
                 : FormatLocalTime(health.last_scrub) + ", " +
                       (health.scrub_damage == 0 ? "every hash was right"
                                                 : Plural(health.scrub_damage, "damaged place") +
                                                       ": see `tidemark verify`"));
  if (health.last_drill == Timestamp()) return PrintField("drill", "never");
  PrintField("drill",
             FormatLocalTime(health.last_drill) +
                 (health.last_drill_ok ? ", the state was right" : ", it FAILED") +
                 (health.oldest_verified == Timestamp()
                      ? std::string()
                      : "; the oldest that was is of " + FormatLocalTime(health.oldest_verified)));
}

void PrintPurges(const StoreStats& stats) {
  if (stats.purge_count == 0) return;
  PrintField("PURGES", Plural(stats.purge_count, "object") +
                           " of which bytes are left: the purge was interrupted, run it again");
}

void Run(const std::string& directory, bool json) {
  Session session(directory);
  const StoreStats stats = session.store().Stats();
  session.Close();
  if (json) {
    PrintJson(StatsJson(session.path(), stats));
  } else {
    PrintStats(session.path(), stats);
    PrintHealth(stats.health);
    PrintPurges(stats);
  }
}

}  // namespace

void AddStat(CLI::App& app, Invocation* invocation) {
  struct Arguments {
    std::string store;
  };
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "stat",
       .summary = "Show sizes, segments, index, counts, horizon and LSNs",
       .usage = "STORE",
       .details = "As found when the store was opened, which writes a few records itself.",
       .example = "tidemark stat /var/lib/rooms",
       .json_fields =
           "{\"store\",\"store_id\",\"format_version\",\"epoch\",\"namespaces\",\"objects\",\n"
           " \"damaged_objects\",\"horizon\",\"budget_bytes\",\"history_bytes\",\n"
           " \"budget_unmet\",\"paused\",\"last_lsn\",\"durable_lsn\",\"checkpoint_lsn\",\n"
           " \"segments\",\"packed_segments\",\"spare_segments\",\n"
           " \"log_bytes\",\"log_file_bytes\",\"waiting_bytes\",\"index_bytes\",\n"
           " \"index_file_bytes\",\"recent_versions\",\"purges\",\"last_scrub\",\n"
           " \"scrub_damage\",\"last_drill\",\"last_drill_ok\",\n"
           " \"oldest_verified_restorable_time\"}; sizes in bytes; horizon:\n"
           "null if nothing has expired; budget_bytes: of history, null if there is none;\n"
           "history_bytes: what counts against it; budget_unmet: it takes more, and no more\n"
           "of it may go; paused: nothing expires, the clock is in doubt;\n"
           "waiting: full segments that are not packed; purges: that were interrupted; last_...\n"
           "and oldest_...: null if there was none, kept when the store is closed"},
      &arguments->store, invocation);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(arguments->store, invocation->json); });
}

}  // namespace tidemark::tools
