// The page codec and slotted pages: hostile patches never reach beyond the page, and what is
// encoded comes back.
//
// An input is a byte for the way, one for the page size, two for the length of what the base is
// made of, these bytes, and the patch, or the page that is to be made of the base.

#include <algorithm>

#include "engine/check.h"
#include "engine/internal/page_codec.h"
#include "engine/internal/slotted_page.h"
#include "engine/internal/zstd_frame.h"
#include "tests/fuzz/fuzz_input.h"

namespace tidemark::testing {
namespace {

using internal::Buffer;
using internal::ConstBytes;

constexpr size_t kLongPatch = 1u << 20;

// A page of `size` bytes that begins as `bytes`, and ends so, too.
Buffer PageOf(ConstBytes bytes, size_t size) {
  Buffer page(size);
  const size_t length = std::min(bytes.size(), size);
  const size_t half = std::min(length, size / 2);
  std::copy_n(bytes.begin(), length, page.begin());
  std::copy_n(bytes.begin(), half, page.end() - static_cast<ptrdiff_t>(half));
  return page;
}

void Decode(const Buffer& base, const Buffer& patch) {
  Buffer page = base;
  internal::ApplyRanges(patch, page);
  page = base;
  internal::ApplyMoves(patch, page);
  for (const auto form : {format::PageForm::kRanges, format::PageForm::kZstdPatch}) {
    page = base;
    internal::ApplyPatch(form, patch, page);
  }
  internal::DecompressPage(patch, page);
  internal::DecompressPatch(patch, base, page);
  internal::IsFrameOf(patch, base.size());
}

// Bytes that decode as a slotted page are those that it is encoded as, if it is at all.
void DecodeBySlots(const Buffer& data) {
  Buffer page(data.size());
  if (!internal::DecodeSlots(data, page)) return;
  Buffer again;
  if (internal::EncodeSlots(page, again)) CHECK(again == data);
}

void EncodeAll(const Buffer& base, const Buffer& page) {
  Buffer patch;
  Buffer made = base;
  if (internal::EncodeRanges(base, page, kLongPatch, patch)) {
    CHECK(internal::ApplyRanges(patch, made));
    CHECK(made == page);
  }
  patch.clear();
  made = base;
  if (internal::EncodeMoves(base, page, kLongPatch, patch)) {
    CHECK(internal::ApplyMoves(patch, made));
    CHECK(made == page);
  }
  patch.clear();
  if (internal::CompressPatch(base, page, kLongPatch, patch)) {
    CHECK(internal::DecompressPatch(patch, base, made));
    CHECK(made == page);
  }
  patch.clear();
  if (internal::CompressPage(page, patch)) {
    CHECK(internal::DecompressPage(patch, made));
    CHECK(made == page);
  }
  patch.clear();
  if (internal::EncodeSlots(page, patch)) {
    CHECK(internal::DecodeSlots(patch, made));
    CHECK(made == page);
  }
}

}  // namespace
}  // namespace tidemark::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemark::testing;
  FuzzInput input(data, size);
  const uint8_t way = input.Byte();
  const uint8_t shift = input.Byte();  // large ones take long, and are no different
  const size_t page_size = size_t{512} << (shift < 0xf0 ? shift % 4 : shift % 8);
  const auto base = PageOf(input.Take(input.Short()), page_size);
  const auto rest = input.Rest();
  if (way % 4 == 0) {
    EncodeAll(base, PageOf(rest, page_size));
  } else if (way % 4 == 1) {
    DecodeBySlots(PageOf(rest, page_size));
  } else {
    Decode(base, rest);
  }
  return 0;
}
