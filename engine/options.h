// StoreOptions: what an embedder can choose when opening a store.

#ifndef TIDEMARK_ENGINE_OPTIONS_H_
#define TIDEMARK_ENGINE_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "engine/clock.h"
#include "engine/file_system.h"

namespace tidemark {

enum class BackgroundWork {
  kThreads,  // flushing, checkpoints, segment preparation and retention run on the store's threads
  // Nothing runs by itself: a test calls Sync(), Checkpoint(), PrepareSegment(), RunRetention().
  kManual,
};

struct StoreOptions {
  // Create the store when the directory does not exist or is empty. Open() only.
  bool create_if_missing = false;

  // Size of a full-grown segment. The first segments are smaller (see engine/README.md), so that
  // a small store stays small. 1 MiB to 1 GiB, a power of two.
  uint32_t segment_size_bytes = 64u << 20;

  // How long a commit that nobody waits for may stay in memory before it is written.
  std::chrono::microseconds flush_delay{2000};

  // The index is brought up to date after this much log, or after a quarter of a million page
  // versions if they come first. Bounds the work of recovery and the memory of the recent-versions
  // table (about 100 bytes a page version).
  uint64_t checkpoint_log_bytes = 32u << 20;

  // Bytes of staged pages a transaction holds in memory before it writes them out as batches.
  // Beside them it takes four bytes a page of the database, once there are batches.
  uint64_t transaction_memory_bytes = 4u << 20;

  // Memory for pages that were read from the log, decoded, for all connections together: what
  // SQLite's own cache of a connection (`pragma cache_size`) does not have is looked for there first.
  // It is allocated as it fills. 0: none.
  uint64_t page_cache_bytes = 64u << 20;

  // The longest chain of patches a read may have to follow: 1 to 126. An image of the page, which
  // begins the next one, takes 4 KiB of log; a link of the chain some 0.3 us of a read.
  uint32_t max_chain_length = 96;

  // The index may not outgrow this; a checkpoint that needs more fails with kFull.
  uint64_t max_index_bytes = uint64_t{1} << 40;

  // How long history is kept where no policy says otherwise: Store::SetRetention. Counts when a
  // licence is granted; then what is older expires.
  std::chrono::seconds retention{std::chrono::hours{24 * 30}};

  // How much of its time the thread works that lets history expire and gives its space back
  // (Store::RunRetention says what it does), from 0 to 1: at 0.1 it takes a tenth of one core or of
  // the disk's time, with pauses nine times as long as the pieces of its work. It takes more only
  // while much of the log waits to be packed (`packing_backlog_bytes`), or more than a twentieth of
  // what is packed has expired and waits to be given back: all of it from a tenth on. 1 is without
  // pauses; with 0 there is no such thread: history stays until somebody calls Store::Prune and
  // Store::Reclaim.
  double retention_share = 0.1;

  // How many bytes of full segments may wait to be packed. From half of them on the thread takes a
  // greater share of the time than `retention_share`, and all of it, without pauses, from this on:
  // so packing keeps up with commits, and a store takes at most this much more space than it has
  // to, as long as one core can pack what they write.
  uint64_t packing_backlog_bytes = 256u << 20;

  // How often the whole store is read and checked (a scrub: Store::RunScrub), so that damage is
  // found while there is still a copy to repair it from; counted over closings. 0: never.
  std::chrono::seconds scrub_interval{std::chrono::hours{24 * 7}};
  // How often a random past state of a random object is made and checked by its hash (a restore
  // drill). 0: never.
  std::chrono::seconds drill_interval{std::chrono::hours{1}};
  // What both read at most, so that they cost commits little. 0: as fast as they can.
  uint64_t scrub_bytes_per_second = 4u << 20;
  // Open walks all pages of the index before it uses one, and refuses an index that could end the
  // process (kCorruption). Without that it looks at the two pages at its begin only. Costs reading
  // the index.
  bool check_index = false;

  // Called by Open, on its thread, while it replays the log behind the checkpoint: bytes replayed,
  // and of how many. After a crash that is the tail of the log, with a deleted index all of it.
  std::function<void(uint64_t done_bytes, uint64_t total_bytes)> recovery_progress{};

  BackgroundWork background_work = BackgroundWork::kThreads;

  // Not owned; must outlive the store.
  FileSystem* file_system = FileSystem::Posix();
  const Clock* clock = Clock::System();

  // Where LMDB keeps its file; empty means STORE/index. For a `file_system` that is not the real
  // one: LMDB goes around it.
  std::string index_directory{};
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_OPTIONS_H_
