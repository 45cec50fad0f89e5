// The C interface, see tidemark.h: the C++ one, with codes for Status and no exceptions.

#include "vfs/tidemark.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "engine/bookmark.h"
#include "engine/object.h"
#include "engine/retention.h"
#include "engine/salvage.h"
#include "engine/store.h"
#include "vfs/internal/database_name.h"
#include "vfs/internal/json.h"
#include "vfs/internal/object_json.h"
#include "vfs/internal/sqlite_result.h"
#include "vfs/internal/store_registry.h"
#include "vfs/vfs.h"

struct tidemark_store {
  std::unique_ptr<tidemark::Store> store;
};

namespace tidemark {
namespace {

static_assert(static_cast<int>(StatusCode::kOk) == TIDEMARK_OK);
static_assert(static_cast<int>(StatusCode::kBusy) == TIDEMARK_BUSY);
static_assert(static_cast<int>(StatusCode::kFull) == TIDEMARK_FULL);
static_assert(static_cast<int>(StatusCode::kLost) == TIDEMARK_LOST);
static_assert(static_cast<int>(StatusCode::kBroken) == TIDEMARK_BROKEN);
static_assert(static_cast<int>(StatusCode::kOutOfMemory) == TIDEMARK_OUT_OF_MEMORY);
static_assert(static_cast<int>(StatusCode::kPaused) == TIDEMARK_PAUSED);

std::string& LastError() {
  static thread_local std::string text;
  return text;
}

// Runs `call` and turns its Status into a code. No exception may reach C; the only ones our code
// can meet are the allocator's.
template <typename Call>
int Guarded(Call call) noexcept {
  try {
    const Status status = call();
    if (!status.ok()) LastError() = status.ToString();
    return static_cast<int>(status.code());
  } catch (const std::bad_alloc&) {
    LastError() = "memory ran out";  // short enough to need none
    return TIDEMARK_OUT_OF_MEMORY;
  }
}

Status NeedText(const char* what, const char* text) {
  if (text != nullptr) return OkStatus();
  return Status(StatusCode::kInvalidArgument, std::string(what) + " is null");
}

Result<std::shared_ptr<Object>> FindObject(tidemark_store* store, const char* namespace_name,
                                           const char* name, IfMissing if_missing) {
  if (store == nullptr) return Status(StatusCode::kInvalidArgument, "the store is null");
  TIDEMARK_RETURN_IF_ERROR(NeedText("the name of the namespace", namespace_name));
  TIDEMARK_RETURN_IF_ERROR(NeedText("the name of the object", name));
  return store->store->OpenObject(namespace_name, name, if_missing);
}

// What the names are of, either of which may be null.
Result<RetentionScope> ScopeOf(tidemark_store* store, const char* namespace_name,
                               const char* name) {
  if (store == nullptr) return Status(StatusCode::kInvalidArgument, "the store is null");
  if (namespace_name == nullptr && name == nullptr) return RetentionScope();
  TIDEMARK_RETURN_IF_ERROR(NeedText("the name of the namespace", namespace_name));
  if (name == nullptr) return RetentionScope(namespace_name);
  TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                            FindObject(store, namespace_name, name, IfMissing::kDeleted));
  return RetentionScope(*object);
}

Result<Point> PointOf(const tidemark_store* store, const char* at) {
  TIDEMARK_RETURN_IF_ERROR(NeedText("the bookmark, time or label", at));
  return ParsePoint(at, store->store->options().clock->Now());
}

// As above; null is the present. Errors: kNotFound if the object does not exist.
Result<Point> PointOrPresent(const tidemark_store* store, const Object& object, const char* at) {
  if (at != nullptr) return PointOf(store, at);
  TIDEMARK_ASSIGN_OR_RETURN(const Bookmark present, object.CurrentBookmark());
  return Point(present);
}

// Nothing if `out` is null. Cannot fail: it tells of what has been done.
void CopyBookmark(const Bookmark& bookmark, char* out) {
  const auto text = bookmark.ToText();
  static_assert(sizeof text == TIDEMARK_BOOKMARK_SIZE);
  if (out != nullptr) std::copy(text.begin(), text.end(), out);
}

void Clear(char* bookmark) {
  if (bookmark != nullptr) bookmark[0] = '\0';
}

Status CopyText(const std::string& text, char** out) {
  *out = sqlite3_mprintf("%s", text.c_str());
  return *out == nullptr ? Status::OutOfMemory() : OkStatus();
}

Status OpenStore(const char* directory, int flags, tidemark_store** out) {
  TIDEMARK_RETURN_IF_ERROR(NeedText("the directory", directory));
  TIDEMARK_RETURN_IF_ERROR(RegisterVfs());
  StoreOptions options;
  options.create_if_missing = (flags & TIDEMARK_CREATE) != 0;
  auto opened = std::make_unique<tidemark_store>();
  TIDEMARK_ASSIGN_OR_RETURN(opened->store, Store::Open(directory, options));
  TIDEMARK_RETURN_IF_ERROR(AttachStore(opened->store.get()));
  *out = opened.release();
  return OkStatus();
}

Status OpenDatabase(tidemark_store* store, const char* namespace_name, const char* name,
                    const char* at, int flags, sqlite3** out) {
  const bool writable = at == nullptr && (flags & TIDEMARK_NO_WRITES) == 0;
  const bool create = writable && (flags & TIDEMARK_CREATE) != 0;
  // What SQLite would not say, it being only able to open or not.
  IfMissing if_missing = create ? IfMissing::kCreate : IfMissing::kFail;
  if (at != nullptr) if_missing = IfMissing::kDeleted;  // its past is there still
  TIDEMARK_ASSIGN_OR_RETURN(const auto object, FindObject(store, namespace_name, name, if_missing));
  internal::DatabaseName uri{internal::NormalizedDirectory(store->store->directory()),
                             namespace_name, name, ""};
  if (at != nullptr) {
    TIDEMARK_ASSIGN_OR_RETURN(const Point point, PointOf(store, at));
    TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, object->Resolve(point));
    uri.at = internal::AtOf(*object, point, commit);
  }
  TIDEMARK_RETURN_IF_ERROR(object->OpenSnapshot().status());

