#include "vfs/internal/row_comparer.h"
#include "vfs/internal/sql_name.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tidemark::internal {
namespace {

RowValue ReadValue(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return int64_t{sqlite3_column_int64(statement, column)};
    case SQLITE_FLOAT: return sqlite3_column_double(statement, column);
    case SQLITE_TEXT: {
      // The pointer first: it converts the value.
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
      const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, column));
      return text == nullptr ? std::string() : std::string(text, size);
    }
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
      const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, column));
      return BlobValue{bytes == nullptr ? std::string() : std::string(bytes, size)};
    }
    default: return std::monostate();
  }
}

bool SameValue(const RowValue& a, const RowValue& b) {
  const double* x = std::get_if<double>(&a);
  const double* y = std::get_if<double>(&b);
  if (x != nullptr && y != nullptr) {  // 0.0 and -0.0 are two values
    return std::bit_cast<uint64_t>(*x) == std::bit_cast<uint64_t>(*y);
  }
  return a == b;
}

// The order of "ORDER BY typeof(c), c" under BINARY.
int Order(const RowValue& a, const RowValue& b) {
  constexpr int kRanks[] = {2, 1, 3, 4, 0};  // blob, integer, null, real, text
  if (a.index() != b.index()) return kRanks[a.index()] < kRanks[b.index()] ? -1 : 1;
  if (a == b) return 0;
  return a < b ? -1 : 1;
}

uint64_t LoadBig(const std::byte* bytes, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | std::to_integer<uint64_t>(bytes[i]);
  return value;
}

// SQLite's varint; false if it goes on behind the end.
bool TakeVarint(const std::vector<std::byte>& bytes, size_t* offset, uint64_t* out) {
  uint64_t value = 0;
  for (int i = 0; i < 9; ++i) {
    if (*offset >= bytes.size()) return false;
    const auto byte = std::to_integer<uint64_t>(bytes[(*offset)++]);
    value = i == 8 ? value << 8 | byte : value << 7 | (byte & 0x7f);
    if (byte < 0x80 && i < 8) break;
  }
  *out = value;
  return true;
}

constexpr size_t kIntegerSizes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};

uint64_t SizeOfType(uint64_t type) {
  if (type < 10) return kIntegerSizes[type];
  return type < 12 ? 0 : (type - 12) / 2;
}

// A field of a record.
struct Field {
  uint64_t type = 0;
  std::vector<std::byte> bytes;
};

void BindField(sqlite3_stmt* statement, int parameter, const Field& field, int encoding) {
  const std::byte* bytes = field.bytes.data();
  const size_t size = field.bytes.size();
  if (field.type == 0) {
    sqlite3_bind_null(statement, parameter);
  } else if (field.type == 7) {
    sqlite3_bind_double(statement, parameter, std::bit_cast<double>(LoadBig(bytes, size)));
  } else if (field.type < 7) {
    const int shift = static_cast<int>(64 - 8 * size);
    const auto value = static_cast<int64_t>(LoadBig(bytes, size) << shift) >> shift;
    sqlite3_bind_int64(statement, parameter, value);
  } else if (field.type < 12) {
    sqlite3_bind_int64(statement, parameter, field.type == 9 ? 1 : 0);
  } else if (field.type % 2 == 0) {
    sqlite3_bind_blob64(statement, parameter, size == 0 ? "" : static_cast<const void*>(bytes),
                        size, SQLITE_TRANSIENT);
  } else {
    sqlite3_bind_text64(statement, parameter, size == 0 ? "" : reinterpret_cast<const char*>(bytes),
                        size, SQLITE_TRANSIENT, static_cast<unsigned char>(encoding));
  }
}

}  // namespace

RowComparer::RowComparer(SnapshotConnection& before, SnapshotConnection& after,
                         const StoredTable* before_shape, const StoredTable* after_shape,
                         PageDifference& pages)
    : before_{&before, before_shape, nullptr}, after_{&after, after_shape, nullptr}, pages_(pages) {
  if (before_shape == nullptr || after_shape == nullptr) return;
  const std::vector<std::string>& columns = before_shape->values;
  for (const std::string& name : after_shape->values) {
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const std::string& column) {
      return SameName(column, name);
    });
    std::optional<size_t> at;
    if (found != columns.end()) at = static_cast<size_t>(found - columns.begin());
    before_columns_.push_back(at);
  }
}

