// Timeline: one line of commits of one object, and its part of the recent-versions table: what was
// committed and is not yet in the index.
//
// A page of a timeline at an LSN is the latest version at or before it: on this timeline, else on
// the parent up to parent_lsn, and so on. Recent versions are looked at first; they are dropped
// only after the index that holds them is durable, so a reader that misses one finds it there.
//
// Threads: any. `mutex_` guards the recent tables and is held for a look-up or an insertion, never
// across I/O.

#ifndef TIDEMARK_ENGINE_INTERNAL_TIMELINE_H_
#define TIDEMARK_ENGINE_INTERNAL_TIMELINE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/commit_info.h"
#include "engine/internal/index.h"
#include "engine/internal/page_set.h"
#include "engine/lsn.h"
#include "engine/status.h"

namespace tidemark::internal {

struct RecentCommit {
  CommitInfo info;
  Location location;
};

struct PageChange {
  PageNo page;
  PageVersion version;
};

class BatchedPages;

// A commit that wrote batches: pages that only its batches have are found there.
struct LargeCommit {
  Lsn lsn;
  std::shared_ptr<const BatchedPages> pages;
};

// What the recent tables have of a page: a version, or the large commit that made it later.
struct RecentPage {
  std::optional<PageVersion> version;
  std::optional<LargeCommit> large;
};

// So that the next push_back asks for no memory.
template <typename T>
void MakeRoomForOne(std::vector<T>& list) {
  if (list.size() == list.capacity()) list.reserve(list.empty() ? 1 : 2 * list.size());
}

class Timeline;

// Memory for what one commit adds to a timeline's tables, so that adding it cannot fail. It keeps
// its capacity when it is released, for the next one.
class RecentRoom {
 public:
  RecentRoom() = default;
  ~RecentRoom() { Release(); }
  RecentRoom(const RecentRoom&) = delete;
  RecentRoom& operator=(const RecentRoom&) = delete;
  void Release() noexcept;

 private:
  friend class Timeline;
  Timeline* timeline_ = nullptr;
  std::vector<std::vector<PageVersion>*> versions_;  // of the pages that it changes, one by one
};

class Timeline {
 public:
  Timeline(TimelineRow row, std::shared_ptr<Timeline> parent)
      : row_(std::move(row)), parent_(std::move(parent)) {}

  // Its number and all else that is only known when its record is in the log. Before anybody else
  // sees it.
  void set_row(const TimelineRow& row) { row_ = row; }
  TimelineId id() const { return row_.id; }
  const TimelineRow& row() const { return row_; }
  // Null if it inherits no pages.
  const std::shared_ptr<Timeline>& parent() const { return parent_; }

  // Can the parent have a version of the page at or before parent_lsn? What is there then stays so:
  // whatever it gets later comes behind. Yes, until somebody has looked.
  bool MayInherit(PageNo page) const {
    const PageSet* pages = inherited_.load(std::memory_order_acquire);
    return pages == nullptr || pages->Contains(page);
  }
  // A look-up has gone through here, and a good many timelines more. True when it pays to look:
  // once.
  bool NoteDeepLook() const;
  void SetInherited(std::unique_ptr<const PageSet> pages) const;

  // Makes room for a commit with these changes. One at a time.
  void MakeRoom(std::span<const PageChange> changes, RecentRoom* room);
  // Adds a commit and the page versions it made, `batched` being null or those in its batches, for
  // which room was made; it is released. LSNs must rise.
  void AddRecent(RecentRoom* room, const RecentCommit& commit, std::span<const PageChange> changes,
                 std::shared_ptr<const BatchedPages> batched) noexcept;

  // The latest recent version of a page at or before `lsn`, on this timeline itself.
  RecentPage FindRecent(PageNo page, Lsn lsn) const;
  // The latest recent commit at or before `lsn`.
  std::optional<RecentCommit> FindRecentCommit(Lsn lsn) const;
  bool HasRecent() const;
  // Adds those of the pages up to `page_count` that have recent versions behind `after`, up to
  // `upto`.
  void AddRecentPages(Lsn after, Lsn upto, uint32_t page_count, PageSet* pages) const;
  size_t RecentCommitCount(Lsn after) const;

  // For the checkpointer: copies what is at or before `cut`, sorted by page and LSN.
  struct Collected {
    std::vector<LargeCommit> large;  // in LSN order
    std::vector<std::pair<PageNo, std::vector<PageVersion>>> pages;
    std::vector<CommitRow> commits;
  };
  Collected CollectRecent(Lsn cut) const;
  // After the index has it: drops what is at or before `cut`; returns how many versions went.
  size_t DropRecent(Lsn cut);

  // Of several damages the first counts.
  void MarkDamaged(const TimelineDamage& damage);
  Lsn damaged_from() const { return Lsn(damaged_from_.load(std::memory_order_acquire)); }
  TimelineDamage damage() const;
  // Can what the timeline was at `lsn` be trusted? Errors: kCorruption, with the place.
  Status CheckTrusted(Lsn lsn) const;

 private:
  friend class RecentRoom;

  TimelineRow row_;
  const std::shared_ptr<Timeline> parent_;
  mutable std::atomic<uint32_t> deep_looks_{0};
  mutable std::atomic<const PageSet*> inherited_{nullptr};
  mutable std::unique_ptr<const PageSet> inherited_pages_;  // set once

  mutable std::mutex mutex_;
  std::unordered_map<uint32_t, std::vector<PageVersion>> pages_;  // by page number, in LSN order
  std::vector<RecentCommit> commits_;                             // in LSN order
  std::vector<LargeCommit> large_;                                // in LSN order
  bool has_room_ = false;  // room is held: what is empty may have been made for it
  TimelineDamage damage_;
  std::atomic<uint64_t> damaged_from_{0};
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_TIMELINE_H_
