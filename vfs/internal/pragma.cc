// Values of pragmas, see pragma.h.

#include "vfs/internal/pragma.h"

#include <cstdlib>
#include <string>

#include "vfs/internal/sqlite.h"

namespace tidemark::internal {
namespace {

constexpr int kOff = 0;
constexpr int kNormal = 1;
constexpr int kFull = 2;
constexpr int kExtra = 3;

// A number, or a word; what SQLite does not know is NORMAL.
int SafetyLevel(const char* value) {
  if (value[0] >= '0' && value[0] <= '9') {
    const bool hex = value[0] == '0' && (value[1] == 'x' || value[1] == 'X');
    const long long number = std::strtoll(value, nullptr, hex ? 16 : 10);
    return number > 0x7fffffff ? 0 : static_cast<int>(number & 0xff);
  }
  constexpr struct {
    const char* word;
    int level;
  } kWords[] = {{"on", kNormal}, {"yes", kNormal}, {"true", kNormal}, {"off", kOff},
                {"no", kOff},    {"false", kOff},  {"full", kFull},   {"extra", kExtra}};
  for (const auto& [word, level] : kWords) {
    if (sqlite3_stricmp(value, word) == 0) return level;
  }
  return kNormal;
}

}  // namespace

bool SynchronousWaits(const char* value) {
  // SQLite keeps three bits of level + 1, and takes all above NORMAL for FULL.
  return ((SafetyLevel(value) + 1) & 7) > kFull;
}

bool IsRefusedJournalMode(std::string_view value) {
  if (value.empty()) return false;
  const std::string text(value);
  const auto length = static_cast<int>(text.size());
  return sqlite3_strnicmp(text.c_str(), "off", length) == 0 ||
         sqlite3_strnicmp(text.c_str(), "wal", length) == 0;
}

}  // namespace tidemark::internal
