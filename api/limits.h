// Limits of object storage: the documented ones of Durable Objects, each of which
// a host may change.

#ifndef TIDEMARK_API_LIMITS_H_
#define TIDEMARK_API_LIMITS_H_

#include <cstdint>

namespace tidemark {

// Where the documents and workerd's code disagree these are the documents'.
struct Limits {
  // A string, a blob or a row; a key and its value together. In bytes: 2 MiB.
  int row_bytes = 2 << 20;
  // A statement's text, in bytes.
  int sql_bytes = 100'000;
  int columns = 100;   // of a table, an index, a result
  int bindings = 100;  // of a statement
  int function_arguments = 32;
  int like_pattern_bytes = 50;  // of LIKE and GLOB
  int compound_select_terms = 5;
  int expression_depth = 100;
  int program_operations = 25'000;  // of SQLite's virtual machine, in one statement
  int trigger_depth = 10;
  // Operations that a statement may run from one row to the next (a call of Exec, or of a cursor's
  // Next), or to its end where its rows are dropped; some hundred million a second. Then it is
  // interrupted: SQLITE_INTERRUPT, which in a write breaks the object. 0: no limit, and
  // ObjectStorage::Interrupt() is what ends a statement.
  int64_t operations_per_row = 0;
  // Keys in one call of Kv's Get, Put and Delete with many.
  int keys_per_call = 128;
  // Size of the database, in bytes; what needs more fails with SQLITE_FULL.
  int64_t database_bytes = 10'000'000'000;
};

}  // namespace tidemark

#endif  // TIDEMARK_API_LIMITS_H_
