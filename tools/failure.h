// Failure: why a verb could not do its work, what to do next, and with which code the process ends.
//
// A verb is a plain function that throws a Failure; main prints it on stderr and returns its exit
// code. Explain() is the one place that turns a Status of the engine into an exit code and a hint.

#ifndef TIDEMARK_TOOLS_FAILURE_H_
#define TIDEMARK_TOOLS_FAILURE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/result.h"
#include "engine/status.h"

namespace tidemark::tools {

enum ExitCode : int {
  kExitDone = 0,    // the end state that was asked for holds
  kExitFailed = 1,  // it does not
  kExitUsage = 2,   // the command line is wrong, whatever the store holds
  kExitDamage = 3,  // damaged bytes were found in the store
};

struct Failure {
  std::string code;  // stable: a name of engine/status.h, or "usage", "sql", "file", "interrupted"
  ExitCode exit_code = kExitFailed;
  std::string message;  // names the thing
  std::string hint;     // what to do next; may be empty
  std::string excerpt;  // for people: the line of SQL with a mark below it; may be empty
  std::optional<int64_t> sql_offset;  // in bytes from the beginning of the SQL text

  // Every constructor call names its hint, so that none is forgotten.
  Failure(std::string_view code, ExitCode exit_code, std::string message, std::string hint)
      : code(code), exit_code(exit_code), message(std::move(message)), hint(std::move(hint)) {}
};

// Wrong use of `verb` (empty: of the command itself).
Failure UsageFailure(std::string_view verb, const std::string& message);
// Something about a file outside the store.
Failure FileFailure(const std::string& message, const std::string& hint);

// What a call was about: it decides the hint, because "not found" means something else for a store
// than for an object or a time.
struct Subject {
  enum class Kind { kNone, kNewStore, kStore, kObject, kPoint, kLabel };
  Kind kind = Kind::kNone;
  std::string store{};   // as the user gave it
  std::string object{};  // "rooms/lobby"
  std::string label{};   // kLabel: the one that was to be set, if one was
};

// `status` must be an error.
Failure Explain(const Status& status, const Subject& subject);

inline void OrThrow(const Status& status, const Subject& subject) {
  if (!status.ok()) throw Explain(status, subject);
}

template <typename T>
T OrThrow(Result<T> result, const Subject& subject) {
  if (!result.ok()) throw Explain(result.status(), subject);
  return std::move(result).value();
}

// Prints on stderr, as text or as one line of JSON:
//   {"error":{"code":"not_found","exit_code":1,"message":"…","hint":"…"}}
// with "offset" for SQL errors that have one.
void PrintFailure(const Failure& failure, bool json);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_FAILURE_H_
