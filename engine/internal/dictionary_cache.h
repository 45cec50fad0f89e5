// DictionaryCache: the dictionaries that were read last, ready for use.
//
// Threads: any.

#ifndef TIDEMARK_ENGINE_INTERNAL_DICTIONARY_CACHE_H_
#define TIDEMARK_ENGINE_INTERNAL_DICTIONARY_CACHE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/internal/dictionary.h"
#include "engine/internal/index.h"
#include "engine/result.h"

namespace tidemark::internal {

class DictionaryCache {
 public:
  // So many are kept, of 40 KiB each, about.
  static constexpr size_t kMost = 64;

  // The dictionary at that place; no two ever stand there. `read` makes it if it is not at hand,
  // and may run in several threads at once for the same one. What it gives is given; null is not
  // kept.
  Result<std::shared_ptr<const Dictionary>> Find(
      Location location, const std::function<Result<std::shared_ptr<const Dictionary>>()>& read);

 private:
  struct Entry {
    Location location;
    std::shared_ptr<const Dictionary> dictionary;
    uint64_t last_use = 0;
  };

  std::mutex mutex_;
  std::vector<Entry> entries_;
  uint64_t uses_ = 0;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_DICTIONARY_CACHE_H_
