// The bytes of a file in memory: mostly zeros, cheap to copy.

#ifndef TIDEMARK_ENGINE_INTERNAL_SPARSE_BYTES_H_
#define TIDEMARK_ENGINE_INTERNAL_SPARSE_BYTES_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <span>

namespace tidemark::internal {

// A value. Copies share their blocks until one of them writes. Bytes at and beyond size() are zero.
class SparseBytes {
 public:
  uint64_t size() const { return size_; }

  void Resize(uint64_t size) {
    if (size < size_) {
      blocks_.erase(blocks_.lower_bound((size + kBlock - 1) / kBlock), blocks_.end());
      const size_t kept = static_cast<size_t>(size % kBlock);
      if (const auto it = blocks_.find(size / kBlock); kept != 0 && it != blocks_.end()) {
        Block& block = Own(it->second);
        std::fill(block.begin() + static_cast<ptrdiff_t>(kept), block.end(), std::byte{0});
      }
    }
    size_ = size;
  }

  // Up to out.size() bytes; how many there were.
  size_t Read(uint64_t offset, std::span<std::byte> out) const {
    if (offset >= size_) return 0;
    out = out.first(static_cast<size_t>(std::min<uint64_t>(out.size(), size_ - offset)));
    ForEachPart(offset, out.size(), [&](uint64_t block, size_t from, size_t at, size_t length) {
      const auto it = blocks_.find(block);
      if (it == blocks_.end()) {
        std::memset(out.data() + at, 0, length);
      } else {
        std::memcpy(out.data() + at, it->second->data() + from, length);
      }
    });
    return out.size();
  }

  // Grows to include what is written.
  void Write(uint64_t offset, std::span<const std::byte> data) {
    ForEachPart(offset, data.size(), [&](uint64_t block, size_t from, size_t at, size_t length) {
      const std::byte* const part = data.data() + at;
      // Zeros where there is nothing yet change nothing: a file prepared with zeros costs nothing.
      if (IsZero(part, length) && !blocks_.contains(block)) return;
      std::memcpy(Own(blocks_[block]).data() + from, part, length);
    });
    size_ = std::max<uint64_t>(size_, offset + data.size());
  }

 private:
  static constexpr size_t kBlock = 4096;
  using Block = std::array<std::byte, kBlock>;

  static Block& Own(std::shared_ptr<Block>& block) {
    if (block == nullptr) {
      block = std::make_shared<Block>();
      block->fill(std::byte{0});
    } else if (block.use_count() > 1) {
      block = std::make_shared<Block>(*block);
    }
    return *block;
  }

  static bool IsZero(const std::byte* bytes, size_t length) {
    return bytes[0] == std::byte{0} && std::memcmp(bytes, bytes + 1, length - 1) == 0;
  }

  // part(block number, offset in it, offset in the range, length) for each block of a range.
  template <typename Part>
  static void ForEachPart(uint64_t offset, size_t size, Part part) {
    for (size_t done = 0; done < size;) {
      const size_t from = static_cast<size_t>((offset + done) % kBlock);
      const size_t length = std::min(kBlock - from, size - done);
      part((offset + done) / kBlock, from, done, length);
      done += length;
    }
  }

  uint64_t size_ = 0;
  std::map<uint64_t, std::shared_ptr<Block>> blocks_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_SPARSE_BYTES_H_
