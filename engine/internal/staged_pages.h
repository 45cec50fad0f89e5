// StagedPages: the pages of a transaction that are not in the log yet, in one buffer.
//
// Pages are found by an open-addressing table, so that a one-page commit allocates nothing once the
// buffers have grown. Used by one thread.

#ifndef TIDEMARK_ENGINE_INTERNAL_STAGED_PAGES_H_
#define TIDEMARK_ENGINE_INTERNAL_STAGED_PAGES_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "engine/internal/page_codec.h"
#include "engine/lsn.h"

namespace tidemark::internal {

class StagedPages {
 public:
  // Drops everything. Page size 0 is allowed until the first Put.
  void Reset(uint32_t page_size) {
    if (!pages_.empty()) std::fill(table_.begin(), table_.end(), 0);
    pages_.clear();
    bytes_.clear();
    page_size_ = page_size;
  }

  // Of one that is empty.
  void ReleaseMemory() noexcept {
    bytes_ = Buffer();
    pages_ = std::vector<PageNo>();
    sorted_ = std::vector<PageNo>();
    table_ = std::vector<uint32_t>();
  }

  bool empty() const { return pages_.empty(); }
  size_t size() const { return pages_.size(); }
  size_t size_bytes() const { return bytes_.size(); }

  void Put(PageNo page, ConstBytes image) {
    if (pages_.size() * 2 >= table_.size()) Grow();
    uint32_t& slot = SlotOf(page);
    if (slot == 0) {
      // Room in both first: either all of the page is staged, or memory ran out and nothing is.
      if (pages_.size() == pages_.capacity()) pages_.reserve(table_.size() / 2);
      // Not resize(): it would write zeros first, a byte at a time.
      bytes_.insert(bytes_.end(), image.begin(), image.begin() + page_size_);
      pages_.push_back(page);
      slot = static_cast<uint32_t>(pages_.size());
      return;
    }
    std::memcpy(bytes_.data() + size_t{slot - 1} * page_size_, image.data(), page_size_);
  }

  // Empty if the page is not staged. Valid until the next Put.
  ConstBytes Find(PageNo page) const {
    if (table_.empty()) return {};
    const uint32_t slot = const_cast<StagedPages*>(this)->SlotOf(page);
    if (slot == 0) return {};
    return ConstBytes(bytes_).subspan(size_t{slot - 1} * page_size_, page_size_);
  }

  // The pages' numbers, in rising order.
  const std::vector<PageNo>& Sorted() {
    sorted_ = pages_;
    std::sort(sorted_.begin(), sorted_.end());
    return sorted_;
  }

 private:
  uint32_t& SlotOf(PageNo page) {
    const size_t mask = table_.size() - 1;
    size_t at = (page.value * 0x9e3779b1u) & mask;
    while (table_[at] != 0 && pages_[table_[at] - 1] != page) at = (at + 1) & mask;
    return table_[at];
  }

  void Grow() {
    table_.assign(std::max<size_t>(64, table_.size() * 2), 0);
    for (uint32_t i = 0; i < pages_.size(); ++i) SlotOf(pages_[i]) = i + 1;
  }

  uint32_t page_size_ = 0;
  Buffer bytes_;               // page images, in order of staging
  std::vector<PageNo> pages_;  // likewise
  std::vector<PageNo> sorted_;
  std::vector<uint32_t> table_;  // position in pages_ plus 1; 0 is free
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_STAGED_PAGES_H_
