#include "tools/byte_size.h"

#include <charconv>

#include "tools/failure.h"

namespace tidemark::tools {
namespace {

struct Unit {
  std::string_view name;
  uint64_t bytes;
};
constexpr Unit kUnits[] = {{"B", 1},
                           {"KiB", uint64_t{1} << 10},
                           {"MiB", uint64_t{1} << 20},
                           {"GiB", uint64_t{1} << 30},
                           {"TiB", uint64_t{1} << 40}};

}  // namespace

uint64_t ParseByteSize(const std::string& text, std::string_view verb, std::string_view option) {
  uint64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [behind, error] = std::from_chars(text.data(), end, count);
  if (error == std::errc()) {
    const std::string_view unit_name(behind, static_cast<size_t>(end - behind));
    for (const Unit& unit : kUnits) {
      if (unit_name == unit.name && count <= UINT64_MAX / unit.bytes) return count * unit.bytes;
    }
  }
  throw UsageFailure(verb, std::string(option) + " " + text + " is no size: give " + kByteSizeHelp);
}

}  // namespace tidemark::tools
