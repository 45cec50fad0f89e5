#include "vfs/internal/page_difference.h"

#include <algorithm>
#include <string>
#include <unordered_set>

namespace tidemark::internal {
namespace {

std::string_view TextOf(const BtreeCell& cell) {
  return {reinterpret_cast<const char*>(cell.bytes.data()), cell.bytes.size()};
}

}  // namespace

Result<std::unique_ptr<PageDifference>> PageDifference::Make(
    const Snapshot& before, const Snapshot& after, const std::vector<PageNo>& before_roots,
    const std::vector<PageNo>& after_roots) {
  std::unique_ptr<PageDifference> made(new PageDifference(before, after));
  PageDifference& difference = *made;
  TIDEMARK_RETURN_IF_ERROR(before.VisitChangedPages(after, [&](PageNo page) {
    difference.changed_.Add(page);
    return true;
  }));
  TIDEMARK_RETURN_IF_ERROR(difference.before_.Begin());
  TIDEMARK_RETURN_IF_ERROR(difference.after_.Begin());
  if (!difference.any()) return made;
  PageBits trees[2];
  for (const Side side : {kBefore, kAfter}) {
    for (const PageNo root : side == kBefore ? before_roots : after_roots) {
      TIDEMARK_RETURN_IF_ERROR(difference.reader(side).WalkPages(root, [&](PageNo page) {
        trees[side].Add(page);
        if (difference.changed_.Contains(page)) difference.touched_[side].insert(root);
        return OkStatus();
      }));
    }
  }
  const uint32_t both = std::min(before.page_count(), after.page_count());
  TIDEMARK_RETURN_IF_ERROR(
      difference.FindOrphans(before_roots, trees[kBefore], trees[kAfter], both));
  return made;
}

// A cell that both sides have has its first overflow page on both, and, as long as those do not
// change, all of them: the first that changes is an overflow page on both sides.
Status PageDifference::FindOrphans(const std::vector<PageNo>& before_roots,
                                   const PageBits& before_trees, const PageBits& after_trees,
                                   uint32_t page_count) {
  PageBits bookkeeping;
  TIDEMARK_RETURN_IF_ERROR(before_.AddBookkeeping(&bookkeeping));
  TIDEMARK_RETURN_IF_ERROR(after_.AddBookkeeping(&bookkeeping));
  for (uint64_t number = 1; number <= page_count; ++number) {
    const PageNo page(static_cast<uint32_t>(number));
    if (changed_.Contains(page) && !before_trees.Contains(page) && !after_trees.Contains(page) &&
        !bookkeeping.Contains(page)) {
      orphans_.Add(page);
    }
  }
  // Those of cells that are visited anyway.
  for (const PageNo root : before_roots) {
    if (orphans_.count() == 0) break;
    TIDEMARK_RETURN_IF_ERROR(before_.WalkPages(root, [&](PageNo page) {
      if (!changed_.Contains(page) && after_trees.Contains(page)) return OkStatus();
      return before_.ReadCells(page, [&](const BtreeCell& cell) {
        return before_.WalkOverflow(cell, [&](PageNo overflow) {
          orphans_.Remove(overflow);
          return true;
        });
      });
    }));
  }
  return OkStatus();
}

bool PageDifference::MayDiffer(PageNo before_root, PageNo after_root) const {
  return before_root != after_root || orphans_.count() > 0 ||
         touched_[kBefore].contains(before_root) || touched_[kAfter].contains(after_root);
}

Result<bool> PageDifference::HasOrphan(const BtreeCell& cell, PageBits* left) {
  const size_t before = left->count();
  TIDEMARK_RETURN_IF_ERROR(before_.WalkOverflow(cell, [&](PageNo page) {
    left->Remove(page);
    return left->count() > 0;
  }));
  return left->count() < before;
}

Status PageDifference::VisitCells(PageNo before_root, PageNo after_root, Side side,
                                  const std::function<Status(const BtreeCell&)>& visit) {
  const Side other_side = side == kBefore ? kAfter : kBefore;
  BtreeReader& own = reader(side);
  BtreeReader& other = reader(other_side);
  PageBits other_pages;
  TIDEMARK_RETURN_IF_ERROR(
      other.WalkPages(side == kBefore ? after_root : before_root, [&](PageNo page) {
        other_pages.Add(page);
        return OkStatus();
      }));
  PageBits orphans_left;  // each belongs to one cell
  if (side == kBefore) orphans_left = orphans_;
  std::unordered_set<std::string> same;
  return own.WalkPages(side == kBefore ? before_root : after_root, [&](PageNo page) -> Status {
    const bool in_both = other_pages.Contains(page);
    if (in_both && !changed_.Contains(page)) {
      if (orphans_left.count() == 0) return OkStatus();
      return own.ReadCells(page, [&](const BtreeCell& cell) -> Status {
        if (!cell.overflow.valid() || orphans_left.count() == 0) return OkStatus();
        TIDEMARK_ASSIGN_OR_RETURN(const bool changed, HasOrphan(cell, &orphans_left));
        return changed ? visit(cell) : OkStatus();
      });
    }
    same.clear();
    // Bytes mean the same in one encoding only.
    if (in_both && own.encoding() == other.encoding()) {
      TIDEMARK_RETURN_IF_ERROR(other.ReadCells(page, [&](const BtreeCell& cell) {
        if (!cell.overflow.valid()) same.emplace(TextOf(cell));
        return OkStatus();
      }));
    }
    return own.ReadCells(page, [&](const BtreeCell& cell) {
      return same.contains(std::string(TextOf(cell))) ? OkStatus() : visit(cell);
    });
  });
}

}  // namespace tidemark::internal
