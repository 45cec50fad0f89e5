#include "vfs/internal/table_restorer.h"
#include "vfs/internal/sql_name.h"

#include <algorithm>
#include <utility>

namespace tidemark::internal {
namespace {

constexpr size_t kMostShown = 60;  // bytes of a value in a sample or message

bool IsInTheWay(int code) {
  return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
         code == SQLITE_CONSTRAINT_ROWID;
}

std::string List(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + QuoteName(name);
  return list;
}

// "?3, ?4, ?5"
std::string Parameters(size_t first, size_t count) {
  std::string list;
  for (size_t i = 0; i < count; ++i) {
    list += (i == 0 ? "?" : ", ?") + std::to_string(first + i);
  }
  return list;
}

}  // namespace

Result<TableRestorer> TableRestorer::Make(const Connections& connections, const TableShape& then,
                                          const TableShape& now,
                                          const PartialRestoreOptions& options) {
  TableRestorer restorer(connections, then, now, options);
  TIDEMARK_RETURN_IF_ERROR(restorer.MatchColumns());
  return restorer;
}

Status TableRestorer::MatchColumns() {
  for (const ColumnShape& column : now_.columns) {
    if (column.generated) continue;
    (then_.Find(column.name) == nullptr ? added_ : common_).push_back(column.name);
  }
  for (const size_t place : now_.key) {
    const auto it = std::ranges::find(common_, now_.columns[place].name);
    if (it == common_.end()) {
      return Status(StatusCode::kInvalidArgument,
                    "the key of " + now_.name + " has the column " + now_.columns[place].name +
                        ", which it did not have then: its rows cannot be told apart by it");
    }
    key_.push_back(static_cast<size_t>(it - common_.begin()));
  }
  by_rowid_ = now_.key.empty();
  rowid_is_written_ = now_.rowid && then_.rowid && !now_.key_is_rowid;
  if (by_rowid_ && !rowid_is_written_) {
    return Status(StatusCode::kInvalidArgument,
                  "the rows of " + now_.name +
                      " cannot be told apart: it has no primary key, and had no rowid then");
  }
  if (!now_.rowid && now_.key.empty()) {
    return Status(StatusCode::kInvalidArgument, "the rows of " + now_.name +
                                                    " cannot be reached: columns have all the "
                                                    "names of its rowid");
  }
  if (common_.empty()) {
    return Status(StatusCode::kInvalidArgument,
                  "no column of " + now_.name + " was there at that point");
  }
  return OkStatus();
}

// The common columns, and the rowid or NULL; of the present the added columns behind.
std::string TableRestorer::SelectList(const TableShape& shape) const {
  return List(common_) + ", " + (shape.rowid ? QuoteName(*shape.rowid) : "NULL");
}

std::string TableRestorer::KeyMatches(size_t first_parameter) const {
  std::string where;
  for (size_t i = 0; i < now_.key.size(); ++i) {
    const ColumnShape& column = now_.columns[now_.key[i]];
    where += (i == 0 ? "" : " AND ") + QuoteName(column.name) + " = ?" +
             std::to_string(first_parameter + i);
    if (!column.collation.empty()) where += " COLLATE " + QuoteName(column.collation);
  }
  return where;
}

Result<TableRestorer::Finder> TableRestorer::PrepareFinder(const Database& database,
                                                           const TableShape& shape) const {
  std::string sql = "SELECT " + SelectList(shape);
  if (&shape == &now_ && !added_.empty()) sql += ", " + List(added_);
  sql += " FROM main." + QuoteName(shape.name) + " WHERE ";
  Finder finder;
  if (!by_rowid_) {
    TIDEMARK_ASSIGN_OR_RETURN(finder.by_key, Prepared::Make(database, sql + KeyMatches(1)));
  }
  if (rowid_is_written_) {
    TIDEMARK_ASSIGN_OR_RETURN(finder.by_rowid,
                              Prepared::Make(database, sql + QuoteName(*shape.rowid) + " = ?1"));
  }
  return finder;
}

Result<Prepared> TableRestorer::PrepareScan(OnlyReads& reads, const TableShape& shape) const {
  std::string sql = "SELECT " + SelectList(shape) + " FROM main." + QuoteName(shape.name);
  if (!options_.where.empty()) sql += " WHERE (\n" + options_.where + "\n)";
  return reads.Prepare(sql);
}

Status TableRestorer::PrepareWrites() {
  const Database& live = connections_.live;
  const std::string table = "main." + QuoteName(now_.name);
  const size_t count = common_.size();
  TIDEMARK_ASSIGN_OR_RETURN(in_live_, PrepareFinder(live, now_));
  std::string set;
  for (size_t i = 0; i < count; ++i) {
    set += (i == 0 ? "" : ", ") + QuoteName(common_[i]) + " = ?" + std::to_string(i + 1);
  }
  const auto address = [&](size_t first) {
    return now_.rowid ? QuoteName(*now_.rowid) + " = ?" + std::to_string(first) : KeyMatches(first);
  };
  TIDEMARK_ASSIGN_OR_RETURN(
      update_, Prepared::Make(live, "UPDATE OR ABORT " + table + " SET " + set + " WHERE " +
                                        address(count + 1)));
  TIDEMARK_ASSIGN_OR_RETURN(erase_,
                            Prepared::Make(live, "DELETE FROM " + table + " WHERE " + address(1)));
  TIDEMARK_ASSIGN_OR_RETURN(insert_, PrepareInserter(common_));
  std::string columns;
  for (size_t i = 0; i < count + 2 + added_.size(); ++i) {
    columns += (i == 0 ? "v" : ", v") + std::to_string(i);
  }
  TIDEMARK_RETURN_IF_ERROR(
      Prepared::Make(live, "CREATE TEMP TABLE tidemark_staged(" + columns + ")")->Step().status());
  TIDEMARK_ASSIGN_OR_RETURN(
      stage_, Prepared::Make(live, "INSERT INTO temp.tidemark_staged VALUES(" +
                                       Parameters(1, count + 2 + added_.size()) + ")"));
  return OkStatus();
}

Result<TableRestorer::Inserter> TableRestorer::PrepareInserter(
    const std::vector<std::string>& columns) const {
  const std::string into = "INSERT OR ABORT INTO main." + QuoteName(now_.name) + "(";
  const size_t count = columns.size();
  Inserter inserter;
  inserter.count = static_cast<int>(count);
  TIDEMARK_ASSIGN_OR_RETURN(inserter.without,
                            Prepared::Make(connections_.live, into + List(columns) + ") VALUES(" +
                                                                  Parameters(1, count) + ")"));
  if (rowid_is_written_) {
    TIDEMARK_ASSIGN_OR_RETURN(
        inserter.with_rowid,
        Prepared::Make(connections_.live, into + List(columns) + ", " + QuoteName(*now_.rowid) +
                                              ") VALUES(" + Parameters(1, count + 1) + ")"));
  }
  return inserter;
}

Status TableRestorer::Run(TableRestore* report) {
  report_ = report;
  report->columns_added = added_;
  for (const ColumnShape& column : then_.columns) {
    const ColumnShape* own = now_.Find(column.name);
    if (!column.generated && (own == nullptr || own->generated)) {
      report->columns_gone.push_back(column.name);
    }
  }
  TIDEMARK_RETURN_IF_ERROR(PrepareWrites());
  if (connections_.present != nullptr) TIDEMARK_RETURN_IF_ERROR(DeleteNew());
  {
    TIDEMARK_ASSIGN_OR_RETURN(Prepared rows, PrepareScan(connections_.reads_past, then_));
    while (true) {
      TIDEMARK_ASSIGN_OR_RETURN(const bool row, rows.Step());
      if (!row) break;
      TIDEMARK_RETURN_IF_ERROR(RestoreRow(rows));
    }
  }
  if (staged_ > 0) TIDEMARK_RETURN_IF_ERROR(InsertStaged());
  in_live_ = Finder();  // or SQLite would not drop a table
  stage_.reset();
  TIDEMARK_ASSIGN_OR_RETURN(Prepared drop,
                            Prepared::Make(connections_.live, "DROP TABLE temp.tidemark_staged"));
  return drop.Step().status();
}

bool TableRestorer::KeyHasNull(Prepared& row) {
  return std::ranges::any_of(
      key_, [&](size_t column) { return row.Type(static_cast<int>(column)) == SQLITE_NULL; });
}

Result<Prepared*> TableRestorer::Find(Finder& finder, Prepared& row) {
  Prepared* const none = nullptr;
  const bool by_key = !by_rowid_ && !KeyHasNull(row);
  if (!by_key && !rowid_is_written_) return none;
  Prepared& find = by_key ? *finder.by_key : *finder.by_rowid;
  find.Reset();
  if (by_key) {
    for (size_t i = 0; i < key_.size(); ++i) {
      TIDEMARK_RETURN_IF_ERROR(
          find.Bind(static_cast<int>(i + 1), row.Value(static_cast<int>(key_[i]))));
    }
  } else {
    TIDEMARK_RETURN_IF_ERROR(find.Bind(1, row.Value(rowid_column())));
  }
  TIDEMARK_ASSIGN_OR_RETURN(const bool found, find.Step());
  // A rowid tells rows apart that have no key; one with a key may have been given it since.
  if (!found || (!by_key && !by_rowid_ && !KeyHasNull(find))) return none;
  return &find;
}

// Where a row of the present is: by its rowid, or by its key.
Status TableRestorer::BindAddress(Prepared& write, int first_parameter, Prepared& row) {
  if (now_.rowid) return write.Bind(first_parameter, row.Value(rowid_column()));
  for (const size_t column : key_) {
    TIDEMARK_RETURN_IF_ERROR(write.Bind(first_parameter++, row.Value(static_cast<int>(column))));
  }
  return OkStatus();
}

Status TableRestorer::DeleteNew() {
  TIDEMARK_ASSIGN_OR_RETURN(Finder in_past, PrepareFinder(connections_.past, then_));
  TIDEMARK_ASSIGN_OR_RETURN(Prepared rows, PrepareScan(*connections_.reads_present, now_));
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return OkStatus();
    TIDEMARK_ASSIGN_OR_RETURN(const Prepared* found, Find(in_past, rows));
    if (found != nullptr) continue;
    TIDEMARK_RETURN_IF_ERROR(BindAddress(*erase_, 1, rows));
    if (erase_->Try() != SQLITE_DONE) return Failed("deleting " + Describe(rows));
    ++report_->deleted;
    AddSample(RowRestore::kDeleted, nullptr, &rows);
  }
}

