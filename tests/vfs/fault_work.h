// FaultWork: what programs do with a database, made to fail at each of its calls in turn.
//
// Whatever fails below (an allocation, a read of the disk), each piece of work either says so with
// one of SQLite's codes and has changed nothing, or says OK and has done all. (One may be done and
// say that memory ran out: a restore by pragma. Then what it should have answered is found where
// vfs/internal/tidemark_pragma.h says.) The connection is
// usable afterwards, and what another connection sees is whole. The one other way out is a store
// that says it is broken: after it is opened again, all or nothing was done, and all if that was
// confirmed. Beside SQL there are calls of the engine, and opening the store, recovery included.

#ifndef TIDEMARK_TESTS_VFS_FAULT_WORK_H_
#define TIDEMARK_TESTS_VFS_FAULT_WORK_H_

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/store.h"
#include "tests/support/sim_file_system.h"
#include "tests/support/temp_directory.h"
#include "vfs/database.h"

namespace tidemark::testing {

// What makes calls fail.
class FaultSource {
 public:
  virtual ~FaultSource() = default;
  // From now on: the nth call (1 is the next) fails, and if `all` so do all after it.
  virtual void FailAt(uint64_t nth, bool all) = 0;
  // No more; true if a call did fail.
  virtual bool Stop() = 0;
  // Whether SQLite may report this (extended) code for such a failure.
  virtual bool Explains(int code) const = 0;
};

class FaultWork {
 public:
  enum class Files {
    kSimulated,  // whose faults can be set
    kReal,       // which ask for memory as a program's do
  };

  // Makes the databases, in a store of its own that has no threads.
  explicit FaultWork(Files files);
  ~FaultWork();

  SimFileSystem& file_system() { return file_system_; }

  // Does each piece of work until it gets through, its first call failing, then a later one, and
  // so on, by steps of 1 to `stride` and, unless that is 1, growing; once with a single failure and
  // once with all calls failing from there on.
  void Sweep(FaultSource* faults, uint64_t stride);

  uint64_t failures() const { return failures_; }
  // How many of them broke the store.
  uint64_t broken() const { return broken_; }
  // How many came after the work had been done, which could be seen.
  uint64_t found_done() const { return found_done_; }

 private:
  struct Piece {
    const char* name;
    int adds = 0;                        // to each t.x
    int adds_elsewhere = 0;              // to u.x of another object
    std::function<int()> run;            // with failures; asks for no memory by itself
    std::function<void()> ready{};       // before, without; may be empty
    bool grows = false;                  // a run leaves something for which the next has more to do
    std::function<bool()> found_done{};  // whether it was done although it failed; empty: never
  };

  std::vector<Piece> Pieces();
  // Runs it with a failure. False if it got through before there was one.
  bool RunWithFault(FaultSource* faults, const Piece& piece, uint64_t nth, bool all);
  // Sees to what a failure left open, as a program does.
  void TidyUp();
  Status Open();
  void Close();
  void Reopen(const Piece& piece, bool confirmed);
  void ExpectWhole();
  int Run(sqlite3* connection, const std::string& sql);
  // A connection of its own, by URI.
  int RunElsewhere(const std::string& uri, const std::string& sql);
  int CopyOut(const std::string& uri);
  bool FindUndoBookmark();
  int WriteBlob();
  int Serialize();
  Status OpenAgain(bool close);
  Status LookBack();
  Status ListAll();
  Status Fork();
  Status DeleteAndUndelete();
  Status ChangeLabels();
  Status ChangeRetention();
  std::string Uri(const std::string& name) const;

  TempDirectory index_;
  SimFileSystem file_system_;
  StoreOptions options_;
  std::string directory_;
  std::unique_ptr<Store> store_;
  std::optional<Database> db_;
  Bookmark past_;
  Bookmark point_;  // to restore to
  Bookmark undo_;   // what was current before a restore
  std::string restore_pragma_;
  Timestamp time_;  // of past_
  int x_ = 0;       // of every row of t
  int y_ = 0;       // of u's row, in another object
  uint64_t objects_made_ = 0;
  std::string new_uri_;
  std::string new_name_;
  std::shared_ptr<Object> fork_;
  uint64_t failures_ = 0;
  uint64_t broken_ = 0;
  uint64_t found_done_ = 0;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_VFS_FAULT_WORK_H_
