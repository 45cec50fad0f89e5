// tidemark diff: which rows of an object, and what of its schema, differ between two points.

#include "tools/diff.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/console.h"
#include "tools/row_json.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/verbs.h"
#include "vfs/diff_script.h"
#include "vfs/row_diff.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string object;
  std::string from;
  std::string to;  // empty: now
  bool sql = false;
  DiffOptions options;
};

struct Counts {
  uint64_t inserted = 0;
  uint64_t deleted = 0;
  uint64_t changed = 0;

  void Add(ChangeKind kind) {
    ++(kind == ChangeKind::kInserted ? inserted : kind == ChangeKind::kDeleted ? deleted : changed);
  }
  uint64_t all() const { return inserted + deleted + changed; }
};

// "NULL", "'it''s'", "1.0", "x'00ff'": so that types can be told apart; long ones are cut short.
std::string ShortText(const RowValue& value) {
  constexpr size_t kMostBytes = 60;
  if (const auto* text = std::get_if<std::string>(&value)) {
    const bool is_long = text->size() > kMostBytes;
    const std::string shown = PrintableLine(text->substr(0, kMostBytes));
    return "'" + shown + (is_long ? "…' (" + FormatBytes(text->size()) + ")" : "'");
  }
  if (const auto* blob = std::get_if<BlobValue>(&value)) {
    const std::string& bytes = blob->bytes;
    const bool is_long = bytes.size() > kMostBytes / 2;
    return "x'" + Hex(bytes.data(), std::min(bytes.size(), kMostBytes / 2)) +
           (is_long ? "…' (" + FormatBytes(bytes.size()) + ")" : "'");
  }
  if (std::holds_alternative<std::monostate>(value)) return "NULL";
  return ValueJson(value);
}

class Printer {
 public:
  Printer(RowDiff& diff, const DiffOptions& options, const Subject& about)
      : diff_(diff), options_(options), about_(about) {
    for (const std::string& name : options.tables) {
      const DiffTable* table = diff.FindTable(name);
      if (table == nullptr) {
        throw Failure(StatusCodeName(StatusCode::kNotFound), kExitFailed,
                      "object " + about.object + " has no table " + name + " at either point",
                      "tidemark sql shows what there is: select name from sqlite_schema");
      }
      chosen_.push_back(table);
    }
    if (chosen_.empty()) {
      for (const DiffTable& table : diff.tables()) chosen_.push_back(&table);
    }
  }

  void Script() {
    std::vector<std::string> names;
    if (!options_.tables.empty()) {
      for (const DiffTable* table : chosen_) names.push_back(table->name);
    }
    bool written = false;
    OrThrow(WriteDiffScript(diff_, names,
                            [&](std::string_view sql) {
                              written = true;
                              Print(sql);
                            }),
            about_);
    if (!written) PrintLine("-- nothing differs");
  }

  void Text() {
    for (const SchemaChange& change : diff_.schema_changes()) {
      if (!Wants(change)) continue;
      something_ = true;
      PrintLine(change.type + " " + PrintableLine(change.name) + " was " +
                (change.kind == ChangeKind::kInserted  ? "made"
                 : change.kind == ChangeKind::kDeleted ? "dropped"
                                                       : "changed"));
      if (!change.before.empty()) PrintLine("  - " + PrintableLine(change.before));
      if (!change.after.empty()) PrintLine("  + " + PrintableLine(change.after));
    }
    Table stat({{"TABLE"},
                {"INSERTED", Align::kRight},
                {"DELETED", Align::kRight},
                {"CHANGED", Align::kRight}});
    for (const DiffTable* table : chosen_) {
      Counts counts;
      OrThrow(diff_.VisitRows(*table,
                              [&](const RowChange& row) {
                                if (!options_.stat) Row(*table, row, counts.all() == 0);
                                counts.Add(row.kind);
                                return true;
                              }),
              about_);
      if (counts.all() == 0) continue;
      something_ = true;
      if (options_.stat) {
        stat.AddRow({PrintableLine(table->name), FormatCount(counts.inserted),
                     FormatCount(counts.deleted), FormatCount(counts.changed)});
      } else {
        PrintLine("  " + Plural(counts.inserted, "row") + " inserted, " +
                  FormatCount(counts.deleted) + " deleted, " + FormatCount(counts.changed) +
                  " changed");
      }
    }
    if (!something_) {
      PrintLine("nothing differs");
    } else if (options_.stat) {
      stat.Finish();
    }
  }

  void AsJson(const Session& session, const Object& object, const CommitInfo& from,
              const CommitInfo& to) {
    Json schema = Json::array();
    for (const SchemaChange& change : diff_.schema_changes()) {
      if (Wants(change)) schema.push_back(SchemaJson(change));
    }
    Print("{\"store\":" + DumpJson(session.path()) + ",\"object\":" +
          DumpJson(object.DisplayName()) + ",\"from\":" + DumpJson(CommitJson(object, from)) +
          ",\"to\":" + DumpJson(CommitJson(object, to)) + ",\"schema\":" + DumpJson(schema) +
          ",\"tables\":[");
    bool first = true;
    for (const DiffTable* table : chosen_) {
      Counts counts;
      const auto begin = [&] {
        Print((first ? "\n{\"table\":" : ",\n{\"table\":") + DumpJson(table->name));
        if (!options_.stat) Print(",\"rows\":[");
        first = false;
      };
      OrThrow(diff_.VisitRows(*table,
                              [&](const RowChange& row) {
                                if (counts.all() == 0) begin();
                                if (!options_.stat) {
                                  Print((counts.all() == 0 ? "\n" : ",\n") + RowJson(*table, row));
                                }
                                counts.Add(row.kind);
                                return true;
                              }),
              about_);
      if (counts.all() == 0) continue;
      Print((options_.stat ? ",\"inserted\":" : "],\"inserted\":") +
            std::to_string(counts.inserted) + ",\"deleted\":" + std::to_string(counts.deleted) +
            ",\"changed\":" + std::to_string(counts.changed) + "}");
    }
    Print("]}\n");
  }

