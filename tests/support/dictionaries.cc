#include "tests/support/dictionaries.h"

#include <algorithm>
#include <iterator>

#include "engine/internal/packer.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {

void UseDictionariesEarly(Store& store) {
  internal::StorePeer::Impl(store).packer().set_dictionary_rule(
      {.least_bytes = 0, .sampled = 1, .least_gain = 0});
}

void FillWithRows(std::span<std::byte> out, Random& random) {
  constexpr const char* kWords[] = {R"({"user":"user-)", R"(","action":"add_to_cart","price":)",
                                    R"(,"time":"2026-11-21T12:00:00Z","country":"DE")",
                                    R"(,"language":"en","currency":"EUR","session":)"};
  std::string text;
  while (text.size() < out.size()) {
    for (const char* const word : kWords) text += word + std::to_string(random.Below(1000));
  }
  std::transform(text.begin(), text.begin() + static_cast<ptrdiff_t>(out.size()), out.begin(),
                 [](char c) { return static_cast<std::byte>(c); });
}

std::vector<DictionaryPosition> FindDictionaries(SimFileSystem& fs) {
  // zstd's number for them.
  constexpr std::byte kMagic[] = {std::byte{0x37}, std::byte{0xa4}, std::byte{0x30},
                                  std::byte{0xec}};
  std::vector<DictionaryPosition> found;
  const std::vector<std::string> names = fs.ListDirectory("store/log").value();
  for (const std::string& name : names) {
    if (!name.ends_with(".pack")) continue;
    const std::string path = "store/log/" + name;
    const auto bytes = fs.Contents(path);
    for (auto at = bytes.begin();; ++at) {
      at = std::search(at, bytes.end(), std::begin(kMagic), std::end(kMagic));
      if (at == bytes.end()) break;
      found.push_back({path, static_cast<uint64_t>(at - bytes.begin())});
    }
  }
  return found;
}

}  // namespace tidemark::testing
