// CommitInfo: what the log knows about one commit of one object.

#ifndef TIDEMARK_ENGINE_COMMIT_INFO_H_
#define TIDEMARK_ENGINE_COMMIT_INFO_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "engine/clock.h"
#include "engine/export.h"
#include "engine/lsn.h"

namespace tidemark {

enum class CommitKind : uint8_t {
  kNone,     // the object has no commit yet
  kCommit,   // a transaction
  kRestore,  // the object was pointed back at an earlier commit
  kFork,     // the object began as what another one was: its first commit
  // The object became what a fork of it is, or by a scheduled restore what another object was.
  kPromote,
  kDelete,    // the object was deleted; it has no pages
  kUndelete,  // the object became again what it was when it was deleted
};

// "none", "commit", "restore", "fork", "promote", "delete" or "undelete": as listings and JSON have
// it.
TIDEMARK_API std::string_view CommitKindName(CommitKind kind);

struct CommitInfo {
  Lsn lsn;
  TimelineId timeline;
  uint32_t epoch = 0;
  CommitKind kind = CommitKind::kNone;
  Timestamp time;
  uint32_t page_size = 0;   // bytes; 0 while the database is empty and nothing was chosen
  uint32_t page_count = 0;  // size of the database after the commit
  uint64_t state_hash = 0;  // of the whole database after the commit
  // What it has in the log, group header excluded: page versions and bytes, batches included. Less
  // once it was packed.
  uint32_t pages_changed = 0;
  uint64_t log_bytes = 0;
  // The commit whose state this has: what came back (kRestore, kUndelete), or came from another
  // object (kFork, kPromote; see Object::SourceOf).
  Lsn restored_from;
  bool schema_changed = false;  // kCommit: so Transaction::SetSchemaChanged said
  // When the object is to be woken next, as of this commit, in whole milliseconds: what
  // Transaction::SetAlarm said last. None: never; so it is of a deletion.
  std::optional<Timestamp> alarm{};

  // The same commit, whatever it takes.
  bool operator==(const CommitInfo& other) const {
    const auto what = [](const CommitInfo& c) {
      return std::tie(c.lsn, c.timeline, c.epoch, c.kind, c.time, c.page_size, c.page_count,
                      c.state_hash, c.restored_from, c.schema_changed, c.alarm);
    };
    return what(*this) == what(other);
  }
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_COMMIT_INFO_H_
