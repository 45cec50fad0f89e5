// Keys and values of an object, see kv.h.

#include "api/kv.h"

#include "api/error.h"
#include "api/internal/key_range.h"
#include "api/internal/storage_state.h"

namespace tidemark {

using internal::OwnStatement;
using internal::StorageState;
using internal::TransactionState;

void ThrowBadValue(std::string_view bytes, const char* wanted) {
  throw Error(Status(StatusCode::kMalformed, "the key's value, " + std::to_string(bytes.size()) +
                                                 " bytes, is not " + wanted));
}

namespace {

void BindText(sqlite3_stmt* statement, int index, std::string_view text,
              sqlite3_destructor_type lifetime) {
  sqlite3_bind_text64(statement, index, text.data() == nullptr ? "" : text.data(), text.size(),
                      lifetime, SQLITE_UTF8);
}

// What a column holds, whatever SQLite calls it.
std::string_view Bytes(sqlite3_stmt* statement, int column) {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement, column));
  return {data, static_cast<size_t>(sqlite3_column_bytes(statement, column))};
}

void RequireSize(const StorageState& state, std::string_view key, std::string_view value) {
  const auto limit = static_cast<size_t>(state.connection.options().limits.row_bytes);
  if (key.size() + value.size() <= limit) return;
  throw Error(Status(StatusCode::kLimitExceeded,
                     "string or blob too big: the key and its value take " +
                         std::to_string(key.size() + value.size()) + " bytes, and " +
                         std::to_string(limit) + " are allowed: SQLITE_TOOBIG"),
              SQLITE_TOOBIG);
}

void PutOne(StorageState& state, std::string_view key, std::string_view value) {
  OwnStatement::Use use(state.kv_table.put());
  BindText(use.handle(), 1, key, SQLITE_STATIC);
  if (value.empty()) {
    sqlite3_bind_zeroblob(use.handle(), 2, 0);
  } else {
    sqlite3_bind_blob64(use.handle(), 2, value.data(), value.size(), SQLITE_STATIC);
  }
  use.Step();
  ++state.metrics.rows_written;
}

bool DeleteOne(StorageState& state, std::string_view key) {
  OwnStatement::Use use(state.kv_table.remove());
  BindText(use.handle(), 1, key, SQLITE_STATIC);
  use.Step();
  const bool existed = sqlite3_changes64(state.connection.handle()) > 0;
  if (existed) ++state.metrics.rows_written;
  return existed;
}

// Several writes that all happen or none.
template <typename Writes>
void AllOrNone(StorageState& state, Writes writes) {
  const size_t level = state.transaction.Savepoint();
  try {
    writes();
    state.transaction.Release(level);
  } catch (...) {
    if (state.connection.broken() == nullptr) state.transaction.RollBackLevel(level);
    throw;
  }
}

}  // namespace

// ---- KvList ------------------------------------------------------------------------------------

KvList::KvList(std::shared_ptr<StorageState> state, size_t which, uint64_t number, int64_t limit)
    : state_(std::move(state)), which_(which), number_(number), left_(limit), open_(limit > 0) {}

KvList::KvList(KvList&& other) noexcept
    : state_(std::move(other.state_)),
      which_(other.which_),
      number_(other.number_),
      left_(other.left_),
      open_(std::exchange(other.open_, false)),
      entry_(other.entry_) {}

KvList::~KvList() { Close(); }

void KvList::Close() noexcept {
  if (!std::exchange(open_, false)) return;
  if (state_->kv_table.list_number() == number_) state_->kv_table.list(which_).ResetIfCompiled();
}

bool KvList::Next() {
  if (!open_) return false;
  state_->connection.RequireUsable();
  if (state_->kv_table.list_number() != number_) {
    open_ = false;
    throw Error(Status(StatusCode::kInvalidArgument,
                       "kv.list() iterator was invalidated because a new call to kv.list() was "
                       "started, or because everything was deleted. Only one kv.list() iterator "
                       "can exist at a time."));
  }
  sqlite3_stmt* statement = state_->kv_table.list(which_).Get();
  if (left_ == 0 || !OwnStatement::StepOwn(state_->connection, statement)) {
    Close();
    return false;
  }
  --left_;
  ++state_->metrics.rows_read;
  entry_ = {.key = Bytes(statement, 0), .value = Bytes(statement, 1)};
  return true;
}

