#include "tools/shell_completion.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "tools/text.h"

namespace tidemark::tools {

namespace {

bool IsNameCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || (c & 0x80) != 0;
}

bool BeginsWith(std::string_view text, std::string_view prefix) {
  if (text.size() < prefix.size()) return false;
  return std::equal(prefix.begin(), prefix.end(), text.begin(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  });
}

// As SQL can read it.
std::string Identifier(const std::string& name) {
  bool plain = !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
               std::all_of(name.begin(), name.end(), IsNameCharacter);
  if (plain && sqlite3_keyword_check(name.data(), static_cast<int>(name.size())) == 0) return name;
  std::string quoted = "\"";
  for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

// In capitals where the word begins with one.
void AddKeywords(std::string_view word, std::vector<std::string>* names) {
  const bool capitals = !word.empty() && std::isupper(static_cast<unsigned char>(word[0])) != 0;
  for (int i = 0; i < sqlite3_keyword_count(); ++i) {
    const char* text = nullptr;
    int size = 0;
    if (sqlite3_keyword_name(i, &text, &size) != SQLITE_OK) continue;
    std::string keyword(text, static_cast<size_t>(size));
    if (!capitals) {
      std::transform(keyword.begin(), keyword.end(), keyword.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    }
    names->push_back(std::move(keyword));
  }
}

void AddIdentifiers(const std::vector<std::string>& names, std::vector<std::string>* identifiers) {
  for (const std::string& name : names) identifiers->push_back(Identifier(name));
}

Completion Matching(std::string_view before, size_t word_begin, std::vector<std::string> names) {
  const std::string_view word = before.substr(word_begin);
  names.erase(std::remove_if(names.begin(), names.end(),
                             [&](const std::string& name) {
                               // Control characters would be commands to the editor.
                               return !BeginsWith(name, word) || PrintableLine(name) != name;
                             }),
              names.end());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return {.word_begin = word_begin, .candidates = std::move(names)};
}

std::vector<std::string> FirstColumn(sqlite3* db, const char* sql) {
  std::vector<std::string> names;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) == SQLITE_OK) {
    while (sqlite3_step(statement) == SQLITE_ROW) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
      if (text != nullptr) names.emplace_back(text);
    }
  }
  sqlite3_finalize(statement);
  return names;
}

Completion CompleteArgument(std::string_view before, const CompletionSources& sources) {
  const size_t blank = before.find(' ');
  const std::string_view command = before.substr(0, blank);
  const size_t begin = std::min(before.find_first_not_of(' ', blank), before.size());
  if (command == ".at" || command == ".diff" || command == ".restore")
    return Matching(before, begin, sources.points());
  if (command == ".schema") return Matching(before, begin, sources.tables());
  if (command == ".mode") return Matching(before, begin, {"csv", "json", "table"});
  return {};
}

}  // namespace

Completion CompleteShellLine(std::string_view before, bool continues,
                             const CompletionSources& sources) {
  if (!continues && !before.empty() && before[0] == '.') {
    if (before.find(' ') == std::string_view::npos) return Matching(before, 0, sources.commands);
    return CompleteArgument(before, sources);
  }
  size_t begin = before.size();
  while (begin > 0 && IsNameCharacter(before[begin - 1])) --begin;
  if (begin > 0 && before[begin - 1] == '"') --begin;
  std::vector<std::string> names;
  AddIdentifiers(sources.tables(), &names);
  AddIdentifiers(sources.columns(), &names);
  // Behind a dot stands a column.
  if (begin == 0 || before[begin - 1] != '.') AddKeywords(before.substr(begin), &names);
  return Matching(before, begin, std::move(names));
}

std::vector<std::string> TableNames(sqlite3* db) {
  return FirstColumn(db,
                     "select name from sqlite_schema where type in ('table', 'view')"
                     " and name not like 'sqlite\\_%' escape '\\' order by name limit 2000");
}

std::vector<std::string> ColumnNames(sqlite3* db) {
  return FirstColumn(db,
                     "select distinct c.name from sqlite_schema t, pragma_table_info(t.name) c"
                     " where t.type in ('table', 'view') limit 2000");
}

}  // namespace tidemark::tools
