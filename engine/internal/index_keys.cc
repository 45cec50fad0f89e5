// The index's keys, see index_rows.h.

#include <algorithm>

#include "engine/internal/coding.h"
#include "engine/internal/index_rows.h"

namespace tidemark::internal {
namespace {

constexpr uint64_t kSignBit = uint64_t{1} << 63;

}  // namespace

Key4 NumberKey(uint32_t number) {
  Key4 key;
  StoreBigEndian(key.data(), number);
  return key;
}

Key8 NumberKey(uint64_t number) {
  Key8 key;
  StoreBigEndian(key.data(), number);
  return key;
}

Key8 TimeKey(Timestamp time) {
  // Times before 1970 are negative: with the sign bit flipped they sort before the others.
  return NumberKey(static_cast<uint64_t>(time.time_since_epoch().count()) ^ kSignBit);
}

Key12 PageKey(TimelineId timeline, PageNo page) {
  Key12 key;
  StoreBigEndian(key.data(), timeline.value);
  StoreBigEndian(key.data() + 8, page.value);
  return key;
}

Key40 ObjectKey(uint64_t namespace_id, const ObjectId& id) {
  Key40 key;
  StoreBigEndian(key.data(), namespace_id);
  std::copy(id.bytes.begin(), id.bytes.end(), key.begin() + 8);
  return key;
}

Key40 RestoreKey(const ObjectId& object, Lsn lsn) {
  Key40 key;
  std::copy(object.bytes.begin(), object.bytes.end(), key.begin());
  StoreBigEndian(key.data() + 32, lsn.value);
  return key;
}

Key40 AlarmKey(Timestamp due, const ObjectId& object) {
  Key40 key;
  const Key8 time = TimeKey(due);
  std::copy(object.bytes.begin(), object.bytes.end(),
            std::copy(time.begin(), time.end(), key.begin()));
  return key;
}

std::vector<std::byte> EncodeRuleKey(const RuleKey& key) {
  std::vector<std::byte> bytes(kRuleKeyBytes + (key.object ? sizeof(key.object->bytes) : 0));
  bytes[0] = static_cast<std::byte>(key.kind);
  StoreBigEndian(bytes.data() + 1, key.namespace_id);
  if (key.object) {
    std::copy(key.object->bytes.begin(), key.object->bytes.end(), bytes.begin() + kRuleKeyBytes);
  }
  return bytes;
}

std::vector<std::byte> PurgeKey(const ObjectId& object) {
  std::vector<std::byte> key;
  AppendBytes(key, TextKey(kPurgePrefix));
  AppendBytes(key, object.bytes);
  return key;
}

std::vector<std::byte> LabelKey(const ObjectId& object, std::string_view name) {
  std::vector<std::byte> key(object.bytes.begin(), object.bytes.end());
  AppendBytes(key, std::as_bytes(std::span(name)));
  return key;
}

ConstBytes TextKey(std::string_view text) {
  return std::as_bytes(std::span(text)).first(std::min(text.size(), kMaxKeyBytes));
}

uint32_t LoadNumberKey4(ConstBytes key) { return LoadBigEndian<uint32_t>(key.data()); }
uint64_t LoadNumberKey8(ConstBytes key) { return LoadBigEndian<uint64_t>(key.data()); }
Timestamp LoadTimeKey(ConstBytes key) {
  return Timestamp(std::chrono::microseconds(static_cast<int64_t>(LoadNumberKey8(key) ^ kSignBit)));
}

}  // namespace tidemark::internal
