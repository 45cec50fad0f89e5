#include "vfs/partial_restore.h"

#include <algorithm>
#include <new>
#include <optional>
#include <utility>
#include <variant>

#include "vfs/database.h"
#include "vfs/internal/expression.h"
#include "vfs/internal/foreign_key_watch.h"
#include "vfs/internal/prepared.h"
#include "vfs/internal/table_restorer.h"
#include "vfs/internal/table_shape.h"

namespace tidemark {

using internal::ForeignKeyWatch;
using internal::OnlyReads;
using internal::Prepared;
using internal::ReadTableShape;
using internal::TableRestorer;
using internal::TableShape;

namespace {

// Nothing but the tables themselves is to change.
Status NoSideEffects(const Database& live) {
  for (const int option : {SQLITE_DBCONFIG_ENABLE_TRIGGER, SQLITE_DBCONFIG_ENABLE_FKEY}) {
    if (sqlite3_db_config(live.handle(), option, 0, nullptr) != SQLITE_OK) {
      return live.ErrorStatus();
    }
  }
  return OkStatus();
}

// A table that was dropped since, with its indexes and triggers, as they were.
Status Create(const Database& past, Database& live, const std::string& table) {
  TIDEMARK_ASSIGN_OR_RETURN(
      Prepared definitions,
      Prepared::Make(past,
                     "SELECT sql FROM main.sqlite_schema WHERE tbl_name = ?1 COLLATE NOCASE AND "
                     "sql IS NOT NULL ORDER BY type <> 'table', rowid"));
  TIDEMARK_RETURN_IF_ERROR(definitions.Bind(1, table));
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool row, definitions.Step());
    if (!row) return OkStatus();
    TIDEMARK_RETURN_IF_ERROR(
        live.Exec(definitions.Text(0).c_str()).WithContext("making table " + table + " again"));
  }
}

// One restore, from the connections that it needs to what it did.
class PartialRestore {
 public:
  PartialRestore(Store& store, const std::shared_ptr<Object>& object,
                 const PartialRestoreOptions& options)
      : store_(store), object_(object), options_(options) {}

  Result<PartialRestoreInfo> Run(const Point& to);

 private:
  Status Open(const Point& to);
  // The tables then, with their names as they are written; those that were dropped are there again.
  Status FindTables();
  Status RestoreTable(const TableShape& then, TableRestore* report);

  Store& store_;
  const std::shared_ptr<Object>& object_;
  const PartialRestoreOptions& options_;
  PartialRestoreInfo info_;
  std::optional<Database> live_;
  std::optional<Database> past_;
  std::optional<Database> present_;
  std::vector<TableShape> tables_;
};

Status PartialRestore::Open(const Point& to) {
  TIDEMARK_ASSIGN_OR_RETURN(info_.to, object_->Resolve(to));
  // A time goes on; a label's commit does not expire.
  const Point fixed = std::holds_alternative<Label>(to) ? to : Point(object_->BookmarkOf(info_.to));
  TIDEMARK_ASSIGN_OR_RETURN(past_, Database::Open(store_, object_, {.at = fixed}));
  TIDEMARK_ASSIGN_OR_RETURN(live_,
                            Database::Open(store_, object_, {.if_missing = IfMissing::kFail}));
  TIDEMARK_RETURN_IF_ERROR(NoSideEffects(*live_));
  TIDEMARK_RETURN_IF_ERROR(live_->Exec("BEGIN IMMEDIATE"));
  info_.from = object_->head();
  info_.undo = object_->BookmarkOf(info_.from);
  if (options_.delete_new) {
    TIDEMARK_ASSIGN_OR_RETURN(present_, Database::Open(store_, object_, {.at = info_.undo}));
  }
  return OkStatus();
}

