// Dictionaries: what they are learnt from, when they pay, damage.

#include "engine/internal/dictionary.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <random>
#include <string>

#include "engine/internal/coding.h"
#include "engine/internal/dictionary_cache.h"
#include "engine/internal/record.h"
#include "tests/support/test_seed.h"

namespace tidemark::internal {
namespace {

using testing::TestSeed;

constexpr uint64_t kMuch = 10u << 20;

Buffer Rows(std::mt19937_64& random) {
  std::string text;
  while (text.size() < 3000) {
    text += R"({"user":"user-)" + std::to_string(random() % 20000) +
            R"(","action":"add_to_cart","price":)" + std::to_string(random() % 500) +
            R"(,"currency":"EUR","country":"DE"})";
  }
  Buffer bytes;
  AppendBytes(bytes, std::as_bytes(std::span(text)));
  return bytes;
}

Buffer Noise(std::mt19937_64& random) {
  Buffer bytes(3000);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  return bytes;
}

template <typename Make>
BlockSamples SamplesOf(std::mt19937_64& random, size_t count, const Make& make) {
  BlockSamples samples;
  for (size_t i = 0; i < count; ++i) {
    const Buffer data = make(random);
    AppendBytes(samples.data, data);
    samples.sizes.push_back(data.size());
  }
  return samples;
}

// Goal: what is compressed with a dictionary comes back with what is read of it, and is a good deal
// smaller. Method: rows that are alike, others than those learnt from.
TEST(DictionaryTest, ComesBackSmaller) {
  std::mt19937_64 random(TestSeed());
  const auto made = CompressionDictionary::Train(SamplesOf(random, 60, Rows), kMuch);
  ASSERT_NE(made, nullptr);
  EXPECT_LE(made->bytes().size(), CompressionDictionary::kMostBytes);
  const auto read = Dictionary::Parse(made->bytes());
  ASSERT_NE(read, nullptr);
  for (int i = 0; i < 50; ++i) {
    const Buffer data = Rows(random);
    Buffer with;
    Buffer without;
    ASSERT_TRUE(made->Compress(data, with));
    ASSERT_TRUE(CompressPage(data, without));
    EXPECT_LT(with.size() * 10, without.size() * 9);
    Buffer back(data.size());
    ASSERT_TRUE(read->Decompress(with, back));
    EXPECT_EQ(back, data);
    // Nor does the thread's context keep it.
    EXPECT_FALSE(DecompressPage(with, back) && back == data);
    Buffer again;
    ASSERT_TRUE(CompressPage(data, again));
    EXPECT_EQ(again, without);
  }
}

// Goal: no dictionary where it does not pay. Method: random bytes; few samples; few bytes to save.
TEST(DictionaryTest, OnlyWhereItPays) {
  std::mt19937_64 random(TestSeed());
  EXPECT_EQ(CompressionDictionary::Train(SamplesOf(random, 60, Noise), kMuch), nullptr);
  EXPECT_EQ(CompressionDictionary::Train(SamplesOf(random, 5, Rows), kMuch), nullptr);
  EXPECT_EQ(CompressionDictionary::Train(SamplesOf(random, 60, Rows), 60'000), nullptr);
  EXPECT_EQ(CompressionDictionary::Train({}, kMuch), nullptr);
}

// Goal: blocks that are nearly empty, as of pages of zeros, are no danger. Method: samples of 0 to
// 20 bytes, before some that are long, behind them and alone.
TEST(DictionaryTest, HardlyAnySamples) {
  std::mt19937_64 random(TestSeed());
  for (size_t size = 0; size <= 20; ++size) {
    for (const size_t long_ones : {size_t{0}, size_t{2}, size_t{4}}) {
      for (const bool first : {false, true}) {
        BlockSamples samples;
        for (size_t i = 0; i < 24; ++i) {
          const bool is_long = first ? i < long_ones : i + long_ones >= 24;
          Buffer data = Rows(random);
          if (!is_long) data.resize(size);
          AppendBytes(samples.data, data);
          samples.sizes.push_back(data.size());
        }
        (void)CompressionDictionary::Train(samples, kMuch, {.least_gain = 0});
      }
    }
  }
}

// Goal: bytes that zstd takes for a dictionary of its own and cannot read are refused, and not told
// as memory that ran out, under a right hash, too. Method: zstd's number, and then no tables.
TEST(DictionaryTest, TablesThatZstdDidNotWrite) {
  for (const size_t size : {size_t{8}, size_t{9}, size_t{300}}) {
    Buffer contents(size, std::byte{0x3c});
    StoreFixed(contents.data(), uint32_t{ZSTD_MAGIC_DICTIONARY});
    Buffer bytes;
    AppendFixed(bytes, SeededHash(contents, 0));
    AppendBytes(bytes, contents);
    EXPECT_EQ(Dictionary::Parse(bytes), nullptr) << size;
  }
}

// Goal: a damaged dictionary is never used. Method: each byte flipped; cut.
TEST(DictionaryTest, DamageIsSeen) {
  std::mt19937_64 random(TestSeed());
  const auto made = CompressionDictionary::Train(SamplesOf(random, 60, Rows), kMuch);
  ASSERT_NE(made, nullptr);
  for (size_t i = 0; i < made->bytes().size(); i += 1 + random() % 8) {
    Buffer bytes = made->bytes();
    bytes[i] ^= static_cast<std::byte>(1 + random() % 255);
    EXPECT_EQ(Dictionary::Parse(bytes), nullptr) << i;
  }
  for (const size_t size : {size_t{0}, size_t{7}, size_t{8}, size_t{100}}) {
    EXPECT_EQ(Dictionary::Parse(ConstBytes(made->bytes()).first(size)), nullptr) << size;
  }
}

// Goal: the cache gives what stands at a place, reads it again once it has had to go, and keeps no
// failure. Method: more places than it keeps; a reader that counts, and one that finds damage.
TEST(DictionaryTest, TheCacheKeepsTheLastOnes) {
  std::mt19937_64 random(TestSeed());
  const auto made = CompressionDictionary::Train(SamplesOf(random, 60, Rows), kMuch);
  ASSERT_NE(made, nullptr);
  DictionaryCache cache;
  size_t reads = 0;
  const auto find = [&](uint32_t offset, bool damaged) {
    auto found = cache.Find({1, offset}, [&]() -> Result<std::shared_ptr<const Dictionary>> {
      ++reads;
      if (damaged) return std::shared_ptr<const Dictionary>();
      return Dictionary::Parse(made->bytes());
    });
    return found.ok() ? *found : nullptr;
  };
  EXPECT_EQ(find(1, true), nullptr);
  const auto first = find(1, false);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(reads, 2u);
  EXPECT_EQ(find(1, true), first);
  for (uint32_t i = 2; i <= DictionaryCache::kMost; ++i) ASSERT_NE(find(i, false), nullptr);
  EXPECT_EQ(find(1, true), first);  // the cache is full, and this one was used last
  EXPECT_EQ(reads, 1 + DictionaryCache::kMost);
  ASSERT_NE(find(100, false), nullptr);  // in the place of the second one
  EXPECT_EQ(find(1, true), first);
  EXPECT_EQ(find(2, true), nullptr);
}

}  // namespace
}  // namespace tidemark::internal
