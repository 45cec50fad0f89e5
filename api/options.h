// StorageOptions: how an object's storage is opened, and how it commits.

#ifndef TIDEMARK_API_OPTIONS_H_
#define TIDEMARK_API_OPTIONS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "api/limits.h"
#include "engine/commit_info.h"
#include "engine/status.h"
#include "engine/store.h"

namespace tidemark {

// When writes that are in no transaction of their own become a commit.
enum class CommitMode {
  // Each call that writes is one commit.
  kEachCall,
  // They join, and ObjectStorage::Commit() makes one commit of all of them: the host calls it when
  // a turn of its event loop ends. So does every call that waits (Sync, GetCurrentBookmark,
  // Transaction): it ends the turn.
  kTurn,
};

// What a commit waits for.
enum class Durability {
  kConfirmed,  // it returns when it is durable
  kPipelined,  // it returns when the object sees it; Sync, WaitDurable or OnDurable confirm it
};

// One execution of a statement that the application handed in, when it ends: its cursor came to the
// end, or was dropped before, or it failed.
struct StatementEvent {
  std::string_view sql;  // for the time of the call
  uint64_t rows_read = 0;
  uint64_t rows_written = 0;
  std::chrono::nanoseconds took{};  // inside of SQLite
  int sqlite_code = 0;              // SQLite's extended code, if it failed
  bool finished = false;            // false: dropped before its end, or failed
};

// A commit, when the object sees it, or when it is durable if it waits for that.
struct CommitEvent {
  CommitInfo commit;
  std::chrono::nanoseconds took{};  // of COMMIT, with the wait
  // One of its writes has to be confirmed: what leaves the object waits for it.
  bool confirmed = true;
};

// For metrics and logs. Called on the object's thread, in the middle of its calls: they must not
// use its storage, nor throw. What is not set costs nothing.
struct StorageHooks {
  std::function<void(const StatementEvent&)> on_statement{};
  std::function<void(const CommitEvent&)> on_commit{};
  // Asked by SetAlarm, which throws what is not OK: nobody would run the alarm's handler, for one.
  std::function<Status()> may_set_alarm{};
};

struct StorageOptions {
  IfMissing if_missing = IfMissing::kCreate;
  CommitMode commit_mode = CommitMode::kEachCall;
  Durability durability = Durability::kConfirmed;
  Limits limits{};
  // Bytes of SQL text whose compiled statements are kept; the least recently used go first.
  size_t statement_cache_bytes = 1 << 20;
  // SQLite's cache of pages, in bytes.
  size_t page_cache_bytes = 2 << 20;
  StorageHooks hooks{};
};

}  // namespace tidemark

#endif  // TIDEMARK_API_OPTIONS_H_
