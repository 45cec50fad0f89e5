// What a salvage found in the files of a log, whatever their order and whatever is missing between:
// filled in by SalvageScan, read by SalvagePages and Salvager.
//
//   records by LSN     what happened, each once, though several files may tell of it
//   page versions      by LSN and page, and by timeline and page; copies side by side
//   blame              what is known to be lost, and whose it was
//
// An LSN is of one commit, so a page version is known by LSN and page; where it stood does not
// matter.
//
// Threads: one at a time.

#ifndef TIDEMARK_ENGINE_INTERNAL_SALVAGE_CATALOG_H_
#define TIDEMARK_ENGINE_INTERNAL_SALVAGE_CATALOG_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/commit_info.h"
#include "engine/internal/purge_record.h"
#include "engine/internal/record.h"
#include "engine/internal/retention_rows.h"
#include "engine/internal/segments.h"
#include "engine/salvage.h"

namespace tidemark::internal {

// Of a page version: of its own, or one in a block.
struct SalvageVersion {
  static constexpr uint16_t kNoBlock = UINT16_MAX;
  enum class State : uint8_t { kUnknown, kGood, kBad };

  uint64_t timeline = 0;
  uint64_t lsn = 0;
  uint64_t hash = 0;  // of number and page: as the version says, or once it was decoded
  uint32_t page = 0;
  uint32_t order = 0;  // of one commit's versions of a page the highest counts
  uint32_t file = 0;   // position in SalvageCatalog::files
  uint32_t offset = 0;
  uint32_t length = 0;  // of the version, or of the block
  uint16_t in_block = kNoBlock;
  uint8_t page_size_log2 = 0;
  State state = State::kUnknown;
};

// The order of what a frame itself has, and a block: above all batches.
inline constexpr uint32_t kLastOrder = UINT32_MAX;

struct SalvageTimeline {
  TimelineFields fields{};  // but for the texts
  std::string to;
};

// A record, or a commit of a packed segment; or pages of a commit that is known no more, because it
// has expired, and others are made of them.
struct SalvageEvent {
  enum class Kind : uint8_t { kObject, kTimeline, kCommit, kLabel, kRule, kPages };
  Lsn lsn;
  Kind kind = Kind::kCommit;
  bool exact_time = true;  // else its group's header is damaged
  size_t position = 0;     // in the catalog's vector of its kind; of pages, of the first version
  Timestamp time;
};

struct SalvageObject {
  uint64_t namespace_id = 0;
  ObjectId id;
  std::string name;
};

struct SalvageCommit {
  TimelineId timeline;
  uint32_t page_size = 0;
  uint32_t page_count = 0;
  uint64_t state_hash = 0;
  bool schema_changed = false;
  std::optional<Timestamp> alarm{};
};

struct SalvageLabel {
  ObjectId object;
  std::string name;
  bool removed = false;
  bool automatic = false;
  Lsn commit;
};

// A record that is lost.
struct SalvageBlame {
  Lsn lsn;
  TimelineId timeline;  // as a group's directory says
  uint64_t tag = 0;
  std::optional<Timestamp> time;
  Location place;
  bool of_history = false;  // of a packed segment: of any commit
};

class SalvageCatalog {
 public:
  // Of a file that can be used: its header is whole.
  struct LogFile {
    std::shared_ptr<Segment> segment;
    format::SegmentHeader header{};
    format::PackedLog log{};    // of a packed one
    uint32_t end = UINT32_MAX;  // where the segment behind it says that it ends
  };

  std::vector<LogFile> files;
  std::map<uint64_t, std::string> namespaces;  // by number
  std::vector<SalvageObject> objects;
  std::vector<SalvageTimeline> timelines;
  std::vector<SalvageCommit> commits;
  std::vector<SalvageLabel> labels;
  std::vector<RuleRow> rules;
  std::vector<SalvageEvent> events;
  std::vector<SalvageBlame> blame;
  std::set<uint64_t> purged_timelines;
  std::set<ObjectId> purged_objects;
  // Up to when commits may have expired; a time before all if nothing has.
  Timestamp expired_up_to = Timestamp::min();
  SalvageReport report;

  void AddVersion(const SalvageVersion& version) { versions_.push_back(version); }
  // All that has an LSN for which `drop` is true.
  void DropIf(const std::function<bool(uint64_t lsn)>& drop);
  // After all was added, and before what follows: every event once, in order.
  void Sort();

  const SalvageVersion& version(uint32_t i) const { return versions_[i]; }
  SalvageVersion& version(uint32_t i) { return versions_[i]; }
  // The versions of a commit, by page, the one that counts first: [first, second).
  std::pair<uint32_t, uint32_t> VersionsOf(Lsn lsn) const;
  std::pair<uint32_t, uint32_t> VersionsOf(Lsn lsn, PageNo page) const;
  // The LSN of the last version of a page at or before `lsn`, on this timeline only.
  std::optional<Lsn> LastVersion(TimelineId timeline, PageNo page, Lsn lsn) const;
  // Versions of the page with this hash, as far as hashes were known when this was first asked.
  std::vector<uint32_t> FindByHash(PageNo page, uint64_t hash) const;

 private:
  void SortEvents();
  void AddPages();

  std::vector<SalvageVersion> versions_;                        // by LSN, page, order (falling)
  std::vector<uint32_t> by_page_;                               // by timeline, page, LSN
  mutable std::vector<std::pair<uint64_t, uint32_t>> by_hash_;  // made when it is first asked for
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_SALVAGE_CATALOG_H_
