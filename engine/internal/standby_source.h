// One look at the log of a store that another process may be writing: what is confirmed beyond what
// a standby has, and which files have it.
//
// Proof: a group carries the highest LSN that was durable when it was written, and so the last
// group of a log is not known to be durable until something behind it says so. Only what is proven
// is taken. A packed segment is there because all that it stands for, and all that it was made by
// (what let history expire, moved labels, purged), is durable; but a log that ends before a record
// that it was made by is no state that the store was in. So packed segments are taken on only when
// nothing that is not proven yet can be such a record.
//
// Files go, come and grow meanwhile: what does not hang together is kCorruption or kNotFound, and
// another look decides.
//
// Threads: a function.

#ifndef TIDEMARK_ENGINE_INTERNAL_STANDBY_SOURCE_H_
#define TIDEMARK_ENGINE_INTERNAL_STANDBY_SOURCE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "engine/file_system.h"
#include "engine/internal/standby_manifest.h"
#include "engine/lsn.h"
#include "engine/result.h"

namespace tidemark::internal {

struct SourceLook {
  // What the standby can be; what it has if there is no more. None if there is nothing yet.
  std::optional<StandbyManifest> next;
  Lsn source_lsn;  // of the last record, proven or not; a close record aside
  Timestamp source_time;
  uint64_t lag_bytes = 0;  // behind `next`
  bool waits = false;      // StandbyStatus::waits
};

// `has` is the standby, if there is one; `confirmed` is durable by other proof. Errors: kForeign;
// kNotFound; kCorruption; kIoError; kUnsupportedVersion.
Result<SourceLook> LookAtSource(FileSystem& files, const std::string& source,
                                const std::optional<StandbyManifest>& has, Lsn confirmed);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_STANDBY_SOURCE_H_