std::vector<std::pair<std::string, std::string>> KvList::ToVector() {
  std::vector<std::pair<std::string, std::string>> entries;
  while (Next()) entries.emplace_back(entry_.key, entry_.value);
  return entries;
}

// ---- Kv ----------------------------------------------------------------------------------------

Kv::Kv(std::shared_ptr<StorageState> state) : state_(std::move(state)) {}

void Kv::RequireCount(size_t keys) const {
  const auto limit = static_cast<size_t>(state_->connection.options().limits.keys_per_call);
  if (keys <= limit) return;
  throw Error(Status(StatusCode::kLimitExceeded,
                     std::to_string(keys) + " keys in one call, and " + std::to_string(limit) +
                         " are allowed: divide them, in a transaction if they belong together"));
}

void Kv::Load(std::string_view key, void* out, Visit visit) {
  state_->connection.RequireUsable();
  ++state_->metrics.kv_calls;
  if (!state_->kv_table.Exists()) return;
  OwnStatement::Use use(state_->kv_table.get());
  BindText(use.handle(), 1, key, SQLITE_STATIC);
  if (!use.Step()) return;
  ++state_->metrics.rows_read;
  visit(out, Bytes(use.handle(), 0));
}

void Kv::PutBytes(std::string_view key, std::string_view value, const WriteOptions& options) {
  state_->connection.RequireUsable();
  ++state_->metrics.kv_calls;
  RequireSize(*state_, key, value);
  const bool create = !state_->kv_table.Exists();
  TransactionState::Call call(state_->transaction, create, !options.allow_unconfirmed);
  if (create) state_->kv_table.Create();
  PutOne(*state_, key, value);
  call.Done();
}

void Kv::PutAll(std::span<const std::pair<std::string, std::string>> entries,
                const WriteOptions& options) {
  state_->connection.RequireUsable();
  ++state_->metrics.kv_calls;
  RequireCount(entries.size());
  if (entries.empty()) return;
  TransactionState::Call call(state_->transaction, true, !options.allow_unconfirmed);
  AllOrNone(*state_, [&] {
    state_->kv_table.Create();
    for (const auto& [key, value] : entries) {
      RequireSize(*state_, key, value);
      PutOne(*state_, key, value);
    }
  });
  call.Done();
}

bool Kv::Delete(std::string_view key, const WriteOptions& options) {
  state_->connection.RequireUsable();
  ++state_->metrics.kv_calls;
  if (!state_->kv_table.Exists()) return false;
  TransactionState::Call call(state_->transaction, false, !options.allow_unconfirmed);
  const bool existed = DeleteOne(*state_, key);
  call.Done();
  return existed;
}

uint64_t Kv::DeleteMany(std::span<const std::string> keys, const WriteOptions& options) {
  state_->connection.RequireUsable();
  ++state_->metrics.kv_calls;
  RequireCount(keys.size());
  if (keys.empty() || !state_->kv_table.Exists()) return 0;
  TransactionState::Call call(state_->transaction, true, !options.allow_unconfirmed);
  uint64_t count = 0;
  AllOrNone(*state_, [&] {
    for (const std::string& key : keys) count += DeleteOne(*state_, key) ? 1 : 0;
  });
  call.Done();
  return count;
}

KvList Kv::List(const ListOptions& options) {
  state_->connection.RequireUsable();
  ++state_->metrics.kv_calls;
  const internal::KeyRange range = internal::RangeOf(options);
  internal::KvTable& table = state_->kv_table;
  const size_t which = table.ListIndex(range.high.has_value(), options.reverse);
  const uint64_t number = table.BeginList();
  if (range.empty || !table.Exists()) return KvList(state_, which, number, 0);
  sqlite3_stmt* statement = table.list(which).Get();
  BindText(statement, 1, range.low, SQLITE_TRANSIENT);
  if (range.high) BindText(statement, 2, *range.high, SQLITE_TRANSIENT);
  return KvList(state_, which, number, options.limit.value_or(INT64_MAX));
}

}  // namespace tidemark
