// SimFileSystem: a FileSystem in memory that loses power when a test says so.
//
//   SimFileSystem fs(seed);
//   fs.CrashAt(17);                     // the 17th operation from now is the last
//   ... use it until calls fail ...
//   fs.Restart(PowerLoss::kSeeded);     // what was not synced is kept, lost or torn, by the seed
//
// What it models, no kinder than POSIX promises:
//   * A file has what is durable and what is in the page cache. Sync() moves the one to the other.
//   * Each sector of 512 bytes reaches the disk by itself: of unsynced writes any sectors may be
//     there, in any order. A sector is never half new. Size changes are kept or lost the same way.
//   * Names (creations, renames, removals) are durable after SyncDirectory(), not before, and
//     Sync() of a file says nothing about its name. A rename is whole or absent.
//   * After a Sync() that failed, the page cache still shows what the disk may lack for ever: the
//     next Sync() succeeds and proves nothing.
//   * The operation during which the power fails may have happened, wholly or in part.
//
// Threads: any thread may call anything; one mutex guards all of it.

#ifndef TIDEMARK_TESTS_SUPPORT_SIM_FILE_SYSTEM_H_
#define TIDEMARK_TESTS_SUPPORT_SIM_FILE_SYSTEM_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/file_system.h"
#include "engine/internal/sparse_bytes.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {

using internal::SparseBytes;

// What a crash takes of what was not synced.
enum class PowerLoss {
  kNothing,  // nothing: the process died, the kernel lives on, and may still lose it later
  kAll,      // everything
  kSeeded,   // each write, sector and name as the seed decides
};

class SimFileSystem final : public FileSystem {
 public:
  // All that a machine has: its disk, and what the page cache knows beyond it. Cheap to copy.
  class Image;

  explicit SimFileSystem(uint64_t seed = 1);
  SimFileSystem(uint64_t seed, const Image& image);
  ~SimFileSystem() override;

  // Power. Counted operations are those that change something: WriteAt, Sync, Truncate, Allocate,
  // Open with kCreateNew, Remove, Rename, SyncDirectory and CreateDirectory.
  uint64_t operations() const;
  // The power fails during the nth counted operation from now (1 is the next one). From then on
  // every call fails with kIoError.
  void CrashAt(uint64_t nth);
  void Crash();  // now
  // Counts an operation that goes around this file system, as LMDB's commits do. `now` says that
  // the power fails during it: the caller does what of it happens, and then calls Crash().
  Status CountOutside(const std::string& what, bool* now);
  bool crashed() const;
  // Power again. Open files are stale for ever, locks are gone.
  void Restart(PowerLoss loss);

  // Faults, counted from now. The nth write writes a part and fails with `code`; the nth sync
  // fails, and what it should have made durable may never become so. Both return how many have
  // failed since the last call.
  uint64_t FailWrite(uint64_t nth, StatusCode code);
  uint64_t FailSync(uint64_t nth);
  // The nth read fails, and if `all` so do those after it; 0 is none. Returns how many have failed
  // since the last call.
  uint64_t FailReads(uint64_t nth, bool all);
  uint64_t read_bytes() const;  // that were ever asked for
  // The nth counted operation or opening of a file fails with `code` and does nothing; 0 is none.
  // Returns how many have failed since the last call.
  uint64_t FailOperation(uint64_t nth, StatusCode code);
  // Growing files beyond so many bytes in all is kFull.
  void SetCapacity(uint64_t bytes);
  uint64_t UsedBytes() const;

  // Reads of any of these bytes fail, until another range is given; a size of 0 is none.
  void FailReadsOf(const std::string& path, uint64_t offset, uint64_t size);

  // What the machine has now. What was not synced is in it as such.
  Image Save() const;

  // The disk's own faults, in a file that nobody writes to meanwhile.
  void FlipBit(const std::string& path, uint64_t offset, unsigned bit);
  void ZeroRange(const std::string& path, uint64_t offset, uint64_t size);
  void Overwrite(const std::string& path, uint64_t offset, std::span<const std::byte> data);
  std::vector<std::byte> Contents(const std::string& path) const;

