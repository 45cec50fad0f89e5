// `tidemark report`: the page holds what the store does, stays small, trusts no name, and is drawn
// by a browser where there is one.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "engine/store.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/tools_fixture.h"
#include "tools/html_page.h"
#include "tools/report_assets.h"
#include "tools/report_data.h"
#include "tools/time_buckets.h"
#include "vfs/database.h"

namespace tidemark::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class ReportTest : public ToolsTest {
 protected:
  void SetUp() override { MakeStore(); }

  std::string Report(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"report", store(), "-o", Path("page.html")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    EXPECT_ENDS(Tool(arguments), 0, "");
    return ReadFile(Path("page.html"));
  }
};

// Goal: sizes, histories, restores, labels, holds, deletions and damage stand on the page, and an
// empty store has one, too.
TEST_F(ReportTest, TellsWhatThereIs) {
  EXPECT_TRUE(Has(Report(), "0 objects"));
  const std::string first = MakeObject("rooms/lobby");
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "delete from t"}));
  ASSERT_DONE(Tool({"label", store(), "rooms/lobby", "golden", "--at", first}));
  ASSERT_DONE(Tool({"restore", store(), "rooms/lobby", "--to", first}));
  MakeObject("rooms/gone");
  ASSERT_DONE(Tool({"delete", store(), "rooms/gone"}));
  ASSERT_DONE(Tool({"hold", store(), "rooms/lobby", "--reason", "a lawsuit"}));
  const std::string page = Report();
  EXPECT_TRUE(Has(page, "1 object of 8 KiB (and 1 deleted object), in 1 namespace; 5 commits"))
      << page;
  EXPECT_TRUE(Has(page, "<bdi>rooms/lobby</bdi></td><td class=\"number\">8 KiB</td>"));
  EXPECT_TRUE(Has(page, "<bdi>rooms/gone</bdi>"));
  EXPECT_TRUE(Has(page, "<bdi>golden</bdi>"));
  EXPECT_FALSE(Has(page, "before-delete"));  // an automatic label
  EXPECT_TRUE(Has(page, "Restore journal: 2"));
  EXPECT_TRUE(Has(page, "<td>" + first + "</td>"));
  EXPECT_TRUE(Has(page, "a lawsuit"));
  EXPECT_TRUE(Has(page, "Nothing damaged was met"));
  EXPECT_TRUE(Has(page, "All commits that can be gone back to."));
  EXPECT_TRUE(Has(Report({"--commits", "2"}), "2 of about 5 commits"));
}

// Goal: commits that have expired are not counted, although the log has them still.
TEST_F(ReportTest, CountsWhatCanBeGoneBackTo) {
  MakeObject("rooms/lobby");
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "insert into t(text) values ('four')"}));
  EXPECT_TRUE(Has(Report(), "; 2 commits that can be gone back to"));
  {
    ManualClock clock(Clock::System()->Now() + hours(2));
    StoreOptions options;
    options.clock = &clock;
    options.retention = seconds(1);
    ASSERT_OK_AND_ASSIGN(auto opened, Store::Open(store(), options));
    ASSERT_OK(opened->Prune());
    ASSERT_OK(opened->Close());
  }
  EXPECT_TRUE(Has(Report(), "; 1 commit that can be gone back to"));
  EXPECT_FALSE(Has(Report(), "none: nothing has expired"));
}

// Goal: no name that a user can choose is read as HTML or as a script, in the tables or in the data
// of the charts.
TEST_F(ReportTest, TrustsNoName) {
  const std::string evil = "x/</script><script>document.title='owned'</script><!--\"'&\u202e";
  MakeObject(evil);
  ASSERT_DONE(Tool({"hold", store(), evil, "--reason", "<img src=x onerror=alert(1)>"}));
  const std::string page = Report();
  EXPECT_TRUE(Has(page, "<bdi>x/&lt;/script&gt;&lt;script&gt;document.title=&#39;owned&#39;"));
  EXPECT_FALSE(Has(page, "document.title='owned'</script>"));
  EXPECT_FALSE(Has(page, "<script>document"));
  EXPECT_FALSE(Has(page, "<img"));
  EXPECT_FALSE(Has(page, "<!--"));
  EXPECT_EQ(tools::EscapeHtml("<a b=\"c\" d='e'>&\x1b\xff"),
            "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;\\x1b\ufffd");
  // Nothing is asked of anybody: no address is in it, but the one in the library's copyright.
  const size_t end = page.find("<script");
  EXPECT_FALSE(Has(page.substr(0, end), "http://"));
  EXPECT_FALSE(Has(page.substr(0, end), "https://"));
  EXPECT_TRUE(Has(page, "default-src 'none'"));
}

