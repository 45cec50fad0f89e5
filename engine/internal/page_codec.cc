#include "engine/internal/page_codec.h"

// Inlined, because a call through the shared library costs more than hashing a small record.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/check.h"
#include "engine/internal/coding.h"
#include "engine/internal/zstd_contexts.h"
#include "engine/internal/zstd_frame.h"

namespace tidemark::internal {
namespace {

// Two changed ranges with fewer equal bytes than this between them are written as one: a range of
// its own costs a skip and a length, two to four bytes.
constexpr size_t kMinGap = 4;

// Level 1 compresses a 4 KiB page in about 10 us; higher levels win little on inputs this small.
constexpr int kZstdLevel = 1;

uint64_t Difference(const std::byte* a, const std::byte* b) {
  return LoadFixed<uint64_t>(a) ^ LoadFixed<uint64_t>(b);
}

// The first position >= `from` where the two differ, or `size`.
size_t FindDifference(const std::byte* a, const std::byte* b, size_t from, size_t size) {
  size_t i = from;
  for (; i + 32 <= size; i += 32) {
    const uint64_t any = Difference(a + i, b + i) | Difference(a + i + 8, b + i + 8) |
                         Difference(a + i + 16, b + i + 16) | Difference(a + i + 24, b + i + 24);
    if (any != 0) break;
  }
  for (; i + 8 <= size; i += 8) {
    const uint64_t difference = Difference(a + i, b + i);
    if (difference != 0) return i + static_cast<size_t>(std::countr_zero(difference)) / 8;
  }
  while (i < size && a[i] == b[i]) ++i;
  return i;
}

// The end of the changed range that begins at `from`: just behind the last differing byte before
// kMinGap equal ones, or before the end.
size_t FindRangeEnd(const std::byte* a, const std::byte* b, size_t from, size_t size) {
  constexpr uint64_t kLow = 0x0101010101010101;
  constexpr uint64_t kHigh = 0x8080808080808080;
  size_t end = from + 1;  // behind the last differing byte so far
  size_t i = end;
  while (i < size && i - end < kMinGap) {
    if (i + 8 <= size) {
      // Eight bytes that all differ, the common case inside a changed value, in one step.
      const uint64_t difference = Difference(a + i, b + i);
      if (((difference - kLow) & ~difference & kHigh) == 0) {
        i += 8;
        end = i;
        continue;
      }
    }
    if (a[i] != b[i]) end = i + 1;
    ++i;
  }
  return end;
}

// zstd takes a dictionary that begins with this number for one of its own making, with tables in
// it.
bool LooksLikeDictionary(ConstBytes base) {
  return base.size() >= sizeof(uint32_t) &&
         LoadFixed<uint32_t>(base.data()) == ZSTD_MAGIC_DICTIONARY;
}

}  // namespace

uint64_t PageHash(PageNo page_no, ConstBytes page) {
  return XXH3_64bits_withSeed(page.data(), page.size(), page_no.value);
}

uint64_t ZeroPageHash(PageNo page_no, size_t page_size) {
  alignas(64) static constexpr std::byte kZeros[65536] = {};
  CHECK(page_size <= sizeof(kZeros));
  return PageHash(page_no, ConstBytes(kZeros, page_size));
}

bool EncodeRanges(ConstBytes base, ConstBytes page, size_t max_bytes, Buffer& out) {
  CHECK(base.size() == page.size());
  const size_t size = page.size();
  const size_t start = out.size();
  size_t position = 0;
  for (;;) {
    const size_t begin = FindDifference(base.data(), page.data(), position, size);
    if (begin == size) return true;
    const size_t end = FindRangeEnd(base.data(), page.data(), begin, size);

    std::byte header[2 * kMaxVarintBytes];
    std::byte* header_end = StoreVarint(StoreVarint(header, begin - position), end - begin);
    const size_t header_size = static_cast<size_t>(header_end - header);
    if (out.size() - start + header_size + (end - begin) > max_bytes) {
      out.resize(start);
      return false;
    }
    out.insert(out.end(), header, header_end);
    out.insert(out.end(), page.data() + begin, page.data() + end);
    position = end;
  }
}

bool ApplyRanges(ConstBytes patch, Bytes page) {
  Reader reader(patch);
  size_t position = 0;
  while (reader.remaining() > 0) {
    const uint64_t skip = reader.Varint();
    const uint64_t length = reader.Varint();
    // Written so that no sum of the three can overflow.
    if (!reader.ok() || skip > page.size() - position) return false;
    position += static_cast<size_t>(skip);
    if (length == 0 || length > page.size() - position) return false;
    const ConstBytes bytes = reader.Span(static_cast<size_t>(length));
    if (!reader.ok()) return false;
    std::memcpy(page.data() + position, bytes.data(), bytes.size());
    position += bytes.size();
  }
  return reader.ok();
}

namespace {

// A copy takes four to six bytes.
constexpr size_t kMinMove = 12;
// The first piece of a distance has to be longer: a few bytes that two rows have in common cost
// less where the history of a page is compressed.
constexpr size_t kMinNewMove = 48;
constexpr size_t kMostShifts = 4;
constexpr size_t kPointerShifts = 2;

// Puts the pieces of a patch with moves together.
class MoveWriter {
 public:
  MoveWriter(ConstBytes page, size_t max_bytes, Buffer& out)
      : page_(page), most_(out.size() + max_bytes), out_(out) {}

