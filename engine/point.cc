// ParsePoint, FormatTime and ValidateLabelName: what a person types for a point in time, and how
// one is shown.

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <optional>
#include <string>

#include "engine/bookmark.h"
#include "engine/format.h"

namespace tidemark {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

// The first moment of the year 10000: nothing from there on can be written as RFC 3339.
constexpr int64_t kEndOfTimeSeconds = 253402300800;
// Nor before the year 0.
constexpr int64_t kBeginOfTimeSeconds = -62167219200;

Status Malformed(std::string_view text, std::string_view why = "") {
  std::string message = "\"" + std::string(text) + "\" is no point in time";
  if (!why.empty()) message += ": " + std::string(why);
  return Status(
      StatusCode::kMalformed,
      message +
          "; give a bookmark, a time such as 2026-11-21T04:05:06Z or \"2026-11-21 "
          "04:05\" (local), unix seconds, \"now\", \"yesterday\", \"5 minutes ago\" or a label");
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::string_view Trim(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Takes what it recognises off the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool AtEnd() const { return rest_.empty(); }
  char Peek() const { return rest_.empty() ? '\0' : rest_.front(); }

  bool Take(char c) {
    if (Peek() != c || rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // Exactly `count` digits.
  std::optional<int> Digits(size_t count) {
    if (rest_.size() < count) return std::nullopt;
    int value = 0;
    for (size_t i = 0; i < count; ++i) {
      if (!IsDigit(rest_[i])) return std::nullopt;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }

  // As many digits as there are, at least one; nothing if they are more than a time could need.
  std::optional<int64_t> Number() {
    size_t count = 0;
    int64_t value = 0;
    for (; count < rest_.size() && IsDigit(rest_[count]); ++count) {
      if (count == 15) return std::nullopt;
      value = value * 10 + (rest_[count] - '0');
    }
    if (count == 0) return std::nullopt;
    rest_.remove_prefix(count);
    return value;
  }

  // The digits after a decimal point, at least one; those beyond microseconds are dropped.
  std::optional<microseconds> Fraction() {
    if (!IsDigit(Peek())) return std::nullopt;
    int64_t value = 0;
    int64_t unit = 100'000;
    while (IsDigit(Peek())) {
      value += (rest_.front() - '0') * unit;
      unit /= 10;
      rest_.remove_prefix(1);
    }
    return microseconds(value);
  }

  // Letters, made lower-case, and the spaces behind them.
  std::string Word() {
    std::string word;
    while (std::isalpha(static_cast<unsigned char>(Peek())) != 0) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(Peek())));
      rest_.remove_prefix(1);
    }
    SkipSpaces();
    return word;
  }

  void SkipSpaces() {
    while (Take(' ')) {
    }
  }

 private:
  std::string_view rest_;
};

struct CivilTime {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  microseconds fraction{0};
};

// By the rules of the machine's (or TZ's) time zone. A time that a change of the clocks skipped or
// repeated is read as mktime reads it.
std::optional<Timestamp> FromLocal(const CivilTime& civil) {
  std::tm fields{};
  fields.tm_year = civil.year - 1900;
  fields.tm_mon = civil.month - 1;
  fields.tm_mday = civil.day;
  fields.tm_hour = civil.hour;
  fields.tm_min = civil.minute;
  fields.tm_sec = civil.second;
  fields.tm_isdst = -1;
  fields.tm_wday = -1;  // stays so only if mktime fails: -1 is also one second before 1970
  const std::time_t time = std::mktime(&fields);
  if (fields.tm_wday == -1) return std::nullopt;
  return Timestamp(seconds(time) + civil.fraction);
}

Timestamp FromUtc(const CivilTime& civil, seconds offset) {
  using namespace std::chrono;  // NOLINT: the calendar's names, here only
  const sys_days date = year(civil.year) / civil.month / civil.day;
  return Timestamp(date.time_since_epoch() + hours(civil.hour) + minutes(civil.minute) +
                   seconds(civil.second) + civil.fraction - offset);
}

// ":SS", with a fraction if wanted.
bool ScanSeconds(Scanner& in, CivilTime& civil) {
  const auto second = in.Digits(2);
  if (!second || *second > 60) return false;  // 60: a leap second, taken as the next one
  civil.second = *second;
  if (!in.Take('.')) return true;
  const auto fraction = in.Fraction();
  if (!fraction) return false;
  civil.fraction = *fraction;
  return true;
}

bool ScanTimeOfDay(Scanner& in, CivilTime& civil) {
  const auto hour = in.Digits(2);
  if (!hour || *hour > 23 || !in.Take(':')) return false;
  const auto minute = in.Digits(2);
  if (!minute || *minute > 59) return false;
  civil.hour = *hour;
  civil.minute = *minute;
  return !in.Take(':') || ScanSeconds(in, civil);
}

// "Z" or "+hh:mm"; false if there is something else.
bool ScanZone(Scanner& in, std::optional<seconds>& offset) {
  if (in.AtEnd()) return true;
  if (in.Take('Z') || in.Take('z')) {
    offset = seconds(0);
    return true;
  }
  const bool east = in.Take('+');
  if (!east && !in.Take('-')) return false;
  const auto hour = in.Digits(2);
  if (!hour || *hour > 23 || !in.Take(':')) return false;
  const auto minute = in.Digits(2);
  if (!minute || *minute > 59) return false;
  offset = seconds((east ? 1 : -1) * (*hour * 3600 + *minute * 60));
  return true;
}

Result<Point> ParseDate(std::string_view text) {
  Scanner in(text);
  CivilTime civil;
  const auto year = in.Digits(4);
  const bool dash = in.Take('-');
  const auto month = in.Digits(2);
  const bool second_dash = in.Take('-');
  const auto day = in.Digits(2);
  if (!year || !dash || !month || !second_dash || !day) return Malformed(text);
  civil.year = *year;
  civil.month = *month;
  civil.day = *day;
  const std::chrono::year_month_day date{std::chrono::year(civil.year),
                                         std::chrono::month(static_cast<unsigned>(civil.month)),
                                         std::chrono::day(static_cast<unsigned>(civil.day))};
  if (!date.ok()) return Malformed(text, "there is no such day");

  std::optional<seconds> offset;
  if (!in.AtEnd()) {
    if (!in.Take('T') && !in.Take('t') && !in.Take(' ')) return Malformed(text);
    if (!ScanTimeOfDay(in, civil)) return Malformed(text, "its time of day is not HH:MM[:SS]");
    if (!ScanZone(in, offset)) return Malformed(text, "its zone is neither Z nor +HH:MM");
    if (!in.AtEnd()) return Malformed(text, "something follows the time");
  }
  if (offset) return Point(FromUtc(civil, *offset));
  const auto local = FromLocal(civil);
  if (!local) return Malformed(text, "the local time zone does not know it");
  return Point(*local);
}

Result<Point> ParseUnixSeconds(std::string_view text) {
  Scanner in(text);
  const auto whole = in.Number();
  microseconds fraction{0};
  if (in.Take('.')) {
    const auto digits = in.Fraction();
    if (!digits) return Malformed(text);
    fraction = *digits;
  }
  if (!whole || *whole >= kEndOfTimeSeconds) {
    return Malformed(text, "too large for unix seconds (are these milliseconds?)");
  }
  if (!in.AtEnd()) return Malformed(text);
  return Point(Timestamp(seconds(*whole) + fraction));
}

// Units whose length does not depend on the calendar.
std::optional<seconds> UnitLength(const std::string& word) {
  static constexpr struct {
    std::string_view name;
    seconds length;
  } kUnits[] = {
      {"s", seconds(1)},       {"sec", seconds(1)},     {"second", seconds(1)},
      {"m", seconds(60)},      {"min", seconds(60)},    {"minute", seconds(60)},
      {"h", seconds(3600)},    {"hour", seconds(3600)}, {"d", seconds(86400)},
      {"day", seconds(86400)}, {"w", seconds(604800)},  {"week", seconds(604800)},
  };
  for (const auto& unit : kUnits) {
    if (word == unit.name) return unit.length;
    if (unit.name.size() > 1 && word == std::string(unit.name) + "s") return unit.length;
  }
  return std::nullopt;
}

// "5 minutes ago", "an hour ago", "1 day 2 hours ago", "1 hour and 30 min ago".
std::optional<Timestamp> ParseAgo(std::string_view text, Timestamp now) {
  Scanner in(text);
  seconds total{0};
  for (bool first = true;; first = false) {
    int64_t count = 1;
    if (IsDigit(in.Peek())) {
      const auto number = in.Number();
      if (!number) return std::nullopt;
      count = *number;
      in.SkipSpaces();
    } else {
      std::string word = in.Word();
      if (word == "ago" && !first) break;
      if (word == "and" && !first) continue;
      if (word != "a" && word != "an") return std::nullopt;
    }
    const auto unit = UnitLength(in.Word());
    if (!unit || count > kEndOfTimeSeconds / unit->count()) return std::nullopt;
    total += *unit * count;
    // Checked at each step, so that no sum overflows, however many there are.
    if (total.count() > kEndOfTimeSeconds) return std::nullopt;
  }
  if (!in.AtEnd()) return std::nullopt;
  return now - total;
}

bool LooksLikeDate(std::string_view text) {
  return text.size() > 4 && IsDigit(text[0]) && text[4] == '-';
}

bool LooksLikeNumber(std::string_view text) {
  return IsDigit(text[0]) && text.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool HasLabelForm(std::string_view text) {
  return !text.empty() && text.size() <= format::kMaxLabelBytes && IsLetter(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return IsLetter(c) || IsDigit(c) || c == '.' || c == '-' || c == '_';
         });
}

// The epoch of a bookmark, whatever follows it.
bool BeginsLikeBookmark(std::string_view text) {
  return text.size() > 8 && text[8] == '-' &&
         text.substr(0, 8).find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

// Words for times; `word` in lower case.
std::optional<Timestamp> TimeOfWord(std::string_view word, Timestamp now) {
  if (word == "now") return now;
  if (word == "yesterday") return now - std::chrono::hours(24);
  return std::nullopt;
}

bool IsTimeWord(std::string_view text) {
  Scanner in(text);
  const std::string word = in.Word();
  return in.AtEnd() && TimeOfWord(word, Timestamp()).has_value();
}

}  // namespace

Status ValidateLabelName(std::string_view name) {
  std::string why;
  if (!HasLabelForm(name)) {
    why = "is 1 to " + std::to_string(format::kMaxLabelBytes) +
          " letters, digits, dots, dashes and underscores, the first one a letter";
  } else if (IsTimeWord(name)) {
    why = "is no word for a time";
  } else if (BeginsLikeBookmark(name)) {
    why = "does not begin like a bookmark, with eight hex digits and a dash";
  } else {
    return OkStatus();
  }
  return Status(StatusCode::kInvalidArgument,
                "\"" + std::string(name) + "\" cannot be a label: its name " + why);
}

Result<Point> ParsePoint(std::string_view text, Timestamp now) {
  const std::string_view given = text;
  text = Trim(text);
  if (text.empty()) return Malformed(given, "it is empty");
  // A bookmark is told by its first dash: what is meant as one gets the message about bookmarks.
  if (BeginsLikeBookmark(text) || (text.size() > 8 && text[8] == '-' && !HasLabelForm(text))) {
    TIDEMARK_ASSIGN_OR_RETURN(Bookmark bookmark, Bookmark::Parse(text));
    return Point(bookmark);
  }
  if (LooksLikeDate(text)) return ParseDate(text);
  if (LooksLikeNumber(text)) return ParseUnixSeconds(text);

  Scanner in(text);
  const std::string word = in.Word();
  if (in.AtEnd()) {
    if (const auto time = TimeOfWord(word, now)) return Point(*time);
  }
  if (HasLabelForm(text)) return Point(Label{std::string(text)});
  if (const auto time = ParseAgo(text, now)) return Point(*time);
  return Malformed(given);
}

std::string FormatTime(Timestamp given) {
  using namespace std::chrono;  // NOLINT: the calendar's names, here only
  // Nothing was committed then, but damaged bytes can say so.
  const Timestamp time = std::clamp(given, Timestamp(seconds{kBeginOfTimeSeconds}),
                                    Timestamp(seconds{kEndOfTimeSeconds}) - microseconds(1));
  const auto midnight = floor<days>(time);
  const year_month_day date(midnight);
  const hh_mm_ss<microseconds> clock(time - midnight);
  std::array<char, 64> text;
  const int size = std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ",
      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
      static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
      static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
      static_cast<int>(clock.subseconds().count()));
  return std::string(text.data(), static_cast<size_t>(size));
}

}  // namespace tidemark
