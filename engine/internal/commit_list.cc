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
  row_.lsn = Lsn(row_.lsn.value + reader_.Varint());
  row_.location.segment += static_cast<uint32_t>(UnZigZag(reader_.Varint()));
  row_.location.offset += static_cast<uint32_t>(UnZigZag(reader_.Varint()));
  damaged_ = damaged_ || !reader_.ok();
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