  const int access =
      (writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | (create ? SQLITE_OPEN_CREATE : 0);
  sqlite3* handle = nullptr;
  int code = sqlite3_open_v2(uri.Uri().c_str(), &handle, SQLITE_OPEN_URI | access, nullptr);
  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> closer(handle, sqlite3_close);
  if (code == SQLITE_OK) {
    // As Database::Open does, and why.
    code = sqlite3_exec(handle, "PRAGMA secure_delete=OFF; PRAGMA journal_mode=PERSIST", nullptr,
                        nullptr, nullptr);
  }
  if (code != SQLITE_OK) {
    return handle == nullptr ? internal::StatusFromSqlite(code)
                             : internal::StatusFromSqlite(handle);
  }
  sqlite3_extended_result_codes(handle, 1);
  *out = closer.release();
  return OkStatus();
}

}  // namespace
}  // namespace tidemark

using namespace tidemark;  // NOLINT(google-build-using-namespace): C functions have none

const char* tidemark_version(void) { return TIDEMARK_VERSION; }

const char* tidemark_last_error(void) { return LastError().c_str(); }

int tidemark_open_store(const char* directory, int flags, tidemark_store** out) {
  *out = nullptr;
  return Guarded([&] { return OpenStore(directory, flags, out); });
}

int tidemark_close_store(tidemark_store* store) {
  if (store == nullptr) return TIDEMARK_OK;
  return Guarded([&] {
    TIDEMARK_RETURN_IF_ERROR(DetachStore(store->store.get()));
    const std::unique_ptr<tidemark_store> gone(store);
    return gone->store->Close();
  });
}

int tidemark_rebuild(const char* directory) {
  return Guarded([&]() -> Status {
    if (directory == nullptr) {
      return Status(StatusCode::kInvalidArgument, "a store needs a directory");
    }
    return tidemark::Store::Rebuild(directory, {}).status();
  });
}

int tidemark_salvage(const char* directory, const char* new_directory, char** report) {
  if (report != nullptr) *report = nullptr;
  return Guarded([&]() -> Status {
    if (directory == nullptr || new_directory == nullptr) {
      return Status(StatusCode::kInvalidArgument, "a store needs a directory");
    }
    TIDEMARK_ASSIGN_OR_RETURN(const tidemark::SalvageReport found,
                              tidemark::Salvage(directory, new_directory, {}));
    if (report == nullptr) return OkStatus();
    internal::JsonObject row;
    row.AddBool("whole", found.whole()).AddBool("ends_cleanly", found.ends_cleanly);
    row.Add("commits", found.commits).Add("labels", found.labels);
    row.Add("objects", uint64_t{found.objects.size()});
    row.Add("objects_brought", found.objects_brought());
    row.Add("damage", uint64_t{found.damage.size()});
    return CopyText(row.text(), report);
  });
}

int tidemark_open(tidemark_store* store, const char* namespace_name, const char* name,
                  const char* at, int flags, sqlite3** out) {
  *out = nullptr;
  return Guarded([&] { return OpenDatabase(store, namespace_name, name, at, flags, out); });
}

int tidemark_current_bookmark(tidemark_store* store, const char* namespace_name, const char* name,
                              char* out) {
  Clear(out);
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              FindObject(store, namespace_name, name, IfMissing::kFail));
    TIDEMARK_ASSIGN_OR_RETURN(const Bookmark bookmark, object->CurrentBookmark());
    CopyBookmark(bookmark, out);
    return OkStatus();
  });
}