Status RowComparer::Compare(const Visit& visit) {
  visit_ = &visit;
  ended_ = false;
  const StoredTable* before = before_.shape;
  const StoredTable* after = after_.shape;
  if (before != nullptr && after != nullptr) {
    const bool reads_alike = before->ReadsAs(*after);
    if (reads_alike && !pages_.MayDiffer(before->root, after->root)) return OkStatus();
    const bool is_named = !before->has_rowid || !before->rowid_name.empty();
    if (is_named && before->SharesKey(*after)) {
      for (Side* side : {&before_, &after_}) {
        TIDEMARK_ASSIGN_OR_RETURN(
            side->by_key,
            side->connection->Prepare("SELECT " + side->shape->SelectList() + " FROM " +
                                      QuoteName(side->shape->name) + side->shape->WhereKey()));
      }
      return reads_alike ? CompareByPages() : CompareByKeys();
    }
    if (!is_named && before->values == after->values && before->SharesKey(*after)) {
      return CompareUnnamed();
    }
  }
  if (before != nullptr) TIDEMARK_RETURN_IF_ERROR(VisitAll(before_, ChangeKind::kDeleted));
  if (after != nullptr) TIDEMARK_RETURN_IF_ERROR(VisitAll(after_, ChangeKind::kInserted));
  return OkStatus();
}

Status RowComparer::VisitAllAfter(const Visit& visit) {
  visit_ = &visit;
  ended_ = false;
  return after_.shape == nullptr ? OkStatus() : VisitAll(after_, ChangeKind::kInserted);
}

// ---- which rows --------------------------------------------------------------------------------

Status RowComparer::CompareByPages() {
  for (const auto side : {PageDifference::kBefore, PageDifference::kAfter}) {
    TIDEMARK_RETURN_IF_ERROR(pages_.VisitCells(
        before_.shape->root, after_.shape->root, side, [&](const BtreeCell& cell) -> Status {
          if (ended_) return OkStatus();
          TIDEMARK_ASSIGN_OR_RETURN(const BindKey bind, KeyOf(side, cell));
          return side == PageDifference::kBefore ? CompareKey(bind) : CompareNewKey(bind);
        }));
  }
  return OkStatus();
}

Status RowComparer::CompareByKeys() {
  for (Side* side : {&before_, &after_}) {
    const StoredTable& shape = *side->shape;
    std::string key = shape.integer_key.empty() ? shape.rowid_name : QuoteName(shape.integer_key);
    for (const StoredTable::KeyColumn& column : shape.key) {
      key += (key.empty() ? "" : ", ") + QuoteName(column.name);
    }
    TIDEMARK_ASSIGN_OR_RETURN(const Statement keys,
                              side->connection->Prepare("SELECT " + key + " FROM " +
                                                        QuoteName(shape.name) + " NOT INDEXED"));
    while (!ended_) {
      TIDEMARK_ASSIGN_OR_RETURN(const bool row, side->connection->Step(keys.get()));
      if (!row) break;
      const BindKey bind = [&keys](sqlite3_stmt* statement) {
        for (int i = 0; i < sqlite3_column_count(keys.get()); ++i) {
          sqlite3_bind_value(statement, i + 1, sqlite3_column_value(keys.get(), i));
        }
      };
      TIDEMARK_RETURN_IF_ERROR(side == &before_ ? CompareKey(bind) : CompareNewKey(bind));
    }
  }
  return OkStatus();
}

// Two sorted lists of rows, merged.
Status RowComparer::CompareUnnamed() {
  std::string order;
  for (const std::string& column : after_.shape->values) {
    const std::string name = QuoteName(column);
    order += (order.empty() ? " ORDER BY typeof(" : ", typeof(") + name + "), " + name +
             " COLLATE BINARY";
  }
  Statement statements[2];
  std::optional<Row> rows[2];
  const auto next = [&](int i) -> Status {
    Side& side = i == 0 ? before_ : after_;
    TIDEMARK_ASSIGN_OR_RETURN(const bool row, side.connection->Step(statements[i].get()));
    rows[i].reset();
    if (row) rows[i] = ReadRow(*side.shape, statements[i].get());
    return OkStatus();
  };
  for (const int i : {0, 1}) {
    Side& side = i == 0 ? before_ : after_;
    TIDEMARK_ASSIGN_OR_RETURN(
        statements[i], side.connection->Prepare("SELECT " + side.shape->SelectList() + " FROM " +
                                                QuoteName(side.shape->name) + order));
    TIDEMARK_RETURN_IF_ERROR(next(i));
  }
  while (!ended_ && (rows[0] || rows[1])) {
    int which = !rows[0] ? 1 : !rows[1] ? -1 : 0;
    if (rows[0] && rows[1]) {
      for (size_t i = 0; which == 0 && i < rows[0]->values.size(); ++i) {
        which = Order(rows[0]->values[i], rows[1]->values[i]);
      }
    }
    if (which < 0) Report(ChangeKind::kDeleted, &*rows[0], nullptr);
    if (which > 0) Report(ChangeKind::kInserted, nullptr, &*rows[1]);
    if (which <= 0) TIDEMARK_RETURN_IF_ERROR(next(0));
    if (which >= 0) TIDEMARK_RETURN_IF_ERROR(next(1));
  }
  return OkStatus();
}

