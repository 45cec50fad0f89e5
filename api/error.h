// Error: what the calls of object storage throw.

#ifndef TIDEMARK_API_ERROR_H_
#define TIDEMARK_API_ERROR_H_

#include <optional>
#include <stdexcept>
#include <string>

#include "engine/export.h"
#include "engine/status.h"

namespace tidemark {

// An exception that leaves a transaction's callback rolls it back, and goes on to the caller.
//
// Of SQLite's errors the message is as Durable Objects have it:
//
//   near "SELEC": syntax error at offset 0: SQLITE_ERROR
//   UNIQUE constraint failed: t.id: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_PRIMARYKEY)
//
// and where the engine was the cause, its own words (object, LSN, segment, offset) stand before the
// code.
class TIDEMARK_API Error : public std::runtime_error {
 public:
  explicit Error(Status status, int sqlite_code = 0, std::optional<int> offset = std::nullopt);
  ~Error() override;

  // code() says what to do next (engine/status.h).
  const Status& status() const { return status_; }
  StatusCode code() const { return status_.code(); }
  // SQLite's extended result code (SQLITE_CONSTRAINT_UNIQUE); 0 if SQLite had no part in it.
  int sqlite_code() const { return sqlite_code_; }
  // Bytes into the SQL text where the error is, if SQLite knows.
  std::optional<int> offset() const { return offset_; }

 private:
  Status status_;
  int sqlite_code_;
  std::optional<int> offset_;
};

}  // namespace tidemark

#endif  // TIDEMARK_API_ERROR_H_
