// Tidemark's own pragmas, see tidemark_pragma.h.

#include "vfs/internal/tidemark_pragma.h"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/bookmark.h"
#include "vfs/internal/database_name.h"
#include "vfs/internal/object_json.h"

namespace tidemark::internal {
namespace {

constexpr char kPrefix[] = "tidemark_";

// What a pragma is asked for, and where.
struct Call {
  MainFile& file;
  const char* name;
  const char* value;  // null if there is none
  bool in_transaction;

  Object& object() const { return file.object(); }
};

Status Invalid(std::string message) {
  return Status(StatusCode::kInvalidArgument, std::move(message));
}

Result<SqliteText> Copy(const std::string& text) {
  SqliteText copy(sqlite3_mprintf("%s", text.c_str()));
  if (copy == nullptr) return Status::OutOfMemory();
  return copy;
}

// Room for the bookmark that a pragma gives once it has done something.
Result<SqliteText> BookmarkRoom() {
  SqliteText room(static_cast<char*>(sqlite3_malloc(sizeof(Bookmark().ToText()))));
  if (room == nullptr) return Status::OutOfMemory();
  return room;
}

SqliteText Filled(SqliteText room, const Bookmark& bookmark) {
  const auto text = bookmark.ToText();
  std::copy(text.begin(), text.end(), room.get());
  return room;
}

// The commit that is seen, if the object has any.
Result<CommitInfo> SeenCommit(const Call& call) {
  const CommitInfo commit = call.file.SeenCommit();
  if (commit.kind == CommitKind::kNone) {
    return Status(StatusCode::kNotFound, "object " + call.object().DisplayName() +
                                             " has no commit yet, so it has no bookmark");
  }
  return commit;
}

Status CheckWritable(const Call& call) {
  if (!call.file.read_only()) return OkStatus();
  return Status(StatusCode::kReadOnly, "this connection to object " + call.object().DisplayName() +
                                           " is read-only: use another one for " + call.name);
}

// What is not committed has no name: the commit before it would get it.
Status CheckNothingUncommitted(const Call& call) {
  if (!call.in_transaction || !call.file.writing()) return OkStatus();
  return Status(StatusCode::kBusy, std::string(call.name) +
                                       " inside a transaction that writes: COMMIT or ROLLBACK it "
                                       "first");
}

Result<SqliteText> RunBookmark(const Call& call) {
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, SeenCommit(call));
  return Copy(call.object().BookmarkOf(commit).ToString());
}

Result<SqliteText> RunDurable(const Call& call) {
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, SeenCommit(call));
  TIDEMARK_RETURN_IF_ERROR(call.file.store().WaitDurable(commit.lsn));
  return Copy(call.object().BookmarkOf(commit).ToString());
}

Result<SqliteText> RunRestore(const Call& call) {
  TIDEMARK_RETURN_IF_ERROR(CheckWritable(call));
  if (call.in_transaction) {
    return Status(StatusCode::kBusy,
                  "tidemark_restore inside a transaction: COMMIT or ROLLBACK it first");
  }
  if (call.file.writing()) {
    return Status(StatusCode::kBusy,
                  "this connection keeps the write lock: set locking_mode=NORMAL and read "
                  "something before tidemark_restore");
  }
  TIDEMARK_ASSIGN_OR_RETURN(const Point to,
                            ParsePoint(call.value, call.file.store().options().clock->Now()));
  TIDEMARK_ASSIGN_OR_RETURN(SqliteText answer, BookmarkRoom());
  TIDEMARK_ASSIGN_OR_RETURN(const RestoreInfo restored, call.object().Restore(to));
  return Filled(std::move(answer), restored.undo);
}

Result<SqliteText> RunRestores(const Call& call) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::string json, RestoresJson(call.file.store(), call.object()));
  return Copy(json);
}

