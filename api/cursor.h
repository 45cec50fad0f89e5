// Cursor: the rows of one execution, read one after the other.
//
//   while (cursor.Next()) Use(cursor.Get<int64_t>(0), cursor.Get<std::string_view>("name"));
//   for (const RowView row : cursor) Use(row["name"]);
//   for (auto [id, name] : cursor.Rows<int64_t, std::string_view>()) Use(id, name);
//   int64_t count = cursor.One<int64_t>();
//   std::vector<std::tuple<int64_t, std::string>> all = cursor.ToVector<int64_t, std::string>();
//
// All of these move the same position. Types are strict: INTEGER is read as integers (which it must
// fit) and bool, REAL and INTEGER as double, TEXT as std::string and std::string_view, BLOB as Blob
// and BlobView, NULL only as std::optional<T>; anything as Value and ValueView. Views hold until
// the cursor moves.

#ifndef TIDEMARK_API_CURSOR_H_
#define TIDEMARK_API_CURSOR_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "api/value.h"
#include "engine/export.h"

namespace tidemark {

class Cursor;

// Throws Error (kInvalidArgument), with the column's name, what it is and what was asked for.
[[noreturn]] TIDEMARK_API void ThrowWrongType(const std::string& column, const ValueView& value,
                                              const char* wanted);

namespace internal {

struct CursorState;
struct RawReader;
template <typename... Ts>
struct TupleReader;

// A column as a T; `name` gives its name, for errors.
template <typename T, typename Name>
T Convert(const ValueView& value, const Name& name) {
  if constexpr (std::same_as<T, ValueView>) {
    return value;
  } else if constexpr (std::same_as<T, Value>) {
    return ValueOf(value);
  } else if constexpr (kIsOptional<T>) {
    if (std::holds_alternative<Null>(value)) return std::nullopt;
    return Convert<typename T::value_type>(value, name);
  } else if constexpr (std::same_as<T, bool>) {
    if (const auto* number = std::get_if<int64_t>(&value)) {
      if (*number == 0 || *number == 1) return *number == 1;
    }
    ThrowWrongType(name(), value, "a bool (0 or 1)");
  } else if constexpr (std::integral<T>) {
    if (const auto* number = std::get_if<int64_t>(&value)) {
      if (std::in_range<T>(*number)) return static_cast<T>(*number);
    }
    ThrowWrongType(name(), value, "an integer of the type asked for");
  } else if constexpr (std::floating_point<T>) {
    if (const auto* number = std::get_if<double>(&value)) return static_cast<T>(*number);
    if (const auto* number = std::get_if<int64_t>(&value)) return static_cast<T>(*number);
    ThrowWrongType(name(), value, "a number");
  } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
    if (const auto* text = std::get_if<std::string_view>(&value)) return T(*text);
    ThrowWrongType(name(), value, "text");
  } else if constexpr (std::same_as<T, BlobView>) {
    if (const auto* blob = std::get_if<BlobView>(&value)) return *blob;
    ThrowWrongType(name(), value, "a blob");
  } else {
    static_assert(std::same_as<T, Blob>, "no type that a column can be read as");
    if (const auto* blob = std::get_if<BlobView>(&value)) return Blob(blob->begin(), blob->end());
    ThrowWrongType(name(), value, "a blob");
  }
}

template <typename T>
inline constexpr bool kOwnsItsBytes =
    !std::same_as<T, std::string_view> && !std::same_as<T, BlobView> && !std::same_as<T, ValueView>;
template <typename T>
inline constexpr bool kOwnsItsBytes<std::optional<T>> = kOwnsItsBytes<T>;

// One type alone, several as a tuple.
template <typename T, typename... Ts>
struct RowTypeOf {
  using type = std::conditional_t<sizeof...(Ts) == 0, T, std::tuple<T, Ts...>>;
};
template <typename... Ts>
using RowType = typename RowTypeOf<Ts...>::type;

}  // namespace internal

