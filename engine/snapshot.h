// Snapshot: a read-only view of one object at one commit. The read path begins here.

#ifndef TIDEMARK_ENGINE_SNAPSHOT_H_
#define TIDEMARK_ENGINE_SNAPSHOT_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "engine/commit_info.h"
#include "engine/export.h"
#include "engine/lsn.h"
#include "engine/status.h"

namespace tidemark {

namespace internal {
class StoreImpl;
class ObjectState;
class Pin;
class Timeline;
struct ReadAhead;
}  // namespace internal

// Cheap to make and to move; holds no lock, no transaction of the index and no page. What it shows
// stays readable while it lives, whatever expires meanwhile. The store must outlive it. Used by one
// thread at a time; several snapshots may be used in parallel.
class TIDEMARK_API Snapshot {
 public:
  Snapshot();  // an empty database
  Snapshot(Snapshot&&) noexcept;
  Snapshot& operator=(Snapshot&&) noexcept;
  ~Snapshot();

  // The commit it shows. kind is kNone for an object without commits.
  const CommitInfo& commit() const { return commit_; }
  Lsn lsn() const { return commit_.lsn; }
  uint32_t page_size() const { return commit_.page_size; }
  uint32_t page_count() const { return commit_.page_count; }

  // Copies page `page_no`, as it was at lsn(), into `out`, which must be exactly page_size() bytes;
  // on error its contents are unspecified. A page that was never written reads as zeros. Takes no
  // lock that a commit holds across I/O. Cost: a copy if the store has it in memory
  // (StoreOptions::page_cache_bytes); else an index lookup and a disk read a link of its chain.
  //
  // Errors: kOutOfRange if page_no is 0 or above page_count(); kInvalidArgument if out has another
  // size; kCorruption if the bytes fail their hash, naming object, page, LSN, segment and
  // offset; kIoError; kBroken.
  Status ReadPage(PageNo page_no, std::span<std::byte> out) const;

  // Likewise from the disk, whatever is in memory: for those who check what is stored.
  Status ReadStoredPage(PageNo page_no, std::span<std::byte> out) const;

  // The newest of the commits that wrote the pages which were read of it so far (those that nobody
  // wrote left out); 0 if none was. From there on, on the line of commits that leads to it, nothing
  // that was read has changed.
  Lsn newest_read() const { return newest_read_; }

  // Calls `visit`, in order, for every page that may differ between this snapshot and `other`, of
  // whatever object of the same store, until it returns false: all up to the larger page_count()
  // that are not known to be the same. That is told by which commits wrote them: a page that was
  // written and has the same bytes again counts as changed, and so do all pages of two snapshots
  // that share no history, as after a change of the page size. Pages that a smaller database does
  // not have are changed. Cost: a look at the index's rows of the pages, decoding none; a bit of
  // memory a page.
  //
  // Errors: kInvalidArgument for a snapshot of another store; kCorruption if commits are damaged;
  // kIoError; kBroken.
  Status VisitChangedPages(const Snapshot& other, const std::function<bool(PageNo)>& visit) const;

  // Reads every page from the disk and proves by the state hash that they are exactly what was
  // committed. Errors: kCorruption, naming the first page that is wrong.
  Status Verify() const;

 private:
  friend class Object;
  friend class Transaction;
  Snapshot(internal::StoreImpl* store, std::unique_ptr<internal::Pin> pin,
           std::shared_ptr<internal::Timeline> timeline, const CommitInfo& commit);
  enum class From { kStore, kCacheOrStore };
  Status ReadPage(PageNo page_no, std::span<std::byte> out, From from) const;
  Status Read(PageNo page_no, std::span<std::byte> out, From from) const;
  // A page was read that the commit `written` wrote; not valid: it is not known which one.
  void NoteRead(Lsn written) const;

  internal::StoreImpl* store_ = nullptr;
  std::unique_ptr<internal::Pin> pin_;
  std::shared_ptr<internal::Timeline> timeline_;
  CommitInfo commit_;
  mutable Lsn newest_read_;
  mutable std::unique_ptr<internal::ReadAhead> read_ahead_;  // made at the first sequential read
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_SNAPSHOT_H_
