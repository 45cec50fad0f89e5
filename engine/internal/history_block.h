// History blocks: the versions of one page side by side, as packed segments hold them.
//
//   first version -> patch -> patch -> ...   each on the one before
//
// All of it is compressed together, with a dictionary of the object's if there is one.
// Whatever version is wanted, it costs one read. The first version is an image, or a patch on a
// version that stands elsewhere, in the block before. See engine/format.h for the bytes.
//
// Threads: an instance is used by one thread at a time.

#ifndef TIDEMARK_ENGINE_INTERNAL_HISTORY_BLOCK_H_
#define TIDEMARK_ENGINE_INTERNAL_HISTORY_BLOCK_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/internal/dictionary.h"
#include "engine/internal/index.h"
#include "engine/internal/page_codec.h"
#include "engine/lsn.h"

namespace tidemark::internal {

// So many blocks before it may be needed to read one.
inline constexpr uint8_t kMostBlocksBefore = 3;

// A block taken apart.
class HistoryBlock {
 public:
  enum class Form : uint8_t { kZeros, kImage, kRanges, kMoves, kSlots };  // as in the block
  struct Version {
    Lsn lsn;
    Form form = Form::kImage;
    uint32_t begin = 0;  // of its data
    uint32_t length = 0;
  };

  // False if the bytes are not exactly a whole block of this page with the hash that the index, or
  // the block itself, says. They must stay until it is decompressed.
  bool Parse(PageNo page, ConstBytes bytes, std::optional<uint64_t> hash);
  // The dictionary that it needs.
  const std::optional<DictionaryPlace>& dictionary() const { return dictionary_; }
  // To be called before Apply; `dictionary` is not null if one is needed. False if that fails.
  bool Decompress(const Dictionary* dictionary);

  const std::vector<Version>& versions() const { return versions_; }
  uint32_t page_size() const { return page_size_; }
  // Not valid: the first version is an image.
  Lsn base_lsn() const { return base_lsn_; }
  // The number of versions at or before `lsn`.
  size_t CountUpTo(Lsn lsn) const;
  // Makes version `i` of the page of the one before, or of the base. False if it does not fit. The
  // bytes that were parsed must still be there.
  bool Apply(size_t i, Bytes page) const;
  // Is version `i` made of the one before it?
  bool IsPatch(size_t i) const {
    return versions_[i].form == Form::kRanges || versions_[i].form == Form::kMoves;
  }

 private:
  uint32_t page_size_ = 0;
  Lsn base_lsn_;
  std::vector<Version> versions_;
  std::optional<DictionaryPlace> dictionary_;
  size_t decompressed_size_ = 0;  // 0: not compressed
  ConstBytes data_;
  Buffer decompressed_;
};

// Makes blocks. Its buffers stay.
class HistoryBlockBuilder {
 public:
  // For the blocks that follow; null: none. It stands at `place` in their file.
  void UseDictionary(const CompressionDictionary* dictionary, const DictionaryPlace& place) {
    dictionary_ = dictionary;
    dictionary_place_ = place;
  }

  // A block of which the first version is an image.
  void Begin(PageNo page, uint32_t page_size);
  // A block that begins with a patch on the version `base_lsn`, whose page is `base`. For that
  // `blocks_before` other blocks must be read.
  void BeginOn(PageNo page, Lsn base_lsn, ConstBytes base, uint8_t blocks_before);

  // Adds the page as it was from `lsn` on; LSNs rise. False if the block is full, or of another
  // page size: end it.
  bool Add(Lsn lsn, ConstBytes image);
  bool empty() const { return count_ == 0; }

  // Appends the block to `out` and makes `row` what the index says of it, but for its segment; its
  // offset is that in `out`.
  void End(Buffer& out, PageVersion& row);
  // Appends what a block would be made of to the samples instead.
  void EndAsSample(BlockSamples& samples);

 private:
  HistoryBlock::Form Encode(ConstBytes image);
  // Do the image's bytes compress better by their slots? Then they are in `patch_`.
  bool EncodeBySlots(ConstBytes image);

  const CompressionDictionary* dictionary_ = nullptr;
  DictionaryPlace dictionary_place_;
  PageNo page_;
  uint32_t page_size_ = 0;
  Lsn base_lsn_;
  uint8_t blocks_before_ = 0;
  uint32_t count_ = 0;
  Lsn first_;
  Lsn last_;
  size_t last_length_ = 0;
  Buffer previous_;  // the page as of the last version, or the base
  Buffer versions_;  // encoded: what is told of each
  Buffer data_;
  Buffer patch_;
  Buffer tried_;
  Buffer body_;
};

// A block at the begin of `bytes`, which may go on behind it: its page and what the index says of
// it, but for its place. Empty if there is none; its hash is not checked.
struct HistoryBlockHead {
  PageNo page;
  uint32_t page_size = 0;
  PageVersion row;
};
std::optional<HistoryBlockHead> ParseHistoryBlockHead(ConstBytes bytes);
// How many versions the block has that `bytes` begin with, which need not be all of it; empty if it
// is none.
std::optional<uint64_t> HistoryBlockCount(ConstBytes bytes);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_HISTORY_BLOCK_H_
