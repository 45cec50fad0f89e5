// Dictionaries: what the pages of one object have in common, told once for all its blocks in a
// packed segment. A block holds a few KiB; what zstd has to learn of it anew each time, and what
// stands in every block, is a third of it where rows are alike.
//
// Threads: a dictionary does not change; any number of threads may use it.

#ifndef TIDEMARK_ENGINE_INTERNAL_DICTIONARY_H_
#define TIDEMARK_ENGINE_INTERNAL_DICTIONARY_H_

#include <zstd.h>

#include <memory>
#include <optional>
#include <vector>

#include "engine/internal/page_codec.h"

namespace tidemark::internal {

// The data of blocks, side by side, and how long each is.
struct BlockSamples {
  Buffer data;
  std::vector<size_t> sizes;
};

// Where one stands in its packed segment.
struct DictionaryPlace {
  uint32_t offset = 0;
  uint32_t length = 0;
  friend bool operator==(const DictionaryPlace&, const DictionaryPlace&) = default;
};

// When a timeline gets one in a job.
struct DictionaryRule {
  uint64_t least_bytes = 1u << 20;  // with less in the job it gets none
  uint64_t sampled = 8;             // one in so many of its bytes is learnt from
  uint64_t least_gain = 2;          // what it must save, as a multiple of what it takes
};

// To write with.
class CompressionDictionary {
 public:
  static constexpr size_t kMostBytes = (8u << 10) + sizeof(uint64_t);  // as in the segment

  // Learns from the samples; null if they have too little in common for it to pay for blocks whose
  // data is `total_bytes` altogether. Takes about 30 us a KiB of samples.
  static std::unique_ptr<const CompressionDictionary> Train(const BlockSamples& samples,
                                                            uint64_t total_bytes,
                                                            const DictionaryRule& rule = {});

  // As a packed segment holds it: a hash, then what was learnt.
  const Buffer& bytes() const { return bytes_; }

  // As CompressPage.
  bool Compress(ConstBytes data, Buffer& out) const;

 private:
  struct Free {
    void operator()(ZSTD_CDict* dictionary) const { ZSTD_freeCDict(dictionary); }
  };

  Buffer bytes_;
  std::unique_ptr<ZSTD_CDict, Free> dictionary_;
};

// To read with: 40 KiB of memory, about.
class Dictionary {
 public:
  // Null if `bytes` are not what was written.
  static std::shared_ptr<const Dictionary> Parse(ConstBytes bytes);

  // As DecompressPage.
  bool Decompress(ConstBytes data, Bytes out) const;

 private:
  struct Free {
    void operator()(ZSTD_DDict* dictionary) const { ZSTD_freeDDict(dictionary); }
  };

  std::unique_ptr<ZSTD_DDict, Free> dictionary_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_DICTIONARY_H_
