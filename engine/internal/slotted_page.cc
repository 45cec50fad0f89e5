#include "engine/internal/slotted_page.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tidemark::internal {
namespace {

// With fewer slots cells are larger than this, and the compressor finds what they have in common.
constexpr size_t kMostBytesPerSlot = 64;

constexpr size_t kCountOffset = 3;
constexpr size_t kLeafHeader = 8;
constexpr size_t kInteriorHeader = 12;

struct Cell {
  uint32_t length;
  uint32_t slot;
};

// Where everything stands in a page. Its buffers stay.
struct Layout {
  size_t header = 0;
  size_t slots = 0;
  std::vector<uint32_t> at;  // of each slot's cell
  size_t cells_begin = 0;
  std::vector<Cell> cells;  // by length, then slot

  // The header's part; false if it is none.
  bool ParseHeader(ConstBytes page) {
    if (page.size() < kInteriorHeader) return false;
    switch (std::to_integer<unsigned>(page[0])) {
      case 2:
      case 5: header = kInteriorHeader; break;
      case 10:
      case 13: header = kLeafHeader; break;
      default: return false;
    }
    slots = std::to_integer<size_t>(page[kCountOffset]) << 8 |
            std::to_integer<size_t>(page[kCountOffset + 1]);
    return slots > 0 && slots * kMostBytesPerSlot >= page.size() &&
           header + 2 * slots <= page.size();
  }

  // The rest, when `at` is known. A cell reaches up to the next one: what is free between them
  // counts as part of it. False if two are in one place, or one is where none can be.
  bool FindCells(size_t page_size) {
    std::vector<uint16_t>& slot_at = slot_at_;
    slot_at.assign(page_size, 0);
    cells_begin = page_size;
    for (size_t slot = 0; slot < slots; ++slot) {
      const uint32_t place = at[slot];
      if (place < header + 2 * slots || place >= page_size || slot_at[place] != 0) return false;
      slot_at[place] = static_cast<uint16_t>(slot + 1);
      cells_begin = std::min<size_t>(cells_begin, place);
    }
    cells.clear();
    size_t end = page_size;
    for (size_t place = page_size; place-- > cells_begin;) {
      if (slot_at[place] == 0) continue;
      cells.push_back({static_cast<uint32_t>(end - place), slot_at[place] - 1u});
      end = place;
    }
    std::sort(cells.begin(), cells.end(), [](const Cell& a, const Cell& b) {
      return a.length != b.length ? a.length < b.length : a.slot < b.slot;
    });
    return true;
  }

  // Calls `visit(place)` for each byte of the cells in the order in which they are encoded, and
  // `begin_column` before each column.
  template <typename BeginColumn, typename Visit>
  void ForEachByte(const BeginColumn& begin_column, const Visit& visit) const {
    for (size_t first = 0, last = 0; first < cells.size(); first = last) {
      const uint32_t length = cells[first].length;
      while (last < cells.size() && cells[last].length == length) ++last;
      for (uint32_t column = 0; column < length; ++column) {
        begin_column();
        for (size_t cell = first; cell < last; ++cell) visit(at[cells[cell].slot] + column);
      }
    }
  }

 private:
  std::vector<uint16_t> slot_at_;  // of each place: the slot of the cell there, from 1
};

thread_local Layout layout;

std::byte Sum(std::byte a, std::byte b) {
  return static_cast<std::byte>(std::to_integer<unsigned>(a) + std::to_integer<unsigned>(b));
}
std::byte Difference(std::byte a, std::byte b) {
  return static_cast<std::byte>(std::to_integer<unsigned>(a) - std::to_integer<unsigned>(b));
}

}  // namespace

bool EncodeSlots(ConstBytes page, Buffer& out) {
  if (!layout.ParseHeader(page)) return false;
  const size_t slots = layout.slots;
  layout.at.resize(slots);
  for (size_t slot = 0; slot < slots; ++slot) {
    const size_t place = layout.header + 2 * slot;
    layout.at[slot] =
        std::to_integer<uint32_t>(page[place]) << 8 | std::to_integer<uint32_t>(page[place + 1]);
  }
  if (!layout.FindCells(page.size())) return false;

  const size_t begin = out.size();
  out.resize(begin + page.size());
  std::byte* to = out.data() + begin;
  to = std::copy_n(page.begin(), layout.header, to);
  uint32_t before = 0;
  for (size_t slot = 0; slot < slots; ++slot) {
    const uint32_t step = layout.at[slot] - before;
    to[slot] = static_cast<std::byte>(step >> 8);
    to[slots + slot] = static_cast<std::byte>(step);
    before = layout.at[slot];
  }
  const size_t free_begin = layout.header + 2 * slots;
  to = std::copy_n(page.data() + free_begin, layout.cells_begin - free_begin, to + 2 * slots);
  std::byte last{};
  layout.ForEachByte([&] { last = {}; },
                     [&](size_t place) {
                       *to++ = Difference(page[place], last);
                       last = page[place];
                     });
  return true;
}

bool DecodeSlots(ConstBytes data, Bytes page) {
  if (data.size() != page.size() || !layout.ParseHeader(data)) return false;
  const size_t slots = layout.slots;
  const std::byte* from = data.data() + layout.header;
  layout.at.resize(slots);
  uint32_t before = 0;
  for (size_t slot = 0; slot < slots; ++slot) {
    before = (before + (std::to_integer<uint32_t>(from[slot]) << 8 |
                        std::to_integer<uint32_t>(from[slots + slot]))) &
             0xffff;
    layout.at[slot] = before;
  }
  if (!layout.FindCells(page.size())) return false;
  std::copy_n(data.begin(), layout.header, page.begin());
  for (size_t slot = 0; slot < slots; ++slot) {
    const size_t place = layout.header + 2 * slot;
    page[place] = static_cast<std::byte>(layout.at[slot] >> 8);
    page[place + 1] = static_cast<std::byte>(layout.at[slot]);
  }
  from += 2 * slots;
  const size_t free_begin = layout.header + 2 * slots;
  std::copy_n(from, layout.cells_begin - free_begin, page.data() + free_begin);
  from += layout.cells_begin - free_begin;
  std::byte last{};
  layout.ForEachByte([&] { last = {}; },
                     [&](size_t place) {
                       last = Sum(*from++, last);
                       page[place] = last;
                     });
  return true;
}

}  // namespace tidemark::internal
