// Which pages differ between two commits, by the places of their versions: no page is decoded.
//
// Both commits stand on lines of timelines that go back to the objects' beginnings. Up to where the
// lines part they have the same versions; a page differs at most if it has one behind that, on
// either line. Recent versions tell so themselves, and so do rows of the index; of what was packed
// a row says only where a block of versions begins, so the block's list of versions is read, unless
// it has one. Where that is not sure (versions in the middle of a chain have no row), the page
// counts as changed.
//
// Threads: any, at any time. No lock is held across I/O. The caller's snapshots keep both commits.

#ifndef TIDEMARK_ENGINE_INTERNAL_CHANGED_PAGES_H_
#define TIDEMARK_ENGINE_INTERNAL_CHANGED_PAGES_H_

#include <optional>

#include "engine/internal/index.h"
#include "engine/internal/page_set.h"
#include "engine/internal/segments.h"
#include "engine/internal/timeline.h"
#include "engine/result.h"

namespace tidemark::internal {

// A commit, by where it stands.
struct TimelinePoint {
  const Timeline* timeline = nullptr;
  Lsn lsn;
};

// Those of the pages up to `page_count` that may differ; empty if they may all: the two have no
// timeline in common. Errors: kCorruption if either cannot be trusted; kIoError of the index.
Result<std::optional<PageSet>> FindChangedPages(const Index& index, Segments& segments,
                                                const TimelinePoint& a, const TimelinePoint& b,
                                                uint32_t page_count);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_CHANGED_PAGES_H_
