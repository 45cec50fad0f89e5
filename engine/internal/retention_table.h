// RetentionTable: policies, holds and the licence: the index's rows, and over them what the index
// does not have yet.
//
// Each record says all of its row, so the last one counts. What is pending is every change since
// the checkpoint: a checkpoint takes those up to its cut.
//
// Threads: any. `mutex_` is innermost and never held across an index read.

#ifndef TIDEMARK_ENGINE_INTERNAL_RETENTION_TABLE_H_
#define TIDEMARK_ENGINE_INTERNAL_RETENTION_TABLE_H_

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/internal/index.h"
#include "engine/internal/record.h"

namespace tidemark::internal {

class RetentionTable {
  struct Key {
    RuleKey rule{};
    Lsn lsn{};
    auto operator<=>(const Key&) const = default;
  };
  using Rules = std::map<Key, RuleRow>;
  using Licences = std::map<Lsn, LicenceRow>;

 public:
  // What will get its LSN when it is appended: its record's fields, and its place here.
  class NewRule {
   public:
    explicit NewRule(RuleRow row);
    ConstBytes fields() const { return fields_; }

   private:
    friend class RetentionTable;
    Buffer fields_;
    Rules::node_type node_;
  };
  class NewLicence {
   public:
    explicit NewLicence(const LicenceRow& row);
    ConstBytes fields() const { return fields_; }

   private:
    friend class RetentionTable;
    Buffer fields_;
    Licences::node_type node_;
  };

  explicit RetentionTable(const Index* index) : index_(index) {}
  // Reads what must be known at once. Before anything else.
  Status Load();

  // Behind the append: ask for no memory.
  void Add(NewRule made, Lsn lsn, Timestamp time) noexcept;
  void Add(NewLicence made, Lsn lsn) noexcept;

  // The last record of a policy or hold, which may say that it ended.
  Result<std::optional<RuleRow>> Find(const RuleKey& key) const;
  // All of them; what was ended, too.
  Result<std::vector<RuleRow>> List() const;
  LicenceRow licence() const;

  // For the checkpointer, as LabelTable's.
  struct Collected {
    std::vector<RuleRow> rules;  // of each key in order of LSNs
    std::optional<LicenceRow> licence;
  };
  Collected CollectPending(Lsn cut) const;
  void DropPending(Lsn cut);
  size_t pending_count() const;

 private:
  const Index* const index_;
  mutable std::mutex mutex_;
  Rules rules_;
  Licences licences_;   // pending
  LicenceRow licence_;  // the last one
  // There has been a policy or hold: while there is none nobody looks for any.
  std::atomic<bool> has_rules_{false};
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_RETENTION_TABLE_H_
