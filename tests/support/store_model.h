// StoreModel: what a store must hold, as plain maps in memory, and random work that keeps both.
//
// Every commit that the store returned is a version here, with all its pages. After a crash the
// store is held against it: what survived must be a prefix of what was done, must include
// everything that was confirmed, and each commit must be whole, the one that was under way
// included.
//
// Six sources: store_model.cc works, store_model_fork.cc between objects; store_model_check.cc
// compares, store_model_labels.cc does both for labels, store_model_sessions.cc for restores that
// wait for a session, store_model_retention.cc for what expires.
// A model is a value: a copy is what the
// store must hold if it goes on from here some other way.

#ifndef TIDEMARK_TESTS_SUPPORT_STORE_MODEL_H_
#define TIDEMARK_TESTS_SUPPORT_STORE_MODEL_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/store.h"
#include "engine/transaction.h"
#include "tests/support/retention_model.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {

class StoreModel {
 public:
  using Page = std::shared_ptr<const std::vector<std::byte>>;  // null: zeros
  struct Version {
    CommitInfo commit;
    uint32_t page_size = 0;
    std::vector<Page> pages;
    std::string promoted;  // the fork that this was promoted from

    bool deleted() const { return commit.kind == CommitKind::kDelete; }
  };
  struct LabelModel {
    Lsn commit{};
    Lsn record{};  // its own LSN, if that is known
    bool automatic = false;
    bool Names(const LabelModel& other) const {
      return commit == other.commit && automatic == other.automatic;
    }
  };
  // A change of a label that failed: made or not.
  struct LabelUnderWay {
    std::string name{};  // or what the name of an automatic one begins with
    std::optional<LabelModel> after{};
  };
  // What waits for an object's next session.
  struct Waiting {
    Version version;     // what the object becomes
    std::string source;  // whose it was
    Lsn lsn{};           // and its commit
    Bookmark undo{};
  };
  struct ObjectModel {
    std::vector<Version> versions;     // in order of LSNs
    std::optional<Version> under_way;  // its commit failed: there or not, but whole
    std::string origin;                // what it is, or was to be, a fork of
    Lsn origin_lsn;
    size_t most_pages = 0;  // that it ever had
    std::map<std::string, LabelModel> labels{};
    std::optional<LabelUnderWay> label_under_way{};
    std::optional<Waiting> waiting{};
    // A change of that which failed: made or not. Of a restore, only if that was made.
    std::optional<std::optional<Waiting>> waiting_under_way{};
    std::map<Bookmark, Lsn> session_ends{};  // none: no restore came with it
    const Version* head() const { return versions.empty() ? nullptr : &versions.back(); }
  };
  struct Limits {
    int objects = 4;
    uint32_t pages = 400;  // of a database, so that a check stays cheap
    uint32_t smallest_page = 512;
    uint32_t page_sizes = 4;  // the smallest, and so on by twos
    uint64_t forks = 4;       // names for them
    std::chrono::minutes window{
        600};  // the longest of a policy; those of hours and days: 3, 10 times
  };
  // How often something happened: for tests that must not miss it.
  struct Counts {
    uint64_t large_commits = 0;    // beyond the memory of a transaction: in batches
    uint64_t large_rollbacks = 0;  // with batches in the log
    uint64_t rollbacks = 0;        // of the others
    uint64_t page_size_changes = 0;
    uint64_t truncations = 0;
    uint64_t regrown_pages = 0;  // written again after the database had been cut before them
    uint64_t first_pages = 0;
    uint64_t last_pages = 0;
    uint64_t restores = 0;
    uint64_t forks = 0;
    uint64_t forks_of_forks = 0;
    uint64_t forks_of_the_past = 0;
    uint64_t promotes = 0;
    uint64_t promotes_over_newer = 0;
    uint64_t refused_promotes = 0;
    uint64_t deletions = 0;
    uint64_t undeletions = 0;
    uint64_t begun_anew = 0;  // after a deletion
    uint64_t purges = 0;
    uint64_t refused_purges = 0;
    uint64_t continued_purges = 0;  // after a crash
    uint64_t looks_by_bookmark = 0;
    uint64_t looks_by_time = 0;
    uint64_t held_snapshots = 0;
    uint64_t scheduled = 0;
    uint64_t cancelled = 0;
    uint64_t sessions = 0;             // that began with a restore
    uint64_t sessions_of_another = 0;  // with that of another object's state
    uint64_t alarms = 0;               // set or cleared by a transaction
    uint64_t other_alarms = 0;         // by a restore or fork: not the one that comes by itself
    uint64_t lost = 0;                 // versions that a crash took
    uint64_t set_labels = 0;
    uint64_t moved_labels = 0;
    uint64_t removed_labels = 0;
    uint64_t automatic_labels = 0;
    uint64_t lost_labels = 0;
    uint64_t looks_by_label = 0;
    uint64_t policies = 0;
    uint64_t budgets = 0;
    uint64_t budget_moves = 0;  // licences that let something go for one
    uint64_t holds = 0;
    uint64_t licences = 0;
    uint64_t background_licences = 0;
    uint64_t looks_for_nothing = 0;  // by the background: no commit would have expired
    uint64_t expired = 0;            // refused as such
  };

