#include "tools/report_page.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "tools/byte_size.h"
#include "tools/report_assets.h"
#include "tools/retention_text.h"
#include "tools/span.h"
#include "tools/text.h"

namespace tidemark::tools {

namespace {

constexpr size_t kChartedObjects = 12;

struct PageColumn {
  enum class Kind { kText, kName, kNumber };  // names are what users chose
  std::string title;
  Kind kind = Kind::kText;
};
constexpr auto kName = PageColumn::Kind::kName;
constexpr auto kNumber = PageColumn::Kind::kNumber;

struct Chart {
  std::string title;
  std::string axis;     // what the labels are; may be empty
  bool bytes = false;   // the values are
  bool across = false;  // bars lie, their labels are names
  std::vector<std::string> labels{};
  std::vector<uint64_t> values{};
};

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
      : data_(data), store_(store), chart_library_(chart_library) {}

  std::string Write() {
    Head();
    Health();
    Space();
    Commits();
    Objects();
    Retention();
    Restores();
    Labels();
    Scripts();
    return std::move(html_);
  }

 private:
  using Row = std::vector<std::string>;

  // ---- what the page is made of ----

  void Text(const std::string& element, const std::string& text, const char* kind = "") {
    html_ += "<" + element + (*kind == '\0' ? "" : std::string(" class=\"") + kind + "\"") + ">" +
             EscapeHtml(text) + "</" + element + ">\n";
  }

  // A heading in each row.
  void Facts(const std::vector<std::pair<std::string, std::string>>& facts) {
    html_ += "<table class=\"facts\"><tbody>\n";
    for (const auto& [name, value] : facts) {
      html_ += "<tr><th scope=\"row\">" + EscapeHtml(name) + "</th><td>" + EscapeHtml(value) +
               "</td></tr>\n";
    }
    html_ += "</tbody></table>\n";
  }

  void Table(const std::vector<PageColumn>& columns, const std::vector<Row>& rows) {
    html_ += "<div class=\"scroll\"><table><thead><tr>";
    for (const PageColumn& column : columns) {
      html_ += std::string("<th scope=\"col\"") +
               (column.kind == kNumber ? " class=\"number\"" : "") + ">" +
               EscapeHtml(column.title) + "</th>";
    }
    html_ += "</tr></thead><tbody>\n";
    for (const Row& row : rows) {
      html_ += "<tr>";
      for (size_t i = 0; i < row.size(); ++i) {
        const auto kind = columns[i].kind;
        // A name may be written from right to left: that must not turn what stands beside it.
        html_ += std::string(kind == kNumber ? "<td class=\"number\">"
                             : kind == kName ? "<td class=\"name\">"
                                             : "<td>") +
                 (kind == kName ? "<bdi>" : "") + EscapeHtml(row[i]) +
                 (kind == kName ? "</bdi>" : "") + "</td>";
      }
      html_ += "</tr>\n";
    }
    html_ += "</tbody></table></div>\n";
  }

  void AddChart(const Chart& chart) {
    if (chart_library_.empty() || chart.values.empty()) return;
    const std::string id = "chart" + std::to_string(charts_.size());
    const size_t height = chart.across ? 60 + 28 * chart.values.size() : 260;
    html_ += "<figure><div class=\"chart\" style=\"height:" + std::to_string(height) +
             "px\"><canvas id=\"" + id + "\" role=\"img\" aria-label=\"" +
             EscapeHtml("Bar chart: " + chart.title + "; the table behind it has the same") +
             "\"></canvas></div></figure>\n";
    charts_.push_back({{"id", id},
                       {"axis", chart.axis},
                       {"bytes", chart.bytes},
                       {"across", chart.across},
                       {"labels", chart.labels},
                       {"values", chart.values}});
  }

  // A table that a chart stands for, where there is one.
  void TableBehind(const std::vector<PageColumn>& columns, const std::vector<Row>& rows) {
    html_ += chart_library_.empty() ? "<details open>" : "<details>";
    html_ += "<summary>as a table</summary>\n";
    Table(columns, rows);
    html_ += "</details>\n";
  }

  // ---- its sections ----

