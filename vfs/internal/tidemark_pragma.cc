// Tidemark's own pragmas, see tidemark_pragma.h.

#include "vfs/internal/tidemark_pragma.h"

#include <array>
#include <cstdio>
#include <string_view>

#include "engine/bookmark.h"
#include "vfs/internal/sqlite.h"

namespace tidemark::internal {
namespace {

constexpr char kPrefix[] = "tidemark_";

Status Invalid(std::string message) {
  return Status(StatusCode::kInvalidArgument, std::move(message));
}

// The commit that is seen, if the object has any.
Result<CommitInfo> SeenCommit(MainFile& file) {
  const CommitInfo commit = file.SeenCommit();
  if (commit.kind == CommitKind::kNone) {
    return Status(StatusCode::kNotFound, "object " + file.object().DisplayName() +
                                             " has no commit yet, so it has no bookmark");
  }
  return commit;
}

Result<std::string> RunBookmark(MainFile& file) {
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, SeenCommit(file));
  return file.object().BookmarkOf(commit).ToString();
}

Result<std::string> RunDurable(MainFile& file) {
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, SeenCommit(file));
  TIDEMARK_RETURN_IF_ERROR(file.store().WaitDurable(commit.lsn));
  return file.object().BookmarkOf(commit).ToString();
}

Result<std::string> RunRestore(MainFile& file, const char* value, bool in_transaction) {
  if (file.read_only()) {
    return Status(StatusCode::kReadOnly, "this connection to object " +
                                             file.object().DisplayName() +
                                             " is read-only: restore through another one");
  }
  if (in_transaction) {
    return Status(StatusCode::kBusy,
                  "tidemark_restore inside a transaction: COMMIT or ROLLBACK it first");
  }
  if (file.writing()) {
    return Status(StatusCode::kBusy,
                  "this connection keeps the write lock: set locking_mode=NORMAL and read "
                  "something before tidemark_restore");
  }
  TIDEMARK_ASSIGN_OR_RETURN(const Point to, ParsePoint(value, file.store().options().clock->Now()));
  TIDEMARK_ASSIGN_OR_RETURN(const RestoreInfo restored, file.object().Restore(to));
  return restored.undo.ToString();
}

class JsonObject {
 public:
  void Add(std::string_view name, uint64_t value) { AddRaw(name, std::to_string(value)); }

  void Add(std::string_view name, std::string_view value) {
    std::string quoted = "\"";
    for (const char c : value) {
      if (c == '"' || c == '\\') {
        quoted += '\\';
        quoted += c;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        std::array<char, 8> escape;
        std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
        quoted += escape.data();
      } else {
        quoted += c;
      }
    }
    AddRaw(name, quoted + "\"");
  }

  std::string text() const { return text_ + "}"; }

 private:
  void AddRaw(std::string_view name, const std::string& value) {
    if (text_.size() > 1) text_ += ',';
    text_ += "\"" + std::string(name) + "\":" + value;
  }

  std::string text_ = "{";
};

// The names are those of `tidemark stat --json` and of its commits, and stay.
std::string RunStat(MainFile& file) {
  const CommitInfo commit = file.SeenCommit();
  const StoreStats stats = file.store().Stats();
  JsonObject json;
  json.Add("object", file.object().DisplayName());
  json.Add("lsn", commit.lsn.value);
  json.Add("page_size", commit.page_size);
  json.Add("page_count", commit.page_count);
  json.Add("bytes", uint64_t{commit.page_size} * commit.page_count);
  json.Add("store", file.store().directory());
  json.Add("objects", stats.object_count);
  json.Add("last_lsn", stats.last_lsn.value);
  json.Add("durable_lsn", stats.durable_lsn.value);
  json.Add("log_bytes", stats.log_bytes);
  json.Add("log_file_bytes", stats.log_file_bytes);
  json.Add("index_bytes", stats.index_bytes);
  json.Add("index_file_bytes", stats.index_file_bytes);
  json.Add("horizon", FormatTime(stats.horizon));
  return json.text();
}

}  // namespace

bool IsTidemarkPragma(const char* name) {
  return sqlite3_strnicmp(name, kPrefix, sizeof(kPrefix) - 1) == 0;
}

Result<std::string> RunTidemarkPragma(MainFile& file, const char* name, const char* value,
                                      bool in_transaction) {
  const auto is = [&](const char* other) { return sqlite3_stricmp(name, other) == 0; };
  if (is("tidemark_restore")) {
    if (value == nullptr) {
      return Invalid(
          "tidemark_restore needs a point: PRAGMA tidemark_restore='BOOKMARK', a label, or a "
          "time such as '5 minutes ago'");
    }
    return RunRestore(file, value, in_transaction);
  }
  if (!is("tidemark_bookmark") && !is("tidemark_durable") && !is("tidemark_stat")) {
    return Invalid(std::string("there is no pragma ") + name +
                   ": Tidemark's are tidemark_bookmark, tidemark_durable, tidemark_restore and "
                   "tidemark_stat");
  }
  if (value != nullptr) {
    return Invalid(std::string(name) + " takes no value, but is given '" + value + "'");
  }
  if (is("tidemark_bookmark")) return RunBookmark(file);
  if (is("tidemark_durable")) return RunDurable(file);
  return RunStat(file);
}

}  // namespace tidemark::internal
