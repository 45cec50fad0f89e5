// LabelTable: the labels of all objects: the index's rows, and over them what the index does not
// have yet.
//
// A label is a function of its records in the log, in their order: the last one that sets it says
// which commit it names, unless one that removes it follows. What is pending here is every change
// since the checkpoint, not the last one of each label: a checkpoint takes those up to its cut, and
// must leave behind what the log says up to there.
//
// Threads: any. `mutex_` is innermost and never held across an index read. Who changes a label
// looks it up and appends its record under the object's label_mutex (object_state.h), so that of
// two who set the same label one finds the other's.

#ifndef TIDEMARK_ENGINE_INTERNAL_LABEL_TABLE_H_
#define TIDEMARK_ENGINE_INTERNAL_LABEL_TABLE_H_

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "engine/internal/index.h"
#include "engine/internal/record.h"

namespace tidemark::internal {

// What a label record does.
struct LabelChange {
  LabelRow row{};  // of a removal its object, name, LSN and time
  bool removed = false;
};

class LabelTable {
  struct Key {
    ObjectId object{};
    std::string name{};
    Lsn lsn{};  // of the record
    bool operator<(const Key& other) const {
      return std::tie(object, name, lsn) < std::tie(other.object, other.name, other.lsn);
    }
  };
  using Changes = std::map<Key, LabelChange>;

 public:
  // A change that will get its LSN when it is appended: its record's fields, and its place here.
  class NewChange {
   public:
    explicit NewChange(LabelChange change);
    ConstBytes fields() const { return fields_; }
    const LabelRow& row() const { return node_.mapped().row; }

   private:
    friend class LabelTable;
    Buffer fields_;
    Changes::node_type node_;
  };

  explicit LabelTable(const Index* index) : index_(index) {}

  // Behind the append: asks for no memory.
  void Add(NewChange made, Lsn lsn, Timestamp time) noexcept;

  Result<std::optional<LabelRow>> Find(const ObjectId& object, std::string_view name) const;
  Result<std::vector<LabelRow>> List(const ObjectId& object) const;  // in order of names

  // For the checkpointer: what is at or before `cut`, of each label in order of LSNs; and after the
  // index has it.
  std::vector<LabelChange> CollectPending(Lsn cut) const;
  void DropPending(Lsn cut);
  // Of the latest change that this process knows of.
  Lsn last_change() const { return Lsn(last_change_.load(std::memory_order_acquire)); }
  size_t pending_count() const { return pending_count_.load(std::memory_order_relaxed); }

 private:
  const Index* const index_;
  mutable std::mutex mutex_;
  Changes pending_;
  std::atomic<size_t> pending_count_{0};
  std::atomic<uint64_t> last_change_{0};
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_LABEL_TABLE_H_
