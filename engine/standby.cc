#include "engine/standby.h"

#include <algorithm>
#include <bit>
#include <new>
#include <optional>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "engine/internal/segment_header.h"
#include "engine/internal/segments.h"
#include "engine/internal/standby_manifest.h"
#include "engine/internal/standby_source.h"

namespace tidemark {
namespace {

using internal::LookAtSource;
using internal::SegmentName;
using internal::SourceLook;
using internal::StandbyManifest;

// Looks at a source whose files come and go, before what does not hang together is an error.
constexpr int kLooks = 10;
constexpr size_t kCopyBytes = 1 << 20;

Status NoStandby(const std::string& directory) {
  return Status(StatusCode::kNotFound, directory + " is no standby");
}

Status WasPromoted(const std::string& directory) {
  return Status(StatusCode::kExists,
                directory +
                    " is a store of its own: a standby that was promoted goes its own way. Follow "
                    "into an empty directory");
}

bool MayBeARace(const Status& status) {
  return status.code() == StatusCode::kNotFound || status.code() == StatusCode::kCorruption;
}

Result<SourceLook> LookSomeTimes(FileSystem& files, const std::string& source,
                                 const std::optional<StandbyManifest>& has, Lsn confirmed) {
  for (int i = 1;; ++i) {
    auto look = LookAtSource(files, source, has, confirmed);
    if (look.ok() || i == kLooks || !MayBeARace(look.status())) return look;
  }
}

StandbyStatus StatusOf(const std::string& source, const std::optional<StandbyManifest>& has) {
  StandbyStatus status;
  status.source = source;
  if (!has) return status;
  status.lsn = status.source_lsn = has->lsn;
  status.time = status.source_time = has->time;
  status.bytes = has->bytes();
  return status;
}

// Bytes of segments that `next` has beyond `has`.
uint64_t BytesBeyond(const StandbyManifest& next, const StandbyManifest& has) {
  uint64_t bytes = 0;
  for (const auto& [number, size] : next.segments) {
    const auto there = has.segments.find(number);
    const uint32_t before =
        there != has.segments.end() ? there->second : uint32_t{format::kFirstGroupOffset};
    bytes += size > before ? size - before : 0;
  }
  return bytes;
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

class Standby::Impl {
 public:
  Impl(std::string source, std::string directory, FileSystem* files)
      : source_(std::move(source)), directory_(std::move(directory)), files_(*files) {}

  Status Begin() {
    if (source_.find('\n') != std::string::npos) {
      return Status(StatusCode::kInvalidArgument, "the source's path has a line break in it");
    }
    TIDEMARK_ASSIGN_OR_RETURN(const bool exists, files_.Exists(directory_));
    if (!exists) {
      TIDEMARK_RETURN_IF_ERROR(files_.CreateDirectory(directory_));
      TIDEMARK_RETURN_IF_ERROR(files_.SyncDirectory(ParentOf(directory_)));
    }
    TIDEMARK_RETURN_IF_ERROR(CheckDirectory());
    TIDEMARK_ASSIGN_OR_RETURN(lock_, files_.Lock(directory_ + "/LOCK"));
    TIDEMARK_RETURN_IF_ERROR(CheckDirectory());
    TIDEMARK_ASSIGN_OR_RETURN(has_, StandbyManifest::Read(files_, directory_));
    TIDEMARK_ASSIGN_OR_RETURN(const bool has_files, files_.Exists(Files()));
    if (!has_files) TIDEMARK_RETURN_IF_ERROR(files_.CreateDirectory(Files()));
    return files_.SyncDirectory(directory_);
  }

  Result<StandbyStatus> Advance(Lsn confirmed) {
    SourceLook look;
    for (int i = 1;; ++i) {
      TIDEMARK_ASSIGN_OR_RETURN(look, LookSomeTimes(files_, source_, has_, confirmed));
      const Status taken = look.next ? Take(*look.next) : OkStatus();
      if (taken.ok()) break;
      // A file that was packed between the look and the copy.
      if (i == kLooks || !MayBeARace(taken)) return taken;
    }
    StandbyStatus status = StatusOf(source_, has_);
    status.source_lsn = look.source_lsn;
    status.source_time = look.source_time;
    status.lag_bytes = look.lag_bytes;
    status.waits = look.waits;
    return status;
  }

 private:
  std::string Files() const { return directory_ + "/files"; }

  // Errors: kExists if something else than a standby is there.
  Status CheckDirectory() const {
    static const std::set<std::string> kOurs = {"LOCK", "files", StandbyManifest::kName,
                                                std::string(StandbyManifest::kName) + ".next"};
    TIDEMARK_ASSIGN_OR_RETURN(const bool is_store, files_.Exists(directory_ + "/log"));
    if (is_store) return WasPromoted(directory_);
    TIDEMARK_ASSIGN_OR_RETURN(const auto names, files_.ListDirectory(directory_));
    for (const std::string& name : names) {
      if (!kOurs.contains(name)) {
        return Status(StatusCode::kExists,
                      directory_ + " is no standby, and not empty: " + name + " is there");
      }
    }
    return OkStatus();
  }

  // Brings the files to what `next` says, and then says so.
  Status Take(const StandbyManifest& next) {
    const bool is_new = !has_ || has_->Encode() != next.Encode();
    if (!is_new) return OkStatus();
    for (const auto& [number, bytes] : next.packed) {
      const bool is_there = has_ && has_->packed.contains(number);
      if (!is_there) TIDEMARK_RETURN_IF_ERROR(Copy(number, 0, bytes));
    }
    for (const auto& [number, bytes] : next.segments) {
      const auto there = has_ ? has_->segments.find(number) : next.segments.end();
      uint64_t from = has_ && there != has_->segments.end() ? there->second : 0;
      // One without groups may have got another header since.
      if (from <= format::kFirstGroupOffset) from = 0;
      if (from < bytes) TIDEMARK_RETURN_IF_ERROR(Copy(number, from, bytes));
    }
    TIDEMARK_RETURN_IF_ERROR(files_.SyncDirectory(Files()));
    TIDEMARK_RETURN_IF_ERROR(next.Write(files_, directory_));
    has_ = next;
    return RemoveOthers(files_, Files(), next);
  }

  Status Copy(uint32_t number, uint64_t from, uint64_t to) {
    const std::string name = SegmentName(number);
    // What the manifest names is never half there.
    const std::string whole = Files() + "/" + name;
    const std::string path = from == 0 ? whole + ".next" : whole;
    TIDEMARK_ASSIGN_OR_RETURN(const auto source,
                              files_.Open(source_ + "/log/" + name, OpenMode::kReadOnly));
    if (from == 0) {
      TIDEMARK_ASSIGN_OR_RETURN(const bool left, files_.Exists(path));
      if (left) TIDEMARK_RETURN_IF_ERROR(files_.Remove(path));
    }
    TIDEMARK_ASSIGN_OR_RETURN(const auto file, files_.Open(path, from == 0 ? OpenMode::kCreateNew
                                                                           : OpenMode::kReadWrite));
    std::vector<std::byte> buffer(std::min<uint64_t>(kCopyBytes, to - from));
    for (uint64_t at = from; at < to;) {
      const std::span<std::byte> part =
          std::span(buffer).first(std::min<uint64_t>(buffer.size(), to - at));
      TIDEMARK_ASSIGN_OR_RETURN(const size_t read, source->ReadAt(at, part));
      if (read == 0) {
        return Status(StatusCode::kCorruption,
                      source_ + "/log/" + name + " ends before offset " + std::to_string(to));
      }
      TIDEMARK_RETURN_IF_ERROR(file->WriteAt(at, part.first(read)));
      at += read;
    }
    TIDEMARK_RETURN_IF_ERROR(file->Sync());
    return from == 0 ? files_.Rename(path, whole) : OkStatus();
  }

 public:
  // Those that the manifest does not name.
  static Status RemoveOthers(FileSystem& files, const std::string& directory,
                             const StandbyManifest& manifest) {
    std::set<std::string> named;
    for (const auto& [number, bytes] : manifest.packed) named.insert(SegmentName(number));
    for (const auto& [number, bytes] : manifest.segments) named.insert(SegmentName(number));
    TIDEMARK_ASSIGN_OR_RETURN(const auto names, files.ListDirectory(directory));
    for (const std::string& name : names) {
      if (!named.contains(name)) {
        TIDEMARK_RETURN_IF_ERROR(files.Remove(directory + "/" + name));
      }
    }
    return OkStatus();
  }

 private:
  const std::string source_;
  const std::string directory_;
  FileSystem& files_;
  std::unique_ptr<FileLock> lock_;
  std::optional<StandbyManifest> has_;
};

Standby::Standby(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Standby::~Standby() = default;

Result<std::unique_ptr<Standby>> Standby::Open(const std::string& source,
                                               const std::string& directory,
                                               FileSystem* file_system) try {
  TIDEMARK_ASSIGN_OR_RETURN(const bool has_log, file_system->Exists(source + "/log"));
  if (!has_log) {
    return Status(StatusCode::kNotFound, source + " is not a tidemark store (it has no log)");
  }
  auto impl = std::make_unique<Impl>(source, directory, file_system);
  TIDEMARK_RETURN_IF_ERROR(impl->Begin());
  return std::unique_ptr<Standby>(new Standby(std::move(impl)));
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

Result<StandbyStatus> Standby::Advance(Lsn confirmed) try {
  return impl_->Advance(confirmed);
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

Status Standby::Promote(const std::string& directory, FileSystem* file_system) try {
  FileSystem& files = *file_system;
  const std::string path = directory + "/" + StandbyManifest::kName;
  TIDEMARK_ASSIGN_OR_RETURN(const bool is_standby, files.Exists(path));
  TIDEMARK_ASSIGN_OR_RETURN(const bool was_store, files.Exists(directory + "/log"));
  if (!is_standby) return was_store ? WasPromoted(directory) : NoStandby(directory);
  TIDEMARK_ASSIGN_OR_RETURN(const auto lock, files.Lock(directory + "/LOCK"));
  TIDEMARK_ASSIGN_OR_RETURN(const auto manifest, StandbyManifest::Read(files, directory));
  TIDEMARK_ASSIGN_OR_RETURN(const bool is_store, files.Exists(directory + "/log"));
  if (!is_store && manifest) {
    const std::string from = directory + "/files";
    TIDEMARK_RETURN_IF_ERROR(Impl::RemoveOthers(files, from, *manifest));
    // What an interrupted copy has left behind the end goes, and the segment is one that the log
    // has not left for a next one: its size is a power of two.
    const auto [number, bytes] = *manifest->segments.rbegin();
    TIDEMARK_ASSIGN_OR_RETURN(const auto last,
                              files.Open(from + "/" + SegmentName(number), OpenMode::kReadWrite));
    TIDEMARK_RETURN_IF_ERROR(last->Truncate(bytes));
    TIDEMARK_RETURN_IF_ERROR(
        last->Truncate(std::bit_ceil(std::max(bytes, internal::kMinSegmentBytes))));
    TIDEMARK_RETURN_IF_ERROR(last->Sync());
    TIDEMARK_RETURN_IF_ERROR(files.SyncDirectory(from));
    TIDEMARK_RETURN_IF_ERROR(files.Rename(from, directory + "/log"));
  }
  TIDEMARK_RETURN_IF_ERROR(files.SyncDirectory(directory));
  TIDEMARK_RETURN_IF_ERROR(files.Remove(path));
  return files.SyncDirectory(directory);
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

bool Standby::IsAt(const std::string& directory, FileSystem* file_system) {
  const auto exists = file_system->Exists(directory + "/" + StandbyManifest::kName);
  return exists.ok() && *exists;
}

Result<StandbyStatus> Standby::Look(const std::string& directory, bool* source_lost,
                                    FileSystem* file_system) try {
  TIDEMARK_ASSIGN_OR_RETURN(const auto has, StandbyManifest::Read(*file_system, directory));
  if (!has) return NoStandby(directory);
  StandbyStatus status = StatusOf(has->source, has);
  auto look = LookSomeTimes(*file_system, has->source, has, Lsn());
  *source_lost = !look.ok();
  if (!look.ok()) return status;
  status.source_lsn = look->source_lsn;
  status.source_time = look->source_time;
  status.waits = look->waits;
  // Proven or not: the standby has none of it.
  status.lag_bytes = look->lag_bytes + (look->next ? BytesBeyond(*look->next, *has) : 0);
  return status;
} catch (const std::bad_alloc&) {
  return Status::OutOfMemory();
}

}  // namespace tidemark
