// The salvage itself: what happened, in the order of the log, happens again in a new store, as far
// as it can be proven.
//
//   commit of an object -> its pages, each decoded -> do they give the state hash? -> the new store
//
// An object's pages are followed through all its timelines. Where a commit, or a page of it, is
// lost the pages no longer give the hash that later commits have, until what was lost is written
// again; then the object goes on from there. So whatever is brought is what a commit left, whole,
// and the latest one of which that can be shown. A page that cannot be decoded is replaced by
// another version with the hash that it must have, if there is one: of an earlier commit, of a
// fork, of a copy.
//
// Threads: one at a time; the new store has its own.

#ifndef TIDEMARK_ENGINE_INTERNAL_SALVAGER_H_
#define TIDEMARK_ENGINE_INTERNAL_SALVAGER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/clock.h"
#include "engine/internal/salvage_catalog.h"
#include "engine/internal/salvage_pages.h"
#include "engine/store.h"

namespace tidemark::internal {

class Salvager {
 public:
  // Into `store`, which is empty and takes its time from `clock`.
  Salvager(SalvageCatalog* catalog, Store* store, ManualClock* clock)
      : catalog_(*catalog), pages_(catalog), store_(*store), clock_(*clock) {}

  // Completes the catalog's report. Errors: those of writing the new store.
  Status Run(const Progress& progress);

 private:
  // An object, and its state as of the event that was looked at last.
  struct Item {
    SalvagedObject report;
    bool by_id = false;  // it has no name
    TimelineId current{};
    uint32_t page_size = 0;
    std::vector<uint32_t> pages;  // of each page its version, plus 1; 0: it has none
    uint64_t hash = 0;            // of all of them
    // What the new store has otherwise.
    std::unordered_set<uint32_t> dirty;
    bool all_dirty = true;
    bool is_made = false;            // it is in the new store, deleted or not
    Lsn made_lsn{};                  // its latest commit there
    uint32_t made_size = 0;          // the size of its pages there
    uint64_t lost = 0;               // since the last one that was brought
    uint64_t left_out = 0;           // likewise
    std::set<std::string> labels{};  // that it has there
    std::set<std::string> lost_labels{};
  };
  struct Origin {
    TimelineId parent;
    Lsn parent_lsn;
  };
  struct Brought {
    const Item* item = nullptr;
    Lsn lsn;  // in the new store
    uint64_t state_hash = 0;
  };

  // ---- whose it is (salvager_names.cc) ----
  void FindOwners();
  void NameItems();
  void TakeBlame();
  Item* OwnerOf(TimelineId timeline);
  std::optional<ObjectId> FindId(uint64_t tag) const;
  void FinishReport();

  // ---- what happened ----
  Status Replay(const SalvageEvent& event);
  Status ReplayTimeline(const SalvageEvent& event, const SalvageTimeline& timeline);
  Status ReplayCommit(const SalvageEvent& event, const SalvageCommit& commit);
  void ReplayPages(const SalvageEvent& event);
  Status ReplayLabel(const SalvageLabel& label);
  Status ReplayRules();
  Status SetRule(const RuleRow& rule);
  static std::optional<Timestamp> TimeOf(const SalvageEvent& event) {
    return event.exact_time ? std::optional(event.time) : std::nullopt;
  }
  void Miss(Item& item, Lsn lsn, std::optional<Timestamp> time);

  // ---- pages ----
  uint64_t HashOf(uint32_t entry) const {
    return entry == 0 ? 0 : catalog_.version(entry - 1).hash;
  }
  void Resize(Item& item, uint32_t page_count);
  void SetPage(Item& item, uint32_t page, uint32_t version);
  // Makes the item's pages those of the timeline at `lsn`.
  void Switch(Item& item, TimelineId timeline, Lsn lsn, uint32_t page_size, uint32_t page_count);
  std::optional<uint32_t> FindPage(TimelineId timeline, PageNo page, Lsn lsn);
  // The pages that the commit wrote.
  void TakePages(Item& item, Lsn lsn, uint64_t state_hash);

  // ---- the new store ----
  Status Bring(Item& item, const CommitInfo& commit, const TimelineFields* start);
  Result<std::shared_ptr<Object>> OpenNew(const Item& item, IfMissing if_missing);
  Result<CommitInfo> Write(Item& item, const CommitInfo& commit);
  Result<bool> Fork(Item& item, const TimelineFields& start, CommitInfo* made);
  Bookmark BookmarkOf(const Item& item, const Brought& brought) const;

  SalvageCatalog& catalog_;
  SalvagePages pages_;
  Store& store_;
  ManualClock& clock_;
  uint32_t epoch_ = 0;  // of the new store

  std::vector<std::unique_ptr<Item>> items_;
  std::map<ObjectId, Item*> by_id_;
  std::unordered_map<uint64_t, Item*> owners_;  // by timeline
  std::unordered_map<uint64_t, Origin> origins_;
  std::unordered_map<Item*, uint64_t> namespaces_;
  std::unordered_map<uint64_t, Brought> brought_;  // by LSN
  std::map<RuleKey, size_t> rules_;                // the last one of each scope
  size_t next_blame_ = 0;
  bool exact_time_ = true;  // of the event that is replayed
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_SALVAGER_H_
