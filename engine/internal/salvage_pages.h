// The pages of a salvage: what a version decodes to, if all that it builds on can be read.
//
// A base is found by its LSN, in whatever file it stands now, so files may be missing, packed or
// there twice. Nothing is taken without a hash: that of the version, or of its block.
//
// Threads: one at a time.

#ifndef TIDEMARK_ENGINE_INTERNAL_SALVAGE_PAGES_H_
#define TIDEMARK_ENGINE_INTERNAL_SALVAGE_PAGES_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>

#include "engine/internal/dictionary_cache.h"
#include "engine/internal/history_block.h"
#include "engine/internal/page_codec.h"
#include "engine/internal/salvage_catalog.h"

namespace tidemark::internal {

class SalvagePages {
 public:
  using Page = std::shared_ptr<const Buffer>;

  explicit SalvagePages(SalvageCatalog* catalog) : catalog_(*catalog) {}

  // The page; null if it is damaged. The version has its hash from then on.
  Page Decode(uint32_t version) { return Decode(version, 0); }

  // The version of a page that the commit `lsn` left, if it can be decoded.
  std::optional<uint32_t> FindGood(Lsn lsn, PageNo page) { return FindGood(lsn, page, 0); }

  // One with this hash, whoever has it.
  std::optional<uint32_t> FindTwin(PageNo page, uint64_t hash);

 private:
  struct Block {
    Buffer bytes;
    HistoryBlock history;
    // The version that was decoded last.
    size_t position = SIZE_MAX;
    Buffer page;
  };

  Page Decode(uint32_t version, unsigned level);
  std::optional<uint32_t> FindGood(Lsn lsn, PageNo page, unsigned level);
  bool DecodeLogged(const SalvageVersion& version, unsigned level, Buffer& page);
  bool DecodeFromBlock(const SalvageVersion& version, unsigned level, Buffer& page);
  std::shared_ptr<const Dictionary> DictionaryAt(uint32_t file, const DictionaryPlace& place);
  std::shared_ptr<Block> BlockOf(const SalvageVersion& version);
  bool ReadBytes(const SalvageVersion& version, Buffer& bytes) const;

  SalvageCatalog& catalog_;
  // Of a bounded number of bytes, and blocks.
  std::unordered_map<uint32_t, Page> pages_;
  std::deque<uint32_t> page_order_;
  size_t page_bytes_ = 0;
  std::unordered_map<uint64_t, std::shared_ptr<Block>> blocks_;
  std::deque<uint64_t> block_order_;
  DictionaryCache dictionaries_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_SALVAGE_PAGES_H_
