// ScheduleTable: the restores that wait for a session: the index's rows, and over them what the
// index does not have yet.
//
// What waits is a function of the log: the last record that schedules one for the object, unless
// one that cancels it follows, or the timeline record of the restore itself. What is pending here
// is every such change since the checkpoint.
//
// Threads: any. `mutex_` is innermost and never held across an index read. Who changes what waits
// for an object does so under its schedule_mutex (object_state.h).

#ifndef TIDEMARK_ENGINE_INTERNAL_SCHEDULE_TABLE_H_
#define TIDEMARK_ENGINE_INTERNAL_SCHEDULE_TABLE_H_

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>
#include <vector>

#include "engine/internal/index.h"
#include "engine/internal/schedule_record.h"

namespace tidemark::internal {

class ScheduleTable {
  struct Key {
    ObjectId object{};
    Lsn lsn{};
    bool operator<(const Key& other) const {
      return std::tie(object, lsn) < std::tie(other.object, other.lsn);
    }
  };
  using Changes = std::map<Key, ScheduleRow>;

 public:
  // A change that will get its LSN when it is appended: its record's fields, and its place here.
  class NewChange {
   public:
    explicit NewChange(const ScheduleRow& row);
    ConstBytes fields() const { return fields_; }

   private:
    friend class ScheduleTable;
    Buffer fields_;
    Changes::node_type node_;
  };

  explicit ScheduleTable(const Index* index) : index_(index) {}
  // Before anything else.
  void Load();

  // Behind the append: asks for no memory.
  void Add(NewChange made, Lsn lsn, Timestamp time) noexcept;
  // Of an object that is purged: nothing that was told of it counts.
  void Forget(const ObjectId& object) noexcept;

  // What waits for the object.
  Result<std::optional<ScheduleRow>> Find(const ObjectId& object) const;
  Result<std::vector<ScheduleRow>> List() const;  // of all, in order of ids
  // Nothing has waited since the store was opened: nobody needs to look.
  bool is_empty() const { return !has_any_.load(std::memory_order_acquire); }

  // For the checkpointer, as LabelTable's; those that are not set are removals.
  std::vector<ScheduleRow> CollectPending(Lsn cut) const;
  void DropPending(Lsn cut);
  size_t pending_count() const { return pending_count_.load(std::memory_order_relaxed); }

 private:
  const Index* const index_;
  mutable std::mutex mutex_;
  Changes pending_;
  std::atomic<size_t> pending_count_{0};
  std::atomic<bool> has_any_{false};
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_SCHEDULE_TABLE_H_
