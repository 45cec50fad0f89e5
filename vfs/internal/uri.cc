// Parameters of file names, see uri.h.

#include "vfs/internal/uri.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include "vfs/internal/sqlite.h"

namespace tidemark::internal {
namespace {

bool IsMadeBySqlite(const char* name) {
  for (int back = 1; back <= 4; ++back) {
    if (name[-back] != '\0') return false;
  }
  return true;
}

Status Contradiction(std::string message) {
  return Status(StatusCode::kInvalidArgument, std::move(message));
}

}  // namespace

DatabaseName::Context PlainContext() { return {.files_store = std::getenv("TIDEMARK_STORE")}; }

DatabaseName::Context ContextOf(const char* name) {
  DatabaseName::Context context = PlainContext();
  if (!IsMadeBySqlite(name)) return context;
  context.store = sqlite3_uri_parameter(name, "store");
  context.at = sqlite3_uri_parameter(name, "at");
  context.id = sqlite3_uri_parameter(name, "id");
  context.exact = sqlite3_uri_parameter(name, "exact");
  return context;
}

Status CheckParameters(const char* name) {
  if (!IsMadeBySqlite(name)) return OkStatus();
  for (int i = 0; const char* key = sqlite3_uri_key(name, i); ++i) {
    const std::string_view text(key);
    if (text != "vfs" && text != "store" && text != "at" && text != "id" && text != "exact" &&
        text != "mode") {
      continue;
    }
    for (int j = 0; j < i; ++j) {
      if (text == sqlite3_uri_key(name, j)) {
        return Contradiction(std::string(text) + "= is given twice: which one is meant?");
      }
    }
  }
  const char* at = sqlite3_uri_parameter(name, "at");
  const char* mode = sqlite3_uri_parameter(name, "mode");
  if (at != nullptr && mode != nullptr && std::string_view(mode).starts_with("rw")) {
    return Contradiction("at=" + std::string(at) + " and mode=" + mode +
                         " contradict each other: the past can only be read; leave out mode=, or "
                         "PRAGMA tidemark_restore brings a point back");
  }
  if (sqlite3_uri_boolean(name, "nolock", 0) != 0) {
    return Contradiction("nolock=1 is not possible in a Tidemark store: leave it out");
  }
  return OkStatus();
}

}  // namespace tidemark::internal
