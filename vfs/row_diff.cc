#include "vfs/row_diff.h"

#include <algorithm>
#include <array>
#include <map>
#include <new>
#include <utility>

#include "vfs/internal/page_difference.h"
#include "vfs/internal/row_comparer.h"
#include "vfs/internal/snapshot_connection.h"
#include "vfs/internal/sql_name.h"
#include "vfs/internal/stored_schema.h"

namespace tidemark {

using internal::DatabaseSchema;
using internal::PageDifference;
using internal::SchemaObject;
using internal::SnapshotConnection;
using internal::StoredTable;

namespace {

bool IsInternal(const SchemaObject& object) {
  return object.sql.empty() || object.name.starts_with("sqlite_");
}

bool HasRows(const SchemaObject& object) {
  return object.type == "table" && object.root.valid() && !object.name.starts_with("sqlite_stat");
}

std::vector<SchemaEntry> EntriesOf(const DatabaseSchema& schema) {
  std::vector<SchemaEntry> entries;
  for (const SchemaObject& object : schema.objects) {
    if (!IsInternal(object))
      entries.push_back({object.type, object.name, object.table, object.sql});
  }
  return entries;
}

std::optional<SchemaChange> Compare(const SchemaObject* before, const SchemaObject* after) {
  if (before != nullptr && after != nullptr && before->sql == after->sql) return std::nullopt;
  SchemaChange change;
  change.kind = before == nullptr  ? ChangeKind::kInserted
                : after == nullptr ? ChangeKind::kDeleted
                                   : ChangeKind::kChanged;
  const SchemaObject& object = after != nullptr ? *after : *before;
  change.type = object.type;
  change.name = object.name;
  change.table = object.table;
  if (before != nullptr) change.before = before->sql;
  if (after != nullptr) change.after = after->sql;
  return change;
}

std::vector<SchemaChange> CompareSchemas(const DatabaseSchema& before,
                                         const DatabaseSchema& after) {
  std::vector<SchemaChange> changes;
  const auto number = [&](const char* name, int64_t from, int64_t to) {
    if (from == to) return;
    changes.push_back({.kind = ChangeKind::kChanged,
                       .type = "pragma",
                       .name = name,
                       .table = "",
                       .before = std::to_string(from),
                       .after = std::to_string(to)});
  };
  number("application_id", before.application_id, after.application_id);
  number("user_version", before.user_version, after.user_version);
  for (const char* type : {"table", "index", "view", "trigger"}) {
    std::map<std::string, std::pair<const SchemaObject*, const SchemaObject*>> by_name;
    for (const SchemaObject& object : before.objects) {
      if (object.type == type && !IsInternal(object)) by_name[object.name].first = &object;
    }
    for (const SchemaObject& object : after.objects) {
      if (object.type == type && !IsInternal(object)) by_name[object.name].second = &object;
    }
    for (const auto& entry : by_name) {
      auto change = Compare(entry.second.first, entry.second.second);
      if (change) changes.push_back(*std::move(change));
    }
  }
  return changes;
}

}  // namespace

std::string_view ChangeKindName(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kInserted: return "inserted";
    case ChangeKind::kDeleted: return "deleted";
    case ChangeKind::kChanged: return "changed";
  }
  return "";
}

class RowDiff::Impl {
 public:
  Impl(Snapshot before, Snapshot after) : before_(std::move(before)), after_(std::move(after)) {}

  Status Begin() {
    TIDEMARK_ASSIGN_OR_RETURN(before_connection_, SnapshotConnection::Open(before_));
    TIDEMARK_ASSIGN_OR_RETURN(after_connection_, SnapshotConnection::Open(after_));
    TIDEMARK_ASSIGN_OR_RETURN(const DatabaseSchema before, ReadSchema(*before_connection_));
    TIDEMARK_ASSIGN_OR_RETURN(const DatabaseSchema after, ReadSchema(*after_connection_));
    TIDEMARK_ASSIGN_OR_RETURN(pages_,
                              PageDifference::Make(before_, after_, before.Roots(), after.Roots()));
    schema_changes_ = CompareSchemas(before, after);
    schema_before_ = EntriesOf(before);
    schema_after_ = EntriesOf(after);
    std::map<std::string, std::pair<const SchemaObject*, const SchemaObject*>> by_name;
    for (const SchemaObject& object : before.objects) {
      if (HasRows(object)) by_name[object.name].first = &object;
    }
    for (const SchemaObject& object : after.objects) {
      if (HasRows(object)) by_name[object.name].second = &object;
    }
    for (const auto& entry : by_name) {
      TIDEMARK_RETURN_IF_ERROR(AddTable(entry.second.first, entry.second.second));
    }
    return OkStatus();
  }

  enum class Rows { kDiffering, kAllAfter };
  Status Visit(const DiffTable& table, Rows rows,
               const std::function<bool(const RowChange&)>& visit) {
    const size_t i = static_cast<size_t>(&table - tables_.data());
    if (i >= tables_.size()) {
      return Status(StatusCode::kInvalidArgument, "the table is none of this comparison's");
    }
    if (!table.may_differ && rows == Rows::kDiffering) return OkStatus();
    for (const bool is_after : {false, true}) {  // of one that cannot differ nobody has asked yet
      TIDEMARK_RETURN_IF_ERROR(LoadShape(i, is_after));
    }
    internal::RowComparer comparer(*before_connection_, *after_connection_, shapes_[i][0].get(),
                                   shapes_[i][1].get(), *pages_);
    const Status status =
        rows == Rows::kAllAfter ? comparer.VisitAllAfter(visit) : comparer.Compare(visit);
    return status.ok() ? status : status.WithContext("table " + table.name);
  }

