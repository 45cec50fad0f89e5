#include "engine/internal/timeline.h"

#include <algorithm>

#include "engine/check.h"

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

void Timeline::AddRecent(const RecentCommit& commit, std::span<const PageChange> changes) {
  std::lock_guard lock(mutex_);
  CHECK(commits_.empty() || commits_.back().info.lsn < commit.info.lsn);
  commits_.push_back(commit);
  for (const PageChange& change : changes) {
    std::vector<PageVersion>& versions = pages_[change.page.value];
    // A page may stand twice in a large transaction; its last version counts.
    if (!versions.empty() && versions.back().lsn == change.version.lsn) {
      versions.back() = change.version;
    } else {
      versions.push_back(change.version);
    }
  }
}

std::optional<PageVersion> Timeline::FindRecent(PageNo page, Lsn lsn) const {
  std::lock_guard lock(mutex_);
  const auto it = pages_.find(page.value);
  if (it == pages_.end()) return std::nullopt;
  const std::vector<PageVersion>& versions = it->second;
  if (!versions.empty() && versions.back().lsn <= lsn) return versions.back();
  const auto behind = Behind(versions, lsn);
  if (behind == versions.begin()) return std::nullopt;
  return *std::prev(behind);
}

std::optional<RecentCommit> Timeline::FindRecentCommit(Lsn lsn) const {
  std::lock_guard lock(mutex_);
  const auto behind = Behind(commits_, lsn);
  if (behind == commits_.begin()) return std::nullopt;
  return *std::prev(behind);
}

bool Timeline::HasRecent() const {
  std::lock_guard lock(mutex_);
  return !commits_.empty();
}

size_t Timeline::RecentCommitCount() const {
  std::lock_guard lock(mutex_);
  return commits_.size();
}

void Timeline::CollectRecent(Lsn cut,
                             std::vector<std::pair<PageNo, std::vector<PageVersion>>>* pages,
                             std::vector<CommitRow>* commits) const {
  {
    std::lock_guard lock(mutex_);
    for (const auto& [page, versions] : pages_) {
      const auto behind = Behind(versions, cut);
      if (behind != versions.begin()) {
        pages->emplace_back(PageNo(page), std::vector<PageVersion>(versions.begin(), behind));
      }
    }
    for (const RecentCommit& commit : commits_) {
      if (commit.info.lsn > cut) break;
      commits->push_back({.lsn = commit.info.lsn, .location = commit.location});
    }
  }
  std::sort(pages->begin(), pages->end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
}

size_t Timeline::DropRecent(Lsn cut) {
  std::lock_guard lock(mutex_);
  size_t dropped = 0;
  for (auto it = pages_.begin(); it != pages_.end();) {
    std::vector<PageVersion>& versions = it->second;
    const auto behind = Behind(versions, cut);
    dropped += static_cast<size_t>(behind - versions.begin());
    if (behind == versions.end()) {
      it = pages_.erase(it);
    } else {
      versions.erase(versions.begin(), behind);
      ++it;
    }
  }
  if (pages_.empty()) pages_ = {};  // a bulk load must not leave its buckets behind
  const auto behind = Behind(commits_, cut);
  if (behind == commits_.end()) {
    commits_ = {};
  } else {
    commits_.erase(commits_.begin(), behind);
  }
  return dropped;
}

void Timeline::MarkDamaged(Lsn lsn, Location location) {
  std::lock_guard lock(mutex_);
  const uint64_t known = damaged_from_.load(std::memory_order_relaxed);
  if (known != 0 && known <= lsn.value) return;
  damage_location_ = location;
  damaged_from_.store(lsn.value, std::memory_order_release);
}

Location Timeline::damage_location() const {
  std::lock_guard lock(mutex_);
  return damage_location_;
}

}  // namespace tidemark::internal
