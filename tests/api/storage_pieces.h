// Each public call of object storage as a piece of work that something can be made to fail in, and
// what a failure may leave.

#ifndef TIDEMARK_TESTS_API_STORAGE_PIECES_H_
#define TIDEMARK_TESTS_API_STORAGE_PIECES_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/storage.h"
#include "engine/clock.h"

namespace tidemark::testing {

// One call, or a few that belong together, on an object that Fill() has made.
struct StoragePiece {
  const char* name;
  // In pieces that are no one unit a failure may leave a part, which is whole by itself.
  bool in_parts = false;
  std::function<void(ObjectStorage&)> run;
};

class StoragePieces {
 public:
  // `store` gives the store: another one each time, if a test opens it again.
  StoragePieces(std::function<Store&()> store, Durability durability);

  const std::vector<StoragePiece>& all() const { return pieces_; }

  // Makes the object what each piece begins with, and commits that.
  void Fill(ObjectStorage& storage);
  // All that is in it, as text.
  static std::string StateOf(ObjectStorage& storage);

  // Runs a piece, from Fill()'s state: `begin` and `end` are called around it, and the second says
  // whether anything was made to fail, which this returns. Whatever comes of it, the storage works
  // and has all or nothing of the piece, or is broken; and so has the next one that is opened.
  // Between the two, when no storage is open, `settle` may open the store again.
  bool Run(const StoragePiece& piece, CommitMode mode, const std::function<void()>& begin,
           const std::function<bool()>& end, const std::function<void()>& settle = nullptr);
  uint64_t failures() const { return failures_; }
  uint64_t broken() const { return broken_; }

 private:
  const std::string& AfterOf(const StoragePiece& piece, CommitMode mode);

  StorageOptions OptionsOf(CommitMode mode) const {
    return {.commit_mode = mode, .durability = durability_};
  }

  const std::function<Store&()> store_;
  const Durability durability_;
  Timestamp due_;
  std::string before_;
  std::optional<Bookmark> past_;
  std::vector<StoragePiece> pieces_;
  std::vector<std::pair<std::string, std::string>> after_;  // by name of the piece
  uint64_t failures_ = 0;
  uint64_t broken_ = 0;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_API_STORAGE_PIECES_H_
