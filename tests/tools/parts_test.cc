// The small parts of the tools that a process cannot show well: texts, and the progress bar.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "tools/progress.h"
#include "tools/text.h"

namespace tidemark::tools {
namespace {

TEST(TextTest, BytesHaveThreeDigits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1 KiB");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(28311552), "27 MiB");
  EXPECT_EQ(FormatBytes(1024 * 1024 - 1), "1 MiB");
  EXPECT_EQ(FormatBytes(UINT64_MAX), "16 EiB");
}

TEST(TextTest, CountsAreGrouped) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(12345678), "12,345,678");
  EXPECT_EQ(Plural(1, "row"), "1 row");
  EXPECT_EQ(Plural(0, "row"), "0 rows");
}

TEST(TextTest, QuotesOnlyWhatAShellWouldChange) {
  EXPECT_EQ(ShellQuote("/var/lib/rooms-1.db"), "/var/lib/rooms-1.db");
  EXPECT_EQ(ShellQuote(""), "''");
  EXPECT_EQ(ShellQuote("a b"), "'a b'");
  EXPECT_EQ(ShellQuote("it's $HOME"), "'it'\\''s $HOME'");
  EXPECT_EQ(ShellQuote("~/x"), "'~/x'");
}

TEST(TextTest, PrintableLineMovesNoCursor) {
  EXPECT_EQ(PrintableLine("a\nb\tc\x1b[2J\x7f"), "a\\nb\\tc\\x1b[2J\\x7f");
  EXPECT_EQ(PrintableLine("\xc2\x9b"), "\\x9b") << "a terminal takes U+009B for ESC [";
  EXPECT_EQ(PrintableLine("caf\xc3\xa9 \xff"), "caf\xc3\xa9 \xef\xbf\xbd");
}

TEST(TextTest, Utf8IsCheckedStrictly) {
  EXPECT_TRUE(IsUtf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
  EXPECT_FALSE(IsUtf8("\xc0\xaf")) << "overlong";
  EXPECT_FALSE(IsUtf8("\xed\xa0\x80")) << "a surrogate";
  EXPECT_FALSE(IsUtf8("\xf4\x90\x80\x80")) << "beyond U+10FFFF";
  EXPECT_FALSE(IsUtf8("\xe2\x82")) << "cut short";
}

// What a Progress with a clock of its own drew.
class ProgressTest : public ::testing::Test {
 protected:
  ~ProgressTest() override {
    std::fclose(out_);
    std::free(text_);
  }

  Progress::Options Options(bool terminal) {
    Progress::Options options;
    options.out = out_;
    options.terminal = terminal;
    options.columns = 60;
    options.now = [this] { return now_; };
    return options;
  }

  std::string Drawn() {
    std::fflush(out_);
    return {text_, size_};
  }

  Progress::Time now_;

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
  std::FILE* out_ = open_memstream(&text_, &size_);
};

// Goal: quick work draws nothing; slow work draws a bar that fits the line and is wiped at the end.
TEST_F(ProgressTest, DrawsAfterASecondAndWipes) {
  {
    Progress progress("verifying", Options(true));
    now_ += std::chrono::milliseconds(999);
    progress.Update(10, 100);
    EXPECT_EQ(Drawn(), "");
    now_ += std::chrono::milliseconds(3001);
    progress.Update(50, 100);
    EXPECT_EQ(Drawn(), "\rverifying [#############..............]  50% 4 s left\033[K");
    progress.Update(51, 100);
    EXPECT_EQ(Drawn().find("51%"), std::string::npos) << "at most ten times a second";
  }
  EXPECT_EQ(Drawn().substr(Drawn().size() - 4), "\r\033[K");
}

TEST_F(ProgressTest, DrawsNothingIntoALog) {
  {
    Progress progress("verifying", Options(false));
    now_ += std::chrono::minutes(1);
    progress.Update(50, 100);
  }
  EXPECT_EQ(Drawn(), "");
}

}  // namespace
}  // namespace tidemark::tools
