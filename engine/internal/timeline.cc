#include "engine/internal/timeline.h"

#include <algorithm>

#include "engine/check.h"
#include "engine/internal/batched_pages.h"

namespace tidemark::internal {
namespace {

// The first element behind those with an LSN at or before `lsn`.
auto Behind(const std::vector<PageVersion>& versions, Lsn lsn) {
  return std::upper_bound(versions.begin(), versions.end(), lsn,
                          [](Lsn a, const PageVersion& b) { return a < b.lsn; });
}

auto Behind(const std::vector<RecentCommit>& commits, Lsn lsn) {
  return std::upper_bound(commits.begin(), commits.end(), lsn,
                          [](Lsn a, const RecentCommit& b) { return a < b.info.lsn; });
}

}  // namespace

void RecentRoom::Release() noexcept {
  if (timeline_ == nullptr) return;
  std::lock_guard lock(timeline_->mutex_);
  std::exchange(timeline_, nullptr)->has_room_ = false;
}

void Timeline::MakeRoom(std::span<const PageChange> changes, RecentRoom* room) {
  room->Release();
  room->versions_.clear();
  room->versions_.reserve(changes.size());
  std::lock_guard lock(mutex_);
  CHECK(!has_room_);
  MakeRoomForOne(commits_);
  MakeRoomForOne(large_);
  for (const PageChange& change : changes) {
    std::vector<PageVersion>& versions = pages_[change.page.value];
    MakeRoomForOne(versions);
    room->versions_.push_back(&versions);
  }
  room->timeline_ = this;
  has_room_ = true;
}

void Timeline::AddRecent(RecentRoom* room, const RecentCommit& commit,
                         std::span<const PageChange> changes,
                         std::shared_ptr<const BatchedPages> batched) noexcept {
  std::lock_guard lock(mutex_);
  CHECK(room->timeline_ == this && room->versions_.size() == changes.size());
  CHECK(commits_.empty() || commits_.back().info.lsn < commit.info.lsn);
  commits_.push_back(commit);
  for (size_t i = 0; i < changes.size(); ++i) room->versions_[i]->push_back(changes[i].version);
  if (batched != nullptr) large_.push_back({commit.info.lsn, std::move(batched)});
  room->timeline_ = nullptr;
  has_room_ = false;
}

RecentPage Timeline::FindRecent(PageNo page, Lsn lsn) const {
  std::lock_guard lock(mutex_);
  RecentPage found;
  if (const auto it = pages_.find(page.value); it != pages_.end()) {
    const std::vector<PageVersion>& versions = it->second;
    // Empty if room was made for the first one.
    if (!versions.empty() && versions.back().lsn <= lsn) {
      found.version = versions.back();
    } else if (const auto behind = Behind(versions, lsn); behind != versions.begin()) {
      found.version = *std::prev(behind);
    }
  }
  // The frame of a large commit has the last word on its pages.
  for (auto large = large_.rbegin(); large != large_.rend(); ++large) {
    if (found.version && found.version->lsn >= large->lsn) break;
    if (large->lsn > lsn || !large->pages->Contains(page)) continue;
    found.large = *large;
    found.version.reset();
    break;
  }
  return found;
}

std::optional<RecentCommit> Timeline::FindRecentCommit(Lsn lsn) const {
  std::lock_guard lock(mutex_);
  const auto behind = Behind(commits_, lsn);
  if (behind == commits_.begin()) return std::nullopt;
  return *std::prev(behind);
}

void Timeline::AddRecentPages(Lsn after, Lsn upto, uint32_t page_count, PageSet* pages) const {
  std::vector<LargeCommit> large;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [page, versions] : pages_) {
      if (page <= page_count && Behind(versions, upto) != Behind(versions, after)) {
        pages->Add(PageNo(page));
      }
    }
    for (const LargeCommit& commit : large_) {
      if (commit.lsn > after && commit.lsn <= upto) large.push_back(commit);
    }
  }
  for (const LargeCommit& commit : large) {
    for (uint64_t page = 1; page <= page_count; ++page) {
      const PageNo page_no(static_cast<uint32_t>(page));
      if (commit.pages->Contains(page_no)) pages->Add(page_no);
    }
  }
}

