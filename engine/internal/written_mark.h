// WrittenMark: tells an index from a copy of it that was made while it was written.
//
// LMDB writes pages in place that older versions of its tree have left, so a copy made meanwhile
// can have pages of several versions; LMDB has no checksums to see it by, and falls over it. So a
// file beside the index says:
//
//   open BIRTH BIRTH     it is being written, or was when the process ended: the time of birth of
//                        the index's file, and of this one, which is made anew at each opening
//   closed TRANSACTION   it was closed after this one
//
// A copy has other times of birth, also when it is brought back over the original, or an earlier
// transaction in the pages that are copied first. (Inode numbers are no help: an overlay gives
// others after each mount.) What this does not see: a store that was closed when the copying of its
// index began, and opened and written before it ended.
//
// Threads: one at a time.

#ifndef TIDEMARK_ENGINE_INTERNAL_WRITTEN_MARK_H_
#define TIDEMARK_ENGINE_INTERNAL_WRITTEN_MARK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "engine/result.h"
#include "engine/status.h"

namespace tidemark::internal {

class WrittenMark {
 public:
  // Of the index in `directory`.
  explicit WrittenMark(std::string directory) : directory_(std::move(directory)) {}

  // Before LMDB opens the file: gives the transaction that must be its last, if it was closed.
  // Without a mark, and where files have no time of birth, nothing is known. Errors: kCorruption if
  // it is a copy; kIoError.
  Result<std::optional<uint64_t>> Check() const;
  Status Copied() const;  // kCorruption, saying so

  // Durable when it returns; before the first write. On a full disk there is no mark. Errors:
  // kReadOnly, kIoError.
  Status SetOpen();
  // Before the index's file is replaced by another one: nothing is known, durably. Errors:
  // kReadOnly, kIoError.
  Status Forget();
  // Behind the last write; needs not be durable. Errors: as SetOpen.
  Status SetClosed(uint64_t transaction);

 private:
  Status Replace(const std::string& text, bool names_itself);

  const std::string directory_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_WRITTEN_MARK_H_
