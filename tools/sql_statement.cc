#include "tools/sql_statement.h"

#include <algorithm>
#include <cstddef>

namespace tidemark::tools {

namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
// What SQLite takes as part of a name: everything beyond ASCII, too.
bool IsNamePart(char c) {
  const char upper = Upper(c);
  return (upper >= 'A' && upper <= 'Z') || IsDigit(c) || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// The tokens of a text, as SQLite divides it; of those only words and single characters matter
// here.
class Tokens {
 public:
  explicit Tokens(std::string_view sql) : sql_(sql) {}

  // A word in upper case, another character by itself, or "?" for a string, a quoted name or a
  // number. Empty at the end.
  std::string Next() {
    SkipSpaceAndComments();
    if (at_ == sql_.size()) return "";
    const char first = sql_[at_];
    if (first == '\'' || first == '"' || first == '`' || first == '[') {
      SkipQuoted(first == '[' ? ']' : first);
      return "?";
    }
    if (!IsNamePart(first)) {
      ++at_;
      return std::string(1, first);
    }
    std::string word;
    while (at_ < sql_.size() && IsNamePart(sql_[at_])) word += Upper(sql_[at_++]);
    if (word == "X" && at_ < sql_.size() && sql_[at_] == '\'') {  // a BLOB
      SkipQuoted('\'');
      return "?";
    }
    return IsDigit(word.front()) ? "?" : word;
  }

 private:
  void SkipSpaceAndComments() {
    while (at_ < sql_.size()) {
      if (IsSpace(sql_[at_])) {
        ++at_;
      } else if (sql_.substr(at_, 2) == "--") {
        at_ = std::min(sql_.find('\n', at_), sql_.size());
      } else if (sql_.substr(at_, 2) == "/*") {
        const size_t end = sql_.find("*/", at_ + 2);
        at_ = end == std::string_view::npos ? sql_.size() : end + 2;
      } else {
        return;
      }
    }
  }

  // A closing character that stands twice is part of what is quoted, but for ].
  void SkipQuoted(char close) {
    for (++at_; at_ < sql_.size(); ++at_) {
      if (sql_[at_] != close) continue;
      ++at_;
      if (close == ']' || at_ == sql_.size() || sql_[at_] != close) return;
    }
  }

  const std::string_view sql_;
  size_t at_ = 0;
};

// The first word that is not a semicolon.
std::string FirstOf(Tokens& tokens) {
  std::string token = tokens.Next();
  while (token == ";") token = tokens.Next();
  return token;
}

bool IsWord(const std::string& token) { return !token.empty() && IsNamePart(token.front()); }

}  // namespace

std::string FirstWord(std::string_view sql) {
  Tokens tokens(sql);
  std::string word = FirstOf(tokens);
  return IsWord(word) ? word : "";
}

Sweep SweepOf(std::string_view sql) {
  Tokens tokens(sql);
  std::string verb = FirstOf(tokens);
  int depth = 0;
  if (verb == "WITH") {
    // Its tables stand in parentheses; what follows them is the statement itself.
    while (!verb.empty() && verb != ";" &&
           (depth > 0 || (verb != "DELETE" && verb != "UPDATE" && verb != "INSERT" &&
                          verb != "SELECT" && verb != "VALUES"))) {
      depth += verb == "(" ? 1 : verb == ")" ? -1 : 0;
      verb = tokens.Next();
    }
  }
  if (verb != "DELETE" && verb != "UPDATE" && verb != "VACUUM") return Sweep::kNone;
  const std::string own = verb == "VACUUM" ? "INTO" : "WHERE";
  for (std::string token = tokens.Next(); !token.empty(); token = tokens.Next()) {
    if (depth == 0 && token == ";") break;
    if (depth == 0 && token == own) return Sweep::kNone;
    depth += token == "(" ? 1 : token == ")" ? -1 : 0;
  }
  if (verb == "VACUUM") return Sweep::kVacuum;
  return verb == "DELETE" ? Sweep::kDelete : Sweep::kUpdate;
}

}  // namespace tidemark::tools
