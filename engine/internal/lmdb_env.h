// LMDB behind RAII: one environment, its tables, short read transactions, durable writes.
//
//   Write: begin -> change -> commit (two fsyncs of LMDB's own) -- the map is full --> grow, again
//   Read:  take a slot -> renew its transaction -> cursors -> reset -> give the slot back
//
// Invariants:
//   * Always durable and consistent: no MDB_NOSYNC of any kind, no MDB_WRITEMAP. Copy-on-write
//     pages and two meta pages make every committed state whole, whatever crashes.
//   * The map is only moved while all slots are held: no read ever sees it go.
//   * A read transaction lives inside one call: none pins pages that writers want to reuse.
//   * A failed write or sync of pages leaves the state before it: nothing refers to those pages.
//     The next commit writes what it needs anew. After a failed write of a meta page LMDB itself
//     refuses everything (kBroken).
//
// Threads: reads from any thread at any time; Write() callers take turns.
// Memory that runs out, in LMDB too, is std::bad_alloc, and then nothing is written.
// Known limit: LMDB trusts its pages. Damage inside them may end the process with a signal, or with
// a failed assertion, which says what to do; what can be seen before (index_file.h; a short file)
// is kCorruption. The index can be rebuilt.
//
// lmdb_env.cc and lmdb_env_compact.cc are the only files that include lmdb.h. The tables' contents
// are in index_rows.h.

#ifndef TIDEMARK_ENGINE_INTERNAL_LMDB_ENV_H_
#define TIDEMARK_ENGINE_INTERNAL_LMDB_ENV_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "engine/result.h"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace tidemark::internal {

using ConstBytes = std::span<const std::byte>;

enum class LmdbTableKind {
  kPlain,       // one value a key, of any size
  kDuplicates,  // sorted values of one fixed size, at most 511 bytes (MDB_DUPSORT | MDB_DUPFIXED)
};

struct LmdbTable {
  const char* name;
  LmdbTableKind kind;
};

struct LmdbOptions {
  uint64_t initial_map_bytes = 0;
  uint64_t max_map_bytes = 0;
  // Called at Open with LastTransaction(), before any other page is read; its error ends Open.
  std::function<Status(uint64_t last_transaction)> check = nullptr;
};

// Moves over one table within one transaction. A method returns false when there is nothing there
// or when it failed; the transaction's status() tells which. Keys and values are LMDB's memory:
// valid until the cursor moves, the transaction writes or ends.
class LmdbCursor {
 public:
  bool Seek(ConstBytes key);            // this key, its first value
  bool SeekAtOrAfter(ConstBytes key);   // the first key >= `key`
  bool SeekAtOrBefore(ConstBytes key);  // the last key <= `key`, in a plain table
  bool SeekLast();                      // the last key, its last value
  bool Next();                          // the next value, then the next key's first
  bool NextKey();                       // its first value
  bool NextDuplicate();
  bool PreviousDuplicate();
  bool LastDuplicate();        // only where a Seek found something
  uint64_t CountDuplicates();  // likewise, in a table with duplicates

  // The first value >= `value` of this key; `value` may be the beginning of one.
  bool SeekDuplicateAtOrAfter(ConstBytes key, ConstBytes value);
  // The last value of this key whose first value.size() bytes are <= `value`. At most one value may
  // begin with `value`. Fastest when it is the key's last one.
  bool SeekDuplicateAtOrBefore(ConstBytes key, ConstBytes value);

  ConstBytes key() const { return key_; }
  ConstBytes value() const { return value_; }

 private:
  friend class LmdbReadTransaction;
  friend class LmdbWriteTransaction;
  bool Get(int op, ConstBytes key, ConstBytes value);

  MDB_cursor* cursor_ = nullptr;
  int* error_ = nullptr;  // the transaction's first error
  ConstBytes key_;
  ConstBytes value_;
};

class LmdbEnv;

// One consistent view, from construction to destruction. Keep it short: growing the map waits.
class LmdbReadTransaction {
 public:
  explicit LmdbReadTransaction(const LmdbEnv& env);
  ~LmdbReadTransaction();
  LmdbReadTransaction(const LmdbReadTransaction&) = delete;
  LmdbReadTransaction& operator=(const LmdbReadTransaction&) = delete;

  // The table's cursor, not yet positioned. One a table: asking again gives the same one.
  LmdbCursor& cursor(size_t table);
  // Values in a table, duplicates counted each.
  uint64_t CountValues(size_t table);
  // Pages in use, in bytes. Cost: reads the whole list of free pages.
  uint64_t UsedBytes();
  // The number of the write transaction that made what it sees; 0 after an error.
  uint64_t Number() const;

  // The first error of beginning, or of any cursor.
  Status status() const;

 private:
  friend class LmdbEnv;
  struct Slot;

  const LmdbEnv& env_;
  Slot* slot_;
  int error_ = 0;
};

// Valid inside LmdbEnv::Write's callback only.
class LmdbWriteTransaction {
 public:
  LmdbWriteTransaction(const LmdbWriteTransaction&) = delete;
  LmdbWriteTransaction& operator=(const LmdbWriteTransaction&) = delete;

