// Bookmarks, times and labels, as people type them: any text is a point that is written as a text
// of the same point, or refused.

#include <string>
#include <variant>

#include "engine/bookmark.h"
#include "engine/check.h"
#include "engine/object_id.h"
#include "tests/fuzz/fuzz_input.h"

namespace tidemark::testing {
namespace {

// RFC 3339 has years of four digits; 1970 to 9999 here.
constexpr int64_t kLastWritten = 253402300799;
constexpr Timestamp kNow{std::chrono::seconds{1'800'000'000}};

void CheckPoint(const std::string& text, const Point& point) {
  if (const auto* bookmark = std::get_if<Bookmark>(&point)) {
    const auto again = Bookmark::Parse(bookmark->ToString());
    CHECK(again.ok());
    CHECK(*again == *bookmark);
  } else if (const auto* time = std::get_if<Timestamp>(&point)) {
    const std::string written = FormatTime(*time);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time->time_since_epoch()).count();
    if (seconds < 0 || seconds > kLastWritten) return;
    const auto again = ParsePoint(written, kNow);
    CHECK(again.ok());
    CHECK(*again == Point(*time));
  } else {
    const std::string& name = std::get<Label>(point).name;
    CHECK(ValidateLabelName(name).ok());
    CHECK(text.find(name) != std::string::npos);
  }
}

void Parse(const std::string& text) {
  const auto bookmark = Bookmark::Parse(text);
  const auto point = ParsePoint(text, kNow);
  if (point.ok()) CheckPoint(text, *point);
  if (bookmark.ok()) CHECK(point.ok() && *point == Point(*bookmark));
  // What can be a label's name is that label, and nothing else.
  if (ValidateLabelName(text).ok()) {
    CHECK(point.ok());
    CHECK(*point == Point(Label{text}));
  }
  static const ObjectIdFactory factory("fuzz");
  const auto id = factory.FromString(text);
  if (id.ok()) CHECK(factory.Owns(*id));
}

}  // namespace
}  // namespace tidemark::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidemark::testing::Parse(std::string(reinterpret_cast<const char*>(data), size));
  // The microseconds of a time that no text names, from damaged rows and records.
  if (size >= sizeof(int64_t)) {
    int64_t count;
    __builtin_memcpy(&count, data, sizeof(count));
    tidemark::FormatTime(tidemark::Timestamp(std::chrono::microseconds(count)));
  }
  return 0;
}
