#include "vfs/blame.h"

#include <sqlite3.h>

#include <algorithm>
#include <charconv>
#include <new>
#include <string_view>
#include <variant>

#include "vfs/database.h"
#include "vfs/internal/main_file.h"
#include "vfs/internal/prepared.h"
#include "vfs/internal/sql_name.h"
#include "vfs/internal/table_shape.h"

namespace tidemark {

using internal::Prepared;
using internal::TableShape;

namespace {

constexpr size_t kMostShown = 1000;  // bytes of a value

// How a value that was typed is compared.
struct KeyValue {
  enum class Form { kText, kInteger, kReal, kBlob } form = Form::kText;
  std::string text;  // or the bytes of a blob
  int64_t integer = 0;
  double real = 0;
};

// Would the column keep digits as text, or number, as they come?
bool HasNoAffinity(const std::string& type) {
  std::string upper = type;
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  for (const char* typed : {"INT", "CHAR", "CLOB", "TEXT"}) {
    if (upper.find(typed) != std::string::npos) return false;
  }
  return upper.empty() || upper == "ANY" || upper.find("BLOB") != std::string::npos;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> ParseBlob(std::string_view text) {
  if (text.size() < 3 || text.size() % 2 == 0 || (text[0] != 'x' && text[0] != 'X') ||
      text[1] != '\'' || text.back() != '\'') {
    return std::nullopt;
  }
  std::string bytes;
  for (size_t i = 2; i + 1 < text.size(); i += 2) {
    const int high = HexDigit(text[i]);
    const int low = HexDigit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

KeyValue ParseKey(const std::string& text, bool no_affinity) {
  KeyValue value{.text = text};
  if (auto bytes = ParseBlob(text)) {
    value.form = KeyValue::Form::kBlob;
    value.text = *std::move(bytes);
  } else if (no_affinity) {
    const char* const end = text.data() + text.size();
    if (const auto read = std::from_chars(text.data(), end, value.integer);
        read.ec == std::errc() && read.ptr == end) {
      value.form = KeyValue::Form::kInteger;
    } else if (const auto real = std::from_chars(text.data(), end, value.real);
               real.ec == std::errc() && real.ptr == end) {
      value.form = KeyValue::Form::kReal;
    }
  }
  return value;
}

Status Bind(Prepared& query, int parameter, const KeyValue& value) {
  switch (value.form) {
    case KeyValue::Form::kText: return query.Bind(parameter, value.text);
    case KeyValue::Form::kInteger: return query.Bind(parameter, value.integer);
    case KeyValue::Form::kReal:
      sqlite3_bind_double(query.get(), parameter, value.real);
      return OkStatus();
    case KeyValue::Form::kBlob:
      sqlite3_bind_blob64(query.get(), parameter, value.text.data(), value.text.size(),
                          SQLITE_TRANSIENT);
      return OkStatus();
  }
  return OkStatus();
}

BlamedRow ReadRow(Prepared& query) {
  BlamedRow row;
  for (int i = 0; i < query.column_count(); ++i) {
    const int type = query.Type(i);
    const auto* bytes = static_cast<const char*>(
        type == SQLITE_BLOB ? sqlite3_column_blob(query.get(), i)
                            : static_cast<const void*>(sqlite3_column_text(query.get(), i)));
    const auto size = static_cast<size_t>(sqlite3_column_bytes(query.get(), i));
    const size_t hash = std::hash<std::string_view>()({bytes == nullptr ? "" : bytes, size});
    row.push_back({.column = sqlite3_column_name(query.get(), i),
                   .literal = internal::Literal(query.get(), i, kMostShown),
                   .hash = hash + static_cast<size_t>(type)});
  }
  return row;
}

class Search {
 public:
  Search(Store& store, const std::shared_ptr<Object>& object) : store_(store), object_(object) {}

  // The row that is meant, by what the table is at `at`.
  Status Find(const std::string& table, const std::vector<std::string>& key, const Point& at);
  Result<BlameResult> Run(const Point& at, const std::function<bool(const RowCommit&)>& visit,
                          EarlierRows earlier);

 private:
  // An object's state as far as the row goes.
  struct State {
    CommitInfo commit;
    std::optional<BlamedRow> row{};
    Lsn unchanged_since;  // nothing that was read was written behind that, on the commit's line
  };
  // The latest commit at or before an LSN that is whole; none: kNone.
  struct Found {
    CommitInfo commit;
    bool passed_damage = false;
  };

  Result<State> Look(const CommitInfo& commit, const Point& at);
  Result<Found> LastAtOrBefore(Lsn newest) const;
  // The first commit that there is from `lsn` on, of those up to `commit`.
  Result<CommitInfo> FirstFrom(Lsn lsn, const CommitInfo& commit) const;
  Result<BlameEnd> EndBefore(const CommitInfo& first) const;

  Store& store_;
  const std::shared_ptr<Object>& object_;
  std::string sql_;
  std::vector<KeyValue> key_;
  Timestamp horizon_;
  BlameResult result_;
};

Status Search::Find(const std::string& table, const std::vector<std::string>& key,
                    const Point& at) {
  TIDEMARK_ASSIGN_OR_RETURN(const Database past, Database::Open(store_, object_, {.at = at}));
  TIDEMARK_ASSIGN_OR_RETURN(const TableShape shape, internal::ReadTableShape(past, table));
  const size_t columns = std::max<size_t>(shape.key.size(), 1);
  if (key.size() != columns) {
    std::string names;
    for (const size_t column : shape.key) {
      names += (names.empty() ? "" : ", ") + shape.columns[column].name;
    }
    return Status(StatusCode::kInvalidArgument,
                  "the key of " + shape.name + " is " +
                      (names.empty() ? "its rowid" : "(" + names + ")") + ": give " +
                      std::to_string(columns) + (columns == 1 ? " value" : " values") + ", not " +
                      std::to_string(key.size()));
  }
  if (shape.key.empty() && !shape.rowid) {
    return Status(StatusCode::kInvalidArgument,
                  shape.name + " has no primary key, and columns with all names of its rowid");
  }
  sql_ = "SELECT * FROM main." + internal::QuoteName(shape.name) + " WHERE ";
  if (shape.key.empty()) {
    sql_ += internal::QuoteName(*shape.rowid) + " = ?1";
    key_.push_back(ParseKey(key[0], /*no_affinity=*/false));
  }
  for (size_t i = 0; i < shape.key.size(); ++i) {
    const internal::ColumnShape& column = shape.columns[shape.key[i]];
    sql_ +=
        (i == 0 ? "" : " AND ") + internal::QuoteName(column.name) + " = ?" + std::to_string(i + 1);
    if (!column.collation.empty()) sql_ += " COLLATE " + internal::QuoteName(column.collation);
    key_.push_back(ParseKey(key[i], HasNoAffinity(column.type)));
  }
  return OkStatus();
}

Result<Search::State> Search::Look(const CommitInfo& commit, const Point& at) {
  ++result_.looks;
  State state{.commit = commit, .unchanged_since = commit.lsn};
  if (commit.kind == CommitKind::kDelete) return state;
  TIDEMARK_ASSIGN_OR_RETURN(const Database past, Database::Open(store_, object_, {.at = at}));
  auto query = Prepared::Make(past, sql_);
  if (query.ok()) {
    for (size_t i = 0; i < key_.size(); ++i) {
      TIDEMARK_RETURN_IF_ERROR(Bind(*query, static_cast<int>(i + 1), key_[i]));
    }
    TIDEMARK_ASSIGN_OR_RETURN(const bool found, query->Step());
    if (found) state.row = ReadRow(*query);
  } else if (!query.status().message().starts_with("no such table: ") &&
             !query.status().message().starts_with("no such column: ")) {
    return query.status();
  }
  // What a restore inherits is older than it; what was between is no part of this line.
  sqlite3_file* file = nullptr;
  sqlite3_file_control(past.handle(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  const Lsn newest = internal::MainFileOf(file)->newest_read();
  if (newest.valid()) {
    state.unchanged_since = std::min(commit.lsn, std::max(newest, Lsn(commit.timeline.value)));
  }
  return state;
}

Result<Search::Found> Search::LastAtOrBefore(Lsn newest) const {
  Found found;
  TIDEMARK_RETURN_IF_ERROR(object_->History(
      [&](const CommitInfo& commit) {
        found.commit = commit;
        return false;
      },
      [&](const DamagedCommit&) {
        found.passed_damage = true;
        return true;
      },
      newest));
  return found;
}

Result<CommitInfo> Search::FirstFrom(Lsn lsn, const CommitInfo& commit) const {
  TIDEMARK_ASSIGN_OR_RETURN(const Found exact, LastAtOrBefore(lsn));
  if (exact.commit.lsn == lsn) return exact.commit;
  // It has expired, or is damaged.
  CommitInfo first = commit;
  uint64_t low = lsn.value;
  while (low < first.lsn.value) {
    const uint64_t middle = low + (first.lsn.value - low) / 2;
    TIDEMARK_ASSIGN_OR_RETURN(const Found found, LastAtOrBefore(Lsn(middle)));
    if (found.commit.lsn >= lsn) {
      first = found.commit;
    } else {
      low = middle + 1;
    }
  }
  return first;
}

Result<BlameEnd> Search::EndBefore(const CommitInfo& first) const {
  if (first.kind == CommitKind::kFork) return BlameEnd::kFork;
  if (first.time > horizon_) return BlameEnd::kCreation;
  const auto before = object_->Resolve(Point(first.time - std::chrono::microseconds(1)));
  return before.status().code() == StatusCode::kNotFound ? BlameEnd::kCreation : BlameEnd::kHorizon;
}

Result<BlameResult> Search::Run(const Point& at, const std::function<bool(const RowCommit&)>& visit,
                                EarlierRows earlier) {
  TIDEMARK_ASSIGN_OR_RETURN(const RetentionInfo retention, object_->GetRetention());
  horizon_ = retention.horizon;
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo begin, object_->Resolve(at));
  TIDEMARK_ASSIGN_OR_RETURN(State state, Look(begin, at));
  while (true) {
    TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo first,
                              FirstFrom(state.unchanged_since, state.commit));
    result_.oldest = first;
    result_.row = state.row;
    TIDEMARK_ASSIGN_OR_RETURN(const Found previous, LastAtOrBefore(Lsn(first.lsn.value - 1)));
    RowCommit change{.commit = first,
                     .before = std::nullopt,
                     .after = state.row,
                     .or_before = first.lsn != state.unchanged_since || first.time <= horizon_ ||
                                  previous.passed_damage};
    if (!previous.commit.lsn.valid()) {
      if (previous.passed_damage) {
        result_.end = BlameEnd::kHorizon;
        return result_;
      }
      TIDEMARK_ASSIGN_OR_RETURN(result_.end, EndBefore(first));
      change.or_before = false;
      const bool inserted = result_.end == BlameEnd::kCreation && state.row;
      if (inserted && !visit(change)) result_.end = BlameEnd::kStopped;
      return result_;
    }
    auto before = Look(previous.commit, object_->BookmarkOf(previous.commit));
    if (before.status().code() == StatusCode::kCorruption ||
        before.status().code() == StatusCode::kExpired) {
      result_.end = BlameEnd::kHorizon;
      return result_;
    }
    TIDEMARK_RETURN_IF_ERROR(before.status());
    if (before->row != state.row) {
      change.before = before->row;
      if (!visit(change)) {
        result_.end = BlameEnd::kStopped;
        return result_;
      }
      // What a restore brought back is no other row than what was there.
      if (earlier == EarlierRows::kNo && !change.before && first.kind == CommitKind::kCommit &&
          !change.or_before) {
        result_.end = BlameEnd::kInsertion;
        return result_;
      }
    }
    state = *std::move(before);
  }
}

}  // namespace

Result<BlameResult> Blame(Store& store, const std::shared_ptr<Object>& object,
                          const std::string& table, const std::vector<std::string>& key,
                          const Point& at, const std::function<bool(const RowCommit&)>& visit,
                          EarlierRows earlier) try {
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, object->Resolve(at));
  // A time goes on; a label's commit does not expire.
  const Point fixed = std::holds_alternative<Label>(at) ? at : Point(object->BookmarkOf(commit));
  Search search(store, object);
  TIDEMARK_RETURN_IF_ERROR(search.Find(table, key, fixed));
  return search.Run(fixed, visit, earlier);
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

}  // namespace tidemark
