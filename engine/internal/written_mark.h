// WrittenMark: tells an index from a copy of it that was made while it was written.
//
// LMDB writes pages in place that older versions of its tree have left, so a copy made meanwhile
// can have pages of several versions; LMDB has no checksums to see it by, and may fall over it. So
// while an index is open and written, a file beside it says which file that is: its inode number
// and the time of its birth. Beside a copy it names another file.
//
// The mark needs no sync: what a crash leaves behind is whole, with the mark or without.
//
// Threads: one at a time.

#ifndef TIDEMARK_ENGINE_INTERNAL_WRITTEN_MARK_H_
#define TIDEMARK_ENGINE_INTERNAL_WRITTEN_MARK_H_

#include <string>
#include <utility>

#include "engine/status.h"

namespace tidemark::internal {

class WrittenMark {
 public:
  // Of the index in `directory`.
  explicit WrittenMark(std::string directory) : directory_(std::move(directory)) {}

  // Before LMDB opens the file. Errors: kCorruption if it is a copy; kIoError. OK where files have
  // no time of birth.
  Status Check() const;
  // Before the first write, and behind the last one. Nothing happens if it is there, or gone,
  // already. Errors: kFull, kReadOnly, kIoError.
  Status Set();
  Status Clear();

 private:
  std::string Path() const { return directory_ + "/WRITTEN"; }

  const std::string directory_;
  bool is_set_ = false;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_WRITTEN_MARK_H_
