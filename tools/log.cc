// tidemark log: the commits of an object, newest first.

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <variant>
#include <vector>

#include "tools/console.h"
#include "tools/log.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/verbs.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string object;
  uint64_t limit = LogOptions().limit;
  std::optional<std::string> since;
  std::optional<std::string> until;
};

// From which commit to which; `since` is a time unless it is the LSN of a bookmark's commit.
struct Range {
  Lsn newest = Lsn(UINT64_MAX);
  Lsn oldest;
  Timestamp since = Timestamp::min();

  bool BeginsBehind(const CommitInfo& commit) const {
    return commit.lsn < oldest || commit.time < since;
  }
};

// What stands beside commits, by their LSNs.
struct Notes {
  std::map<Lsn, Bookmark> restored;  // what a restore brought back
  std::map<Lsn, std::vector<std::string>> labels;

  std::vector<std::string> LabelsOf(Lsn lsn) const {
    const auto it = labels.find(lsn);
    return it == labels.end() ? std::vector<std::string>() : it->second;
  }
};

class Printer {
 public:
  Printer(const Object& object, Subject about, Notes notes, bool json)
      : object_(object), about_(std::move(about)), notes_(std::move(notes)), json_(json) {}

  void Begin(const std::string& store) {
    if (json_) {
      Print("{\"store\":" + DumpJson(store) + ",\"object\":" + DumpJson(object_.DisplayName()) +
            ",\"commits\":[");
    }
  }

  void Commit(const CommitInfo& commit) {
    const auto restore = notes_.restored.find(commit.lsn);
    std::string restored = restore == notes_.restored.end() ? "" : restore->second.ToString();
    std::string source;  // the object that the bookmark is of, if it is another one
    if (commit.kind == CommitKind::kFork || commit.kind == CommitKind::kPromote) {
      const ForkSource from = OrThrow(object_.SourceOf(commit), about_);
      restored = from.bookmark.ToString();
      source = from.display_name;
    }
    const std::vector<std::string> labels = notes_.LabelsOf(commit.lsn);
    if (json_) {
      Json row = CommitJson(object_, commit);
      if (restored.empty()) {
        row["restored"] = nullptr;
      } else {
        row["restored"] = restored;
      }
      if (source.empty()) {
        row["source"] = nullptr;
      } else {
        row["source"] = source;
      }
      row["labels"] = labels;
      row["damage"] = nullptr;
      Print((count_ == 0 ? "" : ",") + DumpJson(row));
    } else {
      std::string what(CommitKindName(commit.kind));
      if (!source.empty()) what += " of " + source + " at";
      if (!restored.empty()) what += (source.empty() ? " of " : " ") + restored;
      if (commit.schema_changed) what += ", schema";
      if (commit.alarm) what += ", alarm " + FormatLocalTime(*commit.alarm);
      table_.AddRow({object_.BookmarkOf(commit).ToString(), FormatLocalTime(commit.time),
                     FormatCount(commit.pages_changed), FormatBytes(commit.log_bytes), what,
                     Join(labels)});
    }
    ++count_;
  }

  void Damaged(const DamagedCommit& commit) {
    if (json_) {
      Json row = CommitJson(object_, CommitInfo());
      for (Json& field : row) field = nullptr;
      row["lsn"] = commit.lsn.value;
      row["restored"] = row["source"] = nullptr;
      row["labels"] = notes_.LabelsOf(commit.lsn);
      row["damage"] = commit.why.message();
      Print((count_ == 0 ? "" : ",") + DumpJson(row));
    } else {
      table_.AddRow({"(none: LSN " + std::to_string(commit.lsn.value) + " is damaged)", "", "", "",
                     commit.why.message(), Join(notes_.LabelsOf(commit.lsn))});
    }
    ++count_;
    ++damaged_;
  }

  void End(bool more, const std::string& more_hint) {
    if (json_) {
      Print(more ? "],\"more\":true}\n" : "],\"more\":false}\n");
      return;
    }
    table_.Finish();
    if (more) {
      FlushOutput();
      PrintNote("older commits are not shown; " + more_hint);
    }
  }

  uint64_t count() const { return count_; }
  uint64_t damaged() const { return damaged_; }

 private:
  static std::string Join(const std::vector<std::string>& labels) {
    std::string text;
    for (const std::string& label : labels) text += (text.empty() ? "" : ", ") + label;
    return text;
  }

