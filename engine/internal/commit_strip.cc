#include "engine/internal/commit_strip.h"

#include "engine/check.h"
#include "engine/internal/record.h"

namespace tidemark::internal {
namespace {

constexpr uint64_t kChangesSchema = 1;

// What stays the same from one commit to the next takes one bit.
constexpr uint64_t kSameShape = 2;
// Followed by it, as the difference to the last one that there was.
constexpr uint64_t kHasAlarm = 4;

bool HasShape(const CommitInfo& commit, const CommitInfo& shape) {
  return commit.epoch == shape.epoch && commit.page_size == shape.page_size &&
         commit.page_count == shape.page_count && commit.pages_changed == shape.pages_changed;
}

uint64_t Microseconds(Timestamp time) {
  return static_cast<uint64_t>(time.time_since_epoch().count());
}

}  // namespace

void CommitStrip::Add(const CommitInfo& commit) {
  CHECK(commit.kind == CommitKind::kCommit);
  CHECK(commit.lsn > last_.lsn);
  const bool same_shape = HasShape(commit, last_);
  AppendVarint(bytes_, commit.lsn.value - last_.lsn.value);
  AppendVarint(bytes_, ZigZag(Microseconds(commit.time) - Microseconds(last_.time)));
  AppendVarint(bytes_, (commit.schema_changed ? kChangesSchema : 0) |
                           (same_shape ? kSameShape : 0) | (commit.alarm ? kHasAlarm : 0));
  AppendVarint(bytes_, commit.log_bytes);
  if (!same_shape) {
    AppendVarint(bytes_, commit.epoch);
    AppendVarint(bytes_, commit.page_size);
    AppendVarint(bytes_, commit.page_count);
    AppendVarint(bytes_, commit.pages_changed);
  }
  if (commit.alarm) {
    const uint64_t alarm = AlarmNumber(*commit.alarm);
    AppendVarint(bytes_, ZigZag(alarm - last_alarm_));
    last_alarm_ = alarm;
  }
  AppendFixed(bytes_, commit.state_hash);
  last_ = commit;
}

bool CommitStrip::Cursor::Next(CommitInfo* commit) {
  if (reader_.AtEnd()) return false;
  at_.kind = CommitKind::kCommit;
  at_.lsn = Lsn(at_.lsn.value + reader_.Varint());
  at_.time = Timestamp(std::chrono::microseconds(
      static_cast<int64_t>(Microseconds(at_.time) + UnZigZag(reader_.Varint()))));
  const uint64_t flags = reader_.Varint();
  at_.schema_changed = (flags & kChangesSchema) != 0;
  at_.log_bytes = reader_.Varint();
  if ((flags & kSameShape) == 0) {
    at_.epoch = reader_.Varint32();
    at_.page_size = reader_.Varint32();
    at_.page_count = reader_.Varint32();
    at_.pages_changed = reader_.Varint32();
  }
  at_.alarm.reset();
  if ((flags & kHasAlarm) != 0) {
    last_alarm_ += UnZigZag(reader_.Varint());
    at_.alarm = AlarmOf(last_alarm_);
  }
  at_.state_hash = reader_.Fixed<uint64_t>();
  CHECK(reader_.ok());
  *commit = at_;
  return true;
}

}  // namespace tidemark::internal