Status PartialRestore::FindTables() {
  for (const std::string& name : options_.tables) {
    auto then = ReadTableShape(*past_, name);
    if (!then.ok()) {
      return then.status().WithContext("at " + object_->BookmarkOf(info_.to).ToString() + " (" +
                                       FormatTime(info_.to.time) + ")");
    }
    const bool twice = std::ranges::any_of(
        tables_, [&](const TableShape& table) { return table.name == then->name; });
    if (twice) continue;
    info_.tables.push_back({.table = then->name});
    tables_.push_back(*std::move(then));
  }
  return OkStatus();
}

Status PartialRestore::RestoreTable(const TableShape& then, TableRestore* report) {
  auto now = ReadTableShape(*live_, then.name);
  if (now.status().code() == StatusCode::kNotFound) {
    TIDEMARK_RETURN_IF_ERROR(Create(*past_, *live_, then.name));
    report->created = true;
    now = ReadTableShape(*live_, then.name);
  }
  TIDEMARK_RETURN_IF_ERROR(now.status());
  TIDEMARK_ASSIGN_OR_RETURN(OnlyReads reads_past, OnlyReads::Begin(*past_));
  TableRestorer::Connections connections{.live = *live_, .past = *past_, .reads_past = reads_past};
  std::optional<OnlyReads> reads_present;
  if (present_ && !report->created) {
    TIDEMARK_ASSIGN_OR_RETURN(OnlyReads reads, OnlyReads::Begin(*present_));
    reads_present.emplace(std::move(reads));
    connections.present = &*present_;
    connections.reads_present = &*reads_present;
  }
  TIDEMARK_ASSIGN_OR_RETURN(TableRestorer restorer,
                            TableRestorer::Make(connections, then, *now, options_));
  return restorer.Run(report);
}

Result<PartialRestoreInfo> PartialRestore::Run(const Point& to) {
  TIDEMARK_RETURN_IF_ERROR(Open(to));
  TIDEMARK_RETURN_IF_ERROR(FindTables());
  std::vector<std::string> names;
  for (const TableShape& table : tables_) names.push_back(table.name);
  {
    TIDEMARK_ASSIGN_OR_RETURN(ForeignKeyWatch watch, ForeignKeyWatch::Begin(*live_, *past_, names));
    for (size_t i = 0; i < tables_.size(); ++i) {
      TIDEMARK_RETURN_IF_ERROR(
          RestoreTable(tables_[i], &info_.tables[i]).WithContext("table " + tables_[i].name));
    }
    TIDEMARK_RETURN_IF_ERROR(watch.Check());
  }
  if (options_.dry_run || !info_.changes()) {
    TIDEMARK_RETURN_IF_ERROR(live_->Exec("ROLLBACK"));
    return std::move(info_);
  }
  TIDEMARK_ASSIGN_OR_RETURN(info_.label, object_->SetAutomaticLabel("before-restore"));
  TIDEMARK_RETURN_IF_ERROR(live_->Exec("COMMIT"));
  info_.result = object_->head();
  return std::move(info_);
}

}  // namespace

std::string_view RowRestoreName(RowRestore change) {
  switch (change) {
    case RowRestore::kInserted: return "inserted";
    case RowRestore::kReplaced: return "replaced";
    case RowRestore::kKept: return "kept";
    case RowRestore::kDeleted: return "deleted";
  }
  return "";
}

bool PartialRestoreInfo::changes() const {
  return std::ranges::any_of(tables, [](const TableRestore& table) {
    return table.created || table.inserted + table.replaced + table.deleted > 0;
  });
}

Result<PartialRestoreInfo> RestoreRows(Store& store, const std::shared_ptr<Object>& object,
                                       const Point& to, const PartialRestoreOptions& options) try {
  if (options.tables.empty()) {
    return Status(StatusCode::kInvalidArgument, "no table is named of which rows are to come back");
  }
  if (!options.where.empty()) TIDEMARK_RETURN_IF_ERROR(internal::CheckExpression(options.where));
  // With its reasons: deleted, or never there.
  TIDEMARK_RETURN_IF_ERROR(
      store.OpenObject(object->namespace_name(), object->id(), IfMissing::kFail).status());
  return PartialRestore(store, object, options).Run(to);
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

}  // namespace tidemark
