// StorageState: what the parts of one ObjectStorage share.

#ifndef TIDEMARK_API_INTERNAL_STORAGE_STATE_H_
#define TIDEMARK_API_INTERNAL_STORAGE_STATE_H_

#include <string_view>

#include "api/internal/alarm_table.h"
#include "api/internal/connection.h"
#include "api/internal/kv_table.h"
#include "api/internal/own_tables.h"
#include "api/internal/row_counter.h"
#include "api/internal/transaction_state.h"
#include "api/metrics.h"

namespace tidemark::internal {

class StorageState {
 public:
  StorageState(Store& store, std::shared_ptr<Object> object, const StorageOptions& options)
      : connection(store, std::move(object), options),
        transaction(connection),
        kv_table(connection, transaction),
        alarm_table(connection, transaction),
        own_tables(connection),
        row_counter(connection),
        database_size(connection,
                      "SELECT ((SELECT page_count FROM pragma_page_count) - "
                      "(SELECT freelist_count FROM pragma_freelist_count)) * "
                      "(SELECT page_size FROM pragma_page_size)") {}

  Connection connection;
  TransactionState transaction;
  KvTable kv_table;
  AlarmTable alarm_table;
  OwnTables own_tables;
  RowCounter row_counter;
  OwnStatement database_size;
  StorageMetrics metrics;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_API_INTERNAL_STORAGE_STATE_H_
