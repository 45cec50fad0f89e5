#include "engine/internal/packer.h"

#include <algorithm>
#include <iterator>

#include "engine/internal/segments.h"

namespace tidemark::internal {
namespace {

// A file may take so many tenths of what is needed of it.
constexpr uint64_t kMostWasteTenths = 13;
// What one job takes in, unless a large commit makes it more.
constexpr uint64_t kJobBytes = 64u << 20;

bool Pays(uint64_t bytes, uint64_t needed) { return bytes * 10 > needed * kMostWasteTenths; }

}  // namespace

void Packer::Stop() {
  stop_ = true;
  std::lock_guard lock(mutex_);
}

Status Packer::stopped() const {
  return stop_ ? Status(StatusCode::kBroken,
                        "the store " + store_->directory() + " is closed: reopen it")
               : OkStatus();
}

Result<std::vector<Packer::File>> Packer::Files() const {
  std::vector<File> files;
  Segments& segments = store_->segments();
  for (const Segments::Packed& packed : segments.ListPacked()) {
    files.push_back({.number = packed.header.number,
                     .first = packed.header.packed_from,
                     .end = {packed.header.previous, packed.header.previous_end},
                     .bytes = packed.size_bytes});
  }
  // Of the log what is sealed and wholly in the index.
  TIDEMARK_ASSIGN_OR_RETURN(const auto checkpoint, store_->index().Checkpoint());
  if (!checkpoint) return files;
  const auto headers = segments.Headers();
  for (auto it = headers.begin(); it != headers.end(); ++it) {
    const auto next = std::next(it);
    if (next == headers.end() || checkpoint->position.segment <= it->first ||
        next->second.previous != it->first) {
      break;
    }
    TIDEMARK_ASSIGN_OR_RETURN(const auto segment, segments.Get(it->first));
    files.push_back({.number = it->first,
                     .first = it->first,
                     .end = {it->first, next->second.previous_end},
                     .bytes = segment->size_bytes});
  }
  return files;
}

PackInput Packer::Input(const std::vector<File>& files, size_t begin, size_t count) {
  PackInput input;
  input.first = files[begin].first;
  for (size_t i = begin; i < begin + count; ++i) {
    input.numbers.push_back(files[i].number);
    input.end = files[i].end;
    input.bytes += files[i].bytes;
  }
  return input;
}

Result<size_t> Packer::Pack(const std::vector<File>& files, size_t begin, size_t wanted,
                            ReclaimReport* report) {
  // A commit whose batches and frame lie on both sides of the end takes more, or else fewer files.
  std::vector<size_t> counts;
  for (size_t count = wanted; begin + count <= files.size(); ++count) counts.push_back(count);
  for (size_t count = wanted - 1; count > 0; --count) counts.push_back(count);
  for (const size_t count : counts) {
    PackInput input = Input(files, begin, count);
    const uint64_t bytes = input.bytes;
    PackJob job(store_, std::move(input));
    TIDEMARK_RETURN_IF_ERROR(job.Run());
    if (job.splits_commit()) continue;
    report->files += count;
    report->bytes_before += bytes;
    report->bytes_after += job.packed_bytes();
    return count;
  }
  return size_t{0};
}

size_t Packer::CountForAJob(const std::vector<File>& files, size_t begin) {
  size_t count = 1;
  for (uint64_t bytes = files[begin].bytes; begin + count < files.size(); ++count) {
    bytes += files[begin + count].bytes;
    if (bytes > kJobBytes) break;
  }
  return count;
}

Result<size_t> Packer::CountThatPay(const std::vector<File>& files, size_t begin) const {
  const size_t count = CountForAJob(files, begin);
  size_t packed = 0;  // how many of them are packed
  uint64_t packed_bytes = 0;
  uint64_t log_bytes = 0;
  for (size_t i = begin; i < begin + count; ++i) {
    const bool is_packed = format::IsPacked(files[i].number);
    packed += is_packed;
    (is_packed ? packed_bytes : log_bytes) += files[i].bytes;
  }
  if (packed < count && packed_bytes <= log_bytes) return count;
  PackJob job(store_, Input(files, begin, packed));
  TIDEMARK_ASSIGN_OR_RETURN(const auto needed, job.Estimate());
  size_t that_pay = 0;
  uint64_t bytes = 0;
  uint64_t needed_bytes = 0;
  for (size_t i = begin; i < begin + packed; ++i) {
    bytes += files[i].bytes;
    const auto of_file = needed.find(files[i].number);
    needed_bytes += of_file == needed.end() ? 0 : of_file->second;
    if (Pays(bytes, needed_bytes)) that_pay = i + 1 - begin;
  }
  return that_pay;
}

Result<ReclaimReport> Packer::Run(ReclaimWhat what) {
  std::lock_guard lock(mutex_);
  TIDEMARK_RETURN_IF_ERROR(stopped());
  const std::unique_lock files_lock(files_mutex_, std::try_to_lock);
  if (!files_lock.owns_lock()) {
    return Status(StatusCode::kBusy, "the store " + store_->directory() +
                                         " is being verified: reclaim its space afterwards");
  }
  ReclaimReport report;
  if (what == ReclaimWhat::kEverything) TIDEMARK_RETURN_IF_ERROR(store_->SealLog());
  TIDEMARK_RETURN_IF_ERROR(store_->checkpointer().Run());
  TIDEMARK_ASSIGN_OR_RETURN(const std::vector<File> files, Files());
  Status damage;  // the first that was met: it costs the files behind it in the log, no others
  for (size_t begin = 0; begin < files.size();) {
    const auto packed = PackFrom(files, begin, what, &report);
    if (packed.status().code() == StatusCode::kCorruption) {
      if (damage.ok()) damage = packed.status();
    } else {
      TIDEMARK_RETURN_IF_ERROR(packed.status());
    }
    if (packed.ok() && *packed > 0) {
      begin += *packed;
    } else if (format::IsPacked(files[begin].number)) {
      ++begin;
    } else {
      break;  // the log is packed from its begin
    }
  }
  TIDEMARK_RETURN_IF_ERROR(damage);
  return report;
}

Result<size_t> Packer::PackFrom(const std::vector<File>& files, size_t begin, ReclaimWhat what,
                                ReclaimReport* report) {
  size_t count = CountForAJob(files, begin);
  if (what == ReclaimWhat::kWhatPays) {
    TIDEMARK_ASSIGN_OR_RETURN(count, CountThatPay(files, begin));
  }
  return count == 0 ? size_t{0} : Pack(files, begin, count, report);
}

}  // namespace tidemark::internal
