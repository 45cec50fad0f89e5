#include "tools/text.h"

#include <wchar.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "tools/console.h"

namespace tidemark::tools {

namespace {

std::string& NameOfProcess() {
  static std::string name = "tidemark";
  return name;
}

// One character of UTF-8 text at the beginning of `text`: its code point and its length in bytes,
// or length 0 if the bytes there are no character (overlong forms and surrogates included).
struct Character {
  uint32_t code_point = 0;
  size_t length = 0;
};

Character Decode(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  size_t length = 0;
  uint32_t code_point = 0;
  uint32_t smallest = 0;
  if ((first & 0xe0) == 0xc0) {
    length = 2, code_point = first & 0x1fu, smallest = 0x80;
  } else if ((first & 0xf0) == 0xe0) {
    length = 3, code_point = first & 0x0fu, smallest = 0x800;
  } else if ((first & 0xf8) == 0xf0) {
    length = 4, code_point = first & 0x07u, smallest = 0x10000;
  } else {
    return {};
  }
  if (text.size() < length) return {};
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code_point = code_point << 6 | (byte(i) & 0x3fu);
  }
  const bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
  if (code_point < smallest || code_point > 0x10ffff || surrogate) return {};
  return {code_point, length};
}

}  // namespace

std::string DumpJson(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string FormatBytes(uint64_t bytes) {
  static constexpr std::array<const char*, 7> kUnits = {"B",   "KiB", "MiB", "GiB",
                                                        "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  // 1023.5 would be printed as 1024.
  while (value >= 1023.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  const int decimals = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  std::string number = text.data();
  if (number.find('.') != std::string::npos) {
    number.erase(number.find_last_not_of('0') + 1);
    if (number.back() == '.') number.pop_back();
  }
  return number + " " + kUnits[unit];
}

std::string FormatCount(uint64_t count) {
  std::string digits = std::to_string(count);
  for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string FormatLocalTime(Timestamp time) {
  // The years 0 to 9999, as FormatTime.
  const auto since_epoch = std::clamp<std::chrono::microseconds>(
      time.time_since_epoch(), std::chrono::seconds(-62167132800),
      std::chrono::seconds(253402214399));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const auto micros = static_cast<long>((since_epoch - seconds).count());
  const std::time_t unix_seconds = static_cast<std::time_t>(seconds.count());
  std::tm local{};
  const Served* const served = Scope::current();
  if (served == nullptr || served->same_time_zone) {
    localtime_r(&unix_seconds, &local);
  } else {
    gmtime_r(&unix_seconds, &local);
  }
  std::array<char, 64> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%d %H:%M:%S", &local);
  const long offset_minutes = local.tm_gmtoff / 60;
  const long magnitude = offset_minutes < 0 ? -offset_minutes : offset_minutes;
  std::array<char, 128> text{};
  std::snprintf(text.data(), text.size(), "%s.%06ld%c%02ld:%02ld", date.data(), micros,
                offset_minutes < 0 ? '-' : '+', magnitude / 60, magnitude % 60);
  return text.data();
}

std::string ShellQuote(std::string_view text) {
  static constexpr std::string_view kSafe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,";
  if (!text.empty() && text.find_first_not_of(kSafe) == std::string_view::npos) {
    return std::string(text);
  }
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

void SetProgramName(std::string name) { NameOfProcess() = std::move(name); }

const std::string& ProgramName() {
  const Served* const served = Scope::current();
  return served != nullptr ? served->program : NameOfProcess();
}

std::string Command(const std::vector<std::string>& arguments) {
  std::string line = ShellQuote(ProgramName());
  for (const std::string& argument : arguments) line += " " + ShellQuote(argument);
  return line;
}

std::string PrintableLine(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Character character = Decode(text.substr(i));
    if (character.length == 0) {
      line += "\xef\xbf\xbd";
      ++i;
      continue;
    }
    const uint32_t c = character.code_point;
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\r') {
      line += "\\r";
    } else if (c == '\t') {
      line += "\\t";
    } else if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned>(c));
      line += escape.data();
    } else {
      line += text.substr(i, character.length);
    }
    i += character.length;
  }
  return line;
}

bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Character character = Decode(text.substr(i));
    if (character.length == 0) return false;
    i += character.length;
  }
  return true;
}

size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size();) {
    const Character character = Decode(text.substr(i));
    if (character.length <= 1) {
      ++width;
      ++i;
      continue;
    }
    // -1 for what the locale does not know: most likely one column.
    const int columns = wcwidth(static_cast<wchar_t>(character.code_point));
    width += columns < 0 ? 1 : static_cast<size_t>(columns);
    i += character.length;
  }
  return width;
}

std::string Hex(const void* bytes, size_t size) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  const auto* input = static_cast<const uint8_t*>(bytes);
  std::string hex;
  hex.reserve(size * 2);
  for (size_t i = 0; i < size; ++i) {
    hex += kDigits[input[i] >> 4];
    hex += kDigits[input[i] & 0xf];
  }
  return hex;
}

std::string Plural(uint64_t count, std::string_view noun) {
  return FormatCount(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

}  // namespace tidemark::tools
