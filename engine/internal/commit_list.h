// The index's rows of a timeline's commits, side by side: most take three or four bytes.
//
// The key is the timeline (8) and the first commit's LSN (8), both big-endian. The value:
//
//   varint  count     of commits, 1 to 256
//   of each commit, as varints, the differences to the commit before it (of the first: to the LSN
//   in the key, and to 0): of LSNs; of segments, zigzag; of offsets, zigzag
//
// Pure functions, no state.

#ifndef TIDEMARK_ENGINE_INTERNAL_COMMIT_LIST_H_
#define TIDEMARK_ENGINE_INTERNAL_COMMIT_LIST_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/internal/coding.h"
#include "engine/internal/index.h"
#include "engine/internal/index_rows.h"

namespace tidemark::internal {

inline constexpr size_t kMostCommitsInList = 256;

Key16 CommitListKey(TimelineId timeline, Lsn first);

// Appends the value of a list of 1 to kMostCommitsInList commits, in order of LSNs.
void EncodeCommitList(std::span<const CommitRow> rows, std::vector<std::byte>& out);

// Goes through a list, which must stay where it is.
class CommitListReader {
 public:
  CommitListReader(ConstBytes key, ConstBytes value);
  // False at the end, or if the list is damaged.
  bool Next(CommitRow& row);
  bool is_damaged() const { return damaged_; }
  uint64_t count() const { return count_; }  // of all

 private:
  Reader reader_;
  uint64_t count_ = 0;
  uint64_t left_ = 0;
  bool damaged_ = false;
  CommitRow row_;
};

// Empty if key or value hold what no encoder writes.
std::optional<std::vector<CommitRow>> DecodeCommitList(ConstBytes key, ConstBytes value);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_COMMIT_LIST_H_
