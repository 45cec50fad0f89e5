#include "api/cursor.h"

#include <utility>

#include "api/error.h"
#include "api/internal/cursor_state.h"

namespace tidemark {
namespace {

// The last column of a name; throws if there is none.
size_t LastOf(const std::vector<std::string>& names, std::string_view name) {
  for (size_t i = names.size(); i-- > 0;) {
    if (names[i] == name) return i;
  }
  std::string there;
  for (const std::string& other : names) there += (there.empty() ? "" : ", ") + other;
  throw Error(Status(StatusCode::kNotFound, "there is no column \"" + std::string(name) +
                                                "\"; the columns are: " + there));
}

}  // namespace

void ThrowWrongType(const std::string& column, const ValueView& value, const char* wanted) {
  std::string is(TypeName(value));
  if (const auto* number = std::get_if<int64_t>(&value)) is += " " + std::to_string(*number);
  throw Error(Status(StatusCode::kInvalidArgument,
                     "column \"" + column + "\" is " + is + ", not " + wanted));
}

const Value& Row::operator[](size_t column) const {
  if (column < values_.size()) return values_[column];
  throw Error(Status(StatusCode::kOutOfRange,
                     "column " + std::to_string(column) + " was asked for, and the row has " +
                         std::to_string(values_.size()) + ", counted from 0"));
}

const Value& Row::operator[](std::string_view name) const { return values_[LastOf(*names_, name)]; }

size_t RowView::size() const { return cursor_->ColumnCount(); }
ValueView RowView::operator[](size_t column) const { return cursor_->Column(column); }
ValueView RowView::operator[](std::string_view name) const { return cursor_->Get<ValueView>(name); }

Cursor::Cursor(std::unique_ptr<internal::CursorState> state) : state_(std::move(state)) {}
Cursor::Cursor(Cursor&&) noexcept = default;
Cursor& Cursor::operator=(Cursor&&) noexcept = default;
Cursor::~Cursor() = default;

bool Cursor::Next() { return state_->Next(); }

RowView Cursor::row() const { return RowView(this); }

ValueView Cursor::Column(size_t column) const { return state_->Column(column); }

const std::vector<std::string>& Cursor::ColumnNames() const { return *state_->Names(); }

size_t Cursor::ColumnCount() const { return static_cast<size_t>(state_->place->column_count); }

std::string Cursor::NameOf(size_t column) const { return ColumnNames().at(column); }

size_t Cursor::Find(std::string_view name) const { return LastOf(ColumnNames(), name); }

std::vector<Value> Cursor::Values() const {
  std::vector<Value> values;
  values.reserve(ColumnCount());
  for (size_t i = 0; i < ColumnCount(); ++i) values.push_back(ValueOf(Column(i)));
  return values;
}

std::vector<Row> Cursor::ToVector() {
  std::vector<Row> rows;
  while (Next()) rows.emplace_back(state_->Names(), Values());
  return rows;
}

Row Cursor::One() {
  RequireOne();
  Row row(state_->Names(), Values());
  RequireNoMore();
  return row;
}

void Cursor::RequireColumns(size_t count) const {
  if (count == ColumnCount()) return;
  throw Error(Status(StatusCode::kInvalidArgument,
                     std::to_string(count) + " columns were asked for, and the rows have " +
                         std::to_string(ColumnCount())));
}

void Cursor::RequireOne() {
  if (!Next()) {
    throw Error(Status(StatusCode::kNotFound,
                       "Expected exactly one result from SQL query, but got no results."));
  }
}

void Cursor::RequireNoMore() {
  if (Next()) {
    throw Error(Status(StatusCode::kInvalidArgument,
                       "Expected exactly one result from SQL query, but got multiple results."));
  }
}

uint64_t Cursor::RowsRead() const { return state_->RowsRead(); }
uint64_t Cursor::RowsWritten() const { return state_->rows_written; }

}  // namespace tidemark