// Goal: the file is replaced, but only by a whole one; stdout gets the same page; wrong usage says
// so.
TEST_F(ReportTest, WritesWhereItIsTold) {
  MakeObject("rooms/lobby");
  WriteFile(Path("page.html"), "what was there");
  EXPECT_ENDS(Tool({"report", Path("none"), "-o", Path("page.html")}), 1, "none");
  EXPECT_EQ(ReadFile(Path("page.html")), "what was there");
  EXPECT_TRUE(Has(Report(), "</html>"));
  const ProcessResult printed = Tool({"report", store(), "-o", "-"});
  ASSERT_DONE(printed);
  EXPECT_TRUE(Has(printed.out, "<!DOCTYPE html>")) << printed.out;
  EXPECT_EQ(printed.out.substr(printed.out.size() - 8), "</html>\n");
  const nlohmann::json document = ToolJson({"report", store(), "-o", Path("page.html")});
  EXPECT_EQ(document["bytes"], ReadFile(Path("page.html")).size());
  EXPECT_EQ(document["objects"], 1);
  EXPECT_EQ(document["damage"], 0);
  EXPECT_ENDS(Tool({"report", store(), "-o", "-", "--json"}), 2, "--json");
  EXPECT_ENDS(Tool({"report", store()}), 2, "-o");
  EXPECT_ENDS(Tool({"report", store(), "-o", Path("no/directory.html")}), 1, "no/directory.html");
}

// Goal: of a store with damage there is a page that names it, and an exit code that says so.
TEST_F(ReportTest, NamesDamage) {
  MakeObject("rooms/other");
  MakeObject("rooms/lobby");
  ASSERT_DONE(Tool({"sql", store(), "rooms/lobby", "insert into t(text) values ('four')"}));
  DamageCommit(BookmarkOf("rooms/lobby"));
  EXPECT_ENDS(Tool({"report", store(), "-o", Path("page.html")}), 3, "the page is written");
  const std::string page = ReadFile(Path("page.html"));
  EXPECT_TRUE(Has(page, "Damage was found")) << page;
  EXPECT_TRUE(Has(page, "segment 1, offset"));
  EXPECT_TRUE(Has(page, "<bdi>rooms/lobby</bdi>"));
  EXPECT_TRUE(Has(page, "<bdi>rooms/other</bdi>"));
  EXPECT_TRUE(Has(page, "</html>"));
}

