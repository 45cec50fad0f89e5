#include "tests/tools/tools_fixture.h"

#include <fstream>
#include <iterator>
#include <utility>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {

::testing::AssertionResult EndsWith(const ProcessResult& result, int exit_code,
                                    const std::string& part) {
  if (result.exit_code == exit_code && result.err.find(part) != std::string::npos) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << "exit code " << result.exit_code << ", expected " << exit_code << " and \"" << part
         << "\" on stderr\nstdout: " << result.out << "\nstderr: " << result.err;
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  ASSERT_TRUE(file.good()) << path;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

ProcessResult ToolsTest::Tool(const std::vector<std::string>& arguments,
                              const ProcessOptions& options) {
  std::vector<std::string> command = {TIDEMARK_BINARY};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return RunProcess(command, options);
}

nlohmann::json ToolsTest::ToolJson(std::vector<std::string> arguments) {
  arguments.push_back("--json");
  const ProcessResult result = Tool(arguments);
  EXPECT_ENDS(result, 0, "");
  EXPECT_EQ(result.err, "") << "with --json, remarks are fields";
  auto document = nlohmann::json::parse(result.out, nullptr, /*allow_exceptions=*/false);
  EXPECT_FALSE(document.is_discarded()) << result.out;
  return document;
}

ProcessResult ToolsTest::Paste(const std::string& command) {
  return RunProcess({"/bin/sh", "-c", command}, {.directory = "/"});
}

void ToolsTest::MakeStore() { ASSERT_DONE(Tool({"init", store()})); }

std::string ToolsTest::MakeObject(const std::string& object) {
  EXPECT_ENDS(Tool({"sql", store(), object, "--create",
                    "create table t(id integer primary key, text);"
                    "insert into t(text) values ('one'),('two'),('three')"}),
              0, "created");
  return BookmarkOf(object);
}

std::string ToolsTest::BookmarkOf(const std::string& object) {
  std::string bookmark = Tool({"bookmark", store(), object}).out;
  EXPECT_EQ(bookmark.size(), 60u) << bookmark;
  if (!bookmark.empty()) bookmark.pop_back();
  return bookmark;
}

std::string ToolsTest::Value(const std::string& object, const std::string& sql) {
  const nlohmann::json document = ToolJson({"sql", store(), object, sql});
  return document["results"][0]["rows"][0][0].dump();
}

std::string ToolsTest::ValueAt(const std::string& object, const std::string& at,
                               const std::string& sql) {
  const nlohmann::json document = ToolJson({"sql", store(), object, "--at", at, sql});
  return document["results"][0]["rows"][0][0].dump();
}

void ToolsTest::DamageCommit(const std::string& bookmark) {
  const std::string path = store() + "/log/00000001.seg";
  std::string bytes = ReadFile(path);
  uint64_t state_hash = std::stoull(bookmark.substr(bookmark.size() - 16), nullptr, 16);
  std::string pattern;
  for (int i = 0; i < 8; ++i, state_hash >>= 8) pattern += static_cast<char>(state_hash & 0xff);
  const size_t at = bytes.find(pattern);
  ASSERT_NE(at, std::string::npos);
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  WriteFile(path, bytes);
}

std::string ToolsTest::MakeDatabase(const std::string& name, const std::string& sql) {
  const std::string path = Path(name);
  const Connection connection(path);
  Exec(connection.handle(), sql);
  return path;
}

}  // namespace tidemark::testing