// A row that owns its values.
class TIDEMARK_API Row {
 public:
  Row(std::shared_ptr<const std::vector<std::string>> names, std::vector<Value> values)
      : names_(std::move(names)), values_(std::move(values)) {}

  const std::vector<std::string>& names() const { return *names_; }
  const std::vector<Value>& values() const { return values_; }
  // Throw Error if there is no such column. Of several with the same name the last one is meant.
  const Value& operator[](size_t column) const;
  const Value& operator[](std::string_view name) const;

  template <typename T, typename Column>
  T Get(const Column& column) const {
    const Value& value = (*this)[Key(column)];
    return internal::Convert<T>(ViewOf(value), [&] { return NameOf(Key(column)); });
  }

 private:
  std::string NameOf(size_t column) const { return (*names_)[column]; }
  static std::string NameOf(std::string_view name) { return std::string(name); }
  static size_t Key(std::integral auto column) { return static_cast<size_t>(column); }
  static std::string_view Key(std::string_view name) { return name; }

  std::shared_ptr<const std::vector<std::string>> names_;
  std::vector<Value> values_;
};

// The row that a cursor stands on.
class TIDEMARK_API RowView {
 public:
  size_t size() const;
  ValueView operator[](size_t column) const;
  ValueView operator[](std::string_view name) const;  // the last one of that name
  template <typename T, typename Column>
  T Get(const Column& column) const;

 private:
  friend class Cursor;
  explicit RowView(const Cursor* cursor) : cursor_(cursor) {}
  const Cursor* cursor_;
};

// Moved, not copied. Used by the object's thread. It keeps the object's connection alive, and is
// cancelled by DeleteAll, a close and a rollback of what it reads: then it throws, saying why.
class TIDEMARK_API Cursor {
 public:
  Cursor(Cursor&&) noexcept;
  Cursor& operator=(Cursor&&) noexcept;
  ~Cursor();

  // To the next row, at first the first one; false at the end, and from there on.
  bool Next();
  // The row it stands on. Throw Error if it stands on none, or there is no such column.
  RowView row() const;
  ValueView Column(size_t column) const;
  template <typename T>
  T Get(size_t column) const {
    return internal::Convert<T>(Column(column), [&] { return NameOf(column); });
  }
  template <typename T>
  T Get(std::string_view name) const {
    return Get<T>(Find(name));
  }

  // In order, repeated ones too; also at the end. Empty for a statement that gives no rows.
  const std::vector<std::string>& ColumnNames() const;
  size_t ColumnCount() const;

  // The rest of the rows.
  std::vector<Row> ToVector();
  template <typename... Ts>
  requires(sizeof...(Ts) > 0) std::vector<internal::RowType<Ts...>> ToVector() {
    static_assert((internal::kOwnsItsBytes<Ts> && ...), "views end with their row");
    RequireColumns(sizeof...(Ts));
    std::vector<internal::RowType<Ts...>> rows;
    while (Next()) rows.push_back(Take<Ts...>());
    return rows;
  }
  // The only row. Throws Error if there is none ("got no results"), or more ("multiple results").
  Row One();
  template <typename... Ts>
  requires(sizeof...(Ts) > 0) internal::RowType<Ts...> One() {
    static_assert((internal::kOwnsItsBytes<Ts> && ...), "views end with their row");
    RequireColumns(sizeof...(Ts));
    RequireOne();
    internal::RowType<Ts...> row = Take<Ts...>();
    RequireNoMore();
    return row;
  }

  // Ranges over the rest, for one pass. Of a cursor that is a temporary, the range takes it along.
  auto begin();
  std::default_sentinel_t end() const { return {}; }
  // Of rows as vectors of values, in the order of columns.
  auto Raw() &;
  auto Raw() &&;
  // Of rows as tuples, or as the type itself if it is one.
  template <typename... Ts>
  auto Rows() &;
  template <typename... Ts>
  auto Rows() &&;

