// PageDifference: which cells of two snapshots' b-trees can differ, by their pages.
//
// A page that stands in a tree on both sides, and was not written in between, has the same cells on
// both: only its number is looked at, in the interior pages above it. Of a page that was written
// the cells count that it does not have, byte by byte, on the other side.
//
// What a cell has on overflow pages may change while the cell itself stays: SQLite writes a value
// of the same size in place. Such a page is in no tree. So changed pages that are in no tree and
// not free must all belong to cells of changed pages; if not, all cells with overflow pages are
// followed until they are found.
//
// Used by one thread at a time.

#ifndef TIDEMARK_VFS_INTERNAL_PAGE_DIFFERENCE_H_
#define TIDEMARK_VFS_INTERNAL_PAGE_DIFFERENCE_H_

#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "engine/result.h"
#include "engine/snapshot.h"
#include "vfs/internal/btree_reader.h"
#include "vfs/internal/page_bits.h"

namespace tidemark::internal {

class PageDifference {
 public:
  enum Side { kBefore = 0, kAfter = 1 };

  // `before_roots` and `after_roots` are the roots of all b-trees. The snapshots must outlive it,
  // and stay where they are. Cost: reads all interior pages on both sides, and where overflow pages
  // changed in place more. Errors: those of BtreeReader.
  static Result<std::unique_ptr<PageDifference>> Make(const Snapshot& before, const Snapshot& after,
                                                      const std::vector<PageNo>& before_roots,
                                                      const std::vector<PageNo>& after_roots);

  // False: no page is different at all.
  bool any() const { return changed_.count() > 0; }
  // False: the trees with these roots have the same cells, and those the same overflow pages.
  bool MayDiffer(PageNo before_root, PageNo after_root) const;

  // Calls `visit` for cells of one side of a tree: for all that the other side does not have just
  // so, and for some more. Each comes once; those of a table in order.
  Status VisitCells(PageNo before_root, PageNo after_root, Side side,
                    const std::function<Status(const BtreeCell&)>& visit);

  BtreeReader& reader(Side side) { return side == kBefore ? before_ : after_; }

 private:
  PageDifference(const Snapshot& before, const Snapshot& after) : before_(before), after_(after) {}
  Status FindOrphans(const std::vector<PageNo>& before_roots, const PageBits& before_trees,
                     const PageBits& after_trees, uint32_t page_count);
  // Is one of those `left` a page of the cell? Then it is found, and no more among them.
  Result<bool> HasOrphan(const BtreeCell& cell, PageBits* left);

  BtreeReader before_;
  BtreeReader after_;
  PageBits changed_;
  std::set<PageNo> touched_[2];  // roots of trees that have changed pages
  PageBits orphans_;             // changed overflow pages of cells that nobody has found yet
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_PAGE_DIFFERENCE_H_
