// A set of page numbers, as a bitmap: one bit for each page up to the largest.

#ifndef TIDEMARK_ENGINE_INTERNAL_PAGE_SET_H_
#define TIDEMARK_ENGINE_INTERNAL_PAGE_SET_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/lsn.h"

namespace tidemark::internal {

class PageSet {
 public:
  void Add(PageNo page) {
    const size_t word = page.value / 64;
    if (word >= words_.size()) words_.resize(word + 1);
    words_[word] |= uint64_t{1} << page.value % 64;
  }

  bool Contains(PageNo page) const {
    const size_t word = page.value / 64;
    return word < words_.size() && (words_[word] >> page.value % 64 & 1) != 0;
  }

 private:
  std::vector<uint64_t> words_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PAGE_SET_H_
