// What `tidemark report` tells of a store, gathered in bounded memory however large that is.

#ifndef TIDEMARK_TOOLS_REPORT_DATA_H_
#define TIDEMARK_TOOLS_REPORT_DATA_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/store.h"
#include "tools/session.h"
#include "tools/time_buckets.h"

namespace tidemark::tools {

// The first few of many, by what is asked for; counts all.
template <typename T, typename Before>
class TopList {
 public:
  static constexpr size_t kSize = 25;

  void Add(T item) {
    ++total_;
    items_.push_back(std::move(item));
    if (items_.size() >= 4 * kSize) Cut();
  }
  // The first kSize, in order.
  const std::vector<T>& Items() {
    Cut();
    return items_;
  }
  uint64_t total() const { return total_; }

 private:
  void Cut() {
    std::sort(items_.begin(), items_.end(), Before());
    if (items_.size() > kSize) items_.erase(items_.begin() + kSize, items_.end());
  }

  std::vector<T> items_;
  uint64_t total_ = 0;
};

struct ObjectFacts {
  std::string name;  // "rooms/lobby"
  uint64_t bytes = 0;
  uint64_t commits = 0;
  Timestamp last_change;
};
struct LargerFirst {
  bool operator()(const ObjectFacts& a, const ObjectFacts& b) const {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.name < b.name;
  }
};
struct LongerHistoryFirst {
  bool operator()(const ObjectFacts& a, const ObjectFacts& b) const {
    return a.commits != b.commits ? a.commits > b.commits : a.name < b.name;
  }
};

struct NamespaceFacts {
  std::string name;
  uint64_t objects = 0;
  uint64_t deleted = 0;
  uint64_t bytes = 0;
  uint64_t commits = 0;
};
struct FullerFirst {
  bool operator()(const NamespaceFacts& a, const NamespaceFacts& b) const {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.name < b.name;
  }
};

struct RestoreFacts {
  std::string object;
  RestoreEntry entry;
};
struct LabelFacts {
  std::string object;
  LabelInfo label;
};
struct LaterFirst {
  bool operator()(const RestoreFacts& a, const RestoreFacts& b) const {
    return a.entry.lsn > b.entry.lsn;
  }
  bool operator()(const LabelFacts& a, const LabelFacts& b) const {
    return a.label.made > b.label.made;
  }
};

// In the order in which it was found.
struct DamageFacts {
  std::string object;
  std::string message;
};

// How many things there are of which size: below 1, 4, 16, ... times `unit`.
struct Histogram {
  static constexpr size_t kSteps = 16;
  uint64_t unit = 1;
  std::array<uint64_t, kSteps> counts{};  // the last has all that is larger

  void Add(uint64_t size);
  // The upper end of a step, not included; meaningless of the last.
  uint64_t End(size_t step) const { return unit << (2 * step); }
  // Steps up to the last that has any.
  size_t used() const;
};

struct ReportData {
  Timestamp made;
  StoreStats stats;
  std::optional<RetentionInfo> policy;    // of the store; none if its record is damaged
  std::vector<RetentionEntry> retention;  // the first of them
  uint64_t retention_total = 0;

  uint64_t objects = 0;  // that exist
  uint64_t deleted = 0;
  uint64_t bytes = 0;  // of their databases
  // Of all, deleted ones included. Where commits_cut, with some that have expired.
  uint64_t commits = 0;
  TopList<ObjectFacts, LargerFirst> by_size;
  TopList<ObjectFacts, LongerHistoryFirst> by_history;
  TopList<NamespaceFacts, FullerFirst> namespaces;
  Histogram sizes{.unit = 4096};
  Histogram histories{.unit = 2};

  // Of the commits that were looked at.
  TimeBuckets times;
  uint64_t commits_looked_at = 0;
  uint64_t objects_looked_at = 0;
  bool commits_cut = false;  // there are more than were to be looked at

  TopList<RestoreFacts, LaterFirst> restores;
  TopList<LabelFacts, LaterFirst> labels;  // without automatic ones
  std::vector<DamageFacts> damage;         // the first of them
  uint64_t damage_total = 0;
};

// Reads all objects, existing and deleted, their labels and restores, and of their commits at most
// `max_commits` (0: all), object by object: in the order of ids, which have nothing to do with
// names or ages. What is damaged is told in the data. Throws Failure if the store cannot be read
// on.
ReportData GatherReport(Session& session, uint64_t max_commits);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_REPORT_DATA_H_
