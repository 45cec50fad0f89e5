// Standby: a warm copy of a whole store, kept current from its log while another process writes it.
//
//   auto standby = tidemark::Standby::Open("/var/lib/rooms", "/mnt/standby");
//   while (...) (*standby)->Advance();
//   ...                                             // the source is lost:
//   tidemark::Standby::Promote("/mnt/standby");     // from here on a store like any other
//
// What it has is always a state that the source had confirmed: a first part of its log, up to a
// group that later bytes of the log (or its owner) say is durable. It copies the files of the log
// as they are, a segment as it grows; no index. Files that packing has replaced are replaced here,
// too. Which files count, and up to where, stands in one small file, the manifest, which a rename
// replaces: whenever it is stopped, by a kill or a power loss, it is at one state or the next.
//
//   DIR/STANDBY          the manifest: see engine/internal/standby_manifest.h
//   DIR/LOCK             held by who follows or promotes
//   DIR/files/N.seg ...  becomes DIR/log with the promotion, by one rename
//
// The source is only read, by its files: it may be on a disk of another machine that is mounted
// here. Nothing tells it that it has a standby.

#ifndef TIDEMARK_ENGINE_STANDBY_H_
#define TIDEMARK_ENGINE_STANDBY_H_

#include <cstdint>
#include <memory>
#include <string>

#include "engine/clock.h"
#include "engine/export.h"
#include "engine/file_system.h"
#include "engine/lsn.h"
#include "engine/result.h"

namespace tidemark {

struct StandbyStatus {
  std::string source;  // its directory
  Lsn lsn;             // what a promotion gives: records up to here; 0 if there is nothing yet
  Timestamp time;      // of that record; the begin of time if there is none
  uint64_t bytes = 0;  // of the standby's files
  // The source at this look, confirmed or not.
  Lsn source_lsn;
  Timestamp source_time;
  uint64_t lag_bytes =
      0;  // of the source's log behind `lsn`; what was packed meanwhile not counted
  // The source has packed what the standby lacks, and has not said yet that all is durable on which
  // its packed files rest: it will with its next commit.
  bool waits = false;

  uint64_t lag_records() const { return source_lsn > lsn ? source_lsn.value - lsn.value : 0; }
};

// Used by one thread at a time.
class TIDEMARK_API Standby {
 public:
  // Goes on with the standby in `directory`, or begins one there: it must be missing or empty then,
  // the one above it must exist. Copies nothing yet. `file_system` is of both.
  // Errors: kNotFound (no store at `source`); kInUse (somebody follows or promotes it); kExists (it
  // was promoted, or is something else); kForeign (the standby is of another store); kCorruption
  // (the manifest); kReadOnly; kIoError.
  static Result<std::unique_ptr<Standby>> Open(const std::string& source,
                                               const std::string& directory,
                                               FileSystem* file_system = FileSystem::Posix());
  ~Standby();

  // Copies what the source has confirmed since, durably. Blocks for that. The log says of each
  // group that it is durable in the next one, so of a source that is idle the last group is
  // missing, but for one that was closed. Whoever knows better, from the owner
  // (Store::durable_lsn), says so by `confirmed`.
  //
  // Errors: kForeign (the source is not what was followed: it has lost, or never had, what the
  // standby has); kCorruption (damage in the source's log); kFull; kIoError. The standby stays as
  // it was, and another call may go on.
  Result<StandbyStatus> Advance(Lsn confirmed = Lsn());

  // Makes a store of it, which opens as any does: the log is replayed then, which makes its index,
  // and a new owner epoch begins. It can be followed no more. Interrupted, call it again.
  // Errors: kNotFound (no standby there, or nothing was copied yet); kInUse; kExists (it was
  // promoted before); kCorruption; kIoError.
  static Status Promote(const std::string& directory,
                        FileSystem* file_system = FileSystem::Posix());

  // Is there one that was not promoted? False also if that cannot be told.
  static bool IsAt(const std::string& directory, FileSystem* file_system = FileSystem::Posix());

  // How far it is, by a look at both; copies nothing, and may be called while somebody follows it.
  // Without the source (kNotFound and the like) its fields are the standby's own, and `source_lost`
  // is set. Errors: kNotFound (no standby there); kCorruption.
  static Result<StandbyStatus> Look(const std::string& directory, bool* source_lost,
                                    FileSystem* file_system = FileSystem::Posix());

 private:
  class TIDEMARK_HIDDEN Impl;
  explicit Standby(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark

#endif  // TIDEMARK_ENGINE_STANDBY_H_
