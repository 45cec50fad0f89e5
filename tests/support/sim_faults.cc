// The half of SimFileSystem that breaks things: power, failing calls, damage on the disk.

#include <array>
#include <span>
#include <utility>

#include "engine/check.h"
#include "tests/support/sim_file_system.h"

namespace tidemark::testing {

uint64_t SimFileSystem::operations() const {
  const std::scoped_lock lock(mutex_);
  return operations_;
}

void SimFileSystem::CrashAt(uint64_t nth) {
  const std::scoped_lock lock(mutex_);
  crash_at_ = operations_ + nth;
}

void SimFileSystem::Crash() {
  const std::scoped_lock lock(mutex_);
  crashed_ = true;
}

Status SimFileSystem::CountOutside(const std::string& what, bool* now) {
  const std::scoped_lock lock(mutex_);
  return Count(what, now);
}

bool SimFileSystem::crashed() const {
  const std::scoped_lock lock(mutex_);
  return crashed_;
}

void SimFileSystem::Restart(PowerLoss loss) {
  const std::scoped_lock lock(mutex_);
  crashed_ = false;
  crash_at_ = 0;
  ++power_on_;
  locked_.clear();
  if (loss == PowerLoss::kNothing) return;  // the page cache is as it was

  for (const NameChange& change : pending_names_) {
    if (loss == PowerLoss::kSeeded && random_.OneIn(2)) durable_.Apply(change);
  }
  pending_names_.clear();
  durable_.DropOrphans();
  current_ = durable_;
  for (const auto& [path, node] : current_.files) {
    Persist(*node, loss);
    node->current = node->durable;
  }
}

void SimFileSystem::Persist(Node& node, PowerLoss loss) {
  if (loss == PowerLoss::kSeeded && !node.pending.empty()) {
    // Nearly everything lost, nearly nothing, or half: each finds other mistakes.
    const uint64_t keep_percent = std::array<uint64_t, 3>{10, 50, 90}[random_.Below(3)];
    const auto keep = [&] { return random_.Below(100) < keep_percent; };
    SparseBytes disk = node.durable;
    uint64_t size = disk.size();
    for (const Change& change : node.pending) {
      const bool torn = random_.OneIn(3);
      const bool whole = keep();
      for (size_t at = 0; at < change.sectors.size(); at += kSectorBytes) {
        if (!(torn ? keep() : whole)) continue;
        disk.Write(change.offset + at, std::span(change.sectors).subspan(at, kSectorBytes));
      }
      // A size that shrank also cut off what stood behind it.
      if (change.size_changed && keep()) {
        size = change.size;
        if (size < disk.size()) disk.Resize(size);
      }
    }
    disk.Resize(size);
    node.durable = std::move(disk);
  }
  node.pending.clear();
}

uint64_t SimFileSystem::FailWrite(uint64_t nth, StatusCode code) {
  const std::scoped_lock lock(mutex_);
  writes_to_fail_ = nth;
  write_failure_ = code;
  return std::exchange(failed_writes_, 0);
}

uint64_t SimFileSystem::FailSync(uint64_t nth) {
  const std::scoped_lock lock(mutex_);
  syncs_to_fail_ = nth;
  return std::exchange(failed_syncs_, 0);
}

uint64_t SimFileSystem::FailReads(uint64_t nth, bool all) {
  const std::scoped_lock lock(mutex_);
  reads_to_fail_ = nth;
  all_reads_fail_ = all;
  return std::exchange(failed_reads_, 0);
}

uint64_t SimFileSystem::FailOperation(uint64_t nth, StatusCode code) {
  const std::scoped_lock lock(mutex_);
  operations_to_fail_ = nth;
  operation_failure_ = code;
  return std::exchange(failed_operations_, 0);
}

Status SimFileSystem::CountDown(const std::string& what) {
  if (operations_to_fail_ == 0 || --operations_to_fail_ > 0) return OkStatus();
  ++failed_operations_;
  return Status(operation_failure_, "cannot " + what + ": a simulated failure");
}

uint64_t SimFileSystem::read_bytes() const {
  const std::scoped_lock lock(mutex_);
  return read_bytes_;
}

void SimFileSystem::FailReadsOf(const std::string& path, uint64_t offset, uint64_t size) {
  const std::scoped_lock lock(mutex_);
  unreadable_path_ = path;
  unreadable_begin_ = offset;
  unreadable_end_ = offset + size;
}

Status SimFileSystem::CountRead(const std::string& path, uint64_t offset, uint64_t size) {
  read_bytes_ += size;
  if (path == unreadable_path_ && offset < unreadable_end_ && offset + size > unreadable_begin_) {
    return Status(StatusCode::kIoError, "cannot read " + path + ": as the test asked");
  }
  if (reads_to_fail_ == 0) return OkStatus();
  if (reads_to_fail_ > 1) {
    --reads_to_fail_;
    return OkStatus();
  }
  if (!all_reads_fail_) reads_to_fail_ = 0;
  ++failed_reads_;
  return Status(StatusCode::kIoError, path + ": a read failed, as the test asked");
}

void SimFileSystem::SetCapacity(uint64_t bytes) {
  const std::scoped_lock lock(mutex_);
  capacity_ = bytes;
}

uint64_t SimFileSystem::UsedBytes() const {
  const std::scoped_lock lock(mutex_);
  return UsedBytesLocked();
}

uint64_t SimFileSystem::UsedBytesLocked() const {
  uint64_t used = 0;
  for (const auto& [path, node] : current_.files) used += node->current.size();
  return used;
}

void SimFileSystem::FlipBit(const std::string& path, uint64_t offset, unsigned bit) {
  std::byte byte;
  {
    const std::scoped_lock lock(mutex_);
    CHECK(Find(path)->current.Read(offset, {&byte, 1}) == 1);
  }
  byte ^= std::byte{1} << bit;
  Overwrite(path, offset, {&byte, 1});
}

void SimFileSystem::ZeroRange(const std::string& path, uint64_t offset, uint64_t size) {
  Overwrite(path, offset, std::vector<std::byte>(static_cast<size_t>(size)));
}

void SimFileSystem::Overwrite(const std::string& path, uint64_t offset,
                              std::span<const std::byte> data) {
  const std::scoped_lock lock(mutex_);
  const NodePtr node = Find(path);
  CHECK(offset + data.size() <= node->current.size());
  node->current.Write(offset, data);
  node->durable = node->current;
  node->pending.clear();
}

std::vector<std::byte> SimFileSystem::Contents(const std::string& path) const {
  const std::scoped_lock lock(mutex_);
  const NodePtr node = Find(path);
  std::vector<std::byte> bytes(static_cast<size_t>(node->current.size()));
  node->current.Read(0, bytes);
  return bytes;
}

}  // namespace tidemark::testing
