// Salvage: brings what is whole out of a store that is damaged, into a new one.

#ifndef TIDEMARK_ENGINE_SALVAGE_H_
#define TIDEMARK_ENGINE_SALVAGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/commit_info.h"
#include "engine/export.h"
#include "engine/object_id.h"
#include "engine/options.h"
#include "engine/result.h"
#include "engine/store.h"

namespace tidemark {

// What became of one object. LSNs and times are those of the damaged store.
struct SalvagedObject {
  ObjectId id;
  std::string namespace_name;
  std::string name;  // empty for an object without a name, or whose name is lost
  // As listings show it: "rooms/lobby".
  std::string display_name;
  // Its name or its namespace's is lost: its record is damaged. It is in the namespace "lost+found"
  // of the new store, or under its id in its own.
  bool identified = true;

  uint64_t commits = 0;  // that the new store has, restores and deletions included
  // The latest one that it has: kNone if nothing of the object could be brought. A deletion for an
  // object that is deleted.
  CommitInfo newest{};
  // Behind `newest`, later commits that are known to have been and are lost: their records, or
  // pages that they build on, are damaged.
  uint64_t lost_newer = 0;
  Lsn first_lost{};
  Lsn last_lost{};
  std::optional<Timestamp> last_lost_time{};
  // Before it, commits that are lost, and ones that have expired or are lost: nothing tells.
  uint64_t lost_older = 0;
  uint64_t left_out = 0;
  // Of those that the new store has, commits of which the time is lost: they have that of another
  // commit close by in the log.
  uint64_t inexact_times = 0;
  uint64_t rebuilt_pages = 0;  // that were damaged, and made from others: the state hash proves it
  std::vector<std::string> lost_labels{};
  // Damaged records that may have been of its labels, policy or hold.
  uint64_t lost_records = 0;

  bool whole() const {
    return identified && lost_newer == 0 && lost_older == 0 && lost_labels.empty() &&
           lost_records == 0;
  }
};

// LSNs of which nothing is left that says whose they were.
struct LostStretch {
  Lsn first;
  Lsn last;
};

struct TIDEMARK_API SalvageReport {
  uint64_t files = 0;  // of the log, that could be used
  uint64_t bytes = 0;
  uint64_t groups = 0;
  uint64_t records = 0;
  uint64_t commits = 0;  // that were brought, of all objects
  uint64_t labels = 0;   // that were brought; policies and holds likewise
  uint64_t policies = 0;
  uint64_t holds = 0;
  uint64_t lost_policies = 0;  // and holds: their object was not brought
  // In order of their names; without those that were purged, and deleted ones of which retention
  // has left nothing.
  std::vector<SalvagedObject> objects;
  // Damaged places; `object` is empty where nothing says whose they were.
  std::vector<Damage> damage;
  // Any object may have lost commits there.
  std::vector<LostStretch> lost;
  // Damaged places besides of which nothing says what they held, or whose they were.
  uint64_t unattributed = 0;
  // The log ends as a closed one does. If not, later commits may have left no trace.
  bool ends_cleanly = false;

  uint64_t objects_brought() const;
  // Every object at its newest commit, and nothing found that is lost.
  bool whole() const;
};

// Reads every file of the log of the store in `directory`, which need not open and is not written
// to (but for the process id in its LOCK), and brings each object into a new store in
// `new_directory`: each state that can be read and whose state hash proves it, with its time, in
// the order of the log; so the newest one is the latest of which nothing is missing. Restores and
// promotes come as ordinary commits, forks as forks; the restore journal, automatic labels and the
// index do not matter. Labels, policies and holds come over if what they are of does. Bookmarks are
// the new store's own.
//
// Blocks for as long as it takes to read and write all of it; takes memory for every page version
// in the log (about 60 bytes) and for every page of every object (4). `options` are of the new
// store, but for its clock, background work and create_if_missing, which are not used; the file
// system is of both. `progress` gets parts of a whole.
//
// Errors: kNotFound (no log there), kInUse, kExists (the new directory is not empty),
// kUnsupportedVersion, and those of writing the new store, which is no use then. Damage is no
// error. Until it returns OK the new store does not open (kCorruption), nor what is left of it if
// the process dies: remove that, and salvage again.
TIDEMARK_API Result<SalvageReport> Salvage(const std::string& directory,
                                           const std::string& new_directory,
                                           const StoreOptions& options,
                                           const Progress& progress = nullptr);

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_SALVAGE_H_
