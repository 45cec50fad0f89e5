// The loadable extension as a file: what it shows and what it needs. A sanitizer adds to both, so
// this is not looked at under one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>

#include "tests/extension/host_fixture.h"

namespace tidemark::testing {
namespace {

using ::testing::HasSubstr;

// Symbols of the extension's dynamic table, defined or undefined.
std::set<std::string> DynamicSymbols(const char* which) {
  const ProcessResult result =
      RunProcess({TIDEMARK_NM, "--dynamic", "--format=just-symbols", which, kExtension});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  std::set<std::string> symbols;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) symbols.insert(line);
  return symbols;
}

// Goal: the extension brings no SQLite, wants none from the linker, and shows its host nothing but
// its entry point (by its documented name, and by the one that SQLite makes up from the file's).
// Method: the file's dynamic symbols and libraries.
TEST(ExtensionFileTest, ShowsItsEntryPointOnly) {
  EXPECT_EQ(DynamicSymbols("--defined-only"),
            (std::set<std::string>{"sqlite3_tidemark_init", "sqlite3_tidemarkvfs_init"}));
  const std::set<std::string> wanted = DynamicSymbols("--undefined-only");
  EXPECT_GT(wanted.size(), 10u);
  for (const std::string& symbol : wanted) EXPECT_EQ(symbol.find("sqlite3"), symbol.npos) << symbol;
  const ProcessResult libraries = RunProcess({TIDEMARK_READELF, "--dynamic", "--wide", kExtension});
  EXPECT_THAT(libraries.out, HasSubstr("NEEDED"));
  EXPECT_THAT(libraries.out, ::testing::Not(HasSubstr("libsqlite3")));
  EXPECT_THAT(libraries.out, HasSubstr("NODELETE")) << "SQLite unloads what fails to load";
}

}  // namespace
}  // namespace tidemark::testing
