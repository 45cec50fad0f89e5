#include "runtime/internal/runtime_metrics.h"

#include <algorithm>
#include <ostream>

#include "runtime/internal/prometheus.h"
#include "runtime/internal/runtime_state.h"
#include "runtime/internal/store_metrics.h"

namespace tidemark::internal {
namespace {

// A new count is a row here; rows of one family stand together, and its help is that of the first.
struct CountRow {
  Count what;
  std::string_view family;
  std::string_view reason;
  std::string_view help;
};
constexpr CountRow kCountRows[] = {
    {Count::kEventErrors, "tidemark_actor_event_errors_total", "",
     "Calls whose method threw an exception."},
    {Count::kStarts, "tidemark_actor_starts_total", "",
     "Actors that came into memory, their storage open."},
    {Count::kConstructorsFailed, "tidemark_actor_start_failures_total", "constructor",
     "Actors that could not be started."},
    {Count::kOpensFailed, "tidemark_actor_start_failures_total", "open", ""},
    {Count::kTasksFailed, "tidemark_actor_task_failures_total", "",
     "WaitUntil tasks that an exception ended."},
    {Count::kPreShutdownsFailed, "tidemark_actor_pre_shutdown_failures_total", "",
     "PreShutdown handlers that threw, or took too long."},
    {Count::kThreadsBlocked, "tidemark_actor_blocked_threads_total", "",
     "Times that code of an actor kept its thread for too long."},
    {Count::kHibernatedIdle, "tidemark_actor_hibernations_total", "idle",
     "Actors that left memory while they were idle."},
    {Count::kHibernatedCap, "tidemark_actor_hibernations_total", "cap", ""},
    {Count::kHibernatedShutdown, "tidemark_actor_hibernations_total", "shutdown", ""},
    {Count::kVanished, "tidemark_actor_vanished_total", "",
     "Objects that were gone when their actor left memory, because they were empty."},
    {Count::kResetByAbort, "tidemark_actor_resets_total", "abort", "Actors that were reset."},
    {Count::kResetBySection, "tidemark_actor_resets_total", "section", ""},
    {Count::kResetBySectionLimit, "tidemark_actor_resets_total", "section_limit", ""},
    {Count::kResetByEventLimit, "tidemark_actor_resets_total", "event_limit", ""},
    {Count::kResetByAlarmLimit, "tidemark_actor_resets_total", "alarm_limit", ""},
    {Count::kResetByStorage, "tidemark_actor_resets_total", "storage", ""},
    {Count::kResetByShutdown, "tidemark_actor_resets_total", "shutdown", ""},
    {Count::kOverloadedByCount, "tidemark_actor_overloads_total", "count",
     "Calls that were refused because too much waited."},
    {Count::kOverloadedByBytes, "tidemark_actor_overloads_total", "bytes", ""},
    {Count::kOverloadedByAge, "tidemark_actor_overloads_total", "age", ""},
};
static_assert(std::size(kCountRows) == kCounts);

struct TimingRow {
  Timing what;
  std::string_view family;
  std::string_view help;
};
constexpr TimingRow kTimingRows[] = {
    {Timing::kInputWait, "tidemark_actor_input_wait_seconds",
     "From where a call was made to where its method began."},
    {Timing::kOutputWait, "tidemark_actor_output_wait_seconds",
     "What was held back until writes before it were durable: for how long."},
    {Timing::kCommit, "tidemark_actor_commit_seconds",
     "Commits of turns that wrote, until the object saw them."},
    {Timing::kDurable, "tidemark_actor_durable_seconds",
     "From where an object saw a commit until it was durable."},
};
static_assert(std::size(kTimingRows) == kTimings);

struct AlarmRow {
  uint64_t AlarmCounters::*count;
  std::string_view family;
  std::string_view outcome;
  std::string_view help;
};
constexpr AlarmRow kAlarmRows[] = {
    {&AlarmCounters::runs, "tidemark_alarm_runs_total", "", "Handlers of alarms that were begun."},
    {&AlarmCounters::succeeded, "tidemark_alarm_outcomes_total", "succeeded",
     "What became of alarms that came to their actors."},
    {&AlarmCounters::failed, "tidemark_alarm_outcomes_total", "failed", ""},
    {&AlarmCounters::failed_uncounted, "tidemark_alarm_outcomes_total", "failed_uncounted", ""},
    {&AlarmCounters::canceled, "tidemark_alarm_outcomes_total", "canceled", ""},
    {&AlarmCounters::without_handler, "tidemark_alarm_outcomes_total", "without_handler", ""},
    {&AlarmCounters::given_up, "tidemark_alarm_given_up_total", "",
     "Alarms that are tried no more."},
    {&AlarmCounters::over_time, "tidemark_alarm_over_time_total", "",
     "Handlers of alarms that took too long."},
    {&AlarmCounters::list_failures, "tidemark_alarm_list_failures_total", "",
     "Times that the store could not tell its alarms."},
};

// Of the actors of a class that are in memory.
struct Waiting {
  uint64_t actors = 0;
  uint64_t calls = 0;
  uint64_t most_calls = 0;
};

void WriteAlarms(const AlarmCounters& counters, PrometheusWriter& writer) {
  std::string_view family;
  for (const AlarmRow& row : kAlarmRows) {
    if (row.family != family) writer.Family(row.family, "counter", row.help);
    family = row.family;
    MetricLabels labels;
    if (!row.outcome.empty()) labels.emplace_back("outcome", row.outcome);
    writer.Sample(labels, counters.*row.count);
  }
  writer.Family("tidemark_alarm_running", "gauge", "Handlers of alarms under way.");
  writer.Sample({}, counters.running);
  writer.Family("tidemark_alarm_waiting", "gauge",
                "Objects whose alarms the runtime has in memory, to come or to be retried.");
  writer.Sample({}, counters.waiting);
}

}  // namespace

std::string_view ReasonOf(Count what) {
  const auto* const row = std::find_if(std::begin(kCountRows), std::end(kCountRows),
                                       [&](const CountRow& at) { return at.what == what; });
  return row->reason;
}

void RuntimeState::WriteMetrics(std::ostream& out) const {
  std::vector<std::shared_ptr<const ActorClass>> classes;
  {
    std::lock_guard lock(classes_mutex_);
    for (const auto& [name, actor_class] : classes_) classes.push_back(actor_class);
  }
  std::map<const ActorClass*, Waiting> waiting;
  for (const auto& host : Hosts()) {
    Waiting& of_class = waiting[&host->actor_class()];
    const uint64_t calls = host->waiting_calls();
    ++of_class.actors;
    of_class.calls += calls;
    of_class.most_calls = std::max(of_class.most_calls, calls);
  }
  std::vector<ActorMetrics::Sum> sums;
  for (const auto& actor_class : classes) sums.push_back(actor_class->metrics->Read());

  PrometheusWriter writer(out);
  const auto write = [&](auto value_of, MetricLabels labels = {}) {
    for (size_t i = 0; i < classes.size(); ++i) {
      labels.insert(labels.begin(), {"namespace", classes[i]->name});
      writer.Sample(labels, value_of(i));
      labels.erase(labels.begin());
    }
  };
  writer.Family("tidemark_actor_events_total", "counter", "Calls that came to their actors.");
  write([&](size_t i) { return sums[i].timing(Timing::kInputWait).count(); });
  std::string_view family;
  for (const CountRow& row : kCountRows) {
    if (row.family != family) writer.Family(row.family, "counter", row.help);
    family = row.family;
    MetricLabels labels;
    if (!row.reason.empty()) labels.emplace_back("reason", row.reason);
    write([&](size_t i) { return sums[i].count(row.what); }, std::move(labels));
  }
  for (const TimingRow& row : kTimingRows) {
    writer.Family(row.family, "histogram", row.help);
    write([&](size_t i) { return sums[i].timing(row.what); });
  }
  writer.Family("tidemark_actor_resident", "gauge", "Actors in memory.");
  write([&](size_t i) { return waiting[classes[i].get()].actors; });
  writer.Family("tidemark_actor_waiting_calls", "gauge", "Calls that wait for an actor.");
  write([&](size_t i) { return waiting[classes[i].get()].calls; });
  writer.Family("tidemark_actor_most_waiting_calls", "gauge",
                "Calls that wait for the actor for which most wait.");
  write([&](size_t i) { return waiting[classes[i].get()].most_calls; });
  WriteAlarms(alarms_->counters(), writer);
  WriteStoreMetrics(store_.Stats(), writer);
}

void RuntimeState::Log(const LogRecord& record) const noexcept {
  if (!options_.log) return;
  try {
    options_.log(record);
  } catch (...) {
    // It is told of failures: there is nobody else to tell of its own.
  }
}

}  // namespace tidemark::internal
