#include "engine/internal/changed_pages.h"

#include <algorithm>
#include <vector>

#include "engine/internal/history_block.h"

namespace tidemark::internal {
namespace {

// Keys that one look at the index goes through: a transaction of it stays short.
constexpr size_t kKeysAtOnce = 16384;

// A timeline's part of a line, up to `upto`.
struct Stretch {
  const Timeline* timeline;
  Lsn upto;
};

// Of the line that ends at `point`, newest first. Errors: kCorruption.
Result<std::vector<Stretch>> LineOf(const TimelinePoint& point) {
  std::vector<Stretch> line;
  Lsn lsn = point.lsn;
  for (const Timeline* at = point.timeline; at != nullptr; at = at->parent().get()) {
    TIDEMARK_RETURN_IF_ERROR(at->CheckTrusted(lsn));
    line.push_back({at, lsn});
    lsn = std::min(lsn, at->row().parent_lsn);
  }
  return line;
}

// Reads the lists of versions that blocks have. They are asked for in the order of pages, in which
// they mostly stand, too.
class BlockLists {
 public:
  explicit BlockLists(Segments& segments) : segments_(segments) {}

  // May the block have versions behind `after`, up to `upto`? Yes if it cannot be read: whoever
  // reads the page says why.
  bool MayHaveChange(PageNo page, const PageVersion& row, Lsn after, Lsn upto) {
    const auto head = Bytes(row, std::min<size_t>(row.length, kMostHeadBytes));
    if (!head) return true;
    const auto count = HistoryBlockCount(*head);
    if (!count) return true;
    if (*count == 1) return row.lsn > after && row.lsn <= upto;
    const auto whole = Bytes(row, row.length);
    if (!whole || !block_.Parse(page, *whole, row.hash)) return true;
    return block_.CountUpTo(upto) > block_.CountUpTo(after);
  }

 private:
  static constexpr size_t kMostHeadBytes = 64;
  static constexpr size_t kWindowBytes = 64u << 10;

  std::optional<ConstBytes> Bytes(const PageVersion& row, size_t size) {
    const auto end = [](Location begin, size_t length) { return uint64_t{begin.offset} + length; };
    if (row.location.segment != begin_.segment || row.location.offset < begin_.offset ||
        end(row.location, size) > end(begin_, window_.size())) {
      if (!Fetch(row.location, std::max(size, kWindowBytes)) && !Fetch(row.location, size)) {
        return std::nullopt;  // the end of the file is near, and then it is gone
      }
    }
    return ConstBytes(window_).subspan(row.location.offset - begin_.offset, size);
  }

  bool Fetch(Location begin, size_t size) {
    begin_ = begin;
    window_.resize(size);
    if (segments_.Read(begin, window_).ok()) return true;
    begin_ = {};
    window_.clear();
    return false;
  }

  Segments& segments_;
  Location begin_;
  Buffer window_;
  HistoryBlock block_;
};

// What a timeline itself has behind `after`, up to `upto`.
Status AddChanges(const Index& index, BlockLists& blocks, const Timeline& timeline, Lsn after,
                  Lsn upto, uint32_t page_count, PageSet* pages) {
  if (after >= upto) return OkStatus();
  // Recent ones first: what is not there any more is in the index.
  timeline.AddRecentPages(after, upto, page_count, pages);
  PageChanges changes;
  for (std::optional<PageNo> first = PageNo(1); first && first->value <= page_count;
       first = changes.next) {
    TIDEMARK_RETURN_IF_ERROR(
        index.ListPageChanges(timeline.id(), *first, kKeysAtOnce, after, upto, &changes));
    for (const PageNo page : changes.pages) {
      if (page.value <= page_count) pages->Add(page);
    }
    for (const auto& [page, row] : changes.blocks) {
      if (page.value > page_count || pages->Contains(page)) continue;
      if (blocks.MayHaveChange(page, row, after, upto)) pages->Add(page);
    }
  }
  return OkStatus();
}

}  // namespace

Result<std::optional<PageSet>> FindChangedPages(const Index& index, Segments& segments,
                                                const TimelinePoint& a, const TimelinePoint& b,
                                                uint32_t page_count) {
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<Stretch> line_a, LineOf(a));
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<Stretch> line_b, LineOf(b));
  // The latest timeline that both have.
  auto common_b = line_b.end();
  const auto common_a = std::find_if(line_a.begin(), line_a.end(), [&](const Stretch& stretch) {
    common_b = std::find_if(line_b.begin(), line_b.end(), [&](const Stretch& other) {
      return other.timeline->id() == stretch.timeline->id();
    });
    return common_b != line_b.end();
  });
  if (common_a == line_a.end()) return std::optional<PageSet>();
  PageSet pages;
  BlockLists blocks(segments);
  const auto add = [&](const Timeline& timeline, Lsn after, Lsn upto) {
    return AddChanges(index, blocks, timeline, after, upto, page_count, &pages);
  };
  for (auto it = line_a.begin(); it != common_a; ++it) {
    TIDEMARK_RETURN_IF_ERROR(add(*it->timeline, Lsn(0), it->upto));
  }
  for (auto it = line_b.begin(); it != common_b; ++it) {
    TIDEMARK_RETURN_IF_ERROR(add(*it->timeline, Lsn(0), it->upto));
  }
  TIDEMARK_RETURN_IF_ERROR(add(*common_a->timeline, std::min(common_a->upto, common_b->upto),
                               std::max(common_a->upto, common_b->upto)));
  return std::optional<PageSet>(std::move(pages));
}

}  // namespace tidemark::internal