int tidemark_bookmark_at(tidemark_store* store, const char* namespace_name, const char* name,
                         const char* at, char* out) {
  Clear(out);
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              FindObject(store, namespace_name, name, IfMissing::kDeleted));
    TIDEMARK_ASSIGN_OR_RETURN(const Point point, PointOf(store, at));
    TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, object->Resolve(point));
    CopyBookmark(object->BookmarkOf(commit), out);
    return OkStatus();
  });
}

int tidemark_restore(tidemark_store* store, const char* namespace_name, const char* name,
                     const char* at, char* undo) {
  Clear(undo);
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              FindObject(store, namespace_name, name, IfMissing::kDeleted));
    TIDEMARK_ASSIGN_OR_RETURN(const Point point, PointOf(store, at));
    TIDEMARK_ASSIGN_OR_RETURN(const RestoreInfo restored, object->Restore(point));
    CopyBookmark(restored.undo, undo);
    return OkStatus();
  });
}

int tidemark_wait_durable(tidemark_store* store, const char* namespace_name, const char* name) {
  return Guarded([&]() -> Status {
    if (store != nullptr && namespace_name == nullptr && name == nullptr) {
      return store->store->Sync();
    }
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              FindObject(store, namespace_name, name, IfMissing::kFail));
    return store->store->WaitDurable(object->head().lsn);
  });
}

int tidemark_delete(tidemark_store* store, const char* namespace_name, const char* name,
                    char* undo) {
  Clear(undo);
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              FindObject(store, namespace_name, name, IfMissing::kFail));
    TIDEMARK_ASSIGN_OR_RETURN(const RestoreInfo deleted, object->Delete());
    CopyBookmark(deleted.undo, undo);
    return OkStatus();
  });
}

int tidemark_purge(tidemark_store* store, const char* namespace_name, const char* name) {
  return Guarded([&]() -> Status {
    if (store == nullptr) return Status(StatusCode::kInvalidArgument, "the store is null");
    TIDEMARK_RETURN_IF_ERROR(NeedText("the name of the namespace", namespace_name));
    TIDEMARK_RETURN_IF_ERROR(NeedText("the name of the object", name));
    return store->store->Purge(namespace_name, name).status();
  });
}

int tidemark_undelete(tidemark_store* store, const char* namespace_name, const char* name) {
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              FindObject(store, namespace_name, name, IfMissing::kDeleted));
    return object->Undelete().status();
  });
}

int tidemark_fork(tidemark_store* store, const char* namespace_name, const char* name,
                  const char* at, const char* fork_namespace, const char* fork_name) {
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              FindObject(store, namespace_name, name, IfMissing::kDeleted));
    TIDEMARK_RETURN_IF_ERROR(NeedText("the name of the fork's namespace", fork_namespace));
    TIDEMARK_RETURN_IF_ERROR(NeedText("the name of the fork", fork_name));
    TIDEMARK_ASSIGN_OR_RETURN(const Point point, PointOrPresent(store, *object, at));
    return store->store->Fork(*object, point, fork_namespace, fork_name).status();
  });
}

int tidemark_promote(tidemark_store* store, const char* namespace_name, const char* name,
                     const char* fork_namespace, const char* fork_name, int flags, char* undo) {
  Clear(undo);
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              FindObject(store, namespace_name, name, IfMissing::kDeleted));
    TIDEMARK_ASSIGN_OR_RETURN(const auto fork,
                              FindObject(store, fork_namespace, fork_name, IfMissing::kFail));
    const bool replace = (flags & TIDEMARK_REPLACE) != 0;
    TIDEMARK_ASSIGN_OR_RETURN(const RestoreInfo promoted,
                              object->Promote(*fork, replace ? IfNewer::kReplace : IfNewer::kFail));
    CopyBookmark(promoted.undo, undo);
    return OkStatus();
  });
}

int tidemark_set_label(tidemark_store* store, const char* namespace_name, const char* name,
                       const char* label, const char* at, int flags) {
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              FindObject(store, namespace_name, name, IfMissing::kDeleted));
    TIDEMARK_RETURN_IF_ERROR(NeedText("the label", label));
    TIDEMARK_ASSIGN_OR_RETURN(const Point point, PointOrPresent(store, *object, at));
    const bool replace = (flags & TIDEMARK_REPLACE) != 0;
    return object->SetLabel(label, point, replace ? IfLabelExists::kMove : IfLabelExists::kFail);
  });
}

int tidemark_remove_label(tidemark_store* store, const char* namespace_name, const char* name,
                          const char* label) {
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              FindObject(store, namespace_name, name, IfMissing::kDeleted));
    TIDEMARK_RETURN_IF_ERROR(NeedText("the label", label));
    return object->RemoveLabel(label);
  });
}

