#include "engine/internal/commit_list.h"

#include "engine/check.h"

namespace tidemark::internal {
namespace {

uint64_t Difference(uint32_t value, uint32_t before) {
  return ZigZag(uint64_t{value} - uint64_t{before});
}

}  // namespace

Key16 CommitListKey(TimelineId timeline, Lsn first) {
  Key16 key;
  StoreBigEndian(key.data(), timeline.value);
  StoreBigEndian(key.data() + 8, first.value);
  return key;
}

void EncodeCommitList(std::span<const CommitRow> rows, std::vector<std::byte>& out) {
  CHECK(!rows.empty() && rows.size() <= kMostCommitsInList);
  AppendVarint(out, rows.size());
  CommitRow before{.lsn = rows.front().lsn, .location = {}};
  for (const CommitRow& row : rows) {
    AppendVarint(out, row.lsn.value - before.lsn.value);
    AppendVarint(out, Difference(row.location.segment, before.location.segment));
    AppendVarint(out, Difference(row.location.offset, before.location.offset));
    before = row;
  }
}

CommitListReader::CommitListReader(ConstBytes key, ConstBytes value) : reader_(value) {
  count_ = reader_.Varint();
  damaged_ =
      key.size() != sizeof(Key16) || !reader_.ok() || count_ == 0 || count_ > kMostCommitsInList;
  if (damaged_) return;
  left_ = count_;
  row_.lsn = Lsn(LoadBigEndian<uint64_t>(key.data() + 8));
}

bool CommitListReader::Next(CommitRow& row) {
  if (left_ == 0) {
    damaged_ = damaged_ || !reader_.AtEnd();
    return false;
  }
  const uint64_t step = reader_.Varint();
  const uint64_t segment = row_.location.segment + UnZigZag(reader_.Varint());
  const uint64_t offset = row_.location.offset + UnZigZag(reader_.Varint());
  // The first one is in the key; the others rise.
  damaged_ = damaged_ || !reader_.ok() || (step == 0) != (left_ == count_) ||
             step > UINT64_MAX - row_.lsn.value || segment > UINT32_MAX || offset > UINT32_MAX;
  row_.lsn = Lsn(row_.lsn.value + step);
  row_.location.segment = static_cast<uint32_t>(segment);
  row_.location.offset = static_cast<uint32_t>(offset);
  --left_;
  row = row_;
  return !damaged_;
}

std::optional<std::vector<CommitRow>> DecodeCommitList(ConstBytes key, ConstBytes value) {
  CommitListReader reader(key, value);
  std::vector<CommitRow> rows;
  for (CommitRow row; reader.Next(row);) rows.push_back(row);
  if (reader.is_damaged()) return std::nullopt;
  return rows;
}

}  // namespace tidemark::internal
