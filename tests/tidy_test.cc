// The tree keeps its shape: include arrows, sources in the build, sizes of files.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace tidemark {
namespace {

namespace files = std::filesystem;

const files::path kTree = TIDEMARK_SOURCE_DIR;

std::string ReadText(const files::path& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in.good()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

// Calls `visit` for each C++ file below a folder of the tree; returns how many there were.
int ForEachSource(const char* folder, const std::function<void(const files::path&)>& visit) {
  int count = 0;
  if (!files::exists(kTree / folder)) return 0;
  for (const auto& entry : files::recursive_directory_iterator(kTree / folder)) {
    const auto extension = entry.path().extension();
    if (extension != ".cc" && extension != ".h") continue;
    ++count;
    visit(entry.path());
  }
  return count;
}

std::vector<std::string> IncludesOf(const files::path& path) {
  static const std::regex kInclude(R"re(^\s*#\s*include\s*["<]([^">]+)[">])re");
  std::vector<std::string> includes;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    std::smatch match;
    if (std::regex_search(line, match, kInclude)) includes.push_back(match[1]);
  }
  return includes;
}

// Goal: arrows go down only. Method: each layer's list of what it must never include.
TEST(TidyTest, IncludeArrowsHold) {
  const struct {
    const char* layer;
    std::vector<std::string> forbidden;
  } rules[] = {
      {"engine",
       {"sqlite3.h", "sqlite3ext.h", "vfs/", "api/", "runtime/", "tools/", "tests/", "bench/"}},
      {"vfs", {"lmdb.h", "engine/internal/", "api/", "runtime/", "tools/", "tests/", "bench/"}},
      {"api",
       {"lmdb.h", "engine/internal/", "vfs/internal/", "runtime/", "tools/", "tests/", "bench/"}},
      {"runtime",
       {"lmdb.h", "sqlite3.h", "engine/internal/", "vfs/", "api/internal/", "tools/", "tests/",
        "bench/"}},
      {"tools",
       {"lmdb.h", "engine/internal/", "vfs/internal/", "api/internal/", "tests/", "bench/"}},
  };
  for (const auto& rule : rules) {
    const int count = ForEachSource(rule.layer, [&](const files::path& path) {
      for (const std::string& include : IncludesOf(path)) {
        for (const std::string& forbidden : rule.forbidden) {
          EXPECT_NE(include.rfind(forbidden, 0), 0u) << path << " includes " << include;
        }
      }
    });
    EXPECT_GT(count, 0) << rule.layer;
  }
}

// Goal: LMDB stands behind one file. The benchmarks measure it as a peer in another.
TEST(TidyTest, OneFileKnowsLmdb) {
  int users = 0;
  for (const char* folder : {"engine", "vfs", "api", "runtime", "tools", "bench", "tests"}) {
    ForEachSource(folder, [&](const files::path& path) {
      for (const std::string& include : IncludesOf(path)) {
        if (include != "lmdb.h") continue;
        ++users;
        const std::string stem = path.stem().string();
        const bool is_peer = std::string(folder) == "bench" && stem == "lmdb_side";
        EXPECT_TRUE(stem.starts_with("lmdb_env") || is_peer) << path;
      }
    });
  }
  EXPECT_GT(users, 0);
}

// Goal: no source is left out of the build. Method: each .cc must be named in the CMakeLists.txt of
// its folder or of one above it.
TEST(TidyTest, EverySourceIsBuilt) {
  for (const char* folder : {"engine", "vfs", "api", "runtime", "tools", "bench", "tests"}) {
    const int count = ForEachSource(folder, [&](const files::path& path) {
      if (path.extension() != ".cc") return;
      for (files::path up = path.parent_path(); up != kTree.parent_path(); up = up.parent_path()) {
        if (!files::exists(up / "CMakeLists.txt")) continue;
        const std::string name = files::relative(path, up).generic_string();
        if (ReadText(up / "CMakeLists.txt").find(name) != std::string::npos) return;
      }
      ADD_FAILURE() << path << " is in no CMakeLists.txt";
    });
    EXPECT_GT(count, 0) << folder;
  }
}

// Goal: a file is about one thing, which hardly takes 500 lines.
TEST(TidyTest, NoFileIsTooLong) {
  for (const char* folder : {"engine", "vfs", "api", "runtime", "tools", "bench", "tests"}) {
    ForEachSource(folder, [&](const files::path& path) {
      const std::string text = ReadText(path);
      EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 500) << path;
    });
  }
}

// Goal: the tables of tests name tests that there are. Method: each `Suite.Name` in them is looked
// for in the sources.
TEST(TidyTest, TablesNameTestsThatThereAre) {
  const std::regex test(R"re(TEST(?:_F|_P)?\((\w+),\s*(\w+)\))re");
  std::set<std::string> tests;
  ForEachSource("tests", [&](const files::path& path) {
    const std::string text = ReadText(path);
    for (std::sregex_iterator it(text.begin(), text.end(), test), end; it != end; ++it) {
      tests.insert((*it)[1].str() + "." + (*it)[2].str());
    }
  });
  const std::regex named(R"re(`(\w+Test\.\w+)`)re");
  int count = 0;
  for (const char* file : {"tests/README.md", "tests/api/README.md", "tests/runtime/README.md"}) {
    const std::string text = ReadText(kTree / file);
    for (std::sregex_iterator it(text.begin(), text.end(), named), end; it != end; ++it) {
      ++count;
      EXPECT_TRUE(tests.contains((*it)[1].str())) << file << " names " << (*it)[1];
    }
  }
  EXPECT_GT(count, 100);
}

}  // namespace
}  // namespace tidemark
