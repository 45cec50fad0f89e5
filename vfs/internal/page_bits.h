// PageBits: a set of pages of one database, a bit a page.

#ifndef TIDEMARK_VFS_INTERNAL_PAGE_BITS_H_
#define TIDEMARK_VFS_INTERNAL_PAGE_BITS_H_

#include <cstddef>
#include <vector>

#include "engine/lsn.h"

namespace tidemark::internal {

class PageBits {
 public:
  void Add(PageNo page) {
    if (page.value >= bits_.size()) bits_.resize(size_t{page.value} + 1);
    if (bits_[page.value]) return;
    bits_[page.value] = true;
    ++count_;
  }
  void Remove(PageNo page) {
    if (!Contains(page)) return;
    bits_[page.value] = false;
    --count_;
  }
  bool Contains(PageNo page) const { return page.value < bits_.size() && bits_[page.value]; }
  size_t count() const { return count_; }

 private:
  std::vector<bool> bits_;
  size_t count_ = 0;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_PAGE_BITS_H_