Status RowComparer::VisitAll(Side& side, ChangeKind kind) {
  TIDEMARK_ASSIGN_OR_RETURN(
      const Statement all,
      side.connection->Prepare("SELECT " + side.shape->SelectList() + " FROM " +
                               QuoteName(side.shape->name) + " NOT INDEXED"));
  while (!ended_) {
    TIDEMARK_ASSIGN_OR_RETURN(const bool more, side.connection->Step(all.get()));
    if (!more) break;
    Row row = ReadRow(*side.shape, all.get());
    const bool inserted = kind == ChangeKind::kInserted;
    Report(kind, inserted ? nullptr : &row, inserted ? &row : nullptr);
  }
  return OkStatus();
}

// A table without rowids has its key's columns first, in a record.
Result<RowComparer::BindKey> RowComparer::KeyOf(PageDifference::Side side, const BtreeCell& cell) {
  if (cell.has_rowid) {
    return BindKey(
        [rowid = cell.rowid](sqlite3_stmt* statement) { sqlite3_bind_int64(statement, 1, rowid); });
  }
  BtreeReader& reader = pages_.reader(side);
  const StoredTable& shape = side == PageDifference::kBefore ? *before_.shape : *after_.shape;
  const Status damaged(StatusCode::kCorruption, "table " + shape.name + " has a damaged row");
  std::vector<std::byte> bytes;
  TIDEMARK_RETURN_IF_ERROR(
      reader.ReadPayload(cell, std::min<uint64_t>(cell.payload_size, 9), &bytes));
  size_t at = 0;
  uint64_t header = 0;
  if (!TakeVarint(bytes, &at, &header) || header > cell.payload_size) return damaged;
  TIDEMARK_RETURN_IF_ERROR(reader.ReadPayload(cell, header, &bytes));
  std::vector<Field> fields(shape.key.size());
  uint64_t end = header;
  for (Field& field : fields) {
    if (!TakeVarint(bytes, &at, &field.type)) return damaged;
    end += SizeOfType(field.type);
    if (end > cell.payload_size) return damaged;
  }
  TIDEMARK_RETURN_IF_ERROR(reader.ReadPayload(cell, end, &bytes));
  auto from = bytes.begin() + static_cast<ptrdiff_t>(header);
  for (Field& field : fields) {
    const auto to = from + static_cast<ptrdiff_t>(SizeOfType(field.type));
    field.bytes.assign(from, to);
    from = to;
  }
  return BindKey(
      [fields = std::move(fields), encoding = reader.encoding()](sqlite3_stmt* statement) {
        for (size_t i = 0; i < fields.size(); ++i) {
          BindField(statement, static_cast<int>(i) + 1, fields[i], encoding);
        }
      });
}

// ---- one row -----------------------------------------------------------------------------------

RowComparer::Row RowComparer::ReadRow(const StoredTable& shape, sqlite3_stmt* statement) {
  Row row;
  int column = 0;
  if (!shape.rowid_name.empty()) row.rowid = sqlite3_column_int64(statement, column++);
  row.values.reserve(shape.values.size());
  for (; column < sqlite3_column_count(statement); ++column) {
    row.values.push_back(ReadValue(statement, column));
  }
  return row;
}

Result<std::optional<RowComparer::Row>> RowComparer::Find(Side& side, const BindKey& bind) {
  sqlite3_stmt* statement = side.by_key.get();
  sqlite3_reset(statement);
  bind(statement);
  TIDEMARK_ASSIGN_OR_RETURN(const bool there, side.connection->Step(statement));
  std::optional<Row> row;
  if (there) row = ReadRow(*side.shape, statement);
  sqlite3_reset(statement);
  return row;
}

Status RowComparer::CompareKey(const BindKey& bind) {
  TIDEMARK_ASSIGN_OR_RETURN(std::optional<Row> before, Find(before_, bind));
  if (!before) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(std::optional<Row> after, Find(after_, bind));
  if (!after) {
    Report(ChangeKind::kDeleted, &*before, nullptr);
  } else if (!Same(*before, *after)) {
    Report(ChangeKind::kChanged, &*before, &*after);
  }
  return OkStatus();
}

Status RowComparer::CompareNewKey(const BindKey& bind) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::optional<Row> before, Find(before_, bind));
  if (before) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(std::optional<Row> after, Find(after_, bind));
  if (after) Report(ChangeKind::kInserted, nullptr, &*after);
  return OkStatus();
}

bool RowComparer::Same(const Row& before, const Row& after) const {
  for (size_t i = 0; i < after.values.size(); ++i) {
    const bool was_there = before_columns_[i].has_value();
    const RowValue null;
    if (!SameValue(was_there ? before.values[*before_columns_[i]] : null, after.values[i])) {
      return false;
    }
  }
  return true;
}

void RowComparer::Report(ChangeKind kind, Row* before, Row* after) {
  RowChange change;
  change.kind = kind;
  change.rowid = before != nullptr ? before->rowid : after->rowid;
  if (before != nullptr) change.before = std::move(before->values);
  if (after != nullptr) change.after = std::move(after->values);
  ended_ = ended_ || !(*visit_)(change);
}

}  // namespace tidemark::internal
