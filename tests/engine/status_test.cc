#include "engine/status.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "engine/result.h"
#include "tests/support/status_matchers.h"

namespace tidemark {
namespace {

// Goal: every code has a name of its own, because the tools' JSON shows it.
TEST(StatusTest, CodesHaveNames) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(StatusCode::kOutOfMemory); ++code) {
    names.insert(StatusCodeName(static_cast<StatusCode>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(StatusCode::kOutOfMemory) + 1);
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(StatusTest, TextAndContext) {
  EXPECT_EQ(OkStatus().ToString(), "ok");
  EXPECT_TRUE(OkStatus().WithContext("anything").ok());
  const Status status(StatusCode::kNotFound, "page 7");
  EXPECT_EQ(status.ToString(), "not_found: page 7");
  EXPECT_EQ(status.WithContext("object rooms/lobby").ToString(),
            "not_found: object rooms/lobby: page 7");
}

Result<int> Half(int value) {
  if (value % 2 != 0) return Status(StatusCode::kInvalidArgument, "odd");
  return value / 2;
}
Result<int> Quarter(int value) {
  TIDEMARK_ASSIGN_OR_RETURN(const int half, Half(value));
  return Half(half);
}
Status OnlyQuarters(int value) {
  TIDEMARK_RETURN_IF_ERROR(Quarter(value).status());
  return OkStatus();
}

// Goal: the macros hand on the first error and go on otherwise.
TEST(ResultTest, MacrosHandOnErrors) {
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_ERROR(Quarter(7), StatusCode::kInvalidArgument, "odd");
  EXPECT_ERROR(Quarter(6), StatusCode::kInvalidArgument, "odd");
  EXPECT_OK(OnlyQuarters(4));
  EXPECT_ERROR(OnlyQuarters(2), StatusCode::kInvalidArgument, "odd");
}

// Goal: asking an error for its value is a bug and ends the process.
TEST(ResultDeathTest, ValueOfAnError) { EXPECT_DEATH((void)Half(1).value(), "ok\\(\\)"); }

}  // namespace
}  // namespace tidemark
