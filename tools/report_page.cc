#include "tools/report_page.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "tools/byte_size.h"
#include "tools/html_page.h"
#include "tools/retention_text.h"
#include "tools/span.h"
#include "tools/text.h"

namespace tidemark::tools {

namespace {

constexpr size_t kChartedObjects = 12;

constexpr auto kName = PageColumn::Kind::kName;
constexpr auto kNumber = PageColumn::Kind::kNumber;

std::string TimeOrNever(Timestamp time) {
  return time == Timestamp() ? "never" : FormatLocalTime(time);
}

// "the first 25 of 1,234"
std::string Shown(size_t shown, uint64_t total) {
  if (shown == total) return FormatCount(total);
  return "the first " + FormatCount(shown) + " of " + FormatCount(total);
}

class Page {
 public:
  Page(ReportData& data, const std::string& store, std::string_view chart_library)
      : data_(data), store_(store), page_("Tidemark: " + store, chart_library) {}

  std::string Write() {
    Head();
    Health();
    Space();
    Commits();
    Objects();
    Retention();
    Restores();
    Labels();
    return page_.Finish();
  }

 private:
  using Row = std::vector<std::string>;

  void Head() {
    page_.Text("h1", "Store " + store_);
    page_.Text("p",
               Plural(data_.objects, "object") + " of " + FormatBytes(data_.bytes) +
                   (data_.deleted == 0 ? std::string()
                                       : " (and " + Plural(data_.deleted, "deleted object") + ")") +
                   ", in " + Plural(data_.namespaces.total(), "namespace") + "; " +
                   (data_.commits_cut ? "about " : "") + Plural(data_.commits, "commit") +
                   " that can be gone back to. Made " + FormatLocalTime(data_.made) + ".");
    if (!page_.has_charts()) {
      page_.Text(
          "p",
          "Charts are not built into this tidemark: npm could not get Chart.js when it was built. "
          "The tables have all that they would show.",
          "note");
    }
  }

  void Health() {
    page_.Text("h2", "Health");
    const StoreHealth& health = data_.stats.health;
    const bool damaged = data_.damage_total != 0 || health.scrub_damage != 0 ||
                         data_.stats.damaged_object_count != 0;
    page_.Text("p",
               damaged
                   ? "✗ Damage was found: tidemark verify " + store_ +
                         " lists all of it, and tidemark salvage brings out what is whole."
                   : "✓ Nothing damaged was met. This page reads what lists and histories need, "
                     "not every page: tidemark verify does.",
               damaged ? "bad" : "");
    std::string scrub = TimeOrNever(health.last_scrub);
    if (health.last_scrub != Timestamp()) {
      scrub += health.scrub_damage == 0 ? ", every hash was right"
                                        : ", found " + Plural(health.scrub_damage, "damaged place");
    }
    std::string drill = TimeOrNever(health.last_drill);
    if (health.last_drill != Timestamp()) {
      drill += health.last_drill_ok ? ", the state was right" : ", it FAILED";
    }
    std::vector<std::pair<std::string, std::string>> facts = {
        {"Last scrub", scrub},
        {"Last restore drill", drill},
        {"Oldest state found right", TimeOrNever(health.oldest_verified)},
        {"Damaged objects", FormatCount(data_.stats.damaged_object_count)}};
    if (data_.stats.purge_count != 0) {
      facts.emplace_back("Interrupted purges", FormatCount(data_.stats.purge_count) +
                                                   ": run tidemark purge again for these");
    }
    page_.Facts(facts);
    if (data_.damage.empty()) return;
    page_.Text("h3", "Damage: " + Shown(data_.damage.size(), data_.damage_total));
    std::vector<Row> rows;
    for (const DamageFacts& damage : data_.damage) {
      rows.push_back(
          {damage.object.empty() ? "(of no one object)" : damage.object, damage.message});
    }
    page_.Table({{"Object", kName}, {"What is wrong", kName}}, rows);
  }