 private:
  bool Wants(const SchemaChange& change) const {
    if (options_.tables.empty()) return true;
    for (const DiffTable* table : chosen_) {
      if (table->name == change.table) return true;
    }
    return false;
  }

  static std::string Values(const std::vector<std::string>& columns,
                            const std::vector<RowValue>& values) {
    std::string text;
    for (size_t i = 0; i < values.size(); ++i) {
      text += (i == 0 ? "" : ", ") + PrintableLine(columns[i]) + "=" + ShortText(values[i]);
    }
    return text;
  }

  static void Row(const DiffTable& table, const RowChange& row, bool first) {
    if (first) PrintLine("table " + PrintableLine(table.name));
    const std::string rowid =
        row.rowid && table.key.empty() ? "rowid " + std::to_string(*row.rowid) + ": " : "";
    if (row.kind != ChangeKind::kInserted) {
      PrintLine("  - " + rowid + Values(table.columns_before, row.before));
    }
    if (row.kind != ChangeKind::kDeleted) {
      PrintLine("  + " + rowid + Values(table.columns_after, row.after));
    }
  }

  RowDiff& diff_;
  const DiffOptions& options_;
  const Subject about_;
  std::vector<const DiffTable*> chosen_;
  bool something_ = false;
};

void Run(const Arguments& arguments, bool json) {
  DiffOptions options = arguments.options;
  if (arguments.sql && (json || options.stat)) {
    throw UsageFailure("diff", "diff: --sql goes with neither --json nor --stat");
  }
  if (json) options.format = DiffOptions::Format::kJson;
  if (arguments.sql) options.format = DiffOptions::Format::kSql;
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  const Point from = ParsePointArgument(arguments.from, arguments.store, name);
  std::optional<Point> to;
  if (!arguments.to.empty()) to = ParsePointArgument(arguments.to, arguments.store, name);
  Session session(arguments.store);
  {
    const std::shared_ptr<Object> object = session.OpenObject(name, IfMissing::kDeleted);
    ShowDiff(session, *object, session.ResolveCommit(*object, from),
             session.ResolveCommit(*object, to), options);
  }
  session.Close();
}

}  // namespace

void ShowDiff(const Session& session, Object& object, const CommitInfo& from, const CommitInfo& to,
              const DiffOptions& options) {
  const Subject about = session.AboutObject(object.DisplayName());
  RowDiff diff = OrThrow(RowDiff::Open(OrThrow(object.OpenSnapshot(from), about),
                                       OrThrow(object.OpenSnapshot(to), about)),
                         about);
  Printer printer(diff, options, about);
  switch (options.format) {
    case DiffOptions::Format::kSql: return printer.Script();
    case DiffOptions::Format::kJson: return printer.AsJson(session, object, from, to);
    case DiffOptions::Format::kText: return printer.Text();
  }
}

void AddDiff(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "diff",
       .summary = "Show which rows of an object differ between two points",
       .usage = "STORE OBJECT A [B] [--stat | --sql] [--table T]...",
       .details =
           "What turns A into B: \"-\" is what A has, \"+\" what B has; differences of the schema "
           "come first.\nB is now unless it is given. A may be the later one: then it is the way "
           "back. Rows are the same\nrow if they have the same rowid, or WITHOUT ROWID the same "
           "primary key. Reads only what was\nwritten in between. Tables of sqlite_stat are left "
           "out.\n" +
           std::string(kPointHelp),
       .example = "tidemark diff /var/lib/rooms rooms/lobby \"1 hour ago\"\n"
                  "tidemark diff /var/lib/rooms rooms/lobby v1 v2 --stat\n"
                  "tidemark diff /var/lib/rooms rooms/lobby v1 v2 --sql | sqlite3 copy-of-v1.db",
       .json_fields =
           "{\"store\",\"object\",\"from\",\"to\",\"schema\":[…],\"tables\":[…]}; from and to are "
           "commits:\n" +
           std::string(kCommitFields) +
           "\nschema: {change (\"inserted\", \"deleted\", \"changed\"), type, name, table, before, "
           "after (SQL, or null)}\ntables, those that differ: {table, rows (without --stat), "
           "inserted, deleted, changed}\nrows: {change, rowid (or null), before, after (columns "
           "and values, or null)}; BLOBs are {\"blob\":\"00ff\"}"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.Argument("A", "The POINT to begin with", &arguments->from);
  verb.OptionalArgument("B", "The POINT to compare it with; now if left out", &arguments->to);
  verb.Flag("--stat", "Only how many rows differ, a line each table", &arguments->options.stat);
  verb.Flag("--sql", "A script that turns A into B, for sqlite3", &arguments->sql);
  verb.Option("--table", "Only this table; may be given several times", &arguments->options.tables);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