  // FileSystem.
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  Status Remove(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status SyncDirectory(const std::string& path) override;
  Status CreateDirectory(const std::string& path) override;
  Result<std::vector<std::string>> ListDirectory(const std::string& path) override;
  Result<bool> Exists(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override;

 private:
  static constexpr uint64_t kSectorBytes = 512;

  class SimFile;
  class SimLock;

  // An unsynced change of a file: the sectors it touched, as they were after it, and the size.
  struct Change {
    uint64_t offset = 0;  // of the first sector
    std::vector<std::byte> sectors;
    uint64_t size = 0;
    bool size_changed = false;
  };
  struct Node {
    SparseBytes durable;
    SparseBytes current;
    std::vector<Change> pending;
  };
  using NodePtr = std::shared_ptr<Node>;
  // An unsynced change of names: `removed` goes, `added` (if not empty) comes. Of a directory that
  // is renamed its files, whose names must be durable before, go along.
  struct NameChange {
    std::string removed;
    std::string added;
    NodePtr node;  // null: a directory
  };
  struct Names {
    std::map<std::string, NodePtr> files;
    std::set<std::string> directories;
    void Apply(const NameChange& change);
    void MoveFiles(const std::string& from, const std::string& to);
    void DropOrphans();
  };

  // A copy with nodes of its own.
  static Image Copy(const Names& current, const Names& durable,
                    const std::vector<NameChange>& pending);

  // Counts an operation. `now` says that this is the one during which the power fails.
  Status Count(const std::string& what, bool* now);
  Status CountDown(const std::string& what);
  Status CheckPower(const std::string& what) const;
  Status PowerFailed(const std::string& what);
  Status ChangeName(const std::string& what, NameChange change);
  Status CheckParent(const std::string& path) const;
  uint64_t UsedBytesLocked() const;
  NodePtr Find(const std::string& path) const;
  // Of `pending` what reaches the disk when nobody waits for it.
  void Persist(Node& node, PowerLoss loss);

  Status Write(Node& node, const std::string& path, uint64_t offset,
               std::span<const std::byte> data);
  Status Sync(Node& node, const std::string& path);
  Status SetSize(Node& node, const std::string& path, uint64_t size, const char* what);
  Status CountRead(const std::string& path, uint64_t offset, uint64_t size);
  static void ApplyWrite(Node& node, uint64_t offset, std::span<const std::byte> data);
  static void ApplySize(Node& node, uint64_t size);

  mutable std::mutex mutex_;
  Random random_;
  Names current_;
  Names durable_;
  std::vector<NameChange> pending_names_;
  std::set<std::string> locked_;
  bool crashed_ = false;
  uint64_t power_on_ = 0;  // how often; files opened before the last time are stale
  uint64_t operations_ = 0;
  uint64_t crash_at_ = 0;        // value of operations_; 0 is never
  uint64_t writes_to_fail_ = 0;  // counts down; the one that makes it 0 fails
  StatusCode write_failure_ = StatusCode::kIoError;
  uint64_t failed_writes_ = 0;
  uint64_t syncs_to_fail_ = 0;
  uint64_t failed_syncs_ = 0;
  uint64_t reads_to_fail_ = 0;  // counts down likewise, to 1 if all_reads_fail_
  bool all_reads_fail_ = false;
  uint64_t failed_reads_ = 0;
  uint64_t read_bytes_ = 0;
  uint64_t operations_to_fail_ = 0;  // counts down likewise
  StatusCode operation_failure_ = StatusCode::kIoError;
  uint64_t failed_operations_ = 0;
  std::string unreadable_path_;
  uint64_t unreadable_begin_ = 0;
  uint64_t unreadable_end_ = 0;
  uint64_t capacity_ = UINT64_MAX;
};

class SimFileSystem::Image {
 public:
  Image() = default;

  // What a file holds, synced or not; null if there is none of that name.
  const SparseBytes* Find(const std::string& path) const {
    const auto it = current_.files.find(path);
    return it == current_.files.end() ? nullptr : &it->second->current;
  }

 private:
  friend class SimFileSystem;
  Names current_;
  Names durable_;
  std::vector<NameChange> pending_names_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_SUPPORT_SIM_FILE_SYSTEM_H_
