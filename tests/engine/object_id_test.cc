#include "engine/object_id.h"

#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>

#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

// Goal: ids are those of Durable Objects, so that data can move between the two. Method: the
// vectors of workerd's own test, and one computed by the same rule.
TEST(ObjectIdTest, GoldenIds) {
  const ObjectIdFactory factory("mykey");
  EXPECT_EQ(factory.FromName("http://foo/").ToString(),
            "59002eb8cf872e541722977a258a12d6a93bbe8192b502e1c0cb250aa91af234");
  EXPECT_EQ(factory.FromName("http://foo/bar").ToString(),
            "02b496f65dd35cbac90e3e72dc5a398ee93926ea4a3821e26677082d2e6f9b79");
  EXPECT_EQ(factory.FromName("name").ToString(),
            "3652ef6221834806dc8df802d1d216e27b7d07e0a6b7adf6cfdaeec90f06459a");
}

// Goal: an id comes back from its text in either case, and only in its own namespace.
TEST(ObjectIdTest, TextRoundTrip) {
  const ObjectIdFactory factory("rooms");
  const ObjectId id = factory.FromName("lobby");
  std::string text = id.ToString();
  EXPECT_EQ(text.size(), 64u);
  ASSERT_OK_AND_ASSIGN(const ObjectId same, factory.FromString(text));
  EXPECT_EQ(same, id);
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  ASSERT_OK_AND_ASSIGN(const ObjectId upper, factory.FromString(text));
  EXPECT_EQ(upper, id);
  EXPECT_TRUE(factory.Owns(id));
  EXPECT_FALSE(ObjectIdFactory("users").Owns(id));
  EXPECT_ERROR(ObjectIdFactory("users").FromString(text), StatusCode::kInvalidArgument,
               "not valid for this namespace");
}

// Goal: one wrong digit, anywhere, is noticed; what is no id at all is called so.
TEST(ObjectIdTest, WrongTexts) {
  const ObjectIdFactory factory("rooms");
  const std::string good = factory.FromName("lobby").ToString();
  for (size_t i = 0; i < good.size(); ++i) {
    std::string text = good;
    text[i] = text[i] == '0' ? '1' : '0';
    EXPECT_ERROR(factory.FromString(text), StatusCode::kInvalidArgument, "not valid for this");
    text[i] = 'g';
    EXPECT_ERROR(factory.FromString(text), StatusCode::kInvalidArgument, "64 hex digits");
  }
  for (const std::string& text : {std::string(), good.substr(1), good + "0"}) {
    EXPECT_ERROR(factory.FromString(text), StatusCode::kInvalidArgument, "64 hex digits");
  }
}

// Goal: unique ids are unique and belong to their namespace.
TEST(ObjectIdTest, UniqueIds) {
  const ObjectIdFactory factory("rooms");
  std::set<ObjectId> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(factory.NewUnique());
  EXPECT_EQ(ids.size(), 1000u);
  for (const ObjectId& id : ids) EXPECT_TRUE(factory.Owns(id));
}

// Goal: any bytes make an id; different names and namespaces make different ones.
TEST(ObjectIdTest, AnyNameMakesAnId) {
  std::set<ObjectId> ids;
  for (const char* key : {"", "a", "b"}) {
    const ObjectIdFactory factory(key);
    for (const std::string& name : {std::string(), std::string("\0", 1), std::string(5000, 'x')}) {
      EXPECT_EQ(factory.FromName(name), factory.FromName(name));
      ids.insert(factory.FromName(name));
    }
  }
  EXPECT_EQ(ids.size(), 9u);
}

// Goal: names that are not 1 to 1024 bytes of UTF-8 are refused, and the message says what and
// where. Method: the borders of every rule of the encoding (Unicode, table 3-7).
TEST(ObjectIdTest, Names) {
  for (const std::string& name :
       {std::string("a"), std::string(1024, 'x'), std::string("with space/and slash\n"),
        std::string("\x7f"), std::string("\xc2\x80"), std::string("\xdf\xbf"),
        std::string("\xe0\xa0\x80"), std::string("\xed\x9f\xbf"), std::string("\xee\x80\x80"),
        std::string("\xef\xbf\xbf"), std::string("\xf0\x90\x80\x80"),
        std::string("\xf4\x8f\xbf\xbf")}) {
    EXPECT_OK(ValidateName("object name", name)) << name;
  }
  EXPECT_ERROR(ValidateName("object name", ""), StatusCode::kInvalidArgument,
               "object name is empty");
  EXPECT_ERROR(ValidateName("object name", std::string(1025, 'x')), StatusCode::kInvalidArgument,
               "1025 bytes; at most 1024");
  EXPECT_ERROR(ValidateName("object name", std::string("ab\0c", 4)), StatusCode::kInvalidArgument,
               "NUL at byte 2");
  for (const char* bytes :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x7f", "\xc2\xc0", "\xe0\x9f\xbf",
        "\xe1\x80", "\xe1\x80\x7f", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
        "\xf0\x90\x80", "\xf1\x80\x80\xc0", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    EXPECT_ERROR(ValidateName("object name", std::string("ok") + bytes),
                 StatusCode::kInvalidArgument, "UTF-8 at byte 2")
        << ::testing::PrintToString(std::string(bytes));
  }
  EXPECT_OK(ValidateNamespaceName("rooms"));
  EXPECT_OK(ValidateNamespaceName(std::string(512, 'x')));
  EXPECT_ERROR(ValidateNamespaceName(std::string(513, 'x')), StatusCode::kInvalidArgument,
               "513 bytes; at most 512");
  EXPECT_ERROR(ValidateNamespaceName("a/b"), StatusCode::kInvalidArgument, "'/' at byte 1");
  EXPECT_ERROR(ValidateNamespaceName(""), StatusCode::kInvalidArgument, "namespace name is empty");
}

}  // namespace
}  // namespace tidemark