Result<SqliteText> RunLabel(const Call& call) {
  TIDEMARK_RETURN_IF_ERROR(CheckWritable(call));
  TIDEMARK_RETURN_IF_ERROR(CheckNothingUncommitted(call));
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, SeenCommit(call));
  const Bookmark bookmark = call.object().BookmarkOf(commit);
  TIDEMARK_ASSIGN_OR_RETURN(SqliteText answer, BookmarkRoom());
  TIDEMARK_RETURN_IF_ERROR(call.object().SetLabel(call.value, bookmark));
  return Filled(std::move(answer), bookmark);
}

Result<SqliteText> RunUnlabel(const Call& call) {
  TIDEMARK_RETURN_IF_ERROR(CheckWritable(call));
  TIDEMARK_ASSIGN_OR_RETURN(SqliteText answer, Copy(call.value));
  TIDEMARK_RETURN_IF_ERROR(call.object().RemoveLabel(call.value));
  return answer;
}

Result<SqliteText> RunLabels(const Call& call) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::string json, LabelsJson(call.object()));
  return Copy(json);
}

Result<SqliteText> RunFork(const Call& call) {
  TIDEMARK_RETURN_IF_ERROR(CheckWritable(call));
  TIDEMARK_RETURN_IF_ERROR(CheckNothingUncommitted(call));
  Store& store = call.file.store();
  TIDEMARK_ASSIGN_OR_RETURN(const DatabaseName name,
                            DatabaseName::Parse(call.value, {.store = store.directory().c_str()}));
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, SeenCommit(call));
  TIDEMARK_ASSIGN_OR_RETURN(SqliteText answer, BookmarkRoom());
  TIDEMARK_ASSIGN_OR_RETURN(
      const std::shared_ptr<Object> fork,
      store.Fork(call.object(), call.object().BookmarkOf(commit), name.namespace_name, name.name));
  return Filled(std::move(answer), fork->BookmarkOf(fork->head()));
}

Result<SqliteText> RunStat(const Call& call) {
  return Copy(StatJson(call.file.store(), call.object(), call.file.SeenCommit()));
}

struct TidemarkPragma {
  const char* name;
  // What a value looks like that it needs; null if it takes none.
  const char* value;
  Result<SqliteText> (*run)(const Call& call);
};

constexpr TidemarkPragma kPragmas[] = {
    {"tidemark_bookmark", nullptr, RunBookmark},
    {"tidemark_durable", nullptr, RunDurable},
    {"tidemark_fork", "a name for the new object: PRAGMA tidemark_fork='NAMESPACE/NAME'", RunFork},
    {"tidemark_label", "a name: PRAGMA tidemark_label='NAME'", RunLabel},
    {"tidemark_labels", nullptr, RunLabels},
    {"tidemark_restore",
     "a point: PRAGMA tidemark_restore='BOOKMARK', a label, or a time such as '5 minutes ago'",
     RunRestore},
    {"tidemark_restores", nullptr, RunRestores},
    {"tidemark_stat", nullptr, RunStat},
    {"tidemark_unlabel", "the name of a label: PRAGMA tidemark_unlabel='NAME'", RunUnlabel},
};

Status NoSuchPragma(const char* name) {
  std::string known;
  for (const TidemarkPragma& pragma : kPragmas) {
    if (!known.empty()) known += ", ";
    known += pragma.name;
  }
  return Invalid(std::string("there is no pragma ") + name + ": Tidemark's are " + known);
}

}  // namespace

bool IsTidemarkPragma(const char* name) {
  return sqlite3_strnicmp(name, kPrefix, sizeof(kPrefix) - 1) == 0;
}

Result<SqliteText> RunTidemarkPragma(MainFile& file, const char* name, const char* value,
                                     bool in_transaction) {
  for (const TidemarkPragma& pragma : kPragmas) {
    if (sqlite3_stricmp(name, pragma.name) != 0) continue;
    if (pragma.value != nullptr && value == nullptr) {
      return Invalid(std::string(pragma.name) + " needs " + pragma.value);
    }
    if (pragma.value == nullptr && value != nullptr) {
      return Invalid(std::string(name) + " takes no value, but is given '" + value + "'");
    }
    return pragma.run({file, pragma.name, value, in_transaction});
  }
  return NoSuchPragma(name);
}

}  // namespace tidemark::internal
