#include "engine/bookmark.h"

#include <array>
#include <cstdio>

namespace tidemark {
namespace {

constexpr size_t kTextLength = 59;
constexpr uint64_t kSessionEnd = uint64_t{1} << 63;  // in the LSN

// -1 if `c` is no hex digit.
int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::array<char, 60> Bookmark::ToText() const {
  const uint64_t number = lsn.value | (is_session_end ? kSessionEnd : 0);
  std::array<char, kTextLength + 1> text;
  std::snprintf(text.data(), text.size(), "%08x-%08x-%08x-%016llx%016llx", epoch,
                static_cast<unsigned>(number >> 32), static_cast<unsigned>(number),
                static_cast<unsigned long long>(object_tag),
                static_cast<unsigned long long>(state_hash));
  return text;
}

std::string Bookmark::ToString() const { return std::string(ToText().data(), kTextLength); }

Result<Bookmark> Bookmark::Parse(std::string_view text) {
  const auto malformed = [&](const std::string& why) {
    return Status(StatusCode::kMalformed,
                  "not a bookmark: " + why +
                      "; expected four groups of 8, 8, 8 and 32 hex digits joined by '-'");
  };
  if (text.size() != kTextLength) {
    return malformed("it has " + std::to_string(text.size()) + " characters instead of 59");
  }
  // Words of 8 digits: one for each of the first three groups, four for the last.
  std::array<uint32_t, 7> words{};
  size_t digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 17 || i == 26) {
      if (text[i] != '-') return malformed("no '-' at position " + std::to_string(i));
      continue;
    }
    const int digit = HexDigit(text[i]);
    if (digit < 0) return malformed("no hex digit at position " + std::to_string(i));
    words[digits / 8] = words[digits / 8] << 4 | static_cast<uint32_t>(digit);
    ++digits;
  }
  const auto join = [](uint32_t high, uint32_t low) { return uint64_t{high} << 32 | low; };
  Bookmark bookmark;
  bookmark.epoch = words[0];
  const uint64_t number = join(words[1], words[2]);
  bookmark.is_session_end = (number & kSessionEnd) != 0;
  bookmark.lsn = Lsn(number & ~kSessionEnd);
  bookmark.object_tag = join(words[3], words[4]);
  bookmark.state_hash = join(words[5], words[6]);
  if (!bookmark.lsn.valid()) return malformed("its second and third group name no commit");
  return bookmark;
}

uint64_t ObjectTag(const ObjectId& id) {
  // Big-endian, so that a bookmark shows the digits with which the object's id begins.
  uint64_t tag = 0;
  for (size_t i = 0; i < sizeof(tag); ++i) tag = tag << 8 | static_cast<uint64_t>(id.bytes[i]);
  return tag;
}

}  // namespace tidemark
