// What the tests of the command line share: the built binary, a store, and databases to import.

#ifndef TIDEMARK_TESTS_TOOLS_TOOLS_FIXTURE_H_
#define TIDEMARK_TESTS_TOOLS_TOOLS_FIXTURE_H_

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/temp_directory.h"
#include "tests/tools/process.h"

namespace tidemark::testing {

// The tool ended with `exit_code`, and its stderr contains `part`.
::testing::AssertionResult EndsWith(const ProcessResult& result, int exit_code,
                                    const std::string& part);
#define EXPECT_ENDS(result, exit_code, part) \
  EXPECT_TRUE(::tidemark::testing::EndsWith(result, exit_code, part))
#define ASSERT_DONE(result) ASSERT_TRUE(::tidemark::testing::EndsWith(result, 0, ""))

void WriteFile(const std::string& path, const std::string& bytes);
std::string ReadFile(const std::string& path);

class ToolsTest : public ::testing::Test {
 protected:
  // Runs tidemark with these arguments.
  static ProcessResult Tool(const std::vector<std::string>& arguments,
                            const ProcessOptions& options = {});
  // The same with --json; the document of stdout, or null after a test failure.
  static nlohmann::json ToolJson(std::vector<std::string> arguments);
  // Runs a command line that the tool printed, as a user would paste it.
  static ProcessResult Paste(const std::string& command);

  std::string Path(const std::string& name) const { return directory_ / name; }
  // STORE of most tests; made by MakeStore().
  std::string store() const { return Path("store"); }
  void MakeStore();
  // A new object with one table t(id, text) of three rows; returns its bookmark.
  std::string MakeObject(const std::string& object);
  std::string BookmarkOf(const std::string& object);
  // The first column of the only row.
  std::string Value(const std::string& object, const std::string& sql);
  std::string ValueAt(const std::string& object, const std::string& at, const std::string& sql);

  // Damages the frame of a commit, which is found in the first segment by its state hash.
  void DamageCommit(const std::string& bookmark);

  // A SQLite file made by `sql`.
  std::string MakeDatabase(const std::string& name, const std::string& sql);

 private:
  TempDirectory directory_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_TOOLS_TOOLS_FIXTURE_H_
