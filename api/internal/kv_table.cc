#include "api/internal/kv_table.h"

namespace tidemark::internal {

KvTable::KvTable(Connection& connection, TransactionState& transaction)
    : transaction_(transaction),
      exists_(connection, "SELECT 1 FROM sqlite_schema WHERE type='table' AND name='_cf_KV'"),
      create_(connection,
              "CREATE TABLE IF NOT EXISTS _cf_KV(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID"),
      get_(connection, "SELECT value FROM _cf_KV WHERE key=?1"),
      put_(connection,
           "INSERT INTO _cf_KV VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET value=excluded.value"),
      remove_(connection, "DELETE FROM _cf_KV WHERE key=?1"),
      list_from_(connection, "SELECT key, value FROM _cf_KV WHERE key>=?1 ORDER BY key"),
      list_between_(connection,
                    "SELECT key, value FROM _cf_KV WHERE key>=?1 AND key<?2 ORDER BY key"),
      list_from_reverse_(connection,
                         "SELECT key, value FROM _cf_KV WHERE key>=?1 ORDER BY key DESC"),
      list_between_reverse_(
          connection, "SELECT key, value FROM _cf_KV WHERE key>=?1 AND key<?2 ORDER BY key DESC"),
      lists_{&list_from_, &list_between_, &list_from_reverse_, &list_between_reverse_} {
  for (OwnStatement* list : lists_) list->KeepBound();  // a list is bound before its first row
}

bool KvTable::Exists() {
  if (known_ == Known::kPresent && known_at_ == transaction_.rollbacks()) return true;
  if (known_ == Known::kAbsent && known_at_ == transaction_.rollbacks()) return false;
  OwnStatement::Use use(exists_);
  known_ = use.Step() ? Known::kPresent : Known::kAbsent;
  known_at_ = transaction_.rollbacks();
  return known_ == Known::kPresent;
}

void KvTable::Create() {
  if (Exists()) return;
  create_.Run();
  known_ = Known::kPresent;
}

uint64_t KvTable::BeginList() {
  for (OwnStatement* list : lists_) list->ResetIfCompiled();
  return ++list_number_;
}

}  // namespace tidemark::internal
