// The read path below a snapshot: which version of a page, and what it decodes to.
//
// Find: recent versions of the timeline, else its rows in the index, else the parent, and so on. Of
// an ancestry that is deep and often gone through it is remembered which pages each timeline can
// have: a bit a page and timeline.
// Read: the version's bytes from the queue's buffers or the segment, then the versions it patches,
// down to a full image; the patches are applied on the way back, and the hash of the page is
// checked. A version that has no row in the index is read by way of a later one that builds on it;
// then all of that one's chain is applied, and its hash checked: nothing else says that what stands
// in the middle of a chain is what was written there. What was packed stands in blocks, which have
// all that is needed side by side, and a hash of their own.
//
// Threads: any, at any time. No lock is held across I/O.

#ifndef TIDEMARK_ENGINE_INTERNAL_PAGE_READER_H_
#define TIDEMARK_ENGINE_INTERNAL_PAGE_READER_H_

#include <optional>
#include <span>
#include <vector>

#include "engine/internal/commit_queue.h"
#include "engine/internal/dictionary_cache.h"
#include "engine/internal/history_block.h"
#include "engine/internal/index.h"
#include "engine/internal/page_cache.h"
#include "engine/internal/segments.h"
#include "engine/internal/timeline.h"
#include "engine/result.h"

namespace tidemark::internal {

struct DirectoryEntry;  // group.h
struct ScannedGroup;    // log_scanner.h

// Which version of a page it is.
struct PageIdentity {
  Lsn lsn;
  uint64_t hash = 0;  // of number and page
  // Where it stands, if that is not in a block.
  std::optional<PageVersion> version;
};

class PageReader {
 public:
  PageReader(Index* index, Segments* segments, CommitQueue* queue, PageCache* cache)
      : index_(index), segments_(segments), queue_(queue), cache_(cache) {}

  // The version of `page` at `lsn`; empty if nobody wrote it. One that is indirect is given with
  // the LSN that was asked for, or where the child begins.
  // Errors: kCorruption if the timeline cannot be trusted at that LSN; kIoError.
  Result<std::optional<PageVersion>> Find(const Timeline& timeline, PageNo page, Lsn lsn) const;

  // What was packed, at `lsn`: the block, as Find gives it. Errors: kCorruption if there is none.
  Result<PageVersion> FindBlock(const Timeline& timeline, PageNo page, Lsn lsn) const;

  // What the timeline itself has of a page, parents and damage aside; of what is indirect the row.
  Result<std::optional<PageVersion>> FindOwn(const Timeline& timeline, PageNo page, Lsn lsn) const;

  // Find for out.size() pages from `first` on.
  Status FindRange(const Timeline& timeline, PageNo first, Lsn lsn,
                   std::span<std::optional<PageVersion>> out) const;

  // Decodes a version into `out`, a page of its database. `timeline` is the one that it was found
  // from: where a segment was packed meanwhile, what stood there is found again by it. Null if the
  // version and all that it builds on are of a transaction that is still writing. `identity` tells
  // of what is indirect what others have in their row. Errors: kCorruption, naming the place.
  Status Read(const Timeline* timeline, PageNo page, const PageVersion& version, Bytes out,
              PageIdentity* identity = nullptr) const;

  // The page as it is on the timeline at `lsn`, if it is in memory, and the LSN of the commit that
  // wrote it; nothing if not. Errors: kCorruption if the timeline cannot be trusted at that LSN.
  Result<std::optional<Lsn>> ReadCached(const Timeline& timeline, PageNo page, Lsn lsn,
                                        Bytes out) const;
  // Reads what Find gave for `lsn`, and keeps it in memory. `identity` as in Read.
  Status ReadAndKeep(const Timeline& timeline, PageNo page, Lsn lsn, const PageVersion& version,
                     Bytes out, PageIdentity* identity = nullptr) const;

  // The hash of the page that a version decodes to: of what is indirect it is read.
  Result<uint64_t> HashOf(const Timeline& timeline, PageNo page, const PageVersion& version,
                          uint32_t page_size) const;

