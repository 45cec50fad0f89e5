// For tests of what is on disk: bytes as hex text, and bytes that a decoder cannot read beyond.

#ifndef TIDEMARK_TESTS_SUPPORT_GOLDEN_BYTES_H_
#define TIDEMARK_TESTS_SUPPORT_GOLDEN_BYTES_H_

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::testing {

inline std::string Hex(std::span<const std::byte> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[static_cast<unsigned>(byte) >> 4];
    text += kDigits[static_cast<unsigned>(byte) & 15];
  }
  return text;
}

// Hex text as Hex() gives it, from one with spaces between the fields.
inline std::string Golden(std::string_view spaced) {
  std::string text(spaced);
  std::erase(text, ' ');
  return text;
}

// Spaces are allowed between bytes.
inline std::vector<std::byte> Unhex(std::string_view spaced) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  const std::string hex = Golden(spaced);
  std::vector<std::byte> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  }
  return bytes;
}

// A copy of some bytes with memory behind it that cannot be read: a decoder that looks beyond its
// input ends the test program, with and without a sanitizer.
class GuardedBytes {
 public:
  explicit GuardedBytes(std::span<const std::byte> bytes) {
    const auto page_size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t room = (bytes.size() / page_size + 1) * page_size;
    map_size_ = room + page_size;
    map_ = mmap(nullptr, map_size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(map_, MAP_FAILED);
    auto* const guard = static_cast<std::byte*>(map_) + room;
    EXPECT_EQ(mprotect(guard, page_size, PROT_NONE), 0);
    std::byte* const begin = guard - bytes.size();
    std::copy(bytes.begin(), bytes.end(), begin);
    bytes_ = {begin, bytes.size()};
  }
  ~GuardedBytes() { munmap(map_, map_size_); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  void* map_ = nullptr;
  size_t map_size_ = 0;
  std::span<const std::byte> bytes_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_SUPPORT_GOLDEN_BYTES_H_
