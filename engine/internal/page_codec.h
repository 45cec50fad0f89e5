// The page codec: full images and patches to and from bytes. Pure functions, no state.
//
// Two kinds of patch. A byte-range patch is a list of (skip, length, bytes): `skip` bytes of the
// base are kept, then `length` bytes replaced. A zstd patch is a zstd frame of the page, with the
// base as its dictionary: for rows that moved inside the page. See engine/format.h for the
// encoding.

#ifndef TIDEMARK_ENGINE_INTERNAL_PAGE_CODEC_H_
#define TIDEMARK_ENGINE_INTERNAL_PAGE_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/format.h"
#include "engine/lsn.h"

namespace tidemark::internal {

using ConstBytes = std::span<const std::byte>;
using Bytes = std::span<std::byte>;
using Buffer = std::vector<std::byte>;

// XXH3 of the page's bytes, seeded with its number: the same page elsewhere has another hash.
uint64_t PageHash(PageNo page_no, ConstBytes page);
// PageHash of a page of zeros (cached for the common sizes it is not: plain computation).
uint64_t ZeroPageHash(PageNo page_no, size_t page_size);

// Appends the patch that turns `base` into `page` (same size) to `out` and returns true; false, and
// `out` as it was, if the patch would be longer than `max_bytes`. Equal pages give an empty patch.
bool EncodeRanges(ConstBytes base, ConstBytes page, size_t max_bytes, Buffer& out);

// Applies a patch in place. False if the patch is malformed or reaches beyond the page; `page` is
// then unspecified. Never reads or writes out of bounds, whatever the bytes.
bool ApplyRanges(ConstBytes patch, Bytes page);

// The same with bytes of the base that stand elsewhere in the page, for rows that moved inside it:
// a third of the bytes where a row was put between others. Takes a few us; ApplyMoves does not.
bool EncodeMoves(ConstBytes base, ConstBytes page, size_t max_bytes, Buffer& out);
// As ApplyRanges.
bool ApplyMoves(ConstBytes patch, Bytes page);

// Appends a zstd frame of `page` to `out` and returns true; false, and `out` as it was, if it does
// not save at least an eighth. Reuses a context per thread.
bool CompressPage(ConstBytes page, Buffer& out);
// False if `data` is not a zstd frame of exactly page.size() bytes.
bool DecompressPage(ConstBytes data, Bytes page);

// Appends a zstd frame of `page`, with `base` (same size) as its dictionary, to `out` and returns
// true; false, and `out` as it was, if the frame would be longer than `max_bytes`.
bool CompressPatch(ConstBytes base, ConstBytes page, size_t max_bytes, Buffer& out);
// Decodes such a frame into `page`, which must not overlap `base`. False if `data` is none of
// exactly page.size() bytes; with another base it gives other bytes, or false.
bool DecompressPatch(ConstBytes data, ConstBytes base, Bytes page);

// Turns `page` from the base into what a patch of either form makes of it. As ApplyRanges.
bool ApplyPatch(format::PageForm form, ConstBytes patch, Bytes page);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PAGE_CODEC_H_