  StoreModel(uint64_t seed, const Limits& limits);

  // Random work on a random object; not waited for, except as Restore() does.
  //
  // Mostly one transaction, of at most `max_writes` page writes: rewrites, truncation, growth over
  // holes, the first and the last page, now and then another page size, a Prepare that is undone or
  // a rollback; at times several commits under one write lock.
  Status Transact(Store& store, uint64_t max_writes);
  // One transaction of so many writes of wholly new pages.
  enum class Ending { kCommit, kRollback };
  Status TransactLarge(Store& store, uint64_t writes, Ending ending);
  // Back to a random version, durably.
  Status Restore(Store& store);
  // A new object, of a random version; durably, as the others here. What must be refused is.
  Status Fork(Store& store);
  // A random fork over one of the objects it descends from.
  Status Promote(Store& store);
  Status Delete(Store& store);
  Status Undelete(Store& store);
  // A random object, by `run`: it goes, or must be refused. Drops snapshots that are held.
  using PurgeCall =
      std::function<Status(const std::string& namespace_name, const std::string& name)>;
  Status Purge(Store& store, const PurgeCall& run);
  // After a crash, before Check: a purge that it struck has not begun, or goes on to its end.
  Status EndPurge(Store& store, const PurgeCall& run);
  // Sets, moves or removes a label, durably; or makes an automatic one, which is not waited for.
  Status ChangeLabel(Store& store);
  // Has an object restored when its next session begins, to a version of its own or of another; or
  // cancels that. Durably.
  Status Schedule(Store& store);
  // What waits is done, durably.
  Status BeginSession(Store& store);
  // Sets or clears a policy or the budget, holds or releases an object, or grants a licence,
  // durably.
  Status ChangeRetention(Store& store);
  // Two of these.
  Status Prune(Store& store);
  Status SetBudget(Store& store, std::optional<uint64_t> bytes);
  // What the background does next, by `run`: whether that may, or must, have let something expire.
  Status RunRetention(Store& store, const std::function<Status()>& run);
  // Waits until everything is durable, and remembers that it is.
  Status Sync(Store& store);

  // Opens a snapshot of a random past version, by its bookmark, by a time or by a label, and
  // compares it.
  void LookBack(Store& store);
  // Opens a snapshot of a head, and keeps it open; compares those that are. They must be dropped
  // before the store closes.
  void HoldSnapshot(Store& store);
  void CheckHeld();
  void DropHeld() { held_.clear(); }

