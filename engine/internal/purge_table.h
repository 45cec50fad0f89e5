// PurgeTable: purges that have begun and not ended: what of the log and the index counts for
// nothing any more.
//
//   Add (its record is in the log) -> NoteClean (no file of the log has anything of it) -> Remove
//
// The index has a row of each once a checkpoint covers its record; what is pending is every one
// since. A purge that a crash interrupts is found there again, or in the log.
//
// Threads: any. `mutex_` is innermost and never held across an index read. One at a time changes
// what is here: Purger, who keeps the packer from running, or recovery.

#ifndef TIDEMARK_ENGINE_INTERNAL_PURGE_TABLE_H_
#define TIDEMARK_ENGINE_INTERNAL_PURGE_TABLE_H_

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "engine/internal/group.h"
#include "engine/internal/index.h"

namespace tidemark::internal {

class PurgeTable {
  using Rows = std::map<ObjectId, PurgeRow>;

 public:
  // One that will get its LSN when it is appended: its record's fields, and its place here.
  class NewPurge {
   public:
    explicit NewPurge(PurgeRow row);
    ConstBytes fields() const { return fields_; }

   private:
    friend class PurgeTable;
    Buffer fields_;
    Rows::node_type node_;
    std::set<TimelineId> timelines_;
  };

  explicit PurgeTable(const Index* index) : index_(index) {}
  // Before anything else.
  Status Load();

  // Behind the append: asks for no memory.
  void Add(NewPurge made, Lsn lsn) noexcept;
  // The rows, as they are in the index then.
  void NoteClean(const std::vector<PurgeRow>& rows);
  void Remove(const std::vector<PurgeRow>& rows);

  bool empty() const { return count_.load(std::memory_order_acquire) == 0; }
  bool Has(const ObjectId& object) const;
  std::vector<PurgeRow> List() const;

  // Does the record tell of what is purged? Not of the purge's own record.
  bool Covers(const DirectoryEntry& entry, const RecordView& record) const;
  bool Covers(TimelineId timeline) const;

  // For the checkpointer, as LabelTable's.
  std::vector<PurgeRow> CollectPending(Lsn cut) const;
  void DropPending(Lsn cut);

 private:
  bool CoversObject(const ObjectId& object, Lsn lsn) const;
  void CountLocked();

  const Index* const index_;
  mutable std::mutex mutex_;
  Rows rows_;
  std::set<TimelineId> timelines_;  // of all of them
  Lsn indexed_;                     // up to here the index has them
  std::atomic<size_t> count_{0};
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_PURGE_TABLE_H_
