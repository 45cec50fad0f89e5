// tidemark blame: the commits that changed one row.

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "tools/console.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/verbs.h"
#include "vfs/blame.h"

namespace tidemark::tools {

namespace {

constexpr size_t kMostShown = 60;  // bytes of a value, for people

struct Arguments {
  std::string store;
  std::string object;
  std::string table;
  std::vector<std::string> key;
  std::optional<std::string> at;
  uint64_t limit = 0;
  bool earlier = false;
};

std::string Shorten(const std::string& literal) {
  std::string text = literal;
  if (text.size() > kMostShown) {
    text.resize(kMostShown);
    // A character that was cut becomes U+FFFD.
    text += "...";
  }
  return PrintableLine(text);
}

std::string Describe(const BlamedRow& row) {
  std::string text;
  for (const BlamedValue& value : row) {
    text +=
        (text.empty() ? "" : ", ") + PrintableLine(value.column) + " = " + Shorten(value.literal);
  }
  return text;
}

const BlamedValue* FindValue(const BlamedRow& row, const std::string& column) {
  for (const BlamedValue& value : row) {
    if (value.column == column) return &value;
  }
  return nullptr;
}

// One line a change: what it was, what it became.
void PrintChange(const Object& object, const RowCommit& change) {
  PrintLine(object.BookmarkOf(change.commit).ToString() + "  " +
            FormatLocalTime(change.commit.time) + "  " +
            std::string(CommitKindName(change.commit.kind)) +
            (change.or_before ? "  (or a commit before it that is not kept)" : ""));
  if (!change.before) {
    PrintLine("  inserted  " + Describe(*change.after));
    return;
  }
  if (!change.after) {
    PrintLine("  deleted   " + Describe(*change.before));
    return;
  }
  for (const BlamedValue& value : *change.after) {
    const BlamedValue* old = FindValue(*change.before, value.column);
    if (old != nullptr && *old == value) continue;
    PrintLine("  " + PrintableLine(value.column) + ": " +
              (old == nullptr ? "(no such column)" : Shorten(old->literal)) + " -> " +
              Shorten(value.literal));
  }
  for (const BlamedValue& value : *change.before) {
    if (FindValue(*change.after, value.column) == nullptr) {
      PrintLine("  " + PrintableLine(value.column) + ": " + Shorten(value.literal) +
                " -> (no such column)");
    }
  }
}

Json RowJson(const std::optional<BlamedRow>& row) {
  if (!row) return nullptr;
  Json json = Json::object();
  for (const BlamedValue& value : *row) json[value.column] = value.literal;
  return json;
}

std::string_view EndName(BlameEnd end) {
  switch (end) {
    case BlameEnd::kInsertion: return "insertion";
    case BlameEnd::kCreation: return "creation";
    case BlameEnd::kFork: return "fork";
    case BlameEnd::kHorizon: return "horizon";
    case BlameEnd::kStopped: return "limit";
  }
  return "";
}

void PrintEnd(const Object& object, const BlameResult& result, uint64_t count) {
  const std::string oldest = DescribeCommit(object, result.oldest);
  const std::string row = result.row ? "it was " + Describe(*result.row) : "it was not there";
  switch (result.end) {
    case BlameEnd::kInsertion: return;
    case BlameEnd::kCreation:
      if (count == 0) PrintLine("there was never such a row");
      return;
    case BlameEnd::kFork: PrintLine("the object was forked at " + oldest + ": " + row); return;
    case BlameEnd::kHorizon:
      PrintLine("what was before has expired, or is damaged; at " + oldest + " " + row);
      return;
    case BlameEnd::kStopped:
      FlushOutput();
      PrintNote("older changes are not shown; -n N shows more, -n 0 all");
  }
}

void Run(const Arguments& arguments, bool json) {
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  std::optional<Point> given;
  if (arguments.at) given = ParsePointArgument(*arguments.at, arguments.store, name);
  Session session(arguments.store);
  {
    const std::shared_ptr<Object> object =
        session.OpenObject(name, given ? IfMissing::kDeleted : IfMissing::kFail);
    const Point at = given ? *given : Point(object->BookmarkOf(object->head()));
    session.ResolveCommit(*object, at);
    Progress progress("looking");
    uint64_t count = 0;
    bool more = false;
    // Not before there is something to tell: an error stands alone.
    bool begun = false;
    const auto begin_json = [&] {
      if (begun) return;
      begun = true;
      Print("{\"store\":" + DumpJson(session.path()) + ",\"object\":" + DumpJson(name.text) +
            ",\"table\":" + DumpJson(arguments.table) + ",\"changes\":[");
    };
    const auto result = Blame(
        session.store(), object, arguments.table, arguments.key, at,
        [&](const RowCommit& change) {
          more = arguments.limit != 0 && count == arguments.limit;
          if (more) return false;
          if (json) {
            begin_json();
            Json row = CommitJson(*object, change.commit);
            row["before"] = RowJson(change.before);
            row["after"] = RowJson(change.after);
            row["or_before"] = change.or_before;
            Print((count == 0 ? "" : ",") + DumpJson(row));
          } else {
            progress.Hide();
            PrintChange(*object, change);
          }
          progress.Update(++count, 0);
          return true;
        },
        arguments.earlier ? EarlierRows::kYes : EarlierRows::kNo);
    progress.Hide();
    if (!result.ok()) {
      Failure failure = Explain(result.status(), session.AboutObject(name.text));
      if (result.status().code() == StatusCode::kNotFound) {
        failure.hint = "--at POINT looks at it as of when it was there";
      } else if (result.status().code() == StatusCode::kInvalidArgument) {
        failure.hint = "see: " + Command({"blame", "--help"});
      }
      throw failure;
    }
    if (json) {
      begin_json();
      Print("],\"end\":" + DumpJson(EndName(result->end)) +
            ",\"oldest\":" + DumpJson(CommitJson(*object, result->oldest)) + ",\"row\":" +
            DumpJson(RowJson(result->row)) + ",\"looks\":" + std::to_string(result->looks) + "}\n");
    } else {
      PrintEnd(*object, *result, count);
    }
  }
  session.Close();
}

}  // namespace

void AddBlame(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "blame",
       .summary = "List the commits that changed one row, newest first",
       .usage = "STORE OBJECT TABLE KEY... [--at POINT] [-n N] [--earlier]",
       .details =
           "KEY is the value of the primary key, or several where it has several columns, in its "
           "order; of a table\nwithout one the rowid. x'00ff' is a blob. Restores and deletions "
           "of the object are commits, too. It\ngoes back to where the row was inserted, or to "
           "the oldest commit that is kept, and says which.\n--earlier goes on to rows that had "
           "the key before: a look at each "
           "commit that wrote where it would be.\n" +
           std::string(kPointHelp),
       .example = "tidemark blame /var/lib/rooms rooms/lobby orders 1042\n"
                  "tidemark blame /var/lib/rooms rooms/lobby members lobby alice -n 5",
       .json_fields =
           "{\"store\",\"object\",\"table\",\"changes\":[...],\"end\",\"oldest\",\"row\","
           "\"looks\"}; a change is a commit:\n" +
           std::string(kCommitFields) +
           "\nand before, after (column to value as SQL writes it; null: the row was not there), "
           "or_before (true: or\na commit between it and the one before, which is not kept). end "
           "is \"insertion\", \"creation\", \"fork\", \"horizon\" or\n\"limit\"; oldest is the "
           "oldest commit "
           "that was looked at, row the row as of it; looks counts states read"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.Argument("TABLE", "Name of the table", &arguments->table);
  verb.Arguments("KEY", "Values of its primary key, or the rowid", &arguments->key);
  verb.Option("--at", "As of this POINT, not the present", &arguments->at);
  verb.Option("-n,--limit", "At most this many changes; 0 for all", &arguments->limit);
  verb.Flag("--earlier", "Also rows that had the key before this one was inserted",
            &arguments->earlier);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
