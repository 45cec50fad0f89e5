// An index that is made anew beside the one that is there.
//
//   replay the log into INDEX/rebuild -> whole and durable -> its file takes the old one's place
//
// Until then the old file is as it was. A rebuild that was interrupted goes on where its index's
// checkpoint is; one that is overtaken, because the store was opened with its old index meanwhile,
// is dropped by that opening: the log may have been packed since.
//
// Threads: one at a time, under the store's lock.

#ifndef TIDEMARK_ENGINE_INTERNAL_INDEX_REBUILD_H_
#define TIDEMARK_ENGINE_INTERNAL_INDEX_REBUILD_H_

#include <string>

#include "engine/result.h"
#include "engine/status.h"

namespace tidemark::internal {

class IndexRebuild {
 public:
  // Of the index in `directory`.
  explicit IndexRebuild(std::string directory) : directory_(std::move(directory)) {}

  // Where the new one is made.
  std::string made() const { return directory_ + "/rebuild"; }
  // Where the old file is left if it is to be kept.
  std::string kept() const { return directory_ + "/data.mdb.old"; }

  // Something of a rebuild is there.
  Result<bool> IsBegun() const;
  // Makes the index's directory, if it is missing. Errors: kReadOnly, kFull, kIoError.
  Status Begin() const;
  // Nothing is left of a rebuild that has not ended.
  Status Drop() const;

  enum class OldFile { kGoes, kIsKept };
  // The file that was made, closed or not but durable, is the index's from here on: one rename. Of
  // several old files that are to be kept the first one is. Errors: kReadOnly, kFull, kIoError;
  // then the old file is in its place still, or kept, and the next rebuild ends this.
  Status Take(OldFile old_file) const;

 private:
  const std::string directory_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_INDEX_REBUILD_H_