  void Head() {
    html_ =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        // It asks nobody for anything, whatever stands in it.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
        "<title>" +
        EscapeHtml("Tidemark: " + store_) + "</title>\n<style>\n" + std::string(kReportStyle) +
        "</style>\n</head>\n<body>\n<main>\n";
    Text("h1", "Store " + store_);
    Text("p", Plural(data_.objects, "object") + " of " + FormatBytes(data_.bytes) +
                  (data_.deleted == 0 ? std::string()
                                      : " (and " + Plural(data_.deleted, "deleted object") + ")") +
                  ", in " + Plural(data_.namespaces.total(), "namespace") + "; " +
                  (data_.commits_cut ? "about " : "") + Plural(data_.commits, "commit") +
                  " that can be gone back to. Made " + FormatLocalTime(data_.made) + ".");
    if (chart_library_.empty()) {
      Text("p",
           "Charts are not built into this tidemark: npm could not get Chart.js when it was built. "
           "The tables have all that they would show.",
           "note");
    }
  }

  void Health() {
    Text("h2", "Health");
    const StoreHealth& health = data_.stats.health;
    const bool damaged = data_.damage_total != 0 || health.scrub_damage != 0 ||
                         data_.stats.damaged_object_count != 0;
    Text("p",
         damaged ? "✗ Damage was found: tidemark verify " + store_ +
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
    Facts(facts);
    if (data_.damage.empty()) return;
    Text("h3", "Damage: " + Shown(data_.damage.size(), data_.damage_total));
    std::vector<Row> rows;
    for (const DamageFacts& damage : data_.damage) {
      rows.push_back(
          {damage.object.empty() ? "(of no one object)" : damage.object, damage.message});
    }
    Table({{"Object", kName}, {"What is wrong", kName}}, rows);
  }

  void Space() {
    Text("h2", "Space");
    const StoreStats& stats = data_.stats;
    const uint64_t spare = stats.log_file_bytes - std::min(stats.log_file_bytes, stats.log_bytes);
    Chart chart{.title = "space on disk", .axis = "", .bytes = true, .across = true};
    chart.labels = {"packed history", "log, waiting to be packed", "log, other", "log, unused room",
                    "index"};
    const uint64_t packed = std::min(stats.history_bytes, stats.log_bytes);
    const uint64_t waiting = std::min(stats.waiting_bytes, stats.log_bytes - packed);
    chart.values = {packed, waiting, stats.log_bytes - packed - waiting, spare,
                    stats.index_file_bytes};
    AddChart(chart);
    std::vector<Row> rows;
    for (size_t i = 0; i < chart.labels.size(); ++i) {
      rows.push_back({chart.labels[i], FormatBytes(chart.values[i])});
    }
    TableBehind({{"What"}, {"Bytes", kNumber}}, rows);
    Facts({{"Log", FormatBytes(stats.log_file_bytes) + " in " +
                       Plural(stats.segment_count, "segment") + ", " +
                       FormatCount(stats.packed_segment_count) + " of them packed"},
           {"Index", FormatBytes(stats.index_bytes) + " used in a file of " +
                         FormatBytes(stats.index_file_bytes)},
           {"Store", stats.store_id + ", opened " + FormatCount(stats.epoch) + " times, last LSN " +
                         std::to_string(stats.last_lsn.value)}});
  }

  void Commits() {
    Text("h2", "Commits over time");
    const std::string looked =
        !data_.commits_cut
            ? "All commits that can be gone back to."
            : FormatCount(data_.commits_looked_at) + " of about " + FormatCount(data_.commits) +
                  " commits: those of " + Plural(data_.objects_looked_at, "object") +
                  ", in the order of ids, which is random (--commits looks at more).";
    Text("p", looked + " Their bytes are what they take in the log now.", "note");
    const std::vector<TimeBuckets::Bucket> buckets = data_.times.Buckets();
    const std::string axis = "UTC, " + FormatSpan(data_.times.width()) + " a bar";
    Chart counts{.title = "commits over time", .axis = axis};
    Chart bytes{.title = "space by the age of commits", .axis = axis, .bytes = true};
    std::vector<Row> rows;
    for (const TimeBuckets::Bucket& bucket : buckets) {
      const std::string label = data_.times.Label(bucket);
      counts.labels.push_back(label);
      counts.values.push_back(bucket.count);
      bytes.labels.push_back(label);
      bytes.values.push_back(bucket.bytes);
      rows.push_back({label, FormatCount(bucket.count), FormatBytes(bucket.bytes)});
    }
    Text("h3", "Commits");
    AddChart(counts);
    Text("h3", "Space by age");
    AddChart(bytes);
    TableBehind({{"From (" + axis + ")"}, {"Commits", kNumber}, {"Bytes", kNumber}}, rows);
  }

  void ObjectList(const std::vector<ObjectFacts>& objects, const Chart& described) {
    Chart chart = described;
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
    AddChart(chart);
    Table({{"Object", kName}, {"Size", kNumber}, {"Commits", kNumber}, {"Last change"}}, rows);
  }

  void HistogramOf(const Histogram& histogram, const Chart& described) {
    Chart chart = described;
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
    AddChart(chart);
    TableBehind({{chart.axis}, {"Objects", kNumber}}, rows);
  }

  void Objects() {
    Text("h2", "Objects");
    Text("h3", "By size: " + Shown(data_.by_size.Items().size(), data_.by_size.total()));
    ObjectList(data_.by_size.Items(), {.title = "the largest objects", .axis = "", .bytes = true});
    Text("h3", "By history: " + Shown(data_.by_history.Items().size(), data_.by_history.total()) +
                   ", deleted ones included");
    ObjectList(data_.by_history.Items(), {.title = "the objects with most commits", .axis = ""});
    Text("h3", "How large they are");
    HistogramOf(data_.sizes, {.title = "objects by size", .axis = "Size", .bytes = true});
    Text("h3", "How many commits they have");
    HistogramOf(data_.histories, {.title = "objects by number of commits", .axis = "Commits"});
    const std::vector<NamespaceFacts>& namespaces = data_.namespaces.Items();
    Text("h3", "Namespaces: " + Shown(namespaces.size(), data_.namespaces.total()));
    std::vector<Row> rows;
    for (const NamespaceFacts& facts : namespaces) {
      rows.push_back({facts.name, FormatCount(facts.objects), FormatCount(facts.deleted),
                      FormatBytes(facts.bytes), FormatCount(facts.commits)});
    }
    Table({{"Namespace", kName},
           {"Objects", kNumber},
           {"Deleted", kNumber},
           {"Size", kNumber},
           {"Commits", kNumber}},
          rows);
  }

  void Retention() {
    Text("h2", "Retention");
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
    Facts(facts);
    if (data_.retention.empty()) return;
    Text("h3", "Policies and holds: " + Shown(data_.retention.size(), data_.retention_total));
    std::vector<Row> rows;
    for (const RetentionEntry& entry : data_.retention) {
      rows.push_back({entry.scope, DescribeRule(entry)});
    }
    Table({{"Of", kName}, {"What", kName}}, rows);
  }

  void Restores() {
    const std::vector<RestoreFacts>& restores = data_.restores.Items();
    Text("h2", "Restore journal: " + Shown(restores.size(), data_.restores.total()));
    Text("p",
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
    Table({{"Time"}, {"Object", kName}, {"What"}, {"From"}, {"To"}}, rows);
  }

  void Labels() {
    const std::vector<LabelFacts>& labels = data_.labels.Items();
    Text("h2", "Labels: " + Shown(labels.size(), data_.labels.total()));
    Text("p", "Those that somebody set, newest first; automatic ones are left out.", "note");
    std::vector<Row> rows;
    for (const LabelFacts& facts : labels) {
      const LabelInfo& label = facts.label;
      rows.push_back({facts.object, label.name, FormatLocalTime(label.made),
                      label.damage.ok() ? FormatLocalTime(label.commit.time) : "damaged",
                      label.bookmark.ToString()});
    }
    Table({{"Object", kName}, {"Label", kName}, {"Set"}, {"Names the commit of"}, {"Bookmark"}},
          rows);
  }

  void Scripts() {
    html_ += "</main>\n";
    if (!charts_.empty()) {
      // No text may end the element early, nor begin a comment in it.
      std::string data;
      for (const char c : DumpJson(charts_)) data += c == '<' ? "\\u003c" : std::string(1, c);
      html_ +=
          "<script type=\"application/json\" id=\"chart-data\">" + data + "</script>\n<script>";
      html_ += chart_library_;
      html_ += "</script>\n<script>\n" + std::string(kReportScript) + "</script>\n";
    }
    html_ += "</body>\n</html>\n";
  }

  ReportData& data_;
  const std::string& store_;
  const std::string_view chart_library_;
  std::string html_;
  Json charts_ = Json::array();
};

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  for (const char c : PrintableLine(text)) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      case '\'': escaped += "&#39;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

std::string ReportPage(ReportData& data, const std::string& store, std::string_view chart_library) {
  return Page(data, store, chart_library).Write();
}

}  // namespace tidemark::tools