  void Literal(size_t begin, size_t end) {
    if (begin == end) return;
    Begin(begin, (end - begin) << 1);
    AppendBytes(out_, page_.subspan(begin, end - begin));
    position_ = end;
  }
  void Copy(size_t begin, size_t end, ptrdiff_t shift) {
    Begin(begin, (end - begin) << 1 | 1);
    AppendVarint(
        out_, shift < 0 ? static_cast<size_t>(-shift) << 1 | 1 : static_cast<size_t>(shift) << 1);
    position_ = end;
  }
  // With so many more bytes.
  bool fits(size_t more = 0) const { return out_.size() + more <= most_; }

 private:
  void Begin(size_t begin, size_t shape) {
    AppendVarint(out_, begin - position_);
    AppendVarint(out_, shape);
  }

  const ConstBytes page_;
  const size_t most_;
  Buffer& out_;
  size_t position_ = 0;
};

// Finds where pieces of the page stood in the base: by the words of the base that stand on a grid,
// one of which is in every piece of kMinNewMove bytes (in the largest pages: of 72). A piece that
// begins where the page begins to differ may be found by less than a step behind its begin.
class MoveFinder {
 public:
  MoveFinder(ConstBytes base, ConstBytes page)
      : base_(base), page_(page), step_(std::max(kLeastStep, base.size() / kMostWords)) {}

  // How many bytes from `at` on, before `end`, stood together, and how far off. Asked for places in
  // order.
  size_t Find(size_t at, size_t end, ptrdiff_t* shift) {
    size_t best = Longest(at, end, shift);
    if (best >= kMinMove) return best;
    // A piece that begins here, or later, has a word of the grid no later than this.
    const size_t ahead = at + step_ - 1;
    if (ahead + kWordBytes > page_.size()) return best;
    if (!is_indexed_) Index();
    const uint64_t word = WordAt(page_.data() + ahead);
    const size_t found = words_[Slot(word)];
    if (found == 0) return best;
    const size_t from = (found - 1) * step_;
    if (WordAt(base_.data() + from) != word) return best;
    const ptrdiff_t candidate = static_cast<ptrdiff_t>(from) - static_cast<ptrdiff_t>(ahead);
    if (std::find(shifts_, shifts_ + kMostShifts, candidate) != shifts_ + kMostShifts) return best;
    const size_t most = std::min(end, base_.size() - from + ahead) - std::min(end, ahead);
    if (FindDifference(base_.data() + from, page_.data() + ahead, 0, most) < kMinNewMove) {
      return best;
    }
    shifts_[kPointerShifts + next_++ % (kMostShifts - kPointerShifts)] = candidate;
    return Longest(at, end, shift);
  }

 private:
  static constexpr size_t kWordBytes = sizeof(uint64_t);
  static constexpr size_t kLeastStep = 4;
  static constexpr size_t kMostWords = 1024;
  static constexpr int kSlotBits = 11;

  static uint64_t WordAt(const std::byte* at) {
    uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    return word;
  }
  static size_t Slot(uint64_t word) {
    return static_cast<size_t>(word * 0x9e3779b97f4a7c15u >> (64 - kSlotBits));
  }
  // Of words that are the same, or fall into the same slot, the last one counts.
  void Index() {
    is_indexed_ = true;
    for (size_t at = 0; at + kWordBytes <= base_.size(); at += step_) {
      words_[Slot(WordAt(base_.data() + at))] = static_cast<uint16_t>(at / step_ + 1);
    }
  }
  // 0 if it is less than a word.
  size_t Longest(size_t at, size_t end, ptrdiff_t* shift) const {
    const uint64_t word = WordAt(page_.data() + at);
    size_t best = 0;
    for (const ptrdiff_t candidate : shifts_) {
      const ptrdiff_t from = static_cast<ptrdiff_t>(at) + candidate;
      if (from < 0 ||
          from + static_cast<ptrdiff_t>(kWordBytes) > static_cast<ptrdiff_t>(base_.size()) ||
          WordAt(base_.data() + from) != word) {
        continue;
      }
      const size_t most = std::min(end - at, base_.size() - static_cast<size_t>(from));
      const size_t length = FindDifference(base_.data() + from, page_.data() + at, 0, most);
      if (length <= best) continue;
      best = length;
      *shift = candidate;
    }
    return best;
  }

