// Fixed and variable-length integers to and from bytes. Fixed ones are little-endian, but for those
// that are named big-endian, whose order is that of their bytes; varints are
// unsigned LEB128, at most 10 bytes, shortest form only.

#ifndef TIDEMARK_ENGINE_INTERNAL_CODING_H_
#define TIDEMARK_ENGINE_INTERNAL_CODING_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::internal {

static_assert(std::endian::native == std::endian::little, "fixed integers are copied as they are");

template <typename T>
T LoadFixed(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <typename T>
void StoreFixed(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

template <typename T>
void StoreBigEndian(std::byte* to, T value) {
  for (size_t i = sizeof(T); i-- > 0; value = static_cast<T>(value >> 8)) {
    to[i] = static_cast<std::byte>(value);
  }
}

template <typename T>
T LoadBigEndian(const std::byte* from) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value << 8) | static_cast<T>(from[i]);
  }
  return value;
}

template <typename T>
void AppendBigEndian(std::vector<std::byte>& out, T value) {
  const size_t size = out.size();
  out.resize(size + sizeof(T));
  StoreBigEndian(out.data() + size, value);
}

inline constexpr size_t kMaxVarintBytes = 10;

inline size_t VarintLength(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}

// Writes at `to`, which has room for kMaxVarintBytes; returns the end.
inline std::byte* StoreVarint(std::byte* to, uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<std::byte>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<std::byte>(value);
  return to;
}

inline void AppendBytes(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

inline void AppendVarint(std::vector<std::byte>& out, uint64_t value) {
  std::byte bytes[kMaxVarintBytes];
  std::byte* end = StoreVarint(bytes, value);
  out.insert(out.end(), bytes, end);
}

// Small for small differences of either sign.
inline uint64_t ZigZag(uint64_t difference) {
  return difference << 1 ^ static_cast<uint64_t>(static_cast<int64_t>(difference) >> 63);
}
inline uint64_t UnZigZag(uint64_t value) { return value >> 1 ^ (~(value & 1) + 1); }

template <typename T>
void AppendFixed(std::vector<std::byte>& out, T value) {
  const size_t size = out.size();
  out.resize(size + sizeof(T));  // insert() makes g++ 12 warn of overflows that are not there
  StoreFixed(out.data() + size, value);
}

// Length as a varint, then the bytes.
inline void AppendString(std::vector<std::byte>& out, std::string_view text) {
  AppendVarint(out, text.size());
  AppendBytes(out, std::as_bytes(std::span(text)));
}

// Reads fields from a span, front to back. After the first field that does not fit, ok() is false
// and every further read gives zero: check once, at the end.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t position() const { return position_; }
  size_t remaining() const { return bytes_.size() - position_; }
  // Everything was read, and nothing was missing.
  bool AtEnd() const { return ok_ && remaining() == 0; }

  uint64_t Varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (remaining() == 0) return Fail();
      const auto byte = static_cast<uint64_t>(bytes_[position_++]);
      if (shift == 63 && byte > 1) return Fail();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return byte == 0 && shift != 0 ? Fail() : value;
    }
    return Fail();
  }

  // A varint that must fit 32 bits.
  uint32_t Varint32() {
    const uint64_t value = Varint();
    return value > UINT32_MAX ? static_cast<uint32_t>(Fail()) : static_cast<uint32_t>(value);
  }

  template <typename T>
  T Fixed() {
    if (remaining() < sizeof(T)) return static_cast<T>(Fail());
    const T value = LoadFixed<T>(bytes_.data() + position_);
    position_ += sizeof(T);
    return value;
  }

  std::span<const std::byte> Span(size_t size) {
    if (remaining() < size) {
      Fail();
      return {};
    }
    const auto span = bytes_.subspan(position_, size);
    position_ += size;
    return span;
  }

  // A view of the bytes that are read.
  std::string_view String() {
    const uint64_t size = Varint();
    const auto span = Span(size > remaining() ? remaining() + 1 : static_cast<size_t>(size));
    return {reinterpret_cast<const char*>(span.data()), span.size()};
  }

 private:
  uint64_t Fail() {
    ok_ = false;
    position_ = bytes_.size();
    return 0;
  }

  std::span<const std::byte> bytes_;
  size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_CODING_H_
