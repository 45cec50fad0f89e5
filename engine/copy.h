// Copying an object into another store: its present state, or its whole history.

#ifndef TIDEMARK_ENGINE_COPY_H_
#define TIDEMARK_ENGINE_COPY_H_

#include <cstdint>
#include <string_view>

#include "engine/clock.h"
#include "engine/commit_info.h"
#include "engine/export.h"
#include "engine/result.h"
#include "engine/store.h"

namespace tidemark {

struct CopyOptions {
  // Every commit that has not expired, not only the latest one.
  bool history = false;
  // With history: the clock that the other store was opened with. It is set ahead to the time of
  // each commit, so that the copy of the commit has that time. To begin with it must be at or
  // before the oldest commit that is copied.
  ManualClock* clock = nullptr;
};

struct CopyReport {
  uint64_t commits = 0;  // written by this call
  uint64_t found = 0;    // that an earlier call had written
  uint64_t pages = 0;    // written by this call
  uint64_t labels = 0;   // of history: that the copy has
  CommitInfo newest;     // of `from`: what was copied last
  CommitInfo copied;     // the same of the copy
};

// Makes object `namespace_name`/`name` of store `to` what `from` is, and proves it: each state that
// is written has the state hash of the commit that it is of. Durable when this returns. Blocks for
// as long as that takes; memory does not grow with the object nor its history (but for eight bytes
// every thousand commits, and its labels). `progress` gets pages, or commits of a history.
//
// The present state is one commit: interrupted, nothing is there. If the object has that very state
// already nothing happens; any other one is kExists.
//
// A history is commit after commit, each with its time and its state, so that every point in time
// shows the same database on both sides, and with labels that are not automatic. Interrupted, the
// same call goes on where it was; it also adds what `from` has committed since. What is not the
// same: restores, forks, promotes and undeletions are ordinary commits there, deletions are
// deletions, and what changed no page (a restore to what was there already, an alarm) makes no
// commit. Bookmarks are new. Alarms, the restore journal, holds and policies stay behind. Time
// never runs back in a store, so `to` must hold nothing else, and must have been made with that
// clock. Each commit costs reading the pages of the object until those that it changed are found;
// the ones that changed lately are looked at first.
//
// Errors: kNotFound (`from` does not exist); kExists (the object is there and is not a copy of
// `from`, or of less of it; of a history also: the store has other objects); kInvalidArgument (no
// clock; names; a time that cannot be kept: the store is newer than the history); kExpired (history
// of `from` expired meanwhile: call again, into a new store); kBusy; kCorruption (damage in
// `from`); those of writing.
TIDEMARK_API Result<CopyReport> CopyObject(const Object& from, Store& to,
                                           std::string_view namespace_name, std::string_view name,
                                           const CopyOptions& options = {},
                                           const Progress& progress = nullptr);

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_COPY_H_