Status TableRestorer::RestoreRow(Prepared& row) {
  TIDEMARK_ASSIGN_OR_RETURN(Prepared * found, Find(in_live_, row));
  if (found != nullptr) {
    bool same = true;
    for (int i = 0; i < rowid_column() && same; ++i) {
      same = SameValue(row.get(), i, found->get(), i);
    }
    if (same) {
      ++report_->same;
      return OkStatus();
    }
    switch (options_.on_conflict) {
      case OnConflict::kReplace: return Replace(row, *found);
      case OnConflict::kKeep:
        ++report_->kept;
        AddSample(RowRestore::kKept, &row, found);
        return OkStatus();
      case OnConflict::kFail:
        return Status(StatusCode::kExists,
                      Describe(row) + " is there, and is not what it was then");
    }
  }
  TIDEMARK_ASSIGN_OR_RETURN(const int code, Insert(insert_, row, rowid_column()));
  if (code != SQLITE_DONE && options_.on_conflict == OnConflict::kKeep) {
    ++report_->kept;
    AddSample(RowRestore::kKept, &row, nullptr);
    return OkStatus();
  }
  if (code != SQLITE_DONE) TIDEMARK_RETURN_IF_ERROR(Stage(row, nullptr));
  ++report_->inserted;
  AddSample(RowRestore::kInserted, &row, nullptr);
  return OkStatus();
}

