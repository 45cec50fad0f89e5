// Codec<T>: how a T becomes the bytes that a key holds. Specialise it for types of your own:
//
//   template <>
//   struct tidemark::Codec<Point> {
//     static std::string Encode(const Point& point);       // anything that std::string_view takes
//     static Point Decode(std::string_view bytes);         // throws Error for what is no Point
//   };
//
// Here are those of strings and blobs (the bytes as they are), integers and doubles (8 bytes, the
// lowest first), and bool (one). JSON is in api/json_codec.h.

#ifndef TIDEMARK_API_CODEC_H_
#define TIDEMARK_API_CODEC_H_

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "api/value.h"
#include "engine/export.h"

namespace tidemark {

// Throws Error (kMalformed): for codecs, where the bytes are not `wanted`.
[[noreturn]] TIDEMARK_API void ThrowBadValue(std::string_view bytes, const char* wanted);

namespace internal {

// Bytes that need no allocation.
template <size_t size>
struct FixedBytes {
  std::array<char, size> bytes;
  operator std::string_view() const { return {bytes.data(), size}; }  // NOLINT: implicit
};

inline FixedBytes<8> EncodeFixed(uint64_t bits) {
  FixedBytes<8> encoded;
  for (char& byte : encoded.bytes) {
    byte = static_cast<char>(bits & 0xff);
    bits >>= 8;
  }
  return encoded;
}

inline uint64_t DecodeFixed(std::string_view bytes, const char* wanted) {
  if (bytes.size() != 8) ThrowBadValue(bytes, wanted);
  uint64_t bits = 0;
  for (size_t i = 8; i-- > 0;) bits = bits << 8 | static_cast<unsigned char>(bytes[i]);
  return bits;
}
}  // namespace internal

template <typename T>
struct Codec;

template <>
struct Codec<std::string> {
  static std::string_view Encode(std::string_view value) { return value; }
  static std::string Decode(std::string_view bytes) { return std::string(bytes); }
};

template <>
struct Codec<Blob> {
  static std::string_view Encode(BlobView value) {
    return {reinterpret_cast<const char*>(value.data()), value.size()};
  }
  static Blob Decode(std::string_view bytes) {
    const auto* first = reinterpret_cast<const std::byte*>(bytes.data());
    return Blob(first, first + bytes.size());
  }
};

template <>
struct Codec<bool> {
  static internal::FixedBytes<1> Encode(bool value) { return {{value ? '\1' : '\0'}}; }
  static bool Decode(std::string_view bytes) {
    if (bytes.size() != 1 || static_cast<unsigned char>(bytes[0]) > 1) {
      ThrowBadValue(bytes, "a bool");
    }
    return bytes[0] != 0;
  }
};

// Every integer type has the same form, two's complement, so that what was put as one is read as
// another that it fits.
template <std::integral T>
struct Codec<T> {
  static internal::FixedBytes<8> Encode(T value) {
    return internal::EncodeFixed(static_cast<uint64_t>(value));
  }
  static T Decode(std::string_view bytes) {
    const uint64_t bits = internal::DecodeFixed(bytes, "an integer");
    if constexpr (std::signed_integral<T>) {
      const auto value = static_cast<int64_t>(bits);
      if (std::in_range<T>(value)) return static_cast<T>(value);
    } else {
      if (std::in_range<T>(bits)) return static_cast<T>(bits);
    }
    ThrowBadValue(bytes, "an integer of the type asked for");
  }
};

template <>
struct Codec<double> {
  static internal::FixedBytes<8> Encode(double value) {
    return internal::EncodeFixed(std::bit_cast<uint64_t>(value));
  }
  static double Decode(std::string_view bytes) {
    return std::bit_cast<double>(internal::DecodeFixed(bytes, "a double"));
  }
};

namespace internal {
// The codec for a value that is handed in: text goes as std::string, bytes as Blob.
template <typename T>
auto EncodeValue(const T& value) {
  if constexpr (std::convertible_to<const T&, std::string_view>) {
    return std::string_view(value);
  } else if constexpr (std::convertible_to<const T&, BlobView>) {
    return Codec<Blob>::Encode(BlobView(value));
  } else {
    return Codec<T>::Encode(value);
  }
}
}  // namespace internal

}  // namespace tidemark

#endif  // TIDEMARK_API_CODEC_H_
