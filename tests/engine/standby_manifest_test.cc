// The manifest of a standby: its text, and that a reader takes no other.

#include "engine/internal/standby_manifest.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/format.h"
#include "tests/support/sim_file_system.h"
#include "tests/support/status_matchers.h"

namespace tidemark::internal {
namespace {

StandbyManifest Sample() {
  StandbyManifest manifest;
  manifest.source = "/var/lib/my rooms";
  manifest.store_id = 0x0123456789abcdef;
  manifest.lsn = Lsn(77);
  manifest.time = Timestamp(std::chrono::microseconds(1767225600000001));
  manifest.last_group = 9000;
  manifest.last_hash = 0xfedc;
  manifest.packed[format::kPackedBit | 3] = 123456;
  manifest.segments[11] = 1 << 20;
  manifest.segments[12] = 9100;
  return manifest;
}

constexpr char kGolden[] =
    "tidemark standby 1\n"
    "source /var/lib/my rooms\n"
    "store 0123456789abcdef\n"
    "lsn 77\n"
    "time 1767225600000001\n"
    "last 9000 000000000000fedc\n"
    "file 00000003.pack 123456\n"
    "file 00000011.seg 1048576\n"
    "file 00000012.seg 9100\n";

TEST(StandbyManifestTest, IsThisText) {
  const std::string text = Sample().Encode();
  EXPECT_EQ(text.substr(0, text.find("hash ")), kGolden);
  ASSERT_OK_AND_ASSIGN(const StandbyManifest read, StandbyManifest::Decode(text));
  EXPECT_EQ(read.Encode(), text);
  EXPECT_EQ(read.packed, Sample().packed);
  EXPECT_EQ(read.segments, Sample().segments);
  EXPECT_EQ(read.bytes(), 123456u + (1 << 20) + 9100u);
}

// Goal: a manifest that is cut, longer, or has another byte is refused, whichever it is.
TEST(StandbyManifestTest, OtherTextsAreRefused) {
  const std::string text = Sample().Encode();
  for (size_t i = 0; i < text.size(); ++i) {
    EXPECT_ERROR(StandbyManifest::Decode(text.substr(0, i)), StatusCode::kCorruption, "STANDBY");
    for (const char byte : {'0', '1', '\n', ' ', '-', '\0'}) {
      std::string other = text;
      if (other[i] == byte) continue;
      other[i] = byte;
      EXPECT_FALSE(StandbyManifest::Decode(other).ok()) << i;
    }
  }
  EXPECT_FALSE(StandbyManifest::Decode(text + "\n").ok());
  StandbyManifest empty = Sample();
  empty.segments.clear();
  EXPECT_FALSE(StandbyManifest::Decode(empty.Encode()).ok());
}

TEST(StandbyManifestTest, IsReplacedAsAWhole) {
  testing::SimFileSystem fs;
  ASSERT_OK(fs.CreateDirectory("dir"));
  ASSERT_OK_AND_ASSIGN(const auto none, StandbyManifest::Read(fs, "dir"));
  EXPECT_FALSE(none.has_value());
  ASSERT_OK(fs.SyncDirectory(""));
  for (uint64_t lsn = 1; lsn < 40; ++lsn) {
    StandbyManifest manifest = Sample();
    manifest.lsn = Lsn(lsn);
    fs.CrashAt(1 + lsn % 6);
    const bool written = manifest.Write(fs, "dir").ok();
    fs.Crash();
    fs.Restart(testing::PowerLoss::kSeeded);
    ASSERT_OK_AND_ASSIGN(const auto read, StandbyManifest::Read(fs, "dir"));
    if (written) {
      ASSERT_TRUE(read.has_value());
      EXPECT_EQ(read->lsn.value, lsn);
    }
  }
}

}  // namespace
}  // namespace tidemark::internal