// Goal: the page of a store with many objects, labels and restores is not longer for that.
// Method: 3,000 objects of different sizes; the lists have their first 25 and the number of all.
TEST_F(ReportTest, StaysSmall) {
  constexpr uint64_t kObjects = 3000;
  {
    ASSERT_OK_AND_ASSIGN(auto opened, Store::Open(store(), StoreOptions()));
    for (uint64_t i = 0; i < kObjects; ++i) {
      DatabaseOptions options;
      options.synchronous = Synchronous::kNormal;
      ASSERT_OK_AND_ASSIGN(Database database,
                           Database::Open(*opened, "rooms",
                                          "a room with a long name " + std::to_string(i), options));
      ASSERT_OK(database.Exec("create table t(a)"));
      if (i < 40) {
        ASSERT_OK(database.Exec(
            ("insert into t values(zeroblob(" + std::to_string(4096 * i) + "))").c_str()));
        ASSERT_OK(database.object().SetLabel("kept", database.object().CurrentBookmark().value()));
      }
    }
    ASSERT_OK(opened->Close());
  }
  const std::string page = Report();
  EXPECT_TRUE(Has(page, "3,000 objects of "));
  EXPECT_TRUE(Has(page, "By size: the first 25 of 3,000"));
  EXPECT_TRUE(Has(page, "Labels: the first 25 of 40"));
  EXPECT_TRUE(Has(page, "<bdi>rooms/a room with a long name 39</bdi>"));
  EXPECT_FALSE(Has(page, "<bdi>rooms/a room with a long name 2999</bdi>"));
  EXPECT_LT(page.size() - tools::kChartLibrary.size(), 100'000u);
}

// Goal: a browser draws every chart, from a file, without an error. Method: Chromium, if it is
// there, prints the page as it is after its scripts have run.
TEST_F(ReportTest, IsDrawnByABrowser) {
  if (tools::kChartLibrary.empty()) GTEST_SKIP() << "built without charts";
  const char* kBrowser = "/usr/bin/chromium";
  struct stat info {};
  if (::stat(kBrowser, &info) != 0) GTEST_SKIP() << "there is no " << kBrowser;
  MakeObject("rooms/lobby");
  MakeObject("x/</script><script>document.title='owned'</script>");
  const std::string page = Report();
  const ProcessResult drawn = RunProcess(
      {kBrowser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
       "--user-data-dir=" + Path("browser"), "--enable-logging=stderr", "--dump-dom",
       "file://" + Path("page.html")},
      {.environment = {{"HOME", Path("home")}}, .kill_after = std::chrono::milliseconds(120'000)});
  if (drawn.exit_code != 0) GTEST_SKIP() << "it does not run here: " << drawn.err;
  const std::regex canvas("<canvas [^>]*id=\"chart");
  const auto charts =
      std::distance(std::sregex_iterator(page.begin(), page.end(), canvas), std::sregex_iterator());
  EXPECT_EQ(charts, 7);
  EXPECT_TRUE(Has(drawn.out, "data-charts=\"" + std::to_string(charts) + "\"")) << drawn.err;
  EXPECT_FALSE(Has(drawn.out, "<title>owned"));
  // What a script of the page complains of comes as "CONSOLE".
  EXPECT_FALSE(Has(drawn.err, "CONSOLE")) << drawn.err;
}

TEST(TimeBucketsTest, StayFewAndCountAll) {
  tools::TimeBuckets times;
  const Timestamp begin = ManualClock::kStart;
  EXPECT_TRUE(times.Buckets().empty());
  times.Add(begin, 10);
  EXPECT_EQ(times.width(), seconds(1));
  EXPECT_EQ(times.Label(times.Buckets()[0]), "00:00:00");
  times.Add(begin + seconds(89), 10);
  EXPECT_EQ(times.Buckets().size(), 90u);
  times.Add(begin + seconds(90), 10);
  EXPECT_EQ(times.width(), seconds(5));
  EXPECT_EQ(times.Buckets().size(), 19u);
  times.Add(begin - hours(24 * 60), 70);
  EXPECT_EQ(times.width(), hours(24));
  const auto buckets = times.Buckets();
  EXPECT_EQ(buckets.size(), 61u);
  EXPECT_EQ(times.Label(buckets.back()), "2026-01-01");
  EXPECT_EQ(buckets.front().bytes, 70u);
  EXPECT_EQ(buckets.back().count, 3u);
  // The first and the last time that there can be.
  times.Add(Timestamp(seconds(-62167219200)), 1);
  times.Add(Timestamp(seconds(253402300799)), 1);
  uint64_t count = 0;
  for (const auto& bucket : times.Buckets()) count += bucket.count;
  EXPECT_EQ(count, 6u);
  EXPECT_LE(times.Buckets().size(), 90u);
}

TEST(HistogramTest, StepsAreFourfold) {
  tools::Histogram histogram{.unit = 4096};
  EXPECT_EQ(histogram.used(), 0u);
  for (const uint64_t size : {uint64_t{0}, uint64_t{4095}, uint64_t{4096}, uint64_t{16384}}) {
    histogram.Add(size);
  }
  EXPECT_EQ(histogram.counts[0], 2u);
  EXPECT_EQ(histogram.counts[1], 1u);
  EXPECT_EQ(histogram.counts[2], 1u);
  EXPECT_EQ(histogram.used(), 3u);
  histogram.Add(UINT64_MAX);
  EXPECT_EQ(histogram.used(), tools::Histogram::kSteps);
}

}  // namespace
}  // namespace tidemark::testing
