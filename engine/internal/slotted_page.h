// Slotted pages: the bytes of a page in an order in which they compress better.
//
//   header | slots: offsets of cells | free | cells, in any order
//
// is how B-tree pages are laid out, SQLite's among them (https://www.sqlite.org/fileformat2.html,
// "B-tree Pages"). Small cells, as those of an index, are alike byte for byte, but no stretch of
// one is long enough to be found again in another. So cells of one length are put side by side, in
// the order of the slots, which is that of their keys: first the first byte of each, then the
// second, each as the difference to the one before. See engine/format.h for the encoding.
//
// That is the one thing that the engine guesses of what is in a page, and nothing rests on it: the
// same bytes come back whatever they mean.

#ifndef TIDEMARK_ENGINE_INTERNAL_SLOTTED_PAGE_H_
#define TIDEMARK_ENGINE_INTERNAL_SLOTTED_PAGE_H_

#include "engine/internal/page_codec.h"

namespace tidemark::internal {

// Appends as many bytes as the page has to `out` and returns true; false, and `out` as it was, if
// the page does not look so, or its cells are large.
bool EncodeSlots(ConstBytes page, Buffer& out);

// False if `data` is not what EncodeSlots makes of some page of page.size() bytes; `page` is then
// unspecified. Never reads or writes out of bounds, whatever the bytes.
bool DecodeSlots(ConstBytes data, Bytes page);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_SLOTTED_PAGE_H_