bool Timeline::HasRecent() const {
  std::lock_guard lock(mutex_);
  return !commits_.empty();
}

size_t Timeline::RecentCommitCount(Lsn after) const {
  std::lock_guard lock(mutex_);
  return static_cast<size_t>(
      std::count_if(commits_.begin(), commits_.end(),
                    [after](const RecentCommit& commit) { return commit.info.lsn > after; }));
}

Timeline::Collected Timeline::CollectRecent(Lsn cut) const {
  Collected collected;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [page, versions] : pages_) {
      const auto behind = Behind(versions, cut);
      if (behind != versions.begin()) {
        collected.pages.emplace_back(PageNo(page),
                                     std::vector<PageVersion>(versions.begin(), behind));
      }
    }
    for (const RecentCommit& commit : commits_) {
      if (commit.info.lsn > cut) break;
      collected.commits.push_back({.lsn = commit.info.lsn, .location = commit.location});
    }
    for (const LargeCommit& large : large_) {
      if (large.lsn <= cut) collected.large.push_back(large);
    }
  }
  std::sort(collected.pages.begin(), collected.pages.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return collected;
}

size_t Timeline::DropRecent(Lsn cut) {
  std::lock_guard lock(mutex_);
  size_t dropped = 0;
  for (auto it = pages_.begin(); it != pages_.end();) {
    std::vector<PageVersion>& versions = it->second;
    const auto behind = Behind(versions, cut);
    dropped += static_cast<size_t>(behind - versions.begin());
    if (behind == versions.end() && !has_room_) {
      it = pages_.erase(it);
    } else {
      versions.erase(versions.begin(), behind);
      ++it;
    }
  }
  if (pages_.empty()) pages_ = {};  // a bulk load must not leave its buckets behind
  std::erase_if(large_, [cut](const LargeCommit& large) { return large.lsn <= cut; });
  const auto behind = Behind(commits_, cut);
  if (behind == commits_.end() && !has_room_) {
    commits_ = {};
  } else {
    commits_.erase(commits_.begin(), behind);
  }
  return dropped;
}

bool Timeline::NoteDeepLook() const {
  constexpr uint32_t kWorthIt = 64;
  return inherited_.load(std::memory_order_relaxed) == nullptr &&
         deep_looks_.fetch_add(1, std::memory_order_relaxed) % kWorthIt == kWorthIt - 1;
}

void Timeline::SetInherited(std::unique_ptr<const PageSet> pages) const {
  std::lock_guard lock(mutex_);
  if (inherited_pages_ != nullptr) return;
  inherited_pages_ = std::move(pages);
  inherited_.store(inherited_pages_.get(), std::memory_order_release);
}

void Timeline::MarkDamaged(const TimelineDamage& damage) {
  std::lock_guard lock(mutex_);
  if (damage_.lsn.valid() && damage_.lsn <= damage.lsn) return;
  damage_ = damage;
  damaged_from_.store(damage.lsn.value, std::memory_order_release);
}

TimelineDamage Timeline::damage() const {
  std::lock_guard lock(mutex_);
  return damage_;
}

Status Timeline::CheckTrusted(Lsn lsn) const {
  const Lsn from = damaged_from();
  if (!from.valid() || lsn < from) return OkStatus();
  const TimelineDamage damaged = damage();
  return Status(StatusCode::kCorruption,
                "its commits from LSN " + std::to_string(damaged.lsn.value) +
                    " on are damaged (segment " + std::to_string(damaged.location.segment) +
                    ", offset " + std::to_string(damaged.location.offset) +
                    "); earlier ones are whole: restore to a bookmark before it");
}

}  // namespace tidemark::internal
