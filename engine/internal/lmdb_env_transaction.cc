// LMDB's cursors and write transactions, see lmdb_env.h.

#include <lmdb.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/check.h"
#include "engine/internal/lmdb_env.h"

namespace tidemark::internal {
namespace {

MDB_val ToVal(ConstBytes bytes) { return {bytes.size(), const_cast<std::byte*>(bytes.data())}; }

ConstBytes FromVal(const MDB_val& val) {
  return {static_cast<const std::byte*>(val.mv_data), val.mv_size};
}

bool BeginsWith(ConstBytes bytes, ConstBytes prefix) {
  return bytes.size() >= prefix.size() &&
         std::memcmp(bytes.data(), prefix.data(), prefix.size()) == 0;
}

}  // namespace

// --- Cursors --------------------------------------------------------------------------------

bool LmdbCursor::Get(int op, ConstBytes key, ConstBytes value) {
  if (*error_ != 0) return false;
  MDB_val key_val = ToVal(key);
  MDB_val value_val = ToVal(value);
  const int rc = mdb_cursor_get(cursor_, &key_val, &value_val, static_cast<MDB_cursor_op>(op));
  if (rc == 0) {
    key_ = FromVal(key_val);
    value_ = FromVal(value_val);
    return true;
  }
  if (rc != MDB_NOTFOUND) *error_ = rc;
  return false;
}

bool LmdbCursor::Seek(ConstBytes key) { return Get(MDB_SET_KEY, key, {}); }
bool LmdbCursor::SeekAtOrAfter(ConstBytes key) { return Get(MDB_SET_RANGE, key, {}); }
bool LmdbCursor::SeekAtOrBefore(ConstBytes key) {
  if (!SeekAtOrAfter(key)) return SeekLast();
  return std::ranges::equal(key_, key) || Get(MDB_PREV, {}, {});
}
bool LmdbCursor::SeekLast() { return Get(MDB_LAST, {}, {}); }
bool LmdbCursor::Next() { return Get(MDB_NEXT, {}, {}); }
bool LmdbCursor::NextKey() { return Get(MDB_NEXT_NODUP, {}, {}); }
bool LmdbCursor::NextDuplicate() { return Get(MDB_NEXT_DUP, key_, {}); }
bool LmdbCursor::PreviousDuplicate() { return Get(MDB_PREV_DUP, key_, {}); }
bool LmdbCursor::LastDuplicate() { return Get(MDB_LAST_DUP, key_, {}); }

uint64_t LmdbCursor::CountDuplicates() {
  size_t count = 0;
  if (*error_ == 0) *error_ = mdb_cursor_count(cursor_, &count);
  return count;
}

bool LmdbCursor::SeekDuplicateAtOrAfter(ConstBytes key, ConstBytes value) {
  return Get(MDB_GET_BOTH_RANGE, key, value);
}

bool LmdbCursor::SeekDuplicateAtOrBefore(ConstBytes key, ConstBytes value) {
  // Most look-ups want the latest, so it is tried first. It also makes the range search safe:
  // MDB_GET_BOTH_RANGE finds nothing beyond the last duplicate and then stands nowhere.
  if (!Seek(key) || !LastDuplicate()) return false;
  if (std::memcmp(value_.data(), value.data(), value.size()) <= 0) return true;
  if (!SeekDuplicateAtOrAfter(key, value)) return false;
  return BeginsWith(value_, value) || PreviousDuplicate();
}

// --- Write transactions ---------------------------------------------------------------------

LmdbWriteTransaction::LmdbWriteTransaction(LmdbEnv& env)
    : env_(env), cursors_(env.handles_.size()) {}

LmdbWriteTransaction::~LmdbWriteTransaction() {
  if (txn_ != nullptr) mdb_txn_abort(txn_);  // and its cursors
}

int LmdbWriteTransaction::Commit() {
  return mdb_txn_commit(std::exchange(txn_, nullptr));  // ends it even when it fails
}

Status LmdbWriteTransaction::Check(int rc) {
  if (error_ == 0) error_ = rc;
  return error_ == 0 ? OkStatus() : env_.ErrorStatus(error_, "cannot write");
}

LmdbCursor& LmdbWriteTransaction::cursor(size_t table) {
  LmdbCursor& cursor = cursors_[table];
  cursor.error_ = &error_;
  if (cursor.cursor_ == nullptr && error_ == 0) {
    error_ = mdb_cursor_open(txn_, env_.handles_[table], &cursor.cursor_);
  }
  return cursor;
}

Status LmdbWriteTransaction::Put(size_t table, ConstBytes key, ConstBytes value) {
  if (error_ != 0) return Check(error_);
  MDB_val key_val = ToVal(key);
  MDB_val value_val = ToVal(value);
  return Check(mdb_put(txn_, env_.handles_[table], &key_val, &value_val, 0));
}

Status LmdbWriteTransaction::Remove(size_t table, ConstBytes key) {
  if (error_ != 0) return Check(error_);
  MDB_val key_val = ToVal(key);
  const int rc = mdb_del(txn_, env_.handles_[table], &key_val, nullptr);
  return Check(rc == MDB_NOTFOUND ? 0 : rc);
}

Status LmdbWriteTransaction::RemovePrefix(size_t table, ConstBytes prefix, uint64_t* most) {
  LmdbCursor& at = cursor(table);
  while (*most > 0 && at.SeekAtOrAfter(prefix) && BeginsWith(at.key(), prefix)) {
    const uint64_t values =
        env_.tables_[table].kind == LmdbTableKind::kPlain ? 1 : at.CountDuplicates();
    if (error_ == 0) error_ = mdb_cursor_del(at.cursor_, MDB_NODUPDATA);
    if (error_ != 0) break;
    *most -= std::min(*most, values);
  }
  return Check(error_);
}

Status LmdbWriteTransaction::PutDuplicates(size_t table, ConstBytes key, ConstBytes rows,
                                           size_t row_size, size_t identity_size) {
  CHECK(rows.size() % row_size == 0);
  if (rows.empty()) return Check(0);
  LmdbCursor& at = cursor(table);
  const unsigned handle = env_.handles_[table];

  // LMDB must not be asked to append what is not beyond the last: it notices too late, when the
  // page has already been changed.
  const bool beyond_last = !at.Seek(key) || !at.LastDuplicate() ||
                           std::memcmp(at.value().data(), rows.data(), identity_size) < 0;
  MDB_val key_val = ToVal(key);
  for (size_t i = 0; i < rows.size(); i += row_size) {
    if (error_ != 0) break;
    const ConstBytes row = rows.subspan(i, row_size);
    CHECK(i == 0 || std::memcmp(row.data() - row_size, row.data(), identity_size) < 0);
    MDB_val value_val = ToVal(row);
    if (beyond_last) {
      // Appending fills pages; a plain put would leave them half empty.
      error_ = mdb_cursor_put(at.cursor_, &key_val, &value_val, MDB_APPENDDUP);
      continue;
    }
    if (at.SeekDuplicateAtOrAfter(key, row.first(identity_size)) &&
        BeginsWith(at.value(), row.first(identity_size))) {
      MDB_val old_val = ToVal(at.value());
      if (BeginsWith(at.value(), row)) continue;
      error_ = mdb_del(txn_, handle, &key_val, &old_val);
    }
    if (error_ == 0) error_ = mdb_put(txn_, handle, &key_val, &value_val, 0);
  }
  return Check(error_);
}

Status LmdbWriteTransaction::RemoveDuplicate(size_t table, ConstBytes key, ConstBytes identity) {
  LmdbCursor& at = cursor(table);
  if (at.SeekDuplicateAtOrAfter(key, identity) && BeginsWith(at.value(), identity)) {
    error_ = mdb_cursor_del(at.cursor_, 0);
  }
  return Check(error_);
}

}  // namespace tidemark::internal
