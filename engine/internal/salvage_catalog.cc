#include "engine/internal/salvage_catalog.h"

#include <algorithm>
#include <tuple>

namespace tidemark::internal {

void SalvageCatalog::DropIf(const std::function<bool(uint64_t lsn)>& drop) {
  std::erase_if(events, [&](const SalvageEvent& event) { return drop(event.lsn.value); });
  std::erase_if(versions_, [&](const SalvageVersion& version) { return drop(version.lsn); });
  std::erase_if(blame, [&](const SalvageBlame& one) { return drop(one.lsn.value); });
}

void SalvageCatalog::SortEvents() {
  std::stable_sort(events.begin(), events.end(), [](const SalvageEvent& a, const SalvageEvent& b) {
    if (a.lsn != b.lsn) return a.lsn < b.lsn;
    // Of two that tell of one record the one with a time of its own.
    return a.kind != b.kind ? a.kind < b.kind : a.exact_time > b.exact_time;
  });
  events.erase(std::unique(events.begin(), events.end(),
                           [](const SalvageEvent& a, const SalvageEvent& b) {
                             return a.lsn == b.lsn && a.kind == b.kind;
                           }),
               events.end());
}

void SalvageCatalog::AddPages() {
  std::vector<SalvageEvent> pages;
  size_t at = 0;
  for (size_t i = 0; i < versions_.size(); ++i) {
    const uint64_t lsn = versions_[i].lsn;
    if (i > 0 && versions_[i - 1].lsn == lsn) continue;
    while (at < events.size() && events[at].lsn.value < lsn) ++at;
    if (at < events.size() && events[at].lsn.value == lsn) continue;
    SalvageEvent event;
    event.lsn = Lsn(lsn);
    event.kind = SalvageEvent::Kind::kPages;
    event.exact_time = false;
    event.position = i;
    pages.push_back(event);
  }
  if (pages.empty()) return;
  events.insert(events.end(), pages.begin(), pages.end());
  SortEvents();
}

void SalvageCatalog::Sort() {
  SortEvents();
  std::sort(versions_.begin(), versions_.end(),
            [](const SalvageVersion& a, const SalvageVersion& b) {
              return std::tie(a.lsn, a.page, b.order) < std::tie(b.lsn, b.page, a.order);
            });
  AddPages();
  by_page_.resize(versions_.size());
  for (uint32_t i = 0; i < by_page_.size(); ++i) by_page_[i] = i;
  std::sort(by_page_.begin(), by_page_.end(), [this](uint32_t a, uint32_t b) {
    const SalvageVersion& x = versions_[a];
    const SalvageVersion& y = versions_[b];
    return std::tie(x.timeline, x.page, x.lsn) < std::tie(y.timeline, y.page, y.lsn);
  });
}

std::pair<uint32_t, uint32_t> SalvageCatalog::VersionsOf(Lsn lsn) const {
  const auto begin = std::partition_point(
      versions_.begin(), versions_.end(),
      [lsn](const SalvageVersion& version) { return version.lsn < lsn.value; });
  const auto end = std::partition_point(
      begin, versions_.end(),
      [lsn](const SalvageVersion& version) { return version.lsn == lsn.value; });
  return {static_cast<uint32_t>(begin - versions_.begin()),
          static_cast<uint32_t>(end - versions_.begin())};
}

std::pair<uint32_t, uint32_t> SalvageCatalog::VersionsOf(Lsn lsn, PageNo page) const {
  const auto key = std::make_pair(lsn.value, page.value);
  const auto of = [](const SalvageVersion& version) {
    return std::make_pair(version.lsn, version.page);
  };
  const auto begin =
      std::partition_point(versions_.begin(), versions_.end(),
                           [&](const SalvageVersion& version) { return of(version) < key; });
  const auto end = std::partition_point(
      begin, versions_.end(), [&](const SalvageVersion& version) { return of(version) == key; });
  return {static_cast<uint32_t>(begin - versions_.begin()),
          static_cast<uint32_t>(end - versions_.begin())};
}

std::optional<Lsn> SalvageCatalog::LastVersion(TimelineId timeline, PageNo page, Lsn lsn) const {
  const auto key = std::make_tuple(timeline.value, page.value, lsn.value);
  const auto behind = std::partition_point(by_page_.begin(), by_page_.end(), [&](uint32_t i) {
    const SalvageVersion& version = versions_[i];
    return std::make_tuple(version.timeline, version.page, version.lsn) <= key;
  });
  if (behind == by_page_.begin()) return std::nullopt;
  const SalvageVersion& version = versions_[*(behind - 1)];
  if (version.timeline != timeline.value || version.page != page.value) return std::nullopt;
  return Lsn(version.lsn);
}

std::vector<uint32_t> SalvageCatalog::FindByHash(PageNo page, uint64_t hash) const {
  if (by_hash_.empty()) {
    for (uint32_t i = 0; i < versions_.size(); ++i) {
      if (versions_[i].hash != 0) by_hash_.emplace_back(versions_[i].hash, i);
    }
    std::sort(by_hash_.begin(), by_hash_.end());
  }
  std::vector<uint32_t> found;
  for (auto it = std::lower_bound(by_hash_.begin(), by_hash_.end(), std::make_pair(hash, 0u));
       it != by_hash_.end() && it->first == hash && found.size() < 16; ++it) {
    if (versions_[it->second].page == page.value) found.push_back(it->second);
  }
  return found;
}

}  // namespace tidemark::internal
