// tidemark restore --table: brings rows of the past into the present.

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/restore_kinds.h"
#include "tools/session.h"
#include "vfs/partial_restore.h"

namespace tidemark::tools {

namespace {

OnConflict ParseOnConflict(const std::optional<std::string>& text) {
  if (!text || *text == "replace") return OnConflict::kReplace;
  if (*text == "keep") return OnConflict::kKeep;
  if (*text == "fail") return OnConflict::kFail;
  throw UsageFailure("restore",
                     "--on-conflict is \"replace\", \"keep\" or \"fail\", not \"" + *text + "\"");
}

std::string Join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

// "id = 2, v = 'b' (was 'new')"
std::string DescribeRow(const RowSample& sample) {
  const bool then = !sample.then.empty();
  const std::vector<std::string>& shown = then ? sample.then : sample.now;
  std::string text;
  for (size_t i = 0; i < sample.columns.size(); ++i) {
    text += (i == 0 ? "" : ", ") + sample.columns[i] + " = " + shown[i];
    if (then && !sample.now.empty() && sample.now[i] != sample.then[i]) {
      text += (sample.change == RowRestore::kKept ? " (stays " : " (was ") + sample.now[i] + ")";
    }
  }
  return text;
}

void PrintTable(const TableRestore& table, bool dry_run) {
  std::vector<std::string> counts;
  const auto count = [&](uint64_t number, const std::string& what) {
    if (number > 0) counts.push_back(FormatCount(number) + " " + what);
  };
  count(table.inserted, "inserted");
  count(table.replaced, "replaced");
  count(table.kept, "kept as they are");
  count(table.deleted, "deleted");
  count(table.same, "the same");
  PrintLine("  table " + PrintableLine(table.table) + (table.created ? " (made again)" : "") +
            ": " + (counts.empty() ? "no rows" : Join(counts)));
  if (!table.columns_gone.empty()) {
    PrintLine("    columns that are not there any more: " +
              PrintableLine(Join(table.columns_gone)));
  }
  if (!table.columns_added.empty()) {
    PrintLine("    columns that were not there then, and stay: " +
              PrintableLine(Join(table.columns_added)));
  }
  if (!dry_run) return;
  for (const RowSample& sample : table.samples) {
    PrintLine("    " + std::string(RowRestoreName(sample.change)) + "  " +
              PrintableLine(DescribeRow(sample)));
  }
}

Json RowJson(const std::vector<std::string>& columns, const std::vector<std::string>& values) {
  if (values.empty()) return nullptr;
  Json row = Json::object();
  for (size_t i = 0; i < columns.size(); ++i) row[columns[i]] = values[i];
  return row;
}

Json TableJson(const TableRestore& table) {
  Json samples = Json::array();
  for (const RowSample& sample : table.samples) {
    samples.push_back({{"change", RowRestoreName(sample.change)},
                       {"then", RowJson(sample.columns, sample.then)},
                       {"now", RowJson(sample.columns, sample.now)}});
  }
  return {{"table", table.table},
          {"created", table.created},
          {"inserted", table.inserted},
          {"replaced", table.replaced},
          {"kept", table.kept},
          {"same", table.same},
          {"deleted", table.deleted},
          {"columns_gone", table.columns_gone},
          {"columns_added", table.columns_added},
          {"samples", samples}};
}

Failure ExplainRows(const Status& status, const Session& session, const std::string& object,
                    const Point& to) {
  Failure failure = Explain(status, session.AboutPoint(object, to));
  if (status.code() == StatusCode::kNotFound &&
      status.message().find("no table") != std::string::npos) {
    failure.hint =
        "see what there was with: " + Command({"sql", session.path(), object, "--at", "POINT",
                                               "select name, sql from sqlite_schema"});
  } else if (status.code() == StatusCode::kInvalidArgument) {
    const std::string& message = status.message();
    const bool of_rows = message.find("constraint failed") != std::string::npos ||
                         message.find("(FOREIGN KEY)") != std::string::npos;
    if (of_rows) failure.exit_code = kExitFailed;  // else it is what was asked for
    failure.hint = "nothing was changed; see: " + Command({"restore", "--help"});
  } else if (status.code() == StatusCode::kExists) {
    failure.hint =
        "nothing was changed; --on-conflict says what becomes of rows that are there, "
        "--delete-new takes away those that were not there then";
  }
  return failure;
}

}  // namespace

void RunRestoreRows(const RestoreArguments& arguments, bool json) {
  if (arguments.alarms) {
    throw UsageFailure("restore", "--alarms is for a whole object: rows bring no alarm with them");
  }
  const ObjectName name = ParseObjectName(arguments.object, arguments.store);
  const Point to = ParsePointArgument(arguments.to, arguments.store, name);
  const PartialRestoreOptions options{.tables = arguments.tables,
                                      .where = arguments.where.value_or(""),
                                      .on_conflict = ParseOnConflict(arguments.on_conflict),
                                      .delete_new = arguments.delete_new,
                                      .dry_run = arguments.dry_run};
  if (arguments.where && arguments.where->empty()) {
    throw UsageFailure("restore", "--where is empty: leave it out for all rows");
  }
  Session session(arguments.store);
  {
    const std::shared_ptr<Object> object = session.OpenObject(name);
    const auto restored = RestoreRows(session.store(), object, to, options);
    if (!restored.ok()) throw ExplainRows(restored.status(), session, name.text, to);
    const PartialRestoreInfo& info = *restored;
    const bool done = info.result.kind != CommitKind::kNone;
    const std::string undo = RestoreCommand(session, name.text, info.undo);
    if (json) {
      Json document = {{"store", session.path()},
                       {"object", name.text},
                       {"done", done},
                       {"dry_run", arguments.dry_run},
                       {"from", CommitJson(*object, info.from)},
                       {"to", CommitJson(*object, info.to)},
                       {"result", nullptr},
                       {"label", nullptr},
                       {"undo_bookmark", nullptr},
                       {"undo", nullptr},
                       {"tables", Json::array()}};
      if (done) document["result"] = CommitJson(*object, info.result);
      if (!info.label.empty()) document["label"] = info.label;
      if (info.changes()) {
        document["undo_bookmark"] = info.undo.ToString();
        document["undo"] = undo;
      }
      for (const TableRestore& table : info.tables) document["tables"].push_back(TableJson(table));
      PrintJson(document);
    } else {
      PrintLine(name.text);
      PrintLine("  is at      " + DescribeCommit(*object, info.from));
      PrintLine("  rows as of " + DescribeCommit(*object, info.to));
      for (const TableRestore& table : info.tables) PrintTable(table, arguments.dry_run);
      if (!info.changes()) {
        PrintLine("nothing to do: these rows are what they were");
      } else if (done) {
        PrintLine("done, by an ordinary commit; what it was is labelled " + info.label +
                  ". To undo:");
        PrintLine("  " + undo);
      } else {
        PrintLine("dry run: nothing was changed. Afterwards, this would undo it:");
        PrintLine("  " + undo);
      }
    }
  }
  session.Close();
}

}  // namespace tidemark::tools
