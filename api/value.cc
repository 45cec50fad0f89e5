#include "api/value.h"

#include "api/error.h"

namespace tidemark {

ValueView ViewOf(const Value& value) {
  return std::visit([](const auto& held) { return ToView(held); }, value);
}

Value ValueOf(const ValueView& view) {
  struct {
    Value operator()(Null) const { return Null(); }
    Value operator()(int64_t value) const { return value; }
    Value operator()(double value) const { return value; }
    Value operator()(std::string_view value) const { return std::string(value); }
    Value operator()(BlobView value) const { return Blob(value.begin(), value.end()); }
  } copy;
  return std::visit(copy, view);
}

std::string_view TypeName(const ValueView& value) {
  static constexpr std::string_view kNames[] = {"NULL", "INTEGER", "REAL", "TEXT", "BLOB"};
  return kNames[value.index()];
}

void ThrowTooLarge(uint64_t value) {
  throw Error(Status(StatusCode::kOutOfRange,
                     std::to_string(value) + " is more than SQLite's integers hold (2^63 - 1)"));
}

}  // namespace tidemark
