// SQLite's b-trees, read page by page from a snapshot: which pages a tree has, and which cells a
// page has. For those who want to know where rows stand; what is in them SQLite itself reads.
//
// See https://www.sqlite.org/fileformat2.html. All leaves of a tree are equally deep, so that the
// interior pages, one in some hundreds, tell all pages of it.
//
// Used by one thread at a time.

#ifndef TIDEMARK_VFS_INTERNAL_BTREE_READER_H_
#define TIDEMARK_VFS_INTERNAL_BTREE_READER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/lsn.h"
#include "engine/result.h"
#include "engine/snapshot.h"
#include "vfs/internal/page_bits.h"

namespace tidemark::internal {

// A cell that has a row, or an entry of an index.
struct BtreeCell {
  std::span<const std::byte> bytes;  // all of it but a left child: the same bytes, the same cell
  bool has_rowid = false;
  int64_t rowid = 0;
  uint64_t payload_size = 0;
  std::span<const std::byte> local;  // the payload's begin
  PageNo overflow;                   // where it goes on; not valid: nowhere
};

// Errors of all methods: those of Snapshot::ReadPage; kCorruption for what is no b-tree.
class BtreeReader {
 public:
  explicit BtreeReader(const Snapshot& snapshot) : snapshot_(snapshot) {}

  // Reads the database's header, before all else. An object without pages has no trees.
  Status Begin();
  // 1: UTF-8, 2 and 3: UTF-16, as SQLite numbers them.
  int encoding() const { return encoding_; }

  // Calls `visit` for each page of the tree, in the order of its cells: interior pages of an index
  // come before the cells on their left do. Leaves are not read.
  Status WalkPages(PageNo root, const std::function<Status(PageNo page)>& visit);

  // Calls `visit` for each cell of the page, in order; nothing of a table's interior page. What it
  // gets is valid during the call.
  Status ReadCells(PageNo page, const std::function<Status(const BtreeCell&)>& visit);

  // Calls `visit` for each overflow page of the cell until it returns false.
  Status WalkOverflow(const BtreeCell& cell, const std::function<bool(PageNo page)>& visit);
  // The first `size` bytes of the payload, which has so many.
  Status ReadPayload(const BtreeCell& cell, uint64_t size, std::vector<std::byte>* out);

  // Adds the pages that have no rows: free ones, and those that SQLite keeps track of others by.
  Status AddBookkeeping(PageBits* pages);

 private:
  using Page = std::vector<std::byte>;

  Status Read(PageNo page, Page& out) const;
  Status Damaged(PageNo page, const char* what) const;
  Status ParseCell(PageNo page_no, const Page& page, size_t offset, std::byte type,
                   BtreeCell* cell) const;
  Status Children(PageNo page_no, const Page& page, std::vector<uint32_t>* out) const;
  Status Walk(PageNo page_no, int height, const std::function<Status(PageNo page)>& visit);

  const Snapshot& snapshot_;
  uint32_t usable_ = 0;  // bytes of a page
  int encoding_ = 1;
  bool auto_vacuum_ = false;
  PageNo first_free_;
  uint64_t visited_ = 0;  // pages of the walk that is under way: more than there are is damage
  Page overflow_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_BTREE_READER_H_
