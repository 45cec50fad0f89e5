// StorageOptions: how an object's storage is opened, and how it commits.

#ifndef TIDEMARK_API_OPTIONS_H_
#define TIDEMARK_API_OPTIONS_H_

#include <cstddef>

#include "api/limits.h"
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

struct StorageOptions {
  IfMissing if_missing = IfMissing::kCreate;
  CommitMode commit_mode = CommitMode::kEachCall;
  Durability durability = Durability::kConfirmed;
  Limits limits{};
  // Bytes of SQL text whose compiled statements are kept; the least recently used go first.
  size_t statement_cache_bytes = 1 << 20;
  // SQLite's cache of pages, in bytes.
  size_t page_cache_bytes = 2 << 20;
};

}  // namespace tidemark

#endif  // TIDEMARK_API_OPTIONS_H_