  // Rows that SQLite visited and wrote for this execution so far. See api/README.md for how near to
  // Durable Objects' counts stock SQLite lets them be.
  uint64_t RowsRead() const;
  uint64_t RowsWritten() const;

 private:
  friend class Sql;
  template <typename... Ts>
  friend struct internal::TupleReader;
  friend struct internal::RawReader;
  explicit Cursor(std::unique_ptr<internal::CursorState> state);

  std::string NameOf(size_t column) const;
  size_t Find(std::string_view name) const;
  void RequireColumns(size_t count) const;
  void RequireOne();
  void RequireNoMore();
  template <typename... Ts>
  internal::RowType<Ts...> Take() const {
    return TakeColumns<Ts...>(std::index_sequence_for<Ts...>());
  }
  template <typename... Ts, size_t... columns>
  internal::RowType<Ts...> TakeColumns(std::index_sequence<columns...>) const {
    return internal::RowType<Ts...>{Get<Ts>(columns)...};
  }
  std::vector<Value> Values() const;

  std::unique_ptr<internal::CursorState> state_;
};

template <typename T, typename Column>
T RowView::Get(const Column& column) const {
  return cursor_->Get<T>(column);
}

namespace internal {

// What a range over a cursor gives for each row.
struct ViewReader {
  static RowView Read(const Cursor& cursor) { return cursor.row(); }
};
struct RawReader {
  static std::vector<Value> Read(const Cursor& cursor) { return cursor.Values(); }
};
template <typename... Ts>
struct TupleReader {
  static RowType<Ts...> Read(const Cursor& cursor) { return cursor.Take<Ts...>(); }
};

template <typename Reader>
class CursorIterator {
 public:
  using value_type = decltype(Reader::Read(std::declval<const Cursor&>()));
  using difference_type = std::ptrdiff_t;
  using iterator_concept = std::input_iterator_tag;

  CursorIterator() = default;
  explicit CursorIterator(Cursor* cursor) : cursor_(cursor) { ++*this; }
  CursorIterator& operator++() {
    if (!cursor_->Next()) cursor_ = nullptr;
    return *this;
  }
  void operator++(int) { ++*this; }
  value_type operator*() const { return Reader::Read(*cursor_); }
  friend bool operator==(const CursorIterator& it, std::default_sentinel_t) {
    return it.cursor_ == nullptr;
  }

 private:
  Cursor* cursor_ = nullptr;
};

// `Holder` is Cursor or Cursor&.
template <typename Reader, typename Holder>
class CursorRange {
 public:
  explicit CursorRange(Holder&& cursor) : cursor_(std::forward<Holder>(cursor)) {}
  auto begin() { return CursorIterator<Reader>(&cursor_); }
  std::default_sentinel_t end() const { return {}; }
  auto ToVector() {
    std::vector<typename CursorIterator<Reader>::value_type> rows;
    while (cursor_.Next()) rows.push_back(Reader::Read(cursor_));
    return rows;
  }

 private:
  Holder cursor_;
};

}  // namespace internal

inline auto Cursor::begin() { return internal::CursorIterator<internal::ViewReader>(this); }

inline auto Cursor::Raw() & { return internal::CursorRange<internal::RawReader, Cursor&>(*this); }

inline auto Cursor::Raw() && {
  return internal::CursorRange<internal::RawReader, Cursor>(std::move(*this));
}

template <typename... Ts>
auto Cursor::Rows() & {
  RequireColumns(sizeof...(Ts));
  return internal::CursorRange<internal::TupleReader<Ts...>, Cursor&>(*this);
}

template <typename... Ts>
auto Cursor::Rows() && {
  RequireColumns(sizeof...(Ts));
  return internal::CursorRange<internal::TupleReader<Ts...>, Cursor>(std::move(*this));
}

}  // namespace tidemark

#endif  // TIDEMARK_API_CURSOR_H_
