#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <variant>

#include "engine/bookmark.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_seed.h"

namespace tidemark {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

constexpr Timestamp kNow{seconds{1795238706} +
                         microseconds{789012}};  // 2026-11-21T05:25:06.789012Z

// The machine's zone for the time of a test.
class ScopedZone {
 public:
  explicit ScopedZone(const char* zone) {
    if (const char* old = std::getenv("TZ"); old != nullptr) old_ = old;
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
  ~ScopedZone() {
    if (old_) {
      ::setenv("TZ", old_->c_str(), 1);
    } else {
      ::unsetenv("TZ");
    }
    ::tzset();
  }

 private:
  std::optional<std::string> old_;
};

// What `text` means, as RFC 3339 in UTC, or its error.
std::string Parsed(const std::string& text) {
  const auto point = ParsePoint(text, kNow);
  if (!point.ok()) return point.status().ToString();
  if (const auto* time = std::get_if<Timestamp>(&*point)) return FormatTime(*time);
  if (const auto* label = std::get_if<Label>(&*point)) return "label " + label->name;
  return std::get<Bookmark>(*point).ToString();
}

// Goal: times are shown as RFC 3339 in UTC with microseconds.
TEST(PointTest, FormatsTimes) {
  EXPECT_EQ(FormatTime(kNow), "2026-11-21T05:25:06.789012Z");
  EXPECT_EQ(FormatTime(Timestamp{}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(FormatTime(Timestamp(microseconds(-1))), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(FormatTime(Timestamp(seconds(951782400))), "2000-02-29T00:00:00.000000Z");
  // What no year of four digits has.
  EXPECT_EQ(FormatTime(Timestamp::max()), "9999-12-31T23:59:59.999999Z");
  EXPECT_EQ(FormatTime(Timestamp(seconds(253402300800))), "9999-12-31T23:59:59.999999Z");
  EXPECT_EQ(FormatTime(Timestamp::min()), "0000-01-01T00:00:00.000000Z");
}

// Goal: what FormatTime writes, ParsePoint reads back, to the microsecond.
TEST(PointTest, RoundTrip) {
  testing::Random random(testing::TestSeed());
  for (int i = 0; i < 1000; ++i) {
    const Timestamp time(microseconds(
        static_cast<int64_t>(random.Below(253402300800) * 1000000 + random.Below(1000000))));
    const auto point = ParsePoint(FormatTime(time), kNow);
    ASSERT_OK(point);
    EXPECT_EQ(std::get<Timestamp>(*point), time) << FormatTime(time);
  }
}

// Goal: a bookmark is taken as one, spaces around it or not; a broken one is told about bookmarks.
TEST(PointTest, Bookmarks) {
  const std::string text = "0000002a-00000000-0000c0de-8f14e45fceea167a5a36dedd4bea2543";
  EXPECT_EQ(Parsed(text), text);
  EXPECT_EQ(Parsed(" " + text + "\n"), text);
  EXPECT_ERROR(ParsePoint(text.substr(1), kNow), StatusCode::kMalformed, "point in time");
  EXPECT_ERROR(ParsePoint(text + "0", kNow), StatusCode::kMalformed, "not a bookmark");
  EXPECT_ERROR(ParsePoint("0000002a-00000000", kNow), StatusCode::kMalformed, "not a bookmark");
}

// Goal: RFC 3339 in all its spellings.
TEST(PointTest, TimesWithAZone) {
  EXPECT_EQ(Parsed("2026-11-21T04:05:06Z"), "2026-11-21T04:05:06.000000Z");
  EXPECT_EQ(Parsed("2026-11-21t04:05:06z"), "2026-11-21T04:05:06.000000Z");
  EXPECT_EQ(Parsed("2026-11-21 04:05:06.5Z"), "2026-11-21T04:05:06.500000Z");
  EXPECT_EQ(Parsed("2026-11-21T04:05:06.123456789Z"), "2026-11-21T04:05:06.123456Z");
  EXPECT_EQ(Parsed("2026-11-21T04:05:06+05:30"), "2026-11-20T22:35:06.000000Z");
  EXPECT_EQ(Parsed("2026-11-21T04:05-08:00"), "2026-11-21T12:05:00.000000Z");
  EXPECT_EQ(Parsed("2024-02-29T23:59:60Z"), "2024-03-01T00:00:00.000000Z");  // leap second
}

// Goal: a time without a zone is local, summer time included; time and seconds may be left out.
TEST(PointTest, LocalTimes) {
  const ScopedZone zone("CET-1CEST,M3.5.0,M10.5.0/3");
  EXPECT_EQ(Parsed("2026-11-21T04:05:06"), "2026-11-21T03:05:06.000000Z");
  EXPECT_EQ(Parsed("2026-07-01 04:05"), "2026-07-01T02:05:00.000000Z");
  EXPECT_EQ(Parsed("2026-07-01"), "2026-06-30T22:00:00.000000Z");
  EXPECT_EQ(Parsed("1970-01-01 00:59:59"), "1969-12-31T23:59:59.000000Z");  // mktime's -1
}

// Goal: unix seconds, with a fraction if wanted; milliseconds are recognised as the mistake they
// are.
TEST(PointTest, UnixSeconds) {
  EXPECT_EQ(Parsed("0"), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(Parsed("1795233906"), "2026-11-21T04:05:06.000000Z");
  EXPECT_EQ(Parsed("1795233906.25"), "2026-11-21T04:05:06.250000Z");
  EXPECT_EQ(Parsed("253402300799"), "9999-12-31T23:59:59.000000Z");
  EXPECT_ERROR(ParsePoint("1795233906000", kNow), StatusCode::kMalformed, "milliseconds");
  EXPECT_ERROR(ParsePoint("99999999999999999999999999", kNow), StatusCode::kMalformed, "too large");
}

// Goal: words count back from `now`, exactly.
TEST(PointTest, Words) {
  EXPECT_EQ(Parsed("now"), "2026-11-21T05:25:06.789012Z");
  EXPECT_EQ(Parsed(" NOW "), "2026-11-21T05:25:06.789012Z");
  EXPECT_EQ(Parsed("yesterday"), "2026-11-20T05:25:06.789012Z");
  EXPECT_EQ(Parsed("5 minutes ago"), "2026-11-21T05:20:06.789012Z");
  EXPECT_EQ(Parsed("5m ago"), "2026-11-21T05:20:06.789012Z");
  EXPECT_EQ(Parsed("1 minute ago"), "2026-11-21T05:24:06.789012Z");
  EXPECT_EQ(Parsed("90 secs ago"), "2026-11-21T05:23:36.789012Z");
  EXPECT_EQ(Parsed("an hour ago"), "2026-11-21T04:25:06.789012Z");
  EXPECT_EQ(Parsed("A Day ago"), "2026-11-20T05:25:06.789012Z");
  EXPECT_EQ(Parsed("2 weeks ago"), "2026-11-07T05:25:06.789012Z");
  EXPECT_EQ(Parsed("1 day 2 hours ago"), "2026-11-20T03:25:06.789012Z");
  EXPECT_EQ(Parsed("1 hour and 30 min ago"), "2026-11-21T03:55:06.789012Z");
}

// Goal: everything else is kMalformed and lists the forms. Method: each wrong form there is a
// branch for, and some that merely look right.
TEST(PointTest, WrongForms) {
  for (const char* text : {"",
                           "   ",
                           "now now",
                           "yesterday 5",
                           "and ago",
                           "5 ago",
                           "5 minutes",
                           "minutes ago",
                           "5 fortnights ago",
                           "1 month ago",
                           "-5 minutes ago",
                           "5 minutes ago 3",
                           "5.5 minutes ago",
                           "a ago",
                           "9999999999999999 seconds ago",
                           "999999999999999 weeks ago",
                           "253402300800 s 253402300800 s ago",
                           "2026",
                           "2026-11",
                           "2026-1-1",
                           "2026-11-21T",
                           "2026-11-21T4:05:06Z",
                           "2026-11-21T04",
                           "2026-11-21T04:05:",
                           "2026-11-21T04:05:06.Z",
                           "2026-11-21T04:05:06.",
                           "2026-11-21T24:00:00Z",
                           "2026-11-21T04:60:00Z",
                           "2026-11-21T04:05:61Z",
                           "2026-11-21T04:05:06+5:30",
                           "2026-11-21T04:05:06+0530",
                           "2026-11-21T04:05:06+24:00",
                           "2026-11-21T04:05:06+05:60",
                           "2026-11-21T04:05:06X",
                           "2026-11-21T04:05:06ZZ",
                           "2026-11-21X04:05:06Z",
                           "2026-02-29",
                           "2026-04-31",
                           "2026-13-01",
                           "2026-00-01",
                           "2026-01-00",
                           "1.",
                           "1.2.3",
                           "..",
                           "12a",
                           "0x10",
                           "before migration",
                           "-v1",
                           "_v1",
                           ".v1",
                           "caf\xc3\xa9",
                           "a/b",
                           "1e5",
                           "\xff\xfe"}) {
    const bool is_unix = std::string(text) == "2026";
    if (is_unix) {
      EXPECT_EQ(Parsed(text),
                "1970-01-01T00:33:46.000000Z");  // documented: a bare number is seconds
    } else {
      EXPECT_ERROR(ParsePoint(text, kNow), StatusCode::kMalformed, "minutes ago") << text;
    }
  }
}

// Goal: a word that can be a label is one, and nothing that has been a time or a bookmark is; what
// ParsePoint takes for a label is what may be set as one.
TEST(PointTest, Labels) {
  const std::string longest(64, 'x');
  for (const std::string& name : std::initializer_list<std::string>{
           "before-migration", "v1.2.3", "a", "A_b", longest, "pre-test-2", "deadbeef", "deadbee-f",
           "deadbeefg-1", "tomorrow", "ago", "nowhere", "now-2", "yesterday_",
           "before-restore-20261121T040506Z-000017"}) {
    EXPECT_EQ(Parsed(name), "label " + name);
    EXPECT_EQ(Parsed(" " + name + "\n"), "label " + name);
    EXPECT_OK(ValidateLabelName(name));
  }
  for (const std::string& name : std::initializer_list<std::string>{
           "", longest + "x", "1", "-a", ".a", "_a", "a b", " a", "a\n", "a/b", "caf\xc3\xa9",
           std::string("a\0", 2), "now", "NOW", "Yesterday", "deadbeef-", "DeadBeef-1",
           "0000002a-00000000-0000c0de-8f14e45fceea167a5a36dedd4bea2543", "20261121"}) {
    EXPECT_ERROR(ValidateLabelName(name), StatusCode::kInvalidArgument, "cannot be a label");
    const auto point = ParsePoint(name, kNow);
    if (!point.ok() || name == " a" || name == "a\n") continue;
    EXPECT_FALSE(std::holds_alternative<Label>(*point)) << name;
  }
  EXPECT_ERROR(ParsePoint("deadbeef-1", kNow), StatusCode::kMalformed, "not a bookmark");
}

// Goal: no text ends the process. Method: random characters of those that the grammar knows.
TEST(PointTest, RandomTextsDoNoHarm) {
  testing::Random random(testing::TestSeed());
  const std::string alphabet = "0123456789-:.TZ+ agomindhsuw\t\"";
  for (int i = 0; i < 50000; ++i) {
    std::string text;
    for (uint64_t n = random.Below(30); n > 0; --n) text += alphabet[random.Below(alphabet.size())];
    const auto point = ParsePoint(text, kNow);
    EXPECT_TRUE(point.ok() || point.status().code() == StatusCode::kMalformed) << text;
  }
}

}  // namespace
}  // namespace tidemark