  const Object& object_;
  const Subject about_;
  const Notes notes_;
  const bool json_;
  uint64_t count_ = 0;
  uint64_t damaged_ = 0;
  Table table_{{{"BOOKMARK"},
                {"TIME"},
                {"PAGES", Align::kRight},
                {"BYTES", Align::kRight},
                {"WHAT"},
                {"LABELS"}}};
};

void Run(const Arguments& arguments, bool json) {
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  LogOptions options;
  options.limit = arguments.limit;
  options.json = json;
  if (arguments.since) options.since = ParsePointArgument(*arguments.since, arguments.store, name);
  if (arguments.until) options.until = ParsePointArgument(*arguments.until, arguments.store, name);
  Session session(arguments.store);
  ShowLog(session, *session.OpenObject(name, IfMissing::kDeleted), options);
  session.Close();
}

}  // namespace

void ShowLog(Session& session, const Object& object, const LogOptions& options) {
  const Subject about = session.AboutObject(object.DisplayName());
  Range range;
  if (options.until) range.newest = session.ResolveCommit(object, options.until).lsn;
  if (options.since && std::holds_alternative<Timestamp>(*options.since)) {
    range.since = std::get<Timestamp>(*options.since);  // may be before the object's first commit
  } else if (options.since) {
    range.oldest = session.ResolveCommit(object, options.since).lsn;
  }
  Notes notes;
  for (const RestoreEntry& entry : OrThrow(session.store().ListRestores(object), about)) {
    if (entry.to) notes.restored[entry.lsn] = *entry.to;
  }
  for (const LabelInfo& label : OrThrow(object.ListLabels(), about)) {
    if (!label.name.empty()) notes.labels[label.bookmark.lsn].push_back(label.name);
  }
  Printer printer(object, about, std::move(notes), options.json);
  bool more = false;
  Progress progress("reading");
  printer.Begin(session.path());
  const auto has_room = [&] {
    more = options.limit != 0 && printer.count() == options.limit;
    return !more && !(options.stop && options.stop());
  };
  const Status status = object.History(
      [&](const CommitInfo& commit) {
        if (range.BeginsBehind(commit) || !has_room()) return false;
        printer.Commit(commit);
        if (!options.json) progress.Update(printer.count(), 0);  // JSON is printed as it comes
        return true;
      },
      [&](const DamagedCommit& commit) {
        if (commit.lsn < range.oldest || !has_room()) return false;
        printer.Damaged(commit);
        return true;
      },
      range.newest);
  progress.Hide();
  printer.End(more, options.more_hint);
  OrThrow(status, about);
  if (printer.damaged() != 0) {
    throw Failure(StatusCodeName(StatusCode::kCorruption), kExitDamage,
                  "object " + object.DisplayName() + " has " +
                      Plural(printer.damaged(), "damaged commit") + " in " + session.path(),
                  "the commits below a damaged one are whole: restore to one of them, or bring "
                  "the files back from a backup; tidemark verify lists all damage");
  }
}

void AddLog(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "log",
       .summary = "List the commits of an object, newest first",
       .usage = "STORE OBJECT [--since POINT] [--until POINT] [--limit N]",
       .details =
           "PAGES is what a commit changed, BYTES what it took in the log; \"schema\" marks one "
           "that changed\ntables, indexes, views or triggers. Commits that a restore left behind "
           "are "
           "listed too: their\nbookmarks still work, also those of a deleted object. A damaged one "
           "is "
           "listed as such; the exit\ncode is then 3.\n" +
           std::string(kPointHelp),
       .example = "tidemark log /var/lib/rooms rooms/lobby --limit 10\n"
                  "tidemark log /var/lib/rooms rooms/lobby --since \"1 hour ago\"",
       .json_fields =
           "{\"store\",\"object\",\"commits\":[…],\"more\"}; more: older commits exist. "
           "A commit has\n" +
           std::string(kCommitFields) +
           ",\nrestored (the bookmark that was brought back, or that was forked or promoted, else "
           "null), source\n(the object of that bookmark if it is another one, else null), labels "
           "(their "
           "names), damage (null; of a\ndamaged commit what is wrong: its other fields but lsn and "
           "labels are null)"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.Option("--since", "Only commits at or after this POINT", &arguments->since);
  verb.Option("--until", "Only commits at or before this POINT", &arguments->until);
  verb.Option("--limit", "At most this many commits; 0 for all", &arguments->limit);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
