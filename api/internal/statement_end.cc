#include "api/internal/statement_end.h"

#include <sqlite3.h>

namespace tidemark::internal {
namespace {

constexpr std::string_view kSpace = " \t\n\v\f\r";

bool Is(std::string_view word, std::string_view keyword) {
  return word.size() == keyword.size() &&
         sqlite3_strnicmp(word.data(), keyword.data(), static_cast<int>(word.size())) == 0;
}

// Follows the words of a statement to where a semicolon ends it.
class Words {
 public:
  void Word(std::string_view word) {
    switch (begin_) {
      case Begin::kStart:
        if (Is(word, "EXPLAIN")) break;
        begin_ = Is(word, "CREATE") ? Begin::kCreate : Begin::kOther;
        break;
      case Begin::kCreate:
        if (Is(word, "TEMP") || Is(word, "TEMPORARY")) break;
        begin_ = Is(word, "TRIGGER") ? Begin::kTrigger : Begin::kOther;
        break;
      default: break;
    }
    body_ = body_ == Body::kSemicolon && Is(word, "END") ? Body::kEnd : Body::kInside;
  }
  void Other() {
    if (begin_ == Begin::kStart || begin_ == Begin::kCreate) begin_ = Begin::kOther;
    body_ = Body::kInside;
  }
  // True if this semicolon ends the statement.
  bool Semicolon() {
    if (begin_ != Begin::kTrigger || body_ == Body::kEnd) return true;
    body_ = Body::kSemicolon;
    return false;
  }

 private:
  enum class Begin { kStart, kCreate, kTrigger, kOther };
  enum class Body { kInside, kSemicolon, kEnd };  // of a trigger: ";", then "; END"
  Begin begin_ = Begin::kStart;
  Body body_ = Body::kInside;
};

}  // namespace

bool IsWordPart(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

size_t StatementEnd(std::string_view sql) noexcept {
  Words words;
  size_t at = 0;
  // Behind `close`, or to the end if that is missing.
  const auto skip_to = [&](std::string_view close, size_t from) {
    const size_t found = sql.find(close, from);
    at = found == std::string_view::npos ? sql.size() : found + close.size();
  };
  while (at < sql.size()) {
    const char c = sql[at];
    if (c == ';') {
      ++at;
      if (words.Semicolon()) return at;
    } else if (kSpace.find(c) != std::string_view::npos) {
      ++at;
    } else if (sql.substr(at, 2) == "--") {
      skip_to("\n", at);
    } else if (sql.substr(at, 2) == "/*") {
      skip_to("*/", at + 2);
    } else if (c == '\'' || c == '"' || c == '`') {
      skip_to(std::string_view(&c, 1), at + 1);  // one that stands twice begins another
      words.Other();
    } else if (c == '[') {
      skip_to("]", at + 1);
      words.Other();
    } else if (IsWordPart(c)) {
      const size_t begin = at;
      while (at < sql.size() && IsWordPart(sql[at])) ++at;
      words.Word(sql.substr(begin, at - begin));
    } else {
      ++at;
      words.Other();
    }
  }
  return 0;
}

std::string_view TrimSpace(std::string_view sql) noexcept {
  const size_t begin = sql.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return sql.substr(begin, sql.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace tidemark::internal