Status TableRestorer::Replace(Prepared& row, Prepared& found) {
  AddSample(RowRestore::kReplaced, &row, &found);
  ++report_->replaced;
  for (int i = 0; i < rowid_column(); ++i) {
    TIDEMARK_RETURN_IF_ERROR(update_->Bind(i + 1, row.Value(i)));
  }
  TIDEMARK_RETURN_IF_ERROR(BindAddress(*update_, rowid_column() + 1, found));
  const int code = update_->Try();
  if (code == SQLITE_DONE) return OkStatus();
  if (!IsInTheWay(code)) return Failed("making " + Describe(row) + " what it was");
  TIDEMARK_RETURN_IF_ERROR(Stage(row, &found));
  TIDEMARK_RETURN_IF_ERROR(BindAddress(*erase_, 1, found));
  found.Reset();
  return erase_->Try() == SQLITE_DONE ? OkStatus() : Failed("staging " + Describe(row));
}

// Its values then, what it has now in the columns added since, its rowid, and whether it is there.
Status TableRestorer::Stage(Prepared& row, Prepared* found) {
  int parameter = 1;
  for (int i = 0; i < rowid_column(); ++i) {
    TIDEMARK_RETURN_IF_ERROR(stage_->Bind(parameter++, row.Value(i)));
  }
  for (int i = 0; i < static_cast<int>(added_.size()); ++i, ++parameter) {
    TIDEMARK_RETURN_IF_ERROR(found == nullptr
                                 ? stage_->BindNull(parameter)
                                 : stage_->Bind(parameter, found->Value(rowid_column() + 1 + i)));
  }
  TIDEMARK_RETURN_IF_ERROR(
      stage_->Bind(parameter++, (found != nullptr ? *found : row).Value(rowid_column())));
  TIDEMARK_RETURN_IF_ERROR(stage_->Bind(parameter, int64_t{found != nullptr}));
  ++staged_;
  return stage_->Try() == SQLITE_DONE ? OkStatus() : Failed("staging " + Describe(row));
}

