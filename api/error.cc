#include "api/error.h"

#include <utility>

namespace tidemark {

Error::Error(Status status, int sqlite_code, std::optional<int> offset)
    : std::runtime_error(status.message()),
      status_(std::move(status)),
      sqlite_code_(sqlite_code),
      offset_(offset) {}

Error::~Error() = default;

}  // namespace tidemark