  // The table's cursor, not yet positioned. What it finds is LMDB's memory until the next change,
  // which also tells whether looking has failed.
  LmdbCursor& cursor(size_t table);

  // Sets the value of a key in a plain table.
  Status Put(size_t table, ConstBytes key, ConstBytes value);

  // Removes a key and all its values, if it is there.
  Status Remove(size_t table, ConstBytes key);

  // Removes the keys that begin with `prefix`, with all their values, until `most` values have gone
  // or none is left; takes from `most` what went. A key goes whole.
  Status RemovePrefix(size_t table, ConstBytes prefix, uint64_t* most);

  // Adds rows of `row_size` bytes each to a key of a table with duplicates. The rows are strictly
  // ascending by their first `identity_size` bytes, and a row replaces the one that begins with
  // the same. Fastest when all are beyond the key's last.
  Status PutDuplicates(size_t table, ConstBytes key, ConstBytes rows, size_t row_size,
                       size_t identity_size);

  // Removes the row of a key that begins with `identity`, if it is there.
  Status RemoveDuplicate(size_t table, ConstBytes key, ConstBytes identity);

 private:
  friend class LmdbEnv;
  explicit LmdbWriteTransaction(LmdbEnv& env);
  ~LmdbWriteTransaction();  // aborts what Commit() did not take
  int Commit();
  Status Check(int rc);

  LmdbEnv& env_;
  MDB_txn* txn_ = nullptr;
  int error_ = 0;
  std::vector<LmdbCursor> cursors_;
};

class LmdbEnv {
 public:
  // Opens or creates the environment and its tables. `tables` name their numbers: a table's
  // number in every other call is its position here.
  // Errors: kCorruption (not an LMDB file, or a damaged one), kReadOnly, kFull, kIoError.
  static Result<std::unique_ptr<LmdbEnv>> Open(const std::string& directory,
                                               std::span<const LmdbTable> tables,
                                               const LmdbOptions& options);
  ~LmdbEnv();

  // Runs `change` in a write transaction and commits it; when the map is full, makes it larger and
  // runs `change` again. Errors: change's own; kFull; kIoError; kBroken.
  Status Write(const std::function<Status(LmdbWriteTransaction&)>& change);

  uint64_t FileBytes() const;
  uint64_t map_bytes() const;
  // Writes a durable copy without the pages that are free to a new file. Errors: kFull, kIoError;
  // then there is no file.
  Status CopyCompact(const std::string& path) const;
  // Puts a copy of all rows in the place of the file, and goes on with that: nothing is left of
  // what was ever removed. Reads wait while the file is changed, writes through all of it.
  // `before_change` is called before. Errors: its own, kFull, kIoError: then the old file is in use
  // as before; or, if the file cannot be opened again, that one: whoever comes next tries it again.
  Status Compact(const std::function<Status()>& before_change);
  // The number of the last transaction that was committed.
  uint64_t LastTransaction() const;

 private:
  friend class LmdbReadTransaction;
  friend class LmdbWriteTransaction;
  using Slot = LmdbReadTransaction::Slot;

  explicit LmdbEnv(const std::string& directory, std::span<const LmdbTable> tables,
                   const LmdbOptions& options);
  Status OpenFile() const;
  Status OpenTables();
  Status CopyRows(const std::string& path) const;
  Status Change(const std::string& made);
  // Opens the file that Change has left closed, with all tables there. While nobody reads or
  // writes.
  Status OpenAgain() const;
  // The same while reads may come. The caller holds write_mutex_ and has no transaction. 0 or an
  // error.
  int OpenIfClosed() const;
  // Runs `change` while nobody reads. The caller holds write_mutex_ and has no transaction.
  int WithoutReads(const std::function<int()>& change) const;
  void CloseSlots() const;
  Status Grow();
  // Moves the map (0: adopts the size that the file asks for), after waiting for every read. The
  // caller holds write_mutex_ and has no transaction.
  int Remap(uint64_t map_bytes) const;
  Slot* TakeSlot() const;
  int Begin(Slot& slot) const;
  Status ErrorStatus(int rc, const char* doing) const;

  const std::string directory_;
  const std::vector<LmdbTable> tables_;
  const LmdbOptions options_;
  mutable MDB_env* env_ = nullptr;
  mutable std::vector<unsigned> handles_;  // LMDB's, by table number

  mutable std::mutex write_mutex_;  // a write transaction, or moving the map

  // Slots are made when first needed and live as long as the environment. A slot's mutex is held
  // by the read that uses it; whoever holds all of them may move the map.
  static constexpr size_t kSlotCount = 32;
  std::unique_ptr<Slot[]> slots_;
  mutable std::mutex remap_mutex_;
  mutable std::atomic<bool> remapping_ = false;  // new reads wait at remap_mutex_
  mutable std::atomic<uint64_t> map_bytes_ = 0;
  mutable std::atomic<bool> unmapped_ = false;  // moving the map failed halfway: nothing works
  mutable std::atomic<bool> closed_ = false;    // so it does, until the file opens again
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_LMDB_ENV_H_