// With the rowid of then if it is free; in a table that knows its rows by it, it is, or what is in
// the way is the row itself.
Result<int> TableRestorer::Insert(Inserter& inserter, Prepared& row, int rowid_column) {
  int code = SQLITE_CONSTRAINT_ROWID;
  for (std::optional<Prepared>* write : {&inserter.with_rowid, &inserter.without}) {
    if (!*write) continue;
    const bool with_rowid = write == &inserter.with_rowid;
    for (int i = 0; i < inserter.count; ++i) {
      TIDEMARK_RETURN_IF_ERROR((*write)->Bind(i + 1, row.Value(i)));
    }
    if (with_rowid) {
      TIDEMARK_RETURN_IF_ERROR((*write)->Bind(inserter.count + 1, row.Value(rowid_column)));
    }
    code = (*write)->Try();
    if (code != SQLITE_CONSTRAINT_ROWID || by_rowid_) break;
  }
  if (code != SQLITE_DONE && !IsInTheWay(code)) {
    return Failed("inserting " + Describe(row, rowid_column));
  }
  return code;
}

Status TableRestorer::InsertStaged() {
  const Database& live = connections_.live;
  const int rowid_of_staged = rowid_column() + static_cast<int>(added_.size());
  std::vector<std::string> all = common_;
  all.insert(all.end(), added_.begin(), added_.end());
  TIDEMARK_ASSIGN_OR_RETURN(Inserter insert_all, PrepareInserter(all));
  TIDEMARK_ASSIGN_OR_RETURN(Prepared rows,
                            Prepared::Make(live, "SELECT * FROM temp.tidemark_staged"));
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return OkStatus();
    const bool was_there = rows.Int(rowid_of_staged + 1) != 0;
    TIDEMARK_ASSIGN_OR_RETURN(const int code,
                              Insert(was_there ? insert_all : insert_, rows, rowid_of_staged));
    if (code != SQLITE_DONE) {
      return Status(StatusCode::kExists, Describe(rows, rowid_of_staged) +
                                             " cannot be what it was then: another row, which "
                                             "stays, has something that is UNIQUE (" +
                                             sqlite3_errmsg(live.handle()) + ")");
    }
  }
}

void TableRestorer::AddSample(RowRestore change, Prepared* then, Prepared* now) {
  const auto of_kind = std::ranges::count_if(
      report_->samples, [&](const RowSample& sample) { return sample.change == change; });
  if (static_cast<size_t>(of_kind) >= options_.samples) return;
  RowSample sample{.change = change, .columns = common_};
  if (by_rowid_) sample.columns.push_back("rowid");
  const auto values = [&](Prepared* row, std::vector<std::string>* out) {
    for (size_t i = 0; row != nullptr && i < sample.columns.size(); ++i) {
      out->push_back(Literal(row->get(), static_cast<int>(i), kMostShown));
    }
  };
  values(then, &sample.then);
  values(now, &sample.now);
  report_->samples.push_back(std::move(sample));
}

// "the row id = 7 of orders"
std::string TableRestorer::Describe(Prepared& row, int rowid_column) {
  std::string key;
  for (const size_t column : key_) {
    key += (key.empty() ? "" : ", ") + common_[column] + " = " +
           Literal(row.get(), static_cast<int>(column), kMostShown);
  }
  if (by_rowid_) key = "rowid = " + Literal(row.get(), rowid_column, kMostShown);
  return "the row " + key + " of " + now_.name;
}

Status TableRestorer::Failed(const std::string& what) {
  return connections_.live.ErrorStatus().WithContext(what);
}

}  // namespace tidemark::internal