  void Space() {
    page_.Text("h2", "Space");
    const StoreStats& stats = data_.stats;
    const uint64_t spare = stats.log_file_bytes - std::min(stats.log_file_bytes, stats.log_bytes);
    PageChart chart{.title = "space on disk", .axis = "", .bytes = true, .across = true};
    chart.labels = {"packed history", "log, waiting to be packed", "log, other", "log, unused room",
                    "index"};
    const uint64_t packed = std::min(stats.history_bytes, stats.log_bytes);
    const uint64_t waiting = std::min(stats.waiting_bytes, stats.log_bytes - packed);
    chart.values = {packed, waiting, stats.log_bytes - packed - waiting, spare,
                    stats.index_file_bytes};
    page_.AddChart(chart);
    std::vector<Row> rows;
    for (size_t i = 0; i < chart.labels.size(); ++i) {
      rows.push_back({chart.labels[i], FormatBytes(chart.values[i])});
    }
    page_.TableBehind({{"What"}, {"Bytes", kNumber}}, rows);
    page_.Facts({{"Log", FormatBytes(stats.log_file_bytes) + " in " +
                             Plural(stats.segment_count, "segment") + ", " +
                             FormatCount(stats.packed_segment_count) + " of them packed"},
                 {"Index", FormatBytes(stats.index_bytes) + " used in a file of " +
                               FormatBytes(stats.index_file_bytes)},
                 {"Store", stats.store_id + ", opened " + FormatCount(stats.epoch) +
                               " times, last LSN " + std::to_string(stats.last_lsn.value)}});
  }

  void Commits() {
    page_.Text("h2", "Commits over time");
    const std::string looked =
        !data_.commits_cut
            ? "All commits that can be gone back to."
            : FormatCount(data_.commits_looked_at) + " of about " + FormatCount(data_.commits) +
                  " commits: those of " + Plural(data_.objects_looked_at, "object") +
                  ", in the order of ids, which is random (--commits looks at more).";
    page_.Text("p", looked + " Their bytes are what they take in the log now.", "note");
    const std::vector<TimeBuckets::Bucket> buckets = data_.times.Buckets();
    const std::string axis = "UTC, " + FormatSpan(data_.times.width()) + " a bar";
    PageChart counts{.title = "commits over time", .axis = axis};
    PageChart bytes{.title = "space by the age of commits", .axis = axis, .bytes = true};
    std::vector<Row> rows;
    for (const TimeBuckets::Bucket& bucket : buckets) {
      const std::string label = data_.times.Label(bucket);
      counts.labels.push_back(label);
      counts.values.push_back(bucket.count);
      bytes.labels.push_back(label);
      bytes.values.push_back(bucket.bytes);
      rows.push_back({label, FormatCount(bucket.count), FormatBytes(bucket.bytes)});
    }
    page_.Text("h3", "Commits");
    page_.AddChart(counts);
    page_.Text("h3", "Space by age");
    page_.AddChart(bytes);
    page_.TableBehind({{"From (" + axis + ")"}, {"Commits", kNumber}, {"Bytes", kNumber}}, rows);
  }

  void ObjectList(const std::vector<ObjectFacts>& objects, const PageChart& described) {
    PageChart chart = described;
    chart.across = true;
    std::vector<Row> rows;
    for (const ObjectFacts& object : objects) {
      if (chart.values.size() < kChartedObjects) {
        chart.labels.push_back(PrintableLine(object.name));
        chart.values.push_back(chart.bytes ? object.bytes : object.commits);
      }
      rows.push_back({object.name, FormatBytes(object.bytes), FormatCount(object.commits),
                      TimeOrNever(object.last_change)});
    }
    page_.AddChart(chart);
    page_.Table({{"Object", kName}, {"Size", kNumber}, {"Commits", kNumber}, {"Last change"}},
                rows);
  }

  void HistogramOf(const Histogram& histogram, const PageChart& described) {
    PageChart chart = described;
    std::vector<Row> rows;
    for (size_t step = 0; step < histogram.used(); ++step) {
      const auto text = [&](uint64_t size) {
        return described.bytes ? FormatBytes(size) : FormatCount(size);
      };
      const std::string label = step + 1 == Histogram::kSteps
                                    ? text(histogram.End(step - 1)) + " and more"
                                    : "below " + text(histogram.End(step));
      chart.labels.push_back(label);
      chart.values.push_back(histogram.counts[step]);
      rows.push_back({label, FormatCount(histogram.counts[step])});
    }
    chart.bytes = false;  // the values are numbers of objects
    page_.AddChart(chart);
    page_.TableBehind({{chart.axis}, {"Objects", kNumber}}, rows);
  }

