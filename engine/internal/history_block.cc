#include "engine/internal/history_block.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "engine/check.h"
#include "engine/internal/coding.h"
#include "engine/internal/record.h"
#include "engine/internal/slotted_page.h"

namespace tidemark::internal {
namespace {

// What a read of the last version costs is bounded by these: 40 KiB are decompressed in about
// 20 us, and a patch is applied in 10 ns.
constexpr size_t kMostData = 32u << 10;  // beside an image
constexpr uint32_t kMostVersions = 512;

constexpr uint64_t kFormMask = 7;
constexpr int kFormBits = 3;
// Ranges up to here are taken as they are.
constexpr size_t kSmallPatchBytes = 112;

// 0 if it is none.
uint32_t PageSizeOf(uint8_t log2) { return log2 < 9 || log2 > 16 ? 0 : uint32_t{1} << log2; }

uint64_t BlockHash(PageNo page, ConstBytes body) { return SeededHash(body, page.value); }

}  // namespace

// ---- making ------------------------------------------------------------------------------------

void HistoryBlockBuilder::Begin(PageNo page, uint32_t page_size) {
  page_ = page;
  page_size_ = page_size;
  base_lsn_ = {};
  blocks_before_ = 0;
  count_ = 0;
  last_length_ = 0;
  previous_.clear();
  versions_.clear();
  data_.clear();
}

void HistoryBlockBuilder::BeginOn(PageNo page, Lsn base_lsn, ConstBytes base,
                                  uint8_t blocks_before) {
  Begin(page, static_cast<uint32_t>(base.size()));
  base_lsn_ = base_lsn;
  blocks_before_ = blocks_before;
  previous_.assign(base.begin(), base.end());
}

// Leaves the patch in `patch_`, if it is one.
HistoryBlock::Form HistoryBlockBuilder::Encode(ConstBytes image) {
  patch_.clear();
  const size_t most = image.size() / 2;
  if (!previous_.empty()) {
    const bool has_ranges = EncodeRanges(previous_, image, most, patch_);
    const size_t ranges = patch_.size();
    if (has_ranges && ranges <= kSmallPatchBytes) return HistoryBlock::Form::kRanges;
    if (EncodeMoves(previous_, image, has_ranges ? ranges * 3 / 4 : most, patch_)) {
      patch_.erase(patch_.begin(), patch_.begin() + static_cast<ptrdiff_t>(ranges));
      return HistoryBlock::Form::kMoves;
    }
    if (has_ranges) return HistoryBlock::Form::kRanges;
  }
  const bool zeros =
      std::all_of(image.begin(), image.end(), [](std::byte byte) { return byte == std::byte{0}; });
  if (zeros) return HistoryBlock::Form::kZeros;
  return EncodeBySlots(image) ? HistoryBlock::Form::kSlots : HistoryBlock::Form::kImage;
}

bool HistoryBlockBuilder::EncodeBySlots(ConstBytes image) {
  if (!EncodeSlots(image, patch_)) return false;
  const auto size_of = [this](ConstBytes bytes) {
    tried_.clear();
    return CompressPage(bytes, tried_) ? tried_.size() : bytes.size();
  };
  if (size_of(patch_) < size_of(image)) return true;
  patch_.clear();
  return false;
}

bool HistoryBlockBuilder::Add(Lsn lsn, ConstBytes image) {
  if (count_ == kMostVersions || image.size() != page_size_) return false;
  const HistoryBlock::Form form = Encode(image);
  const bool is_patch = form == HistoryBlock::Form::kRanges || form == HistoryBlock::Form::kMoves;
  const ConstBytes data = form == HistoryBlock::Form::kImage ? image : ConstBytes(patch_);
  const size_t most = kMostData + (is_patch ? image.size() : 0);
  if (count_ > 0 && data_.size() + data.size() > most) return false;
  if (count_ == 0) {
    first_ = lsn;
    if (!is_patch) {
      base_lsn_ = {};
      blocks_before_ = 0;
    }
  } else {
    CHECK(lsn > last_);
    AppendVarint(versions_, lsn.value - last_.value);
  }
  const uint64_t longer = uint64_t{data.size()} - std::exchange(last_length_, data.size());
  AppendVarint(versions_, ZigZag(longer) << kFormBits | static_cast<uint64_t>(form));
  AppendBytes(data_, data);
  previous_.assign(image.begin(), image.end());
  last_ = lsn;
  ++count_;
  return true;
}

void HistoryBlockBuilder::End(Buffer& out, PageVersion& row) {
  CHECK(count_ > 0);
  body_.clear();
  AppendVarint(body_, count_);
  AppendVarint(body_, first_.value);
  AppendVarint(body_, base_lsn_.value);
  AppendFixed(body_, blocks_before_);
  AppendFixed(body_, static_cast<uint8_t>(std::countr_zero(page_size_)));
  AppendBytes(body_, versions_);
  // A page's versions are alike, and so are the rows that were added to it.
  tried_.clear();
  const bool with_dictionary = dictionary_ != nullptr && dictionary_->Compress(data_, tried_);
  const bool compressed = with_dictionary || CompressPage(data_, tried_);
  AppendVarint(body_, with_dictionary ? dictionary_place_.length : 0);
  if (with_dictionary) AppendVarint(body_, dictionary_place_.offset);
  AppendVarint(body_, compressed ? data_.size() : 0);
  AppendBytes(body_, compressed ? tried_ : data_);
  row = {};
  row.lsn = first_;
  row.depth = PageVersion::kBlock;
  row.chain_units = blocks_before_;
  row.hash = BlockHash(page_, body_);
  row.location.offset = static_cast<uint32_t>(out.size());
  AppendVarint(out, page_.value);
  AppendVarint(out, body_.size());
  AppendFixed(out, row.hash);
  AppendBytes(out, body_);
  row.length = static_cast<uint32_t>(out.size()) - row.location.offset;
  count_ = 0;
}

void HistoryBlockBuilder::EndAsSample(BlockSamples& samples) {
  AppendBytes(samples.data, data_);
  samples.sizes.push_back(data_.size());
  count_ = 0;
}

// ---- taking apart ------------------------------------------------------------------------------

std::optional<HistoryBlockHead> ParseHistoryBlockHead(ConstBytes bytes) {
  Reader reader(bytes);
  HistoryBlockHead head;
  head.page = PageNo(reader.Varint32());
  const uint32_t body_length = reader.Varint32();
  head.row.hash = reader.Fixed<uint64_t>();
  const size_t begin = reader.position();
  if (!reader.ok() || body_length > reader.remaining()) return std::nullopt;
  Reader body(reader.Span(body_length));
  const uint64_t count = body.Varint();
  head.row.lsn = Lsn(body.Varint());
  body.Varint();  // the base
  head.row.chain_units = body.Fixed<uint8_t>();
  head.page_size = PageSizeOf(body.Fixed<uint8_t>());
  head.row.depth = PageVersion::kBlock;
  head.row.length = static_cast<uint32_t>(begin + body_length);
  if (!body.ok() || count == 0 || !head.page.valid() || !head.row.lsn.valid() ||
      head.page_size == 0) {
    return std::nullopt;
  }
  return head;
}

std::optional<uint64_t> HistoryBlockCount(ConstBytes bytes) {
  Reader reader(bytes);
  reader.Varint32();         // the page
  reader.Varint32();         // how long the body is
  reader.Fixed<uint64_t>();  // its hash
  const uint64_t count = reader.Varint();
  if (!reader.ok() || count == 0) return std::nullopt;
  return count;
}

bool HistoryBlock::Parse(PageNo page, ConstBytes bytes, std::optional<uint64_t> hash) {
  versions_.clear();
  Reader reader(bytes);
  const bool same_page = reader.Varint() == page.value;
  const uint64_t body_length = reader.Varint();
  const auto own_hash = reader.Fixed<uint64_t>();
  if (!reader.ok() || !same_page || body_length != reader.remaining()) return false;
  const ConstBytes body = bytes.subspan(reader.position());
  if (hash.value_or(own_hash) != own_hash || BlockHash(page, body) != own_hash) return false;

  Reader fields(body);
  const uint64_t count = fields.Varint();
  uint64_t lsn = fields.Varint();
  base_lsn_ = Lsn(fields.Varint());
  const auto blocks_before = fields.Fixed<uint8_t>();
  page_size_ = PageSizeOf(fields.Fixed<uint8_t>());
  if (!fields.ok() || count == 0 || count > kMostVersions || page_size_ == 0) return false;
  versions_.reserve(count);
  uint64_t end = 0;
  uint64_t length = 0;
  for (uint64_t i = 0; i < count; ++i) {
    if (i > 0) {
      const uint64_t step = fields.Varint();
      if (step == 0 || step > format::kMaxLsn - lsn) return false;
      lsn += step;
    }
    const uint64_t shape = fields.Varint();
    length += UnZigZag(shape >> kFormBits);
    const uint64_t form = shape & kFormMask;
    if (length > format::kMaxPageSize || form > static_cast<uint64_t>(Form::kSlots)) return false;
    Version& version = versions_.emplace_back();
    version.lsn = Lsn(lsn);
    version.begin = static_cast<uint32_t>(end);
    version.length = static_cast<uint32_t>(length);
    version.form = static_cast<Form>(form);
    end += length;
  }
  const bool begins_with_patch = IsPatch(0);
  if (begins_with_patch != base_lsn_.valid() || begins_with_patch != (blocks_before > 0) ||
      (begins_with_patch && base_lsn_ >= versions_.front().lsn)) {
    return false;
  }
  dictionary_.reset();
  if (const uint32_t length = fields.Varint32(); length > 0) {
    dictionary_ = DictionaryPlace{.offset = fields.Varint32(), .length = length};
  }
  const uint64_t decompressed = fields.Varint();
  if (!fields.ok()) return false;
  data_ = fields.Span(fields.remaining());
  decompressed_size_ = decompressed;
  if (decompressed == 0) return data_.size() == end && !dictionary_;
  return decompressed == end && end <= kMostData + 2 * size_t{format::kMaxPageSize};
}

bool HistoryBlock::Decompress(const Dictionary* dictionary) {
  CHECK((dictionary != nullptr) == dictionary_.has_value());
  if (decompressed_size_ == 0) return true;
  decompressed_.resize(decompressed_size_);
  const bool done = dictionary != nullptr ? dictionary->Decompress(data_, decompressed_)
                                          : DecompressPage(data_, decompressed_);
  data_ = decompressed_;
  return done;
}

size_t HistoryBlock::CountUpTo(Lsn lsn) const {
  const auto behind = std::upper_bound(versions_.begin(), versions_.end(), lsn,
                                       [](Lsn a, const Version& b) { return a < b.lsn; });
  return static_cast<size_t>(behind - versions_.begin());
}

bool HistoryBlock::Apply(size_t i, Bytes page) const {
  const Version& version = versions_[i];
  const ConstBytes data = data_.subspan(version.begin, version.length);
  if (page.size() != page_size_) return false;
  switch (version.form) {
    case Form::kZeros: std::fill(page.begin(), page.end(), std::byte{0}); return data.empty();
    case Form::kImage:
      if (data.size() != page.size()) return false;
      std::copy(data.begin(), data.end(), page.begin());
      return true;
    case Form::kRanges: return ApplyRanges(data, page);
    case Form::kMoves: return ApplyMoves(data, page);
    case Form::kSlots: return DecodeSlots(data, page);
  }
  return false;
}

}  // namespace tidemark::internal