  // Holds the store against the model, and fails the test where they differ. With kCrash
  // unconfirmed versions may be gone; they are then forgotten here, too, and their bookmarks must
  // say that they are lost.
  enum class After { kWork, kReopen, kCrash };
  void Check(Store& store, After after);
  // Every version of every object, through bookmarks.
  void CheckHistory(Store& store);

  Lsn confirmed() const { return confirmed_; }
  const Counts& counts() const { return counts_; }
  const std::map<std::string, ObjectModel>& objects() const { return objects_; }
  Random& random() { return random_; }

 private:
  ObjectModel& RandomObject(std::string* name);
  static Result<std::shared_ptr<Object>> Open(Store& store, const std::string& name,
                                              IfMissing if_missing);
  // After a durable call that gave the object `next` by `commit`.
  void Done(ObjectModel& model, Version next, const CommitInfo& commit);
  void Purged(const std::string& name);
  uint64_t CountNewer(const ObjectModel& target, const std::string& fork, Lsn point) const;
  Page RandomPage(const Page& old, uint32_t size);
  std::optional<Timestamp> RandomAlarm();
  // For what gets the state of `next`, whose alarm becomes what they say.
  RestoreOptions RandomOptions(Alarms otherwise, Version& next);
  Status SetPageSize(Transaction& transaction, Version& next);
  Status WritePage(Transaction& transaction, ObjectModel& model, Version& next, uint32_t page_no,
                   Page page);
  Status Stage(Transaction& transaction, ObjectModel& model, Version& next, uint64_t max_writes);
  Status Finish(Object& object, Transaction& transaction, ObjectModel& model, Version& next);
  void CheckNew(Lsn lsn);
  // What was under way of retention has been done, durably.
  void RetentionDone(Store& store);
  void CheckStaged(Transaction& transaction, const Version& next);
  void CheckContents(const Snapshot& snapshot, const Version& version, const std::string& what);
  static bool HasAutomaticLabel(const ObjectModel& model, Lsn commit);
  void AddAutomaticLabel(ObjectModel& model, const std::string& name, Lsn commit, Lsn record);
  static std::map<std::string, LabelModel> LabelsOf(const Object& object);
  // Packing takes automatic labels that have expired, some time.
  void ForgetPackedLabels(const Object& object, const std::string& name, ObjectModel& model);
  // The highest LSN that a label of the model, which the store has, proves to be there.
  static Lsn LastLabel(const Object& object, const ObjectModel& model);
  // `last` is the highest LSN that is known to have survived.
  void CheckLabels(const Object& object, const std::string& name, ObjectModel& model, After after,
                   Lsn last);
  // Has the version not expired?
  bool IsKept(const std::string& name, const ObjectModel& model, size_t version) const;
  bool IsKept(const std::string& name, const ObjectModel& model, Lsn commit) const;
  Status Expired(const Status& status);
  // What the object was at a time; none if that has expired.
  const Version* FindAt(const std::string& name, const ObjectModel& model, Timestamp at) const;
  void CheckRetention(Store& store, After after);
  // A licence has come: what it did for the budget, which is for the store to say.
  void AddBudgetMove(Store& store, RetentionModel* licensed);
  // Is a commit of any object kept as it is, and would not be by `licensed`?
  bool WouldExpire(const RetentionModel& licensed);
  void CheckLost(const Object& object, const std::vector<CommitInfo>& lost);
  void CheckListings(Store& store);
  void CheckAlarms(Store& store);
  // `survived`: the restore that was under way, if one was.
  void CheckWaiting(const Object& object, ObjectModel& model, bool survived);

  Limits limits_;
  Random random_;
  std::map<std::string, ObjectModel> objects_;
  std::vector<std::pair<std::shared_ptr<const Snapshot>, Version>> held_;
  RetentionModel retention_;
  std::optional<RetentionModel> retention_under_way_;  // after a change that failed: made or not
  std::optional<std::string> purge_under_way_;
  Lsn confirmed_;
  Lsn highest_;  // ever given, lost or not
  Counts counts_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_SUPPORT_STORE_MODEL_H_
