#include "engine/internal/dictionary_cache.h"

#include <algorithm>
#include <utility>

namespace tidemark::internal {

Result<std::shared_ptr<const Dictionary>> DictionaryCache::Find(
    Location location, const std::function<Result<std::shared_ptr<const Dictionary>>()>& read) {
  {
    std::lock_guard lock(mutex_);
    for (Entry& entry : entries_) {
      if (entry.location != location) continue;
      entry.last_use = ++uses_;
      return entry.dictionary;
    }
  }
  TIDEMARK_ASSIGN_OR_RETURN(std::shared_ptr<const Dictionary> dictionary, read());
  if (dictionary == nullptr) return dictionary;
  std::lock_guard lock(mutex_);
  Entry made{location, dictionary, ++uses_};
  if (entries_.size() < kMost) {
    entries_.push_back(std::move(made));
  } else {
    *std::min_element(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      return a.last_use < b.last_use;
    }) = std::move(made);
  }
  return dictionary;
}

}  // namespace tidemark::internal
