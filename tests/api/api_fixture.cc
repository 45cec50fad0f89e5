#include "tests/api/api_fixture.h"

#include <sqlite3.h>

namespace tidemark::testing {

std::string TextOf(const ValueView& value) {
  struct {
    std::string operator()(Null) const { return "NULL"; }
    std::string operator()(int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return std::to_string(number); }
    std::string operator()(std::string_view text) const { return std::string(text); }
    std::string operator()(BlobView blob) const {
      return {reinterpret_cast<const char*>(blob.data()), blob.size()};
    }
  } text;
  return std::visit(text, value);
}

std::string ApiTest::Query(std::string_view text) {
  std::string rows;
  Cursor cursor = sql().Exec(text);
  while (cursor.Next()) {
    if (!rows.empty()) rows += ' ';
    for (size_t i = 0; i < cursor.ColumnCount(); ++i) {
      if (i > 0) rows += '|';
      rows += TextOf(cursor.Column(i));
    }
  }
  return rows;
}

int ApiTest::CommitCount() const {
  int count = 0;
  EXPECT_OK(storage_->object().History([&](const CommitInfo&) {
    ++count;
    return true;
  }));
  return count;
}

std::optional<Error> ErrorOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no Error was thrown";
  return std::nullopt;
}

std::string MessageOf(const std::function<void()>& call) {
  const std::optional<Error> error = ErrorOf(call);
  return error ? error->what() : "";
}

std::vector<std::string> AskSqlite(const char* text) {
  std::vector<std::string> found;
  sqlite3* plain = nullptr;
  EXPECT_EQ(sqlite3_open(":memory:", &plain), SQLITE_OK);
  const auto note = [](void* list, int, char** values, char**) {
    static_cast<std::vector<std::string>*>(list)->emplace_back(values[0]);
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(plain, text, note, &found, nullptr), SQLITE_OK);
  sqlite3_close(plain);
  EXPECT_FALSE(found.empty()) << text;
  return found;
}

}  // namespace tidemark::testing
