// Groups and the headers of segments: what a scan of the log reads first.
//
// An input is a byte of flags and the bytes of a group; with flag 1 as they are, else with length,
// magic and hashes made right; with flag 2 a segment header.

#include <cstring>
#include <string>

#include "engine/check.h"
#include "engine/format.h"
#include "engine/internal/group.h"
#include "engine/internal/segment_header.h"
#include "tests/fuzz/fix_hashes.h"
#include "tests/fuzz/fuzz_input.h"

namespace tidemark::testing {
namespace {

constexpr uint64_t kIncarnation = 7;

void ReadGroup(internal::Buffer group, bool as_it_is) {
  if (group.size() < sizeof(format::GroupHeader)) return;
  format::GroupHeader header;
  if (!as_it_is) {
    group.resize((group.size() + 7) / 8 * 8);
    std::memcpy(&header, group.data(), sizeof(header));
    header.magic = format::kGroupMagic;
    header.length = static_cast<uint32_t>(group.size());
    std::memcpy(group.data(), &header, sizeof(header));
    FixGroup(group, kIncarnation);
  }
  std::memcpy(&header, group.data(), sizeof(header));
  const bool is_header = internal::IsGroupHeader(header, kIncarnation);
  internal::IsGroupIntact(group, kIncarnation);
  internal::ParseFooter(group, kIncarnation);
  const auto directory = internal::ParseDirectory(group, kIncarnation);
  if (directory) {
    CHECK(!directory->empty());
    internal::IsDirectoryOf(*directory, header);
  }
  if (!is_header) return;
  const auto found = internal::DirectoryFromRecords(group, header, kIncarnation);
  if (found) CHECK(found->size() == header.record_count);
}

void ReadSegmentHeader(const internal::Buffer& bytes) {
  const std::string name(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (const auto number = internal::ParseSegmentName(name)) {
    CHECK(internal::SegmentName(*number) == name);
  }
  format::SegmentHeader header;
  if (bytes.size() < sizeof(header)) return;
  std::memcpy(&header, bytes.data(), sizeof(header));
  static_cast<void>(internal::CheckSegmentHeader(header, header.number));
  header.magic = format::kSegmentMagic;
  header.version = format::kFormatVersion;
  header.hash = internal::HeaderHash(header);
  static_cast<void>(internal::CheckSegmentHeader(header, header.number));
}

}  // namespace
}  // namespace tidemark::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidemark::testing::FuzzInput input(data, size);
  const uint8_t flags = input.Byte();
  if ((flags & 2) != 0) {
    tidemark::testing::ReadSegmentHeader(input.Rest());
  } else {
    tidemark::testing::ReadGroup(input.Rest(), (flags & 1) != 0);
  }
  return 0;
}