  const std::vector<SchemaChange>& schema_changes() const { return schema_changes_; }
  const std::vector<SchemaEntry>& schema_before() const { return schema_before_; }
  const std::vector<SchemaEntry>& schema_after() const { return schema_after_; }
  const std::vector<DiffTable>& tables() const { return tables_; }

 private:
  Status AddTable(const SchemaObject* before, const SchemaObject* after) {
    DiffTable table;
    table.name = after != nullptr ? after->name : before->name;
    table.in_before = before != nullptr;
    table.in_after = after != nullptr;
    table.may_differ = before == nullptr || after == nullptr || before->sql != after->sql ||
                       (pages_->any() && pages_->MayDiffer(before->root, after->root));
    objects_.push_back(
        {before == nullptr ? SchemaObject() : *before, after == nullptr ? SchemaObject() : *after});
    shapes_.emplace_back();
    if (table.may_differ) {
      for (const bool is_after : {false, true}) {
        TIDEMARK_RETURN_IF_ERROR(LoadShape(shapes_.size() - 1, is_after));
      }
      const StoredTable* earlier = shapes_.back()[0].get();
      const StoredTable* later = shapes_.back()[1].get();
      const StoredTable& shape = later != nullptr ? *later : *earlier;
      if (earlier != nullptr) table.columns_before = earlier->values;
      if (later != nullptr) table.columns_after = later->values;
      table.has_rowid = shape.has_rowid;
      table.rowid_name = shape.rowid_name;
      table.has_unique = shape.has_unique;
      if (!shape.integer_key.empty()) table.key.push_back(shape.integer_key);
      for (const StoredTable::KeyColumn& column : shape.key) {
        table.key.push_back(column.name);
        table.key_collations.push_back(column.collation);
      }
    }
    tables_.push_back(std::move(table));
    return OkStatus();
  }

  Status LoadShape(size_t i, bool is_after) {
    const SchemaObject& object = is_after ? objects_[i].second : objects_[i].first;
    std::unique_ptr<StoredTable>& shape = shapes_[i][is_after ? 1 : 0];
    if (object.name.empty() || shape != nullptr) return OkStatus();
    TIDEMARK_ASSIGN_OR_RETURN(
        StoredTable loaded,
        ReadStoredTable(is_after ? *after_connection_ : *before_connection_, object));
    shape = std::make_unique<StoredTable>(std::move(loaded));
    return OkStatus();
  }

  const Snapshot before_;
  const Snapshot after_;
  std::unique_ptr<SnapshotConnection> before_connection_;
  std::unique_ptr<SnapshotConnection> after_connection_;
  std::unique_ptr<PageDifference> pages_;
  std::vector<SchemaChange> schema_changes_;
  std::vector<SchemaEntry> schema_before_;
  std::vector<SchemaEntry> schema_after_;
  // Of each table, in order:
  std::vector<DiffTable> tables_;
  std::vector<std::pair<SchemaObject, SchemaObject>> objects_;       // without a name: not there
  std::vector<std::array<std::unique_ptr<StoredTable>, 2>> shapes_;  // once they were asked for
};

RowDiff::RowDiff(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RowDiff::RowDiff(RowDiff&&) noexcept = default;
RowDiff& RowDiff::operator=(RowDiff&&) noexcept = default;
RowDiff::~RowDiff() = default;

Result<RowDiff> RowDiff::Open(Snapshot before, Snapshot after) try {
  auto impl = std::make_unique<Impl>(std::move(before), std::move(after));
  TIDEMARK_RETURN_IF_ERROR(impl->Begin());
  return RowDiff(std::move(impl));
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

const std::vector<SchemaChange>& RowDiff::schema_changes() const { return impl_->schema_changes(); }
const std::vector<SchemaEntry>& RowDiff::schema_before() const { return impl_->schema_before(); }
const std::vector<SchemaEntry>& RowDiff::schema_after() const { return impl_->schema_after(); }
const std::vector<DiffTable>& RowDiff::tables() const { return impl_->tables(); }

const DiffTable* RowDiff::FindTable(const std::string& name) const {
  const std::vector<DiffTable>& all = tables();
  const auto found = std::find_if(all.begin(), all.end(), [&](const DiffTable& table) {
    return internal::SameName(table.name, name);
  });
  return found == all.end() ? nullptr : &*found;
}

Status RowDiff::VisitRows(const DiffTable& table,
                          const std::function<bool(const RowChange&)>& visit) try {
  return impl_->Visit(table, Impl::Rows::kDiffering, visit);
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

Status RowDiff::VisitAllAfter(const DiffTable& table,
                              const std::function<bool(const RowChange&)>& visit) try {
  return impl_->Visit(table, Impl::Rows::kAllAfter, visit);
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

}  // namespace tidemark
