// Names of databases: parsed as documented, and no two databases share a full path name.

#include "vfs/internal/database_name.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/support/status_matchers.h"

namespace tidemark::internal {
namespace {

// Goal: the first '/' ends the namespace. Method: names with and without more of them.
TEST(DatabaseNameTest, Parses) {
  const auto name = DatabaseName::Parse("rooms/lobby/left", {.store = "/data//store/"});
  ASSERT_OK(name);
  EXPECT_EQ(name->namespace_name, "rooms");
  EXPECT_EQ(name->name, "lobby/left");
  EXPECT_EQ(name->store_directory, "/data/store");
  EXPECT_EQ(name->at, "");
}

// Goal: a full path name, with the same parameters, means the same database again, since that is
// what SQLite opens. Method: there and back, over names that look like separators.
TEST(DatabaseNameTest, FullPathnamesComeBackAndAreDistinct) {
  std::set<std::string> seen;
  for (const char* directory : {"/s", "/s/a", "/s/a/b"}) {
    for (const char* at : {"", "x", "a"}) {
      for (const char* namespace_name : {"a", "b", "x"}) {
        for (const char* object : {"a", "/a", "b/c", "//a/b", "x/a/b"}) {
          const DatabaseName name{directory, namespace_name, object, at};
          const auto parsed = DatabaseName::Parse(
              name.FullPathname(), {.store = directory, .at = *at == '\0' ? nullptr : at});
          ASSERT_OK(parsed);
          EXPECT_EQ(*parsed, name) << name.FullPathname();
          EXPECT_TRUE(seen.insert(name.FullPathname()).second) << name.FullPathname();
        }
      }
    }
  }
}

// Goal: what is no name is refused with what a name looks like. Method: each missing part.
TEST(DatabaseNameTest, Refuses) {
  using enum StatusCode;
  EXPECT_ERROR(DatabaseName::Parse("a/b", {}), kInvalidArgument, "store=DIR");
  EXPECT_ERROR(DatabaseName::Parse("a/b", {.store = ""}), kInvalidArgument, "store=DIR");
  EXPECT_ERROR(DatabaseName::Parse("ab", {.store = "/s"}), kInvalidArgument, "NAMESPACE/NAME");
  EXPECT_ERROR(DatabaseName::Parse("a/", {.store = "/s"}), kInvalidArgument, "NAMESPACE/NAME");
  EXPECT_ERROR(DatabaseName::Parse("/b", {.store = "/s"}), kInvalidArgument, "NAMESPACE/NAME");
  EXPECT_ERROR(DatabaseName::Parse("a/b", {.store = "/s", .at = ""}), kInvalidArgument,
               "point in time");
  EXPECT_ERROR(DatabaseName::Parse("a/b", {.store = "/s", .at = "x/y"}), kInvalidArgument,
               "point in time");
}

// Goal: with TIDEMARK_STORE a name is a path below the namespace of files, and no way leads out.
// Method: paths, with what each means; "" where it is refused.
TEST(DatabaseNameTest, PlainNamesArePaths) {
  const struct {
    const char* path;
    const char* name;
  } cases[] = {
      {"data.db", "data.db"},
      {"./data.db", "data.db"},
      {"a/./b//c", "a/b/c"},
      {"a/../b", "b"},
      {"a/b/../../c", "c"},
      {"/srv/data.db", "/srv/data.db"},
      {"//srv/./a/../b", "/srv/b"},
      {"/../a", "/a"},
      {"a..b/...", "a..b/..."},
      {"", ""},
      {".", ""},
      {"/", ""},
      {"..", ""},
      {"../a", ""},
      {"a/../../b", ""},
      {"a/", ""},
      {"a/..", ""},
      {"/..", ""},
  };
  for (const auto& [path, name] : cases) {
    const auto parsed = DatabaseName::Parse(path, {.files_store = "/s/"});
    if (*name == '\0') {
      EXPECT_ERROR(parsed, StatusCode::kInvalidArgument, std::string("\"") + path + "\"");
      continue;
    }
    ASSERT_OK(parsed);
    EXPECT_EQ(*parsed, (DatabaseName{"/s", "files", name, ""})) << path;
    EXPECT_EQ(*DatabaseName::Parse(parsed->FullPathname(), {.files_store = "/s"}), *parsed);
  }
  EXPECT_EQ(DatabaseName::Parse("a", {.at = "now", .files_store = "/s"})->at, "now");
  for (const char* at : {"", "now"}) {  // any object, named without parameters
    const DatabaseName name{"/s", "ns", "a/../b", at};
    EXPECT_EQ(*DatabaseName::Parse(name.FullPathname(), {.files_store = "/s"}), name);
  }
  const DatabaseName by_id{"/s", "ns", std::string(64, 'a'), "", true};
  EXPECT_EQ(by_id.FullPathname(), "/s////ns/" + by_id.name);
  EXPECT_EQ(*DatabaseName::Parse(by_id.FullPathname(), {.files_store = "/s"}), by_id);
  ASSERT_OK_AND_ASSIGN(const DatabaseName file,
                       DatabaseName::Parse(by_id.name, {.id = "1", .files_store = "/s"}));
  EXPECT_EQ(file, (DatabaseName{"/s", "files", by_id.name, "", true}));
  EXPECT_EQ(*DatabaseName::Parse(file.FullPathname(), {.id = "1", .files_store = "/s"}), file);
  EXPECT_ERROR(DatabaseName::Parse("/s///now", {.files_store = "/s"}), StatusCode::kInvalidArgument,
               "NAMESPACE/NAME");
  EXPECT_ERROR(DatabaseName::Parse("a", {.store = "/t", .files_store = "/s"}),
               StatusCode::kInvalidArgument, "NAMESPACE/NAME");
}

// Goal: "." and ".." in NAMESPACE/NAME are refused unless they are said to be meant; and names that
// have them work all the same where no path can be meant. Method: with and without exact=1.
TEST(DatabaseNameTest, DotsAreRefused) {
  for (const char* path : {"ns/..", "ns/../a", "../a", "./a", "ns/a/./b", "ns/a/.."}) {
    EXPECT_ERROR(DatabaseName::Parse(path, {.store = "/s"}), StatusCode::kInvalidArgument, path);
    EXPECT_OK(DatabaseName::Parse(path, {.store = "/s", .exact = "1"}));
  }
  EXPECT_OK(DatabaseName::Parse("ns/a..b/.c/...", {.store = "/s"}));
  EXPECT_TRUE((DatabaseName{"/s", "ns", "a/../b", ""}).Uri().ends_with("&exact=1"));
}

// Goal: any bytes of a name survive the way through a URI. Method: the encoding is pinned.
TEST(DatabaseNameTest, UriIsEncoded) {
  const DatabaseName name{"/a b", "n&s", "50% #1?/\xc3\xa9", "x=y"};
  EXPECT_EQ(name.Uri(), "file:n%26s/50%25%20%231%3F/%C3%A9?vfs=tidemark&store=/a%20b&at=x%3Dy");
}

}  // namespace
}  // namespace tidemark::internal
