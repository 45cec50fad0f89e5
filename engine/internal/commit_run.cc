#include "engine/internal/commit_run.h"

#include <algorithm>
#include <bit>

#include "engine/check.h"
#include "engine/internal/coding.h"
#include "engine/internal/record.h"

namespace tidemark::internal {
namespace {

// One varint of every commit: what it is, as the difference to the commit before.
enum Column {
  kLsn,
  kTime,
  kEpoch,
  kPageSize,
  kPageCount,
  kFlags,
  kPages,
  kBytes,
  kAlarm,
  kColumns
};

struct Values {
  uint64_t of[kColumns] = {};
};

constexpr uint64_t kChangesSchema = 1;
constexpr uint64_t kHasAlarm = 2;

Values ValuesOf(const CommitInfo& commit) {
  Values values;
  values.of[kLsn] = commit.lsn.value;
  values.of[kTime] = static_cast<uint64_t>(commit.time.time_since_epoch().count());
  values.of[kEpoch] = commit.epoch;
  values.of[kPageSize] =
      commit.page_size == 0 ? 0 : static_cast<uint64_t>(std::countr_zero(commit.page_size));
  values.of[kPageCount] = commit.page_count;
  values.of[kFlags] = (commit.schema_changed ? kChangesSchema : 0) | (commit.alarm ? kHasAlarm : 0);
  values.of[kPages] = commit.pages_changed;
  values.of[kBytes] = commit.log_bytes;
  if (commit.alarm) values.of[kAlarm] = AlarmNumber(*commit.alarm);
  return values;
}

std::optional<CommitInfo> CommitOf(const Values& values) {
  if (values.of[kEpoch] > UINT32_MAX || values.of[kPageCount] > UINT32_MAX ||
      values.of[kPages] > UINT32_MAX || values.of[kFlags] > (kChangesSchema | kHasAlarm) ||
      (values.of[kPageSize] != 0 && values.of[kPageSize] < 9) || values.of[kPageSize] > 16 ||
      values.of[kLsn] == 0 || values.of[kLsn] > format::kMaxLsn ||
      values.of[kAlarm] > format::kMaxAlarm ||
      ((values.of[kFlags] & kHasAlarm) == 0 && values.of[kAlarm] != 0)) {
    return std::nullopt;
  }
  CommitInfo commit;
  commit.lsn = Lsn(values.of[kLsn]);
  commit.kind = CommitKind::kCommit;
  commit.time = Timestamp(std::chrono::microseconds(static_cast<int64_t>(values.of[kTime])));
  commit.epoch = static_cast<uint32_t>(values.of[kEpoch]);
  if (values.of[kPageSize] != 0) commit.page_size = uint32_t{1} << values.of[kPageSize];
  commit.page_count = static_cast<uint32_t>(values.of[kPageCount]);
  commit.schema_changed = (values.of[kFlags] & kChangesSchema) != 0;
  if ((values.of[kFlags] & kHasAlarm) != 0) commit.alarm = AlarmOf(values.of[kAlarm]);
  commit.pages_changed = static_cast<uint32_t>(values.of[kPages]);
  commit.log_bytes = values.of[kBytes];
  return commit;
}

}  // namespace

void EncodeCommitRun(std::span<const CommitInfo> commits, Buffer& out) {
  CHECK(!commits.empty() && commits.size() <= kMostCommitsInRun);
  AppendVarint(out, commits.front().timeline.value);
  AppendVarint(out, commits.size());
  Buffer columns;
  const bool alarms = std::any_of(commits.begin(), commits.end(), [](const CommitInfo& commit) {
    return commit.alarm.has_value();
  });
  for (int column = 0; column < (alarms ? kColumns : kAlarm); ++column) {
    uint64_t before = 0;
    for (const CommitInfo& commit : commits) {
      const uint64_t value = ValuesOf(commit).of[column];
      AppendVarint(columns, ZigZag(value - before));
      before = value;
    }
  }
  Buffer compressed;
  const bool smaller = CompressPage(columns, compressed);
  AppendVarint(out, smaller ? columns.size() : 0);
  AppendVarint(out, smaller ? compressed.size() : columns.size());
  AppendBytes(out, smaller ? compressed : columns);
  for (const CommitInfo& commit : commits) AppendFixed(out, commit.state_hash);
}

std::optional<std::vector<CommitInfo>> DecodeCommitRun(ConstBytes fields) {
  Reader reader(fields);
  const TimelineId timeline(reader.Varint());
  const uint64_t count = reader.Varint();
  const uint64_t decompressed = reader.Varint();
  const uint64_t length = reader.Varint();
  if (!reader.ok() || count == 0 || count > kMostCommitsInRun || length > reader.remaining() ||
      decompressed > kMostCommitsInRun * kColumns * kMaxVarintBytes) {
    return std::nullopt;
  }
  ConstBytes columns = reader.Span(length);
  Buffer buffer(decompressed);
  if (decompressed != 0) {
    if (!DecompressPage(columns, buffer)) return std::nullopt;
    columns = buffer;
  }
  std::vector<Values> values(count);
  Reader values_reader(columns);
  bool alarms = false;
  for (int column = 0; column < (alarms ? kColumns : kAlarm); ++column) {
    uint64_t value = 0;
    for (Values& of_commit : values) {
      value += UnZigZag(values_reader.Varint());
      of_commit.of[column] = value;
      alarms = alarms || (column == kFlags && (value & kHasAlarm) != 0);
    }
  }
  if (!values_reader.AtEnd()) return std::nullopt;
  std::vector<CommitInfo> commits;
  commits.reserve(count);
  for (const Values& of_commit : values) {
    auto commit = CommitOf(of_commit);
    if (!commit || (!commits.empty() && commit->lsn <= commits.back().lsn)) return std::nullopt;
    commit->timeline = timeline;
    commit->state_hash = reader.Fixed<uint64_t>();
    commits.push_back(*commit);
  }
  if (!reader.AtEnd()) return std::nullopt;
  return commits;
}

}  // namespace tidemark::internal
