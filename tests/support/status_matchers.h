// Assertions on Status and Result<T> that print the whole status when they fail.
//
//   ASSERT_OK(store->Sync());
//   ASSERT_OK_AND_ASSIGN(auto object, store->OpenObject(...));
//   EXPECT_ERROR(store->OpenObject(...), StatusCode::kNotFound, "rooms/lobby");

#ifndef TIDEMARK_TESTS_SUPPORT_STATUS_MATCHERS_H_
#define TIDEMARK_TESTS_SUPPORT_STATUS_MATCHERS_H_

#include <gtest/gtest.h>

#include <string_view>
#include <utility>

#include "engine/result.h"
#include "engine/status.h"

namespace tidemark::testing {

inline const Status& StatusOf(const Status& status) { return status; }
template <typename T>
const Status& StatusOf(const Result<T>& result) {
  return result.status();
}

template <typename T>
::testing::AssertionResult IsOk(const T& outcome) {
  if (StatusOf(outcome).ok()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << StatusOf(outcome).ToString();
}

// The code is `code`, and the message contains `part`.
template <typename T>
::testing::AssertionResult IsError(const T& outcome, StatusCode code, std::string_view part) {
  const Status& status = StatusOf(outcome);
  if (status.code() == code && status.message().find(part) != std::string::npos) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << status.ToString() << "\n  expected: " << StatusCodeName(code) << ": ..." << part
         << "...";
}

}  // namespace tidemark::testing

#define EXPECT_OK(expression) EXPECT_TRUE(::tidemark::testing::IsOk(expression))
#define ASSERT_OK(expression) ASSERT_TRUE(::tidemark::testing::IsOk(expression))
#define EXPECT_ERROR(expression, code, part) \
  EXPECT_TRUE(::tidemark::testing::IsError(expression, code, part))
#define ASSERT_ERROR(expression, code, part) \
  ASSERT_TRUE(::tidemark::testing::IsError(expression, code, part))
#define ASSERT_OK_AND_ASSIGN(declaration, expression) \
  ASSERT_OK_AND_ASSIGN_IMPL(TIDEMARK_CONCAT(outcome_, __LINE__), declaration, expression)
#define ASSERT_OK_AND_ASSIGN_IMPL(outcome, declaration, expression) \
  auto outcome = (expression);                                      \
  ASSERT_TRUE(::tidemark::testing::IsOk(outcome));                  \
  declaration = std::move(outcome).value()

#endif  // TIDEMARK_TESTS_SUPPORT_STATUS_MATCHERS_H_