  const ConstBytes base_;
  const ConstBytes page_;
  const size_t step_;
  // Cell pointers, which a row that is put before them moves by two bytes.
  ptrdiff_t shifts_[kMostShifts] = {-2, 2, -4, 4};  // the first kPointerShifts stay
  size_t next_ = 0;
  bool is_indexed_ = false;
  uint16_t words_[size_t{1} << kSlotBits] = {};  // where each stands on the grid, from 1
};

}  // namespace

bool EncodeMoves(ConstBytes base, ConstBytes page, size_t max_bytes, Buffer& out) {
  CHECK(base.size() == page.size());
  const size_t size = page.size();
  const size_t start = out.size();
  MoveWriter writer(page, max_bytes, out);
  MoveFinder finder(base, page);
  size_t position = 0;
  while (writer.fits()) {
    const size_t begin = FindDifference(base.data(), page.data(), position, size);
    if (begin == size) return true;
    const size_t end = FindRangeEnd(base.data(), page.data(), begin, size);
    size_t literal = begin;
    for (size_t at = begin; at < end && writer.fits(at - literal);) {
      ptrdiff_t shift = 0;
      const size_t length = end - at < kMinMove ? 0 : finder.Find(at, end, &shift);
      if (length < kMinMove) {
        ++at;
        continue;
      }
      writer.Literal(literal, at);
      writer.Copy(at, at + length, shift);
      at += length;
      literal = at;
    }
    writer.Literal(literal, end);
    position = end;
  }
  out.resize(start);
  return false;
}

bool ApplyMoves(ConstBytes patch, Bytes page) {
  thread_local Buffer base;
  base.assign(page.begin(), page.end());
  Reader reader(patch);
  size_t position = 0;
  while (reader.remaining() > 0) {
    const uint64_t skip = reader.Varint();
    const uint64_t shape = reader.Varint();
    if (!reader.ok() || skip > page.size() - position) return false;
    position += static_cast<size_t>(skip);
    const uint64_t length = shape >> 1;
    if (length == 0 || length > page.size() - position) return false;
    const Bytes to = page.subspan(position, static_cast<size_t>(length));
    if ((shape & 1) == 0) {
      const ConstBytes bytes = reader.Span(to.size());
      if (!reader.ok()) return false;
      std::memcpy(to.data(), bytes.data(), to.size());
    } else {
      const uint64_t shift = reader.Varint();
      const uint64_t distance = shift >> 1;
      const bool back = (shift & 1) != 0;
      if (!reader.ok() || (back ? distance > position : distance > page.size() - position)) {
        return false;
      }
      const size_t from = back ? position - static_cast<size_t>(distance)
                               : position + static_cast<size_t>(distance);
      if (to.size() > base.size() - from) return false;
      std::memcpy(to.data(), base.data() + from, to.size());
    }
    position += to.size();
  }
  return reader.ok();
}

bool CompressPage(ConstBytes page, Buffer& out) {
  return AppendFrame(out, MostFrameBytes(page.size()), [&](std::byte* to, size_t room) {
    return ZSTD_compressCCtx(CompressionContext(), to, room, page.data(), page.size(), kZstdLevel);
  });
}

bool DecompressPage(ConstBytes data, Bytes page) {
  if (!IsFrameOf(data, page.size())) return false;
  return ZSTD_decompressDCtx(DecompressionContext(), page.data(), page.size(), data.data(),
                             data.size()) == page.size();
}

bool CompressPatch(ConstBytes base, ConstBytes page, size_t max_bytes, Buffer& out) {
  CHECK(base.size() == page.size());
  if (LooksLikeDictionary(base)) return false;
  return AppendFrame(out, max_bytes, [&](std::byte* to, size_t room) {
    return ZSTD_compress_usingDict(CompressionContext(), to, room, page.data(), page.size(),
                                   base.data(), base.size(), kZstdLevel);
  });
}

bool DecompressPatch(ConstBytes data, ConstBytes base, Bytes page) {
  if (!IsFrameOf(data, page.size()) || LooksLikeDictionary(base)) return false;
  return ZSTD_decompress_usingDict(DecompressionContext(), page.data(), page.size(), data.data(),
                                   data.size(), base.data(), base.size()) == page.size();
}

bool ApplyPatch(format::PageForm form, ConstBytes patch, Bytes page) {
  if (form == format::PageForm::kRanges) return ApplyRanges(patch, page);
  CHECK(form == format::PageForm::kZstdPatch);
  thread_local Buffer base;
  base.assign(page.begin(), page.end());
  return DecompressPatch(patch, base, page);
}

}  // namespace tidemark::internal
