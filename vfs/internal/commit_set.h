// CommitSet: the objects that one SQLite transaction over several databases (ATTACH) commits
// together.
//
// SQLite names such a transaction by a super-journal, and tells the name with SQLITE_FCNTL_SYNC to
// each database whose pages it has written: that database joins the set of this name. When all
// have, SQLite deletes the super-journal. That is the commit: the set publishes the frames of all
// its objects next to each other in one group of the log, so that a crash leaves all or none, and
// an error there still rolls all of them back. The SQLITE_FCNTL_COMMIT_PHASETWO that follows for
// each finds nothing left to do; SQLite would not look at its errors any more.
//
// What this cannot do:
//   * Objects of different stores: each store's are atomic by themselves.
//   * Files of other VFSs: refused if an object is the main database (super_journal.h). If the main
//     database is on another VFS, which then has the super-journal, the set publishes with the
//     first PHASETWO, and an error there reaches only SQLite's error log.
//   * SQLite makes no super-journal with a main database in memory, synchronous=OFF or
//     journal_mode=MEMORY: each object is then atomic by itself.
//
// A set is used by the one thread that commits; the table of sets by any.

#ifndef TIDEMARK_VFS_INTERNAL_COMMIT_SET_H_
#define TIDEMARK_VFS_INTERNAL_COMMIT_SET_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/status.h"
#include "engine/store.h"
#include "engine/transaction_set.h"

namespace tidemark::internal {

class MainFile;

class CommitSet : public std::enable_shared_from_this<CommitSet> {
 public:
  // The set of a super-journal, made if there is none.
  static std::shared_ptr<CommitSet> Of(std::string_view super_journal);
  // Null if there is none.
  static std::shared_ptr<CommitSet> Find(std::string_view super_journal);

  explicit CommitSet(std::string_view super_journal) : super_journal_(super_journal) {}
  CommitSet(const CommitSet&) = delete;
  CommitSet& operator=(const CommitSet&) = delete;

  // Adds `file` and prepares what it has staged. After an error the set is empty.
  Status Prepare(MainFile* file);
  // Commits all files of the set, which is empty afterwards. Errors: as Transaction::Publish.
  Status Publish();
  // What `file` had prepared is no longer what it has staged.
  void Remove(MainFile* file) noexcept;

 private:
  // The files of one store.
  struct Part {
    Store* store = nullptr;
    std::vector<MainFile*> files;
    TransactionSet transactions;
  };

  Status PublishPart(Part& part);
  void Clear() noexcept;

  const std::string super_journal_;
  std::vector<std::unique_ptr<Part>> parts_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_COMMIT_SET_H_
