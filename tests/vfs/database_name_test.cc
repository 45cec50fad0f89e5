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
  const auto name = DatabaseName::Parse("rooms/lobby/left", "/data//store/", nullptr);
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
          const auto parsed =
              DatabaseName::Parse(name.FullPathname(), directory, *at == '\0' ? nullptr : at);
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
  EXPECT_ERROR(DatabaseName::Parse("a/b", nullptr, nullptr), kInvalidArgument, "store=DIR");
  EXPECT_ERROR(DatabaseName::Parse("a/b", "", nullptr), kInvalidArgument, "store=DIR");
  EXPECT_ERROR(DatabaseName::Parse("ab", "/s", nullptr), kInvalidArgument, "NAMESPACE/NAME");
  EXPECT_ERROR(DatabaseName::Parse("a/", "/s", nullptr), kInvalidArgument, "NAMESPACE/NAME");
  EXPECT_ERROR(DatabaseName::Parse("/b", "/s", nullptr), kInvalidArgument, "NAMESPACE/NAME");
  EXPECT_ERROR(DatabaseName::Parse("a/b", "/s", ""), kInvalidArgument, "point in time");
  EXPECT_ERROR(DatabaseName::Parse("a/b", "/s", "x/y"), kInvalidArgument, "point in time");
}

// Goal: any bytes of a name survive the way through a URI. Method: the encoding is pinned.
TEST(DatabaseNameTest, UriIsEncoded) {
  const DatabaseName name{"/a b", "n&s", "50% #1?/\xc3\xa9", "x=y"};
  EXPECT_EQ(name.Uri(), "file:n%26s/50%25%20%231%3F/%C3%A9?vfs=tidemark&store=/a%20b&at=x%3Dy");
}

}  // namespace
}  // namespace tidemark::internal
