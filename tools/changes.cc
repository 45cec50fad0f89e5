// tidemark changes: what each commit of an object, or of a namespace, changed, as lines of JSON.

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <variant>

#include "tools/console.h"
#include "tools/progress.h"
#include "tools/row_json.h"
#include "tools/session.h"
#include "tools/verbs.h"
#include "vfs/changes.h"

namespace tidemark::tools {

namespace {

// How long --follow waits before it looks again.
constexpr std::chrono::milliseconds kPollInterval(200);

struct Arguments {
  std::string store;
  std::string name;  // of an object, or a namespace
  std::string since;
  bool follow = false;
};

// "@123", as the lines have it: the LSN of the last commit that was told.
std::optional<Lsn> ParsePosition(const std::string& text) {
  constexpr size_t kMostDigits = 18;
  if (text.size() < 2 || text.size() > kMostDigits + 1 || text[0] != '@' ||
      text.find_first_not_of("0123456789", 1) != std::string::npos) {
    return std::nullopt;
  }
  return Lsn(std::stoull(text.substr(1)));
}

void PrintLineOf(Changes& changes, const ChangedCommit& changed, const Subject& about) {
  RowDiff diff = OrThrow(changes.Diff(changed), about);
  const Object& object = *changed.object;
  Json head = {{"position", "@" + std::to_string(changed.commit.lsn.value)},
               {"object", object.DisplayName()},
               {"id", object.id().ToString()}};
  head.update(CommitJson(object, changed.commit));
  head["before"] = nullptr;
  if (changed.before.kind != CommitKind::kNone) {
    head["before"] = object.BookmarkOf(changed.before).ToString();
  }
  Json schema = Json::array();
  for (const SchemaChange& change : diff.schema_changes()) schema.push_back(SchemaJson(change));
  head["schema"] = schema;
  const std::string begin = DumpJson(head);
  // Row by row: a commit may have changed all of a large object.
  Print(begin.substr(0, begin.size() - 1) + ",\"tables\":[");
  bool first_table = true;
  for (const DiffTable& table : diff.tables()) {
    bool first_row = true;
    OrThrow(diff.VisitRows(table,
                           [&](const RowChange& row) {
                             if (first_row) {
                               Print((first_table ? "{\"table\":" : ",{\"table\":") +
                                     DumpJson(Json(table.name)) + ",\"rows\":[");
                             }
                             Print((first_row ? "" : ",") + RowJson(table, row));
                             first_table = first_row = false;
                             return true;
                           }),
            about);
    if (!first_row) Print("]}");
  }
  Print("]}\n");
}

void Tell(Changes& changes, bool follow, const Subject& about) {
  // Served, it is the client that is interrupted.
  const bool served = Scope::current() != nullptr;
  std::optional<InterruptGuard> guard;
  if (follow && !served) {
    guard.emplace();
    PrintNote(
        "no program serves this store (tools/control_server.h): nothing more is committed "
        "while this command has it open");
  }
  const auto is_over = [&] {
    return served ? ThisConsole().Gone() : InterruptGuard::interrupted();
  };
  while (!follow || !is_over()) {
    const auto next = OrThrow(changes.Next(), about);
    if (next) {
      PrintLineOf(changes, *next, about);
      if (!served && std::ferror(stdout) != 0) return;  // whoever read has gone: main says so
      continue;
    }
    if (!follow) return;
    FlushOutput();
    std::this_thread::sleep_for(kPollInterval);
  }
}

void Run(const Arguments& arguments, bool /*json*/) {
  const std::optional<Lsn> position = ParsePosition(arguments.since);
  const bool is_object = arguments.name.find('/') != std::string::npos;
  ObjectName name;
  if (is_object) {
    name = ParseObjectName(arguments.name, arguments.store);
  } else {
    OrThrow(ValidateNamespaceName(arguments.name),
            {.kind = Subject::Kind::kNone, .store = arguments.store});
    name.text = arguments.name;
  }
  std::optional<Point> since;
  if (!position) since = ParsePointArgument(arguments.since, arguments.store, name);
  if (!is_object && since && !std::holds_alternative<Timestamp>(*since)) {
    throw UsageFailure("changes",
                       "changes: of a namespace --since is a time, or the position of a line (@0: "
                       "the beginning): a bookmark or label is of one object");
  }
  Session session(arguments.store);
  {
    Subject about = session.AboutObject("");
    Changes::Start start = position.value_or(Lsn(0));
    std::shared_ptr<Object> object;
    if (is_object) {
      object = session.OpenObject(name, IfMissing::kDeleted);
      about = session.AboutObject(name.text);
    }
    if (since && std::holds_alternative<Timestamp>(*since)) {
      start = std::get<Timestamp>(*since);
    } else if (since) {
      start = session.ResolveCommit(*object, since).lsn;
    }
    if (position && *position > session.store().durable_lsn()) {
      throw Failure(StatusCodeName(StatusCode::kFuture), kExitFailed,
                    "position " + arguments.since + " is ahead of all that " + session.path() +
                        " has: its last LSN is " +
                        std::to_string(session.store().durable_lsn().value),
                    "a position is of one store; was this one brought back from a copy?");
    }
    Changes changes = is_object ? Changes::OfObject(session.store(), object, start)
                                : Changes::OfNamespace(session.store(), name.text, start);
    Tell(changes, arguments.follow, about);
  }
  session.Close();
}

}  // namespace

void AddChanges(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "changes",
       .summary = "Tell what each commit changed, as lines of JSON",
       .usage = "STORE OBJECT|NAMESPACE --since POINT|POSITION [--follow]",
       .details =
           "One line a commit, oldest first: what it changed, whether it was a transaction, a "
           "restore, a fork,\na promote, a deletion or an undeletion. Only confirmed commits are "
           "told. The POSITION of a line (\"@123\")\nleads to those behind it, of an object or of "
           "all a namespace has; @0 is the beginning. Whoever applies\nthe lines in order has the "
           "state. If something behind the start has expired, that is an error.\nWith --follow it "
           "looks for more every 0.2 seconds, until Ctrl-C: of a program\nthat has the store open "
           "and serves it, or of what this command itself has open.\n" +
           std::string(kPointHelp),
       .example = "tidemark changes /var/lib/rooms rooms/lobby --since \"1 hour ago\"\n"
                  "tidemark changes /var/lib/rooms rooms --since @0\n"
                  "tidemark changes /var/lib/rooms rooms --since @49374 --follow",
       .json_fields =
           "a line each commit, with or without --json:\n"
           "{\"position\",\"object\",\"id\", …,\"before\",\"schema\":[…],\"tables\":[{\"table\","
           "\"rows\":[…]}]}\nwith what commits have in between:\n" +
           std::string(kCommitFields) +
           "\nbefore is the bookmark of what was current (or null); schema and rows are those of "
           "tidemark diff"},
      &arguments->store, invocation);
  verb.Argument("OBJECT|NAMESPACE", "NAMESPACE/NAME of an object, or NAMESPACE alone",
                &arguments->name);
  verb.RequiredOption("--since", "Commits behind this POINT, or the POSITION of a line",
                      &arguments->since);
  verb.Flag("--follow", "Wait for more, until interrupted", &arguments->follow);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
