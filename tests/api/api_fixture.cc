#include "tests/api/api_fixture.h"

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

}  // namespace tidemark::testing
