#include "engine/status.h"

#include <cstddef>
#include <new>

#include "engine/check.h"

namespace tidemark {

std::string_view StatusCodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk: return "ok";
    case StatusCode::kInvalidArgument: return "invalid_argument";
    case StatusCode::kOutOfRange: return "out_of_range";
    case StatusCode::kLimitExceeded: return "limit_exceeded";
    case StatusCode::kNotFound: return "not_found";
    case StatusCode::kExists: return "exists";
    case StatusCode::kBusy: return "busy";
    case StatusCode::kInUse: return "in_use";
    case StatusCode::kReadOnly: return "read_only";
    case StatusCode::kUnsupportedVersion: return "unsupported_version";
    case StatusCode::kFull: return "full";
    case StatusCode::kMalformed: return "malformed";
    case StatusCode::kForeign: return "foreign";
    case StatusCode::kExpired: return "expired";
    case StatusCode::kPaused: return "paused";
    case StatusCode::kUnknown: return "unknown";
    case StatusCode::kFuture: return "future";
    case StatusCode::kLost: return "lost";
    case StatusCode::kCorruption: return "corruption";
    case StatusCode::kIoError: return "io_error";
    case StatusCode::kBroken: return "broken";
    case StatusCode::kOutOfMemory: return "out_of_memory";
  }
  return "unknown";
}

Status::Status(StatusCode code, std::string message) {
  CHECK(code != StatusCode::kOk);
  rep_ = std::make_shared<const Rep>(Rep{code, std::move(message)});
}

const std::string& Status::message() const {
  static const std::string kEmpty;
  return rep_ ? rep_->message : kEmpty;
}

std::string Status::ToString() const {
  if (ok()) return "ok";
  return std::string(StatusCodeName(rep_->code)) + ": " + rep_->message;
}

Status Status::WithContext(std::string_view context) const {
  if (ok()) return *this;
  return Status(rep_->code, std::string(context) + ": " + rep_->message);
}

Status Status::OutOfMemory() noexcept {
  // So short a text stands inside the string. Never destroyed, since threads may outlive main().
  alignas(Rep) static std::byte memory[sizeof(Rep)];
  static const Rep* const rep = new (memory) Rep{StatusCode::kOutOfMemory, "memory ran out"};
  Status status;
  status.rep_ = std::shared_ptr<const Rep>(std::shared_ptr<const Rep>(), rep);
  return status;
}

}  // namespace tidemark