  // Decodes a version whose bytes are at hand (read ahead). `identity` as in Read.
  Status Decode(const Timeline* timeline, PageNo page, const PageVersion& version, ConstBytes bytes,
                Bytes out, PageIdentity* identity) const;

  // Takes the bytes of a block apart that stand where `row` says, with the hash that it says, and
  // reads the dictionary that they need. Errors: kCorruption, naming the place; kIoError.
  Status LoadBlock(PageNo page, const PageVersion& row, ConstBytes bytes,
                   HistoryBlock& block) const;

  // A stretch of several records at once; false if that is not possible (not all written yet).
  bool ReadStretch(Location location, Bytes out) const;

  // Bytes of one record, from the queue's buffers or the segment.
  Status ReadBytes(Location location, Bytes out) const;

  // What seeds the hashes of a segment. Errors: kCorruption if the segment is missing.
  Result<uint64_t> IncarnationOf(uint32_t segment) const;

  // Was the segment packed? What stood there is in blocks then, and in the index.
  bool WasPacked(uint32_t segment) const { return segments_->WasPacked(segment); }

 private:
  // Where the links of a chain are read: where they stood when they were built on, or, if that
  // segment is gone, where the index says; or as the index says at once.
  enum class Bases { kWhereTheyWere, kWhereTheyAre };

  // After a look-up through `depth` timelines.
  void NoteDepth(const Timeline& timeline, size_t depth) const;
  Result<std::optional<PageVersion>> FindRecent(const Timeline& timeline, PageNo page,
                                                Lsn lsn) const;
  // The bytes of a version, appended to `out`; `version` becomes where it stands now.
  Status ReadVersion(const Timeline* timeline, PageNo page, PageVersion& version,
                     Buffer& out) const;
  // `level` counts the blocks that build on each other.
  Status ReadAt(const Timeline* timeline, PageNo page, const PageVersion& version, Bytes out,
                PageIdentity* identity, size_t level) const;
  Status DecodeAt(const Timeline* timeline, PageNo page, const PageVersion& version,
                  ConstBytes bytes, Bytes out, PageIdentity* identity, size_t level) const;
  static Status CheckMoved(PageNo page, const PageVersion& version, const PageVersion& there,
                           const PageIdentity& found);
  Status DecodeBlock(const Timeline* timeline, PageNo page, const PageVersion& block,
                     ConstBytes bytes, Bytes out, Lsn* lsn, size_t level) const;
  // Of a version `in_chain` the one at its LSN.
  Status DecodeChain(const Timeline* timeline, PageNo page, const PageVersion& version,
                     ConstBytes bytes, Bytes out, PageIdentity* identity, Bases bases,
                     size_t level) const;

  // ---- page_search.cc ----
  // What a timeline itself has of a page, at or before `lsn`, without the rows behind that; empty
  // if it has none. Errors: kCorruption, kIoError if that is not sure.
  Result<std::optional<PageVersion>> SearchOwn(const Timeline& timeline, PageNo page, Lsn lsn,
                                               size_t level) const;
  Result<std::optional<PageVersion>> SearchLog(const Timeline& timeline, PageNo page, Lsn lsn,
                                               size_t level) const;
  // Likewise of one record; `found` stays if it has none.
  Status SearchRecord(const Timeline& timeline, PageNo page, const ScannedGroup& group,
                      const DirectoryEntry& entry, size_t level,
                      std::optional<PageVersion>* found) const;
  // Of a version in a chain that cannot be read behind it: `why` if that is no help.
  Status ReadBySearch(const Status& why, const Timeline* timeline, PageNo page,
                      const PageVersion& version, Bytes out, PageIdentity* identity,
                      size_t level) const;

  Result<std::shared_ptr<const Dictionary>> FindDictionary(uint32_t segment,
                                                           const DictionaryPlace& place) const;

  Index* const index_;
  Segments* const segments_;
  mutable DictionaryCache dictionaries_;
  CommitQueue* const queue_;
  PageCache* const cache_;
};

// "page 7 at LSN 12 (segment 1, offset 8300)", for messages.
std::string Describe(PageNo page, const PageVersion& version);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PAGE_READER_H_
