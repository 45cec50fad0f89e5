// CommitStrip: commits of one timeline in memory, in order, some 20 bytes each. For packing, which
// goes through as many of them as a segment has.
//
// Threads: none of its own.

#ifndef TIDEMARK_ENGINE_INTERNAL_COMMIT_STRIP_H_
#define TIDEMARK_ENGINE_INTERNAL_COMMIT_STRIP_H_

#include "engine/commit_info.h"
#include "engine/internal/coding.h"
#include "engine/internal/page_codec.h"

namespace tidemark::internal {

class CommitStrip {
 public:
  // LSNs rise. Of commits (CommitKind::kCommit) only.
  void Add(const CommitInfo& commit);
  Lsn last_lsn() const { return last_.lsn; }

  // From the first commit to the last. The strip must not change meanwhile.
  class Cursor {
   public:
    explicit Cursor(const CommitStrip& strip) : reader_(strip.bytes_) {
      at_.timeline = strip.last_.timeline;
    }
    // False: that was all.
    bool Next(CommitInfo* commit);

   private:
    Reader reader_;
    CommitInfo at_;
    uint64_t last_alarm_ = 0;
  };

 private:
  Buffer bytes_;  // of each what differs from the one before
  CommitInfo last_;
  uint64_t last_alarm_ = 0;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_COMMIT_STRIP_H_