int tidemark_set_hold(tidemark_store* store, const char* namespace_name, const char* name,
                      const char* reason) {
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              FindObject(store, namespace_name, name, IfMissing::kDeleted));
    TIDEMARK_RETURN_IF_ERROR(NeedText("the reason", reason));
    return object->SetHold(reason);
  });
}

int tidemark_release_hold(tidemark_store* store, const char* namespace_name, const char* name) {
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              FindObject(store, namespace_name, name, IfMissing::kDeleted));
    return object->ReleaseHold();
  });
}

int tidemark_set_retention(tidemark_store* store, const char* namespace_name, const char* name,
                           const tidemark_retention* policy) {
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto scope, ScopeOf(store, namespace_name, name));
    if (policy == nullptr) return Status(StatusCode::kInvalidArgument, "the policy is null");
    return store->store->SetRetention(scope, {.window = std::chrono::seconds(policy->window),
                                              .hourly = std::chrono::seconds(policy->hourly),
                                              .daily = std::chrono::seconds(policy->daily)});
  });
}

int tidemark_clear_retention(tidemark_store* store, const char* namespace_name, const char* name) {
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto scope, ScopeOf(store, namespace_name, name));
    return store->store->ClearRetention(scope);
  });
}

int tidemark_get_retention(tidemark_store* store, const char* namespace_name, const char* name,
                           tidemark_retention* policy) {
  *policy = {};
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto scope, ScopeOf(store, namespace_name, name));
    TIDEMARK_ASSIGN_OR_RETURN(const RetentionInfo info, store->store->GetRetention(scope));
    *policy = {info.policy.window.count(), info.policy.hourly.count(), info.policy.daily.count()};
    return OkStatus();
  });
}

int tidemark_set_budget(tidemark_store* store, sqlite3_int64 bytes) {
  return Guarded([&]() -> Status {
    if (store == nullptr) return Status(StatusCode::kInvalidArgument, "the store is null");
    if (bytes < 0) {
      return Status(StatusCode::kInvalidArgument,
                    "a budget has 0 bytes (there is none) or more, not " + std::to_string(bytes));
    }
    return store->store->SetBudget(bytes == 0 ? std::nullopt
                                              : std::optional(static_cast<uint64_t>(bytes)));
  });
}

int tidemark_get_budget(tidemark_store* store, sqlite3_int64* bytes, sqlite3_int64* used) {
  *bytes = 0;
  if (used != nullptr) *used = 0;
  return Guarded([&]() -> Status {
    if (store == nullptr) return Status(StatusCode::kInvalidArgument, "the store is null");
    TIDEMARK_ASSIGN_OR_RETURN(const RetentionInfo info,
                              store->store->GetRetention(RetentionScope()));
    *bytes = static_cast<sqlite3_int64>(info.budget_bytes.value_or(0));
    if (used != nullptr) {
      *used = static_cast<sqlite3_int64>(store->store->Stats().history_bytes);
    }
    return OkStatus();
  });
}

int tidemark_prune(tidemark_store* store, sqlite3_int64* freed) {
  if (freed != nullptr) *freed = 0;
  return Guarded([&]() -> Status {
    if (store == nullptr) return Status(StatusCode::kInvalidArgument, "the store is null");
    TIDEMARK_RETURN_IF_ERROR(store->store->Prune());
    TIDEMARK_ASSIGN_OR_RETURN(const ReclaimReport report, store->store->Reclaim());
    if (freed != nullptr) {
      *freed = static_cast<sqlite3_int64>(report.bytes_before) -
               static_cast<sqlite3_int64>(report.bytes_after);
    }
    return OkStatus();
  });
}

int tidemark_confirm_clock(tidemark_store* store) {
  return Guarded([&]() -> Status {
    if (store == nullptr) return Status(StatusCode::kInvalidArgument, "the store is null");
    return store->store->ConfirmClock();
  });
}

int tidemark_list_labels(tidemark_store* store, const char* namespace_name, const char* name,
                         char** json) {
  *json = nullptr;
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              FindObject(store, namespace_name, name, IfMissing::kDeleted));
    TIDEMARK_ASSIGN_OR_RETURN(const std::string text, internal::LabelsJson(*object));
    return CopyText(text, json);
  });
}

int tidemark_list_restores(tidemark_store* store, const char* namespace_name, const char* name,
                           char** json) {
  *json = nullptr;
  return Guarded([&]() -> Status {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              FindObject(store, namespace_name, name, IfMissing::kDeleted));
    TIDEMARK_ASSIGN_OR_RETURN(const std::string text,
                              internal::RestoresJson(*store->store, *object));
    return CopyText(text, json);
  });
}
