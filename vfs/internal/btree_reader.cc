#include "vfs/internal/btree_reader.h"

#include <algorithm>
#include <string>

#include "vfs/internal/page_one.h"

namespace tidemark::internal {
namespace {

constexpr std::byte kIndexInterior{2};
constexpr std::byte kTableInterior{5};
constexpr std::byte kIndexLeaf{10};
constexpr std::byte kTableLeaf{13};

constexpr int kMostHeight = 40;
constexpr uint32_t kPendingByte = 0x40000000;

// In the database header.
constexpr size_t kReservedOffset = 20;
constexpr size_t kFirstFreeOffset = 32;
constexpr size_t kLargestRootOffset = 52;  // not 0: pages say who points at them
constexpr size_t kEncodingOffset = 56;

uint32_t Load16(const std::vector<std::byte>& page, size_t offset) {
  return std::to_integer<uint32_t>(page[offset]) << 8 | std::to_integer<uint32_t>(page[offset + 1]);
}

uint32_t Load32(const std::vector<std::byte>& page, size_t offset) {
  return LoadBigEndian32(page.data() + offset);
}

size_t HeaderOffset(PageNo page) { return page.value == 1 ? kHeaderSize : 0; }

bool IsInterior(std::byte type) { return type == kIndexInterior || type == kTableInterior; }

// SQLite's varint at `*offset`, which moves behind it; false if it ends behind the page.
bool LoadVarint(const std::vector<std::byte>& page, size_t* offset, uint64_t* out) {
  uint64_t value = 0;
  for (int i = 0; i < 9; ++i) {
    if (*offset >= page.size()) return false;
    const auto byte = std::to_integer<uint64_t>(page[(*offset)++]);
    if (i == 8) {
      value = value << 8 | byte;
      break;
    }
    value = value << 7 | (byte & 0x7f);
    if (byte < 0x80) break;
  }
  *out = value;
  return true;
}

}  // namespace

Status BtreeReader::Damaged(PageNo page, const char* what) const {
  return Status(StatusCode::kCorruption, "the database at LSN " +
                                             std::to_string(snapshot_.lsn().value) + ", page " +
                                             std::to_string(page.value) + ": " + what);
}

Status BtreeReader::Read(PageNo page, Page& out) const {
  if (!page.valid() || page.value > snapshot_.page_count()) {
    return Damaged(page, "it is named, and behind the end");
  }
  out.resize(snapshot_.page_size());
  return snapshot_.ReadPage(page, out);
}

Status BtreeReader::Begin() {
  if (snapshot_.page_count() == 0) return OkStatus();
  Page page;
  TIDEMARK_RETURN_IF_ERROR(Read(PageNo(1), page));
  if (DeclaredPageSize(page.data()) != snapshot_.page_size()) {
    return Damaged(PageNo(1), "it is not the header of a SQLite database of this page size");
  }
  usable_ = snapshot_.page_size() - std::to_integer<uint32_t>(page[kReservedOffset]);
  if (usable_ < 480) return Damaged(PageNo(1), "its pages have no room");
  encoding_ = static_cast<int>(std::max(Load32(page, kEncodingOffset), 1u));
  if (encoding_ > 3) return Damaged(PageNo(1), "its text encoding is not known");
  auto_vacuum_ = Load32(page, kLargestRootOffset) != 0;
  first_free_ = PageNo(Load32(page, kFirstFreeOffset));
  return OkStatus();
}

// ---- trees -------------------------------------------------------------------------------------

Status BtreeReader::Children(PageNo page_no, const Page& page, std::vector<uint32_t>* out) const {
  const size_t header = HeaderOffset(page_no);
  const uint32_t cells = Load16(page, header + 3);
  const size_t pointers = header + 12;
  if (pointers + 2 * size_t{cells} > usable_) return Damaged(page_no, "it has too many cells");
  out->clear();
  out->reserve(cells + 1);
  for (uint32_t i = 0; i < cells; ++i) {
    const uint32_t offset = Load16(page, pointers + 2 * size_t{i});
    if (offset + 4 > usable_) return Damaged(page_no, "a cell ends behind it");
    out->push_back(Load32(page, offset));
  }
  out->push_back(Load32(page, header + 8));
  return OkStatus();
}

Status BtreeReader::WalkPages(PageNo root, const std::function<Status(PageNo page)>& visit) {
  // All leaves are as deep as the first.
  int height = 0;
  Page page;
  std::vector<uint32_t> children;
  for (PageNo at = root;; ++height) {
    TIDEMARK_RETURN_IF_ERROR(Read(at, page));
    const std::byte type = page[HeaderOffset(at)];
    if (type == kTableLeaf || type == kIndexLeaf) break;
    if (!IsInterior(type)) return Damaged(at, "it is no page of a b-tree");
    if (height == kMostHeight) return Damaged(root, "its tree is too deep");
    TIDEMARK_RETURN_IF_ERROR(Children(at, page, &children));
    at = PageNo(children.front());
  }
  visited_ = 0;
  return Walk(root, height, visit);
}

Status BtreeReader::Walk(PageNo page_no, int height,
                         const std::function<Status(PageNo page)>& visit) {
  if (!page_no.valid() || page_no.value > snapshot_.page_count() ||
      ++visited_ > snapshot_.page_count()) {
    return Damaged(page_no, "its tree is not one");
  }
  TIDEMARK_RETURN_IF_ERROR(visit(page_no));
  if (height == 0) return OkStatus();
  Page page;
  TIDEMARK_RETURN_IF_ERROR(Read(page_no, page));
  if (!IsInterior(page[HeaderOffset(page_no)])) return Damaged(page_no, "its tree is lopsided");
  std::vector<uint32_t> children;
  TIDEMARK_RETURN_IF_ERROR(Children(page_no, page, &children));
  page = Page();  // not one for each level
  for (const uint32_t child : children) {
    TIDEMARK_RETURN_IF_ERROR(Walk(PageNo(child), height - 1, visit));
  }
  return OkStatus();
}

// ---- cells -------------------------------------------------------------------------------------

Status BtreeReader::ParseCell(PageNo page_no, const Page& page, size_t offset, std::byte type,
                              BtreeCell* cell) const {
  if (type == kIndexInterior) offset += 4;
  const size_t begin = offset;
  *cell = {};
  bool fits = LoadVarint(page, &offset, &cell->payload_size);
  if (type == kTableLeaf) {
    uint64_t rowid = 0;
    fits = fits && LoadVarint(page, &offset, &rowid);
    cell->has_rowid = true;
    cell->rowid = static_cast<int64_t>(rowid);
  }
  const uint64_t most = type == kTableLeaf ? usable_ - 35 : (usable_ - 12) * 64 / 255 - 23;
  uint64_t local = cell->payload_size;
  if (local > most) {
    const uint64_t least = (usable_ - 12) * 32 / 255 - 23;
    const uint64_t some = least + (cell->payload_size - least) % (usable_ - 4);
    local = some <= most ? some : least;
  }
  const bool overflows = local < cell->payload_size;
  const uint64_t end = offset + local + (overflows ? 4 : 0);
  if (!fits || end > usable_) return Damaged(page_no, "a cell ends behind it");
  cell->local = std::span(page).subspan(offset, local);
  cell->bytes = std::span(page).subspan(begin, end - begin);
  if (overflows) cell->overflow = PageNo(Load32(page, offset + local));
  return OkStatus();
}

Status BtreeReader::ReadCells(PageNo page_no,
                              const std::function<Status(const BtreeCell&)>& visit) {
  Page page;
  TIDEMARK_RETURN_IF_ERROR(Read(page_no, page));
  const size_t header = HeaderOffset(page_no);
  const std::byte type = page[header];
  if (type == kTableInterior) return OkStatus();
  if (type != kTableLeaf && type != kIndexLeaf && type != kIndexInterior) {
    return Damaged(page_no, "it is no page of a b-tree");
  }
  const uint32_t cells = Load16(page, header + 3);
  const size_t pointers = header + (type == kIndexInterior ? 12 : 8);
  if (pointers + 2 * size_t{cells} > usable_) return Damaged(page_no, "it has too many cells");
  for (uint32_t i = 0; i < cells; ++i) {
    BtreeCell cell;
    TIDEMARK_RETURN_IF_ERROR(
        ParseCell(page_no, page, Load16(page, pointers + 2 * size_t{i}), type, &cell));
    TIDEMARK_RETURN_IF_ERROR(visit(cell));
  }
  return OkStatus();
}

Status BtreeReader::WalkOverflow(const BtreeCell& cell,
                                 const std::function<bool(PageNo page)>& visit) {
  uint64_t left = cell.payload_size - cell.local.size();
  for (PageNo at = cell.overflow; left > 0;) {
    if (!visit(at)) break;
    TIDEMARK_RETURN_IF_ERROR(Read(at, overflow_));
    left -= std::min<uint64_t>(left, usable_ - 4);
    at = PageNo(Load32(overflow_, 0));
  }
  return OkStatus();
}

Status BtreeReader::ReadPayload(const BtreeCell& cell, uint64_t size, std::vector<std::byte>* out) {
  const auto local = cell.local.first(std::min<uint64_t>(size, cell.local.size()));
  out->assign(local.begin(), local.end());
  for (PageNo at = cell.overflow; out->size() < size;) {
    TIDEMARK_RETURN_IF_ERROR(Read(at, overflow_));
    const uint64_t amount = std::min<uint64_t>(size - out->size(), usable_ - 4);
    out->insert(out->end(), overflow_.begin() + 4,
                overflow_.begin() + 4 + static_cast<ptrdiff_t>(amount));
    at = PageNo(Load32(overflow_, 0));
  }
  return OkStatus();
}

Status BtreeReader::AddBookkeeping(PageBits* pages) {
  const uint32_t count = snapshot_.page_count();
  if (count == 0) return OkStatus();
  const uint32_t pending = kPendingByte / snapshot_.page_size() + 1;
  if (pending <= count) pages->Add(PageNo(pending));
  if (auto_vacuum_) {
    const uint64_t step = usable_ / 5 + 1;
    for (uint64_t page = 2; page <= count; page += step) {
      pages->Add(PageNo(static_cast<uint32_t>(page == pending ? page + 1 : page)));
    }
  }
  uint32_t trunks = 0;
  Page page;
  for (PageNo trunk = first_free_; trunk.valid(); trunk = PageNo(Load32(page, 0))) {
    if (++trunks > count) return Damaged(trunk, "the list of free pages has no end");
    TIDEMARK_RETURN_IF_ERROR(Read(trunk, page));
    pages->Add(trunk);
    const uint32_t leaves = Load32(page, 4);
    if (leaves > usable_ / 4 - 2) return Damaged(trunk, "it names too many free pages");
    for (uint32_t i = 0; i < leaves; ++i) {
      const PageNo free(Load32(page, 8 + 4 * size_t{i}));
      if (free.valid() && free.value <= count) pages->Add(free);
    }
  }
  return OkStatus();
}

}  // namespace tidemark::internal
