#include "engine/internal/salvage_pages.h"

#include <algorithm>
#include <utility>

namespace tidemark::internal {
namespace {

constexpr size_t kCachedPageBytes = 64u << 20;
constexpr size_t kCachedBlocks = 64;
// More than any chain has, over all the segments that were packed behind each other.
constexpr unsigned kMostLevels = 1000;

using State = SalvageVersion::State;

}  // namespace

SalvagePages::Page SalvagePages::Decode(uint32_t i, unsigned level) {
  if (const auto cached = pages_.find(i); cached != pages_.end()) return cached->second;
  if (level > kMostLevels || catalog_.version(i).state == State::kBad) return nullptr;
  const SalvageVersion version = catalog_.version(i);
  auto page = std::make_shared<Buffer>(size_t{1} << version.page_size_log2);
  const bool good = version.in_block == SalvageVersion::kNoBlock
                        ? DecodeLogged(version, level, *page)
                        : DecodeFromBlock(version, level, *page);
  SalvageVersion& known = catalog_.version(i);
  known.state = good ? State::kGood : State::kBad;
  if (!good) return nullptr;
  known.hash = PageHash(PageNo(version.page), *page);
  page_bytes_ += page->size();
  page_order_.push_back(i);
  pages_[i] = page;
  while (page_bytes_ > kCachedPageBytes) {
    const auto oldest = pages_.find(page_order_.front());
    page_bytes_ -= oldest->second->size();
    pages_.erase(oldest);
    page_order_.pop_front();
  }
  return page;
}

// Of several copies any will do; of several versions only the last one is what the commit left.
std::optional<uint32_t> SalvagePages::FindGood(Lsn lsn, PageNo page, unsigned level) {
  const auto [begin, end] = catalog_.VersionsOf(lsn, page);
  for (uint32_t i = begin; i < end; ++i) {
    if (catalog_.version(i).order != catalog_.version(begin).order) break;
    if (catalog_.version(i).state == State::kGood || Decode(i, level) != nullptr) return i;
  }
  return std::nullopt;
}

std::optional<uint32_t> SalvagePages::FindTwin(PageNo page, uint64_t hash) {
  for (const uint32_t i : catalog_.FindByHash(page, hash)) {
    if (Decode(i) != nullptr && catalog_.version(i).hash == hash) return i;
  }
  return std::nullopt;
}

bool SalvagePages::ReadBytes(const SalvageVersion& version, Buffer& bytes) const {
  bytes.resize(version.length);
  const auto got = catalog_.files[version.file].segment->file->ReadAt(version.offset, bytes);
  return got.ok() && *got == bytes.size();
}

bool SalvagePages::DecodeLogged(const SalvageVersion& version, unsigned level, Buffer& page) {
  Buffer bytes;
  if (!ReadBytes(version, bytes)) return false;
  const auto view = ParsePageVersion(bytes);
  if (!view || view->page.value != version.page || view->hash != version.hash) return false;
  switch (view->form) {
    case format::PageForm::kZero: break;  // as it is
    case format::PageForm::kRaw:
      if (view->data.size() != page.size()) return false;
      std::copy(view->data.begin(), view->data.end(), page.begin());
      break;
    case format::PageForm::kZstd:
      if (!DecompressPage(view->data, page)) return false;
      break;
    case format::PageForm::kRanges:
    case format::PageForm::kZstdPatch: {
      if (view->base_lsn.value >= version.lsn) return false;
      const auto base = FindGood(view->base_lsn, view->page, level + 1);
      const Page before = base ? Decode(*base, level + 1) : nullptr;
      if (before == nullptr || before->size() != page.size()) return false;
      page = *before;
      if (!ApplyPatch(view->form, view->data, page)) return false;
      break;
    }
    default: return false;
  }
  return PageHash(view->page, page) == version.hash;
}

// Null if it is damaged.
std::shared_ptr<const Dictionary> SalvagePages::DictionaryAt(uint32_t file,
                                                             const DictionaryPlace& place) {
  const auto found = dictionaries_.Find(
      {file, place.offset}, [&]() -> Result<std::shared_ptr<const Dictionary>> {
        Buffer bytes(std::min<size_t>(place.length, CompressionDictionary::kMostBytes));
        const auto got = catalog_.files[file].segment->file->ReadAt(place.offset, bytes);
        const bool is_whole = got.ok() && *got == place.length;
        return is_whole ? Dictionary::Parse(bytes) : std::shared_ptr<const Dictionary>();
      });
  return found.ok() ? *found : nullptr;
}

std::shared_ptr<SalvagePages::Block> SalvagePages::BlockOf(const SalvageVersion& version) {
  const uint64_t key = (uint64_t{version.file} << 32) | version.offset;
  if (const auto cached = blocks_.find(key); cached != blocks_.end()) return cached->second;
  auto block = std::make_shared<Block>();
  if (!ReadBytes(version, block->bytes) ||
      !block->history.Parse(PageNo(version.page), block->bytes, std::nullopt)) {
    return nullptr;
  }
  std::shared_ptr<const Dictionary> dictionary;
  if (const auto& place = block->history.dictionary()) {
    dictionary = DictionaryAt(version.file, *place);
    if (dictionary == nullptr) return nullptr;
  }
  if (!block->history.Decompress(dictionary.get())) return nullptr;
  blocks_[key] = block;
  block_order_.push_back(key);
  if (block_order_.size() > kCachedBlocks) {
    blocks_.erase(block_order_.front());
    block_order_.pop_front();
  }
  return block;
}

bool SalvagePages::DecodeFromBlock(const SalvageVersion& version, unsigned level, Buffer& page) {
  const std::shared_ptr<Block> block = BlockOf(version);
  if (block == nullptr) return false;
  const HistoryBlock& history = block->history;
  const size_t wanted = version.in_block;
  if (wanted >= history.versions().size() || history.page_size() != page.size()) return false;
  size_t first = wanted;
  while (first > 0 && history.IsPatch(first) && first - 1 != block->position) --first;
  if (first > 0 && history.IsPatch(first)) {
    page = block->page;
  } else if (history.IsPatch(first)) {
    const auto base = FindGood(history.base_lsn(), PageNo(version.page), level + 1);
    const Page before = base ? Decode(*base, level + 1) : nullptr;
    if (before == nullptr || before->size() != page.size()) return false;
    page = *before;
  }
  for (size_t i = first; i <= wanted; ++i) {
    if (!history.Apply(i, page)) return false;
  }
  block->position = wanted;
  block->page = page;
  return true;
}

}  // namespace tidemark::internal
