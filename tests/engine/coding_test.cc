#include "engine/internal/coding.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/test_seed.h"

namespace tidemark::internal {
namespace {

std::vector<std::byte> BytesOf(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

uint64_t ReadVarint(const std::vector<std::byte>& bytes, bool* ok) {
  Reader reader(bytes);
  const uint64_t value = reader.Varint();
  *ok = reader.AtEnd();
  return value;
}

// Goal: the encodings are pinned.
TEST(CodingTest, Golden) {
  std::vector<std::byte> out;
  AppendVarint(out, 0);
  AppendVarint(out, 127);
  AppendVarint(out, 128);
  AppendVarint(out, 300);
  AppendFixed<uint32_t>(out, 0x01020304);
  AppendFixed<uint64_t>(out, 0x0102030405060708);
  AppendString(out, "hi");
  EXPECT_EQ(out,
            BytesOf({0, 0x7f, 0x80, 1, 0xac, 2, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 2, 'h', 'i'}));
}

// Goal: every value comes back, in as many bytes as VarintLength says. Method: both sides of every
// power of two, and random values of every width.
TEST(CodingTest, VarintRoundTrip) {
  testing::Random random(testing::TestSeed());
  const auto check = [](uint64_t value) {
    std::vector<std::byte> out;
    AppendVarint(out, value);
    EXPECT_EQ(out.size(), VarintLength(value));
    EXPECT_LE(out.size(), kMaxVarintBytes);
    bool ok = false;
    EXPECT_EQ(ReadVarint(out, &ok), value);
    EXPECT_TRUE(ok);
    // Cut anywhere, it is no varint.
    out.pop_back();
    ReadVarint(out, &ok);
    EXPECT_TRUE(!ok || out.empty());
  };
  for (unsigned shift = 0; shift < 64; ++shift) {
    const uint64_t power = uint64_t{1} << shift;
    for (const uint64_t value : {power - 1, power, power + 1, random.Next() >> shift}) check(value);
  }
  check(UINT64_MAX);
}

// Goal: only the shortest form is a varint, and only what fits.
TEST(CodingTest, MalformedVarints) {
  bool ok = false;
  for (const auto& bytes :
       {BytesOf({0x80, 0}), BytesOf({0xff, 0x80, 0}), BytesOf({}), BytesOf({0x80}),
        // 2^64, and eleven bytes
        BytesOf({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2}),
        BytesOf({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 0})}) {
    Reader reader(bytes);
    EXPECT_EQ(reader.Varint(), 0u);
    EXPECT_FALSE(reader.ok());
  }
  EXPECT_EQ(ReadVarint(BytesOf({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}), &ok),
            UINT64_MAX);
  EXPECT_TRUE(ok);

  const auto largest = BytesOf({0xff, 0xff, 0xff, 0xff, 0x0f});
  Reader fits(largest);
  EXPECT_EQ(fits.Varint32(), UINT32_MAX);
  EXPECT_TRUE(fits.AtEnd());
  std::vector<std::byte> large;
  AppendVarint(large, uint64_t{1} << 32);
  Reader too_large(large);
  EXPECT_EQ(too_large.Varint32(), 0u);
  EXPECT_FALSE(too_large.ok());
}

// Goal: after the first field that is missing every read gives zero, and ok() says so for good.
TEST(CodingTest, ReaderStopsAtTheFirstMissingField) {
  const auto bytes = BytesOf({1, 2, 3, 4, 5});
  Reader reader(bytes);
  EXPECT_EQ(reader.Fixed<uint32_t>(), 0x04030201u);
  EXPECT_EQ(reader.position(), 4u);
  EXPECT_EQ(reader.remaining(), 1u);
  EXPECT_FALSE(reader.AtEnd());
  EXPECT_EQ(reader.Fixed<uint16_t>(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.Varint(), 0u);
  EXPECT_TRUE(reader.Span(1).empty());
  EXPECT_EQ(reader.String(), "");
  EXPECT_FALSE(reader.ok());
  EXPECT_FALSE(reader.AtEnd());
}

// Goal: a length that lies reads nothing. Method: strings with every wrong length.
TEST(CodingTest, StringsWithWrongLengths) {
  std::vector<std::byte> good;
  AppendString(good, std::string_view("a\0b", 3));
  Reader reader(good);
  EXPECT_EQ(reader.String(), std::string("a\0b", 3));
  EXPECT_TRUE(reader.AtEnd());
  for (const uint64_t length : {uint64_t{4}, uint64_t{1} << 32, UINT64_MAX}) {
    std::vector<std::byte> bad;
    AppendVarint(bad, length);
    AppendBytes(bad, std::span(good).subspan(1));
    Reader bad_reader(bad);
    EXPECT_EQ(bad_reader.String(), "");
    EXPECT_FALSE(bad_reader.ok());
  }
}

}  // namespace
}  // namespace tidemark::internal
