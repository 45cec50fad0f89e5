// tidemark sql: runs SQL on an object, now or (to read) at a point of its past.

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/console.h"
#include "tools/result_printer.h"
#include "tools/safety_labels.h"
#include "tools/session.h"
#include "tools/sql_script.h"
#include "tools/verbs.h"
#include "vfs/database.h"

namespace tidemark::tools {

namespace {

struct Arguments {
  std::string store;
  std::string object;
  std::string sql;
  std::optional<std::string> at;
  bool create = false;
  bool no_label = false;
  bool csv = false;
};

std::string ReadStandardInput() {
  std::string text;
  char buffer[65536];
  size_t size = 0;
  while ((size = ThisConsole().Read(buffer, sizeof(buffer))) > 0) text.append(buffer, size);
  return text;
}

// What the statements did to the object.
struct Effect {
  bool changed = false;
  int64_t rows = 0;
  std::optional<Bookmark> before;  // none for an object that did not exist
  std::optional<Bookmark> after;   // none for one that still does not
};

// Waits until what was committed is durable.
Effect FinishWriting(Session& session, Object& object, sqlite3* db, const CommitInfo& before,
                     const std::string& name) {
  Effect effect;
  const CommitInfo after = object.head();
  effect.changed = after.lsn != before.lsn;
  effect.rows = sqlite3_total_changes64(db);
  if (before.kind != CommitKind::kNone) effect.before = object.BookmarkOf(before);
  if (after.kind != CommitKind::kNone) effect.after = object.BookmarkOf(after);
  if (effect.changed) {
    OrThrow(session.store().WaitDurable(after.lsn), session.AboutObject(name));
  }
  return effect;
}

void PrintEffect(const Session& session, const std::string& object, const Effect& effect,
                 const SafetyLabels& labels) {
  if (!effect.changed) return;
  FlushOutput();
  const std::string rows = Plural(static_cast<uint64_t>(effect.rows), "row") + " changed";
  if (!effect.before) {
    PrintNote(object + ": created, " + rows);
    return;
  }
  if (labels.count() != 0) {
    PrintNote("label " + labels.first() + ": " + RestoreCommand(session, object, labels.first()));
  }
  if (labels.count() > 1) {
    PrintNote("and " + Plural(labels.count() - 1, "label") +
              " more: " + Command({"labels", session.path(), object}));
  }
  PrintNote(object + ": " + rows + "; the bookmark before is " + effect.before->ToString());
  PrintNote("undo: " + RestoreCommand(session, object, *effect.before));
}

// The fields that follow the results.
void PrintEffectJson(const Session& session, const std::string& object,
                     const std::optional<std::string>& at, const Effect& effect,
                     const std::string& label) {
  Json fields = {{"object", object},          {"at", nullptr},
                 {"changed", effect.changed}, {"rows_changed", effect.rows},
                 {"bookmark", nullptr},       {"before", nullptr},
                 {"label", nullptr},          {"undo", nullptr}};
  if (at) fields["at"] = *at;
  if (effect.after) fields["bookmark"] = effect.after->ToString();
  if (effect.changed && effect.before) {
    fields["before"] = effect.before->ToString();
    fields["undo"] = RestoreCommand(session, object, *effect.before);
  }
  if (!label.empty()) fields["label"] = label;
  PrintLine("]," + DumpJson(fields).substr(1));
}

// Runs the statements; what was printed is a whole document whether they fail or not.
std::optional<Failure> RunScript(Session& session, const ObjectName& name, Database& database,
                                 const std::string& sql, ResultFormat format,
                                 SafetyLabels* labels) {
  if (format == ResultFormat::kJson) {
    Print("{\"store\":" + DumpJson(session.path()) + ",\"results\":[");
  }
  const auto printer = ResultPrinter::Make(format);
  try {
    SqlScript script(database, *printer, session.AboutObject(name.text));
    if (labels != nullptr) {
      script.set_before_loss([labels](const std::string& what) { return labels->Before(what); });
    }
    script.Run(sql);
  } catch (const Failure& failure) {
    return failure;
  }
  return std::nullopt;
}

void RunAt(Session& session, const ObjectName& name, const Point& at, const std::string& sql,
           ResultFormat format) {
  const std::shared_ptr<Object> object = session.OpenObject(name, IfMissing::kDeleted);
  const CommitInfo commit = session.ResolveCommit(*object, at);
  const Bookmark bookmark = object->BookmarkOf(commit);
  DatabaseOptions options;
  options.if_missing = IfMissing::kFail;
  options.read_only = true;
  options.at = FixedPoint(*object, at, commit);
  Database database =
      OrThrow(Database::Open(session.store(), name.namespace_name, name.name, options),
              session.AboutPoint(name.text, at));
  const std::optional<Failure> failure = RunScript(session, name, database, sql, format, nullptr);
  if (format == ResultFormat::kJson) {
    PrintEffectJson(session, name.text, bookmark.ToString(), {}, "");
  }
  if (failure) throw Failure(*failure);
}

void RunNow(Session& session, const ObjectName& name, const Arguments& arguments,
            const std::string& sql, ResultFormat format) {
  const std::shared_ptr<Object> object =
      arguments.create ? session.OpenOrCreateObject(name) : session.OpenObject(name);
  const CommitInfo before = object->head();
  DatabaseOptions options;
  // One wait for all commits of the text, at its end.
  options.synchronous = Synchronous::kNormal;
  Database database =
      OrThrow(Database::Open(session.store(), name.namespace_name, name.name, options),
              session.AboutObject(name.text));
  SafetyLabels labels(*object);
  std::optional<Failure> failure =
      RunScript(session, name, database, sql, format, arguments.no_label ? nullptr : &labels);
  // Transactions that the text ended before the failure stay: they, too, must be told.
  const Effect effect = FinishWriting(session, *object, database.handle(), before, name.text);
  if (format == ResultFormat::kJson) {
    PrintEffectJson(session, name.text, std::nullopt, effect, labels.first());
  } else {
    PrintEffect(session, name.text, effect, labels);
  }
  if (failure && failure->code == "sql") {
    failure->hint = effect.changed ? "the transactions that ended before it stay, this one does not"
                                   : "nothing was changed";
  }
  if (failure) throw Failure(*failure);
}

void Run(const Arguments& arguments, bool json) {
  if (json && arguments.csv) throw UsageFailure("sql", "--json and --csv exclude each other");
  if (arguments.at && arguments.create) {
    throw UsageFailure("sql", "--create makes a new object, which has no past to look --at");
  }
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  std::optional<Point> at;
  if (arguments.at) at = ParsePointArgument(*arguments.at, arguments.store, name);
  const std::string sql = arguments.sql == "-" ? ReadStandardInput() : arguments.sql;
  if (sql.find('\0') != std::string::npos) {
    throw UsageFailure("sql", "the SQL has a NUL byte in it");
  }

  Session session(arguments.store);
  const ResultFormat format = json            ? ResultFormat::kJson
                              : arguments.csv ? ResultFormat::kCsv
                                              : ResultFormat::kTable;
  if (at) {
    RunAt(session, name, *at, sql, format);
  } else {
    RunNow(session, name, arguments, sql, format);
  }
  session.Close();
}

}  // namespace

void AddSql(CLI::App& app, Invocation* invocation) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb(
      app,
      {.name = "sql",
       .summary = "Run SQL on an object, now or in the past",
       .usage = "STORE OBJECT [--at POINT] [--no-label] SQL",
       .details = std::string(
                      "SQL may hold several statements; they run as one transaction, all or none, "
                      "unless the text has\nBEGIN and COMMIT itself. The verb ends when the change "
                      "is durable, and prints (on stderr, or in\nthe JSON) the command that undoes "
                      "it. An empty line stands between results of several statements.\n"
                      "Before DROP, ALTER, VACUUM, and DELETE or UPDATE without WHERE, what the "
                      "object was before the\ntransaction gets an automatic label, which is "
                      "printed, too.\n"
                      "--csv: NULL is nothing, an empty text is \"\", a BLOB is x'00ff'.\n") +
                  kPointHelp,
       .example =
           "tidemark sql /var/lib/rooms rooms/lobby --create \"create table t(a)\"\n"
           "tidemark sql /var/lib/rooms rooms/lobby --at \"1 hour ago\" \"select * from t\"\n"
           "tidemark sql /var/lib/rooms rooms/lobby - < script.sql",
       .json_fields =
           "{\"store\",\"results\":[{\"columns\":[…],\"rows\":[[…],…]},…],\"object\",\"at\","
           "\"changed\",\n \"rows_changed\",\"bookmark\",\"before\",\"label\",\"undo\"}; a BLOB "
           "(or text "
           "that "
           "is not UTF-8) is {\"blob\":\"00ff\"};\nundo is a command, before the bookmark that it "
           "goes to: null if nothing was changed;\nlabel is the first automatic label, or null"},
      &arguments->store, invocation);
  verb.Argument("OBJECT", kObjectHelp, &arguments->object);
  verb.Argument("SQL", "The statements; - reads them from stdin", &arguments->sql);
  verb.Option("--at", "A read-only view of this POINT", &arguments->at);
  verb.Flag("--create", "Make the object if it is missing (with the first statement that writes)",
            &arguments->create);
  verb.Flag("--no-label", "Make no automatic label", &arguments->no_label);
  verb.Flag("--csv", "Print results as CSV", &arguments->csv);
  verb.ServedByOwner();
  verb.OnRun([=] { Run(*arguments, invocation->json); });
}

}  // namespace tidemark::tools