  void Objects() {
    page_.Text("h2", "Objects");
    page_.Text("h3", "By size: " + Shown(data_.by_size.Items().size(), data_.by_size.total()));
    ObjectList(data_.by_size.Items(), {.title = "the largest objects", .axis = "", .bytes = true});
    page_.Text("h3",
               "By history: " + Shown(data_.by_history.Items().size(), data_.by_history.total()) +
                   ", deleted ones included");
    ObjectList(data_.by_history.Items(), {.title = "the objects with most commits", .axis = ""});
    page_.Text("h3", "How large they are");
    HistogramOf(data_.sizes, {.title = "objects by size", .axis = "Size", .bytes = true});
    page_.Text("h3", "How many commits they have");
    HistogramOf(data_.histories, {.title = "objects by number of commits", .axis = "Commits"});
    const std::vector<NamespaceFacts>& namespaces = data_.namespaces.Items();
    page_.Text("h3", "Namespaces: " + Shown(namespaces.size(), data_.namespaces.total()));
    std::vector<Row> rows;
    for (const NamespaceFacts& facts : namespaces) {
      rows.push_back({facts.name, FormatCount(facts.objects), FormatCount(facts.deleted),
                      FormatBytes(facts.bytes), FormatCount(facts.commits)});
    }
    page_.Table({{"Namespace", kName},
                 {"Objects", kNumber},
                 {"Deleted", kNumber},
                 {"Size", kNumber},
                 {"Commits", kNumber}},
                rows);
  }

  void Retention() {
    page_.Text("h2", "Retention");
    const StoreStats& stats = data_.stats;
    std::vector<std::pair<std::string, std::string>> facts = {
        {"Policy", data_.policy ? DescribePolicy(data_.policy->policy) : "its record is damaged"},
        {"Horizon", stats.horizon == Timestamp()
                        ? "none: nothing has expired"
                        : FormatLocalTime(stats.horizon) + ": bookmarks reach back to here"},
        {"Budget for history",
         stats.budget_bytes == 0
             ? "none"
             : FormatBytes(stats.budget_bytes) + ", " + FormatBytes(stats.history_bytes) + " used"},
        {"Objects with an alarm", FormatCount(stats.alarm_count)}};
    if (stats.budget_is_unmet) facts.emplace_back("Over the budget", kUnmetBudget);
    if (stats.clock_alarm) {
      facts.emplace_back("PAUSED", "nothing expires: the clock said " +
                                       FormatLocalTime(stats.clock_alarm->to) + " where about " +
                                       FormatLocalTime(stats.clock_alarm->from) +
                                       " was to be expected; see tidemark retention --help");
    }
    page_.Facts(facts);
    if (data_.retention.empty()) return;
    page_.Text("h3", "Policies and holds: " + Shown(data_.retention.size(), data_.retention_total));
    std::vector<Row> rows;
    for (const RetentionEntry& entry : data_.retention) {
      rows.push_back({entry.scope, DescribeRule(entry)});
    }
    page_.Table({{"Of", kName}, {"What", kName}}, rows);
  }

  void Restores() {
    const std::vector<RestoreFacts>& restores = data_.restores.Items();
    page_.Text("h2", "Restore journal: " + Shown(restores.size(), data_.restores.total()));
    page_.Text("p",
               "Restores, promotes, deletions and their undoing, newest first. Restoring to FROM "
               "undoes one.",
               "note");
    std::vector<Row> rows;
    for (const RestoreFacts& restore : restores) {
      rows.push_back({FormatLocalTime(restore.entry.time), restore.object,
                      std::string(CommitKindName(restore.entry.kind)),
                      restore.entry.from.ToString(),
                      restore.entry.to ? restore.entry.to->ToString() : ""});
    }
    page_.Table({{"Time"}, {"Object", kName}, {"What"}, {"From"}, {"To"}}, rows);
  }

  void Labels() {
    const std::vector<LabelFacts>& labels = data_.labels.Items();
    page_.Text("h2", "Labels: " + Shown(labels.size(), data_.labels.total()));
    page_.Text("p", "Those that somebody set, newest first; automatic ones are left out.", "note");
    std::vector<Row> rows;
    for (const LabelFacts& facts : labels) {
      const LabelInfo& label = facts.label;
      rows.push_back({facts.object, label.name, FormatLocalTime(label.made),
                      label.damage.ok() ? FormatLocalTime(label.commit.time) : "damaged",
                      label.bookmark.ToString()});
    }
    page_.Table(
        {{"Object", kName}, {"Label", kName}, {"Set"}, {"Names the commit of"}, {"Bookmark"}},
        rows);
  }

  ReportData& data_;
  const std::string& store_;
  HtmlPage page_;
};

}  // namespace

std::string ReportPage(ReportData& data, const std::string& store, std::string_view chart_library) {
  return Page(data, store, chart_library).Write();
}

}  // namespace tidemark::tools
