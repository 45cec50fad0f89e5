#include "engine/internal/version_checker.h"

#include <utility>

#include "engine/internal/record.h"

namespace tidemark::internal {
namespace {

constexpr size_t kPageCacheBytes = 64u << 20;

uint64_t KeyOf(Location location) { return (uint64_t{location.segment} << 32) | location.offset; }

}  // namespace

Status VersionChecker::Check(const Timeline& timeline, const PageChange& change,
                             uint32_t page_size) {
  Buffer bytes(change.version.length);
  TIDEMARK_RETURN_IF_ERROR(reader_.ReadBytes(change.version.location, bytes));
  const auto view = ParsePageVersion(bytes);
  if (!view || view->length != change.version.length || view->hash != change.version.hash ||
      view->depth != change.version.depth || view->chain_units != change.version.chain_units) {
    return Status(StatusCode::kCorruption, Describe(change.page, change.version) +
                                               " is damaged: it is not what its commit says");
  }
  if (format::IsPatch(view->form)) {
    const auto base = pages_.find(KeyOf(view->base));
    if (base != pages_.end() && base->second.size() == page_size) {
      Buffer page = std::move(base->second);
      pages_.erase(base);
      page_bytes_ -= page.size();
      if (!ApplyPatch(view->form, view->data, page) ||
          PageHash(change.page, page) != change.version.hash) {
        return Status(StatusCode::kCorruption,
                      Describe(change.page, change.version) + " is damaged: its hash does not fit");
      }
      Remember(change.version.location, std::move(page));
      return OkStatus();
    }
  }
  Buffer page(page_size);
  TIDEMARK_RETURN_IF_ERROR(reader_.Read(&timeline, change.page, change.version, page));
  Remember(change.version.location, std::move(page));
  return OkStatus();
}

void VersionChecker::Remember(Location location, Buffer page) {
  page_bytes_ += page.size();
  pages_[KeyOf(location)] = std::move(page);
  order_.push_back(KeyOf(location));
  while (page_bytes_ > kPageCacheBytes && !order_.empty()) {
    if (const auto oldest = pages_.find(order_.front()); oldest != pages_.end()) {
      page_bytes_ -= oldest->second.size();
      pages_.erase(oldest);
    }
    order_.pop_front();
  }
}

}  // namespace tidemark::internal
