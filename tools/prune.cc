// tidemark prune: lets expire what is behind the windows, and says what that is.

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/byte_size.h"
#include "tools/console.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  bool dry_run = false;
};

// One line of the plan.
struct Row {
  std::string object;
  uint64_t commits = 0;
  std::string oldest;  // bookmarks
  std::string newest;
  Timestamp oldest_time;
  Timestamp newest_time;
};

std::string BookmarkOf(const ExpiringObject& object, const CommitInfo& commit) {
  return Bookmark{.epoch = commit.epoch,
                  .lsn = commit.lsn,
                  .object_tag = ObjectTag(object.id),
                  .state_hash = commit.state_hash}
      .ToString();
}

// What stands in the place of files can be longer than they were.
uint64_t Freed(const ReclaimReport& reclaimed) {
  return reclaimed.bytes_before - std::min(reclaimed.bytes_before, reclaimed.bytes_after);
}

void PrintJsonPlan(const std::string& store, bool done, const StoreStats& stats,
                   const std::vector<Row>& rows, uint64_t commits, uint64_t freed_bytes) {
  Json document = {{"store", store},
                   {"done", done},
                   {"freed_bytes", freed_bytes},
                   {"budget_bytes", stats.budget_bytes == 0 ? Json() : Json(stats.budget_bytes)},
                   {"history_bytes", stats.history_bytes},
                   {"budget_unmet", stats.budget_is_unmet},
                   {"commits", commits}};
  // The objects one by one: a million of them make no tree in memory.
  std::string begin = DumpJson(document);
  begin.pop_back();
  Print(begin + ",\"objects\":[");
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    const Json json = {{"object", row.object}, {"commits", row.commits},
                       {"oldest", row.oldest}, {"oldest_time", FormatTime(row.oldest_time)},
                       {"newest", row.newest}, {"newest_time", FormatTime(row.newest_time)}};
    Print((i == 0 ? "" : ",") + DumpJson(json));
  }
  PrintLine("]}");
}

void PrintPlan(bool done, const std::vector<Row>& rows, uint64_t commits, uint64_t files,
               uint64_t freed_bytes) {
  if (rows.empty() && files == 0 && freed_bytes == 0) {
    return PrintLine("nothing is older than it is to be kept");
  }
  Table table({{"OBJECT"}, {"COMMITS", Align::kRight}, {"FROM"}, {"TO"}});
  for (const Row& row : rows) {
    table.AddRow({row.object, FormatCount(row.commits), FormatLocalTime(row.oldest_time),
                  FormatLocalTime(row.newest_time)});
  }
  table.Finish();
  const std::string what = Plural(commits, "commit") + " of " + Plural(rows.size(), "object");
  if (done) {
    PrintLine(what + (commits == 1 ? " has" : " have") + " expired; " + Plural(files, "file") +
              " of the log written anew, " + FormatBytes(freed_bytes) + " freed");
  } else {
    PrintLine(what + " would expire, about " + FormatBytes(freed_bytes) +
              " freed; without --dry-run " + (commits == 1 ? "it does" : "they do"));
  }
}

// Of what stands now.
void PrintBudget(const StoreStats& stats) {
  if (stats.budget_bytes == 0 || stats.history_bytes <= stats.budget_bytes) return;
  PrintLine("history takes " + FormatBytes(stats.history_bytes) + ", its budget is " +
            FormatBytes(stats.budget_bytes) +
            (stats.budget_is_unmet ? std::string(": ") + kUnmetBudget : ""));
}

void Run(const Arguments& arguments, bool json) {
  Session session(arguments.store);
  std::vector<Row> rows;
  uint64_t commits = 0;
  uint64_t freed_bytes = 0;
  Progress progress("looking");
  OrThrow(session.store().PlanPrune(
              [&](const ExpiringObject& object) {
                rows.push_back({.object = object.display_name,
                                .commits = object.commits,
                                .oldest = BookmarkOf(object, object.oldest),
                                .newest = BookmarkOf(object, object.newest),
                                .oldest_time = object.oldest.time,
                                .newest_time = object.newest.time});
                commits += object.commits;
                progress.Update(rows.size(), 0);
                return true;
              },
              arguments.dry_run ? &freed_bytes : nullptr),
          session.AboutStore());
  progress.Hide();
  ReclaimReport reclaimed;
  if (!arguments.dry_run) {
    OrThrow(session.store().Prune(), session.AboutStore());
    reclaimed = OrThrow(session.store().Reclaim(), session.AboutStore());
    freed_bytes = Freed(reclaimed);
  }
  const StoreStats stats = session.store().Stats();
  session.Close();
  if (json) {
    PrintJsonPlan(session.path(), !arguments.dry_run, stats, rows, commits, freed_bytes);
  } else {
    PrintPlan(!arguments.dry_run, rows, commits, reclaimed.files, freed_bytes);
    PrintBudget(stats);
  }
}

}  // namespace

void AddPrune(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "prune",
       .summary = "Let history expire that is older than it is to be kept, and free its space",
       .usage = "STORE [--dry-run]",
       .details =
           "A program that has the store open does this by itself, within a day and little "
           "by little; the other\ncommands of tidemark do not. By the policies that "
           "`tidemark retention` shows. What labels name, and\nwhat is held, stays. What "
           "expires can be restored no more, and does not come back. Where history takes more "
           "than the store's\nbudget, its oldest part expires before its time; to find out how "
           "much is read, some times, what would\nbe written anew. With --dry-run\nnothing "
           "expires: it only says what would. Files of the log of which little is needed any "
           "more are\nwritten anew without the rest.",
       .example = "tidemark prune /var/lib/rooms --dry-run",
       .json_fields =
           "{\"store\",\"done\",\"freed_bytes\",\"budget_bytes\",\"history_bytes\","
           "\"budget_unmet\",\"commits\",\n\"objects\":[{\"object\",\"commits\",\"oldest\","
           "\"oldest_time\",\"newest\",\"newest_time\"}]}; freed_bytes: with\n--dry-run about; "
           "budget_bytes: null if there is none; history_bytes: what counts against it, as it is "
           "now;\nbudget_unmet: no more of it may go; commits: bookmarks that become unreachable; "
           "oldest and newest: of\nthem, bookmarks"},
      &arguments->store, invocation);
  verb.Flag("--dry-run", "Only say what would expire", &arguments->dry_run);
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
