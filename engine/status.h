// Status: the outcome of a call that can fail, and what the caller can do about it.
//
// The code tells a program what to do next; the message names the thing (object, LSN, segment,
// offset) for a person. An OK status carries no allocation.
//
// Memory that runs out: the calls of stores, objects, snapshots, transactions and databases that
// give a Status or a Result give kOutOfMemory then, having changed nothing. Everything else (texts
// and their parsers, Store::Stats, the constructors) throws std::bad_alloc, likewise.

#ifndef TIDEMARK_ENGINE_STATUS_H_
#define TIDEMARK_ENGINE_STATUS_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "engine/export.h"

namespace tidemark {

enum class StatusCode {
  kOk,
  kInvalidArgument,     // fix the call
  kOutOfRange,          // fix the call: a position or number that is not there
  kLimitExceeded,       // fix the call: more than a stated limit
  kNotFound,            // the named thing does not exist
  kExists,              // the named thing exists already
  kBusy,                // another transaction is in the way: retry it
  kInUse,               // another process owns the store
  kReadOnly,            // the store, or this view of it, cannot be written
  kUnsupportedVersion,  // written by a newer format than this library reads
  kFull,                // no room on the disk or in the index: make room, then go on
  kMalformed,           // bookmark: not the text of a bookmark
  kForeign,             // bookmark: of another object
  kExpired,             // bookmark: older than what is kept
  kFuture,              // bookmark: newer than this store
  kLost,                // bookmark: of a commit that a crash took before it was confirmed
  kCorruption,          // damaged bytes were found; nothing of them was returned
  kIoError,             // the operating system refused
  kBroken,              // an earlier failure left the store unusable: reopen it
  kOutOfMemory,         // memory ran out, and nothing was changed: free some, then retry
  kPaused,              // the clock is in doubt, and nothing expires until it is confirmed
  kUnknown,             // an exception of the application's own, of which only the message is known
};

// The stable lower-case name of a code ("not_found"), as printed by the tools and their JSON.
TIDEMARK_API std::string_view StatusCodeName(StatusCode code);

class [[nodiscard]] TIDEMARK_API Status {
 public:
  Status() = default;  // OK
  Status(StatusCode code, std::string message);
  // kOutOfMemory, for whoever has caught std::bad_alloc: it allocates nothing.
  static Status OutOfMemory() noexcept;

  bool ok() const { return rep_ == nullptr; }
  StatusCode code() const { return rep_ ? rep_->code : StatusCode::kOk; }
  const std::string& message() const;

  // "not_found: object rooms/lobby does not exist", or "ok".
  std::string ToString() const;

  // The same code with `context` and ": " before the message. OK stays OK.
  Status WithContext(std::string_view context) const;

 private:
  struct Rep {
    StatusCode code;
    std::string message;
  };
  std::shared_ptr<const Rep> rep_;  // null means OK; shared, because a broken store repeats one
};

inline Status OkStatus() { return Status(); }

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_STATUS_H_
