// FuzzInput: a fuzzer's bytes, taken off front to back. What is not there any more reads as zeros,
// so that an input stays one whatever a mutation cuts off.

#ifndef TIDEMARK_TESTS_FUZZ_FUZZ_INPUT_H_
#define TIDEMARK_TESTS_FUZZ_FUZZ_INPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::testing {

class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : bytes_(std::as_bytes(std::span(data, size))) {}

  size_t remaining() const { return bytes_.size(); }
  uint8_t Byte() {
    const auto byte = Take(1);
    return byte.empty() ? uint8_t{0} : std::to_integer<uint8_t>(byte[0]);
  }
  uint16_t Short() {
    const unsigned high = Byte();
    return static_cast<uint16_t>(high << 8 | Byte());
  }
  uint32_t Word() {
    const uint32_t high = Short();
    return high << 16 | Short();
  }
  // Below `limit`, which is not 0.
  size_t Below(size_t limit) { return (limit <= 256 ? Byte() : Word()) % limit; }
  // At most so many: they point into the input.
  std::span<const std::byte> Take(size_t most) {
    const auto taken = bytes_.first(std::min(most, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }
  // A copy of all that is left, of just that size: what reads beyond it is seen.
  std::vector<std::byte> Rest() {
    const auto rest = Take(bytes_.size());
    return {rest.begin(), rest.end()};
  }
  // Up to a byte of 0, which goes, too.
  std::string Text() {
    const std::string_view all(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
    const std::string text(all.substr(0, all.find('\0')));
    Take(text.size() + 1);
    return text;
  }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace tidemark::testing

// What libFuzzer calls, and replay_main.cc where that is not there.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#endif  // TIDEMARK_TESTS_FUZZ_FUZZ_INPUT_H_
