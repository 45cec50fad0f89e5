// Packed segments of an object whose pages are alike: with a dictionary, whole and damaged.

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/engine/packing_fixture.h"
#include "tests/support/dictionaries.h"

namespace tidemark::testing {
namespace {

constexpr uint32_t kVersions = 14'000;
constexpr uint32_t kRowsAPage = 16;
constexpr uint32_t kLook = 500;  // every so many

constexpr uint32_t PageOf(uint32_t version) { return 1 + version / kRowsAPage; }

// A table that is appended to: the page that version `version` wrote to, as it was then.
PageBytes TextPage(uint32_t version) {
  PageBytes page(kPageSize);
  std::byte* at = page.data();
  for (uint32_t row = version / kRowsAPage * kRowsAPage; row <= version; ++row) {
    Random random(row);
    const std::string text =
        R"({"user":"user-)" + std::to_string(random.Next() % 20000) +
        R"(","action":"add_to_cart","price":)" + std::to_string(random.Next() % 50000) +
        R"(,"time":"2026-11-21T12:00:00Z","country":"DE","language":"en","currency":"EUR")" +
        R"(,"session":")" + std::to_string(random.Next()) + R"("})";
    at = std::transform(text.begin(), text.end(), at,
                        [](char c) { return static_cast<std::byte>(c); });
  }
  return page;
}

// And now and then one that no dictionary makes smaller.
constexpr uint32_t kNoisePage = 1000;
constexpr uint32_t kNoise = 100;  // every so many
std::map<uint32_t, PageBytes> PagesOf(uint32_t version) {
  std::map<uint32_t, PageBytes> pages{{PageOf(version), TextPage(version)}};
  if (version % kNoise == 0) pages[kNoisePage] = RandomPage(version);
  return pages;
}

class PackedDictionaryTest : public PackingFixture {
 protected:
  // Histories in one file.
  PackedDictionaryTest() { sim_.options().segment_size_bytes = 8u << 20; }

  void Fill(const std::string& name) {
    ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
    for (uint32_t i = 0; i < kVersions; ++i) {
      ASSERT_OK_AND_ASSIGN(const CommitInfo commit, Commit(object, PagesOf(i)));
      if (i % kLook == 7) commits_.push_back(commit);
    }
    ASSERT_OK(sim_.store().Sync());
  }

  // So many commits read as they were.
  void ExpectHistory(const std::string& name) {
    ASSERT_OK_AND_ASSIGN(const auto object, Open(name, IfMissing::kFail));
    for (size_t i = 0; i < commits_.size(); ++i) {
      ASSERT_OK_AND_ASSIGN(const Snapshot then, object->OpenSnapshot(commits_[i]));
      ASSERT_OK(then.Verify());
      const uint32_t version = static_cast<uint32_t>(i) * kLook + 7;
      ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(then, PageOf(version)));
      ASSERT_TRUE(page == TextPage(version)) << version;
      ASSERT_OK_AND_ASSIGN(const PageBytes noise, ReadPage(then, kNoisePage));
      ASSERT_TRUE(noise == RandomPage(version / kNoise * kNoise)) << version;
    }
  }

  // Where each dictionary begins in the one packed file.
  std::vector<uint64_t> Dictionaries() {
    std::vector<uint64_t> found;
    for (const DictionaryPosition& position : FindDictionaries(sim_.fs())) {
      path_ = position.path;
      found.push_back(position.offset);
    }
    return found;
  }

  std::vector<CommitInfo> commits_;
  std::string path_;
};

// Goal: an object with much history that is alike gets a dictionary, one that has not gets none,
// and both read as ever, from a file that was packed again and without an index, too; a purge takes
// it. Method: two objects, one of text and one of random bytes.
TEST_F(PackedDictionaryTest, HistoryReadsAsEver) {
  ASSERT_OK(sim_.Open());
  ASSERT_NO_FATAL_FAILURE(Fill("text"));
  for (uint64_t i = 0; i < 400; ++i) ASSERT_OK(Put("noise", i));
  ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
  EXPECT_EQ(Dictionaries().size(), 1u);
  ASSERT_NO_FATAL_FAILURE(ExpectHistory("text"));
  ASSERT_NO_FATAL_FAILURE(ExpectWhole("packed"));
  for (uint64_t i = 0; i < 400; ++i) ASSERT_OK(Put("noise", i));
  ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
  EXPECT_EQ(Dictionaries().size(), 1u);
  ASSERT_NO_FATAL_FAILURE(ExpectHistory("text"));
  ASSERT_OK(sim_.Close());
  std::filesystem::remove_all(sim_.options().index_directory);
  ASSERT_OK(sim_.Open());
  ASSERT_NO_FATAL_FAILURE(ExpectHistory("text"));
  EXPECT_TRUE(Holds("noise", 399));
  ASSERT_NO_FATAL_FAILURE(ExpectWhole("made anew"));
  ASSERT_OK(sim_.store().Purge("rooms", "text"));
  EXPECT_TRUE(Dictionaries().empty());
  EXPECT_TRUE(Holds("noise", 399));
}

// Goal: a damaged dictionary costs its object those pages, with a clear error, and no other object
// anything; nothing wrong is ever read, and packing leaves it as it is. Method: a bit flipped in
// it; with the index, and without.
TEST_F(PackedDictionaryTest, DamageIsNamed) {
  ASSERT_OK(sim_.Open());
  ASSERT_NO_FATAL_FAILURE(Fill("text"));
  for (uint64_t i = 0; i < 40; ++i) ASSERT_OK(Put("noise", i));
  ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
  const std::vector<uint64_t> dictionaries = Dictionaries();
  ASSERT_EQ(dictionaries.size(), 1u);
  ASSERT_OK(sim_.Close());
  sim_.fs().FlipBit(path_, dictionaries[0] + 100, 3);
  for (const bool without_index : {false, true}) {
    SCOPED_TRACE(without_index);
    if (without_index) std::filesystem::remove_all(sim_.options().index_directory);
    ASSERT_OK(sim_.Open());
    EXPECT_TRUE(Holds("noise", 39));
    const auto text = Open("text", IfMissing::kFail);
    Status read = text.status();
    if (text.ok()) {
      const auto then = (*text)->OpenSnapshot(commits_[3]);
      read = then.ok() ? ReadPage(*then, PageOf(3 * kLook + 7)).status() : then.status();
    }
    EXPECT_EQ(read.code(), StatusCode::kCorruption) << read.ToString();
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    EXPECT_TRUE(std::any_of(report.damage.begin(), report.damage.end(), [](const Damage& damage) {
      return damage.object.find("text") != std::string::npos;
    }));
    for (const Damage& damage : report.damage) {
      EXPECT_EQ(damage.object.find("noise"), std::string::npos) << damage.message;
    }
    (void)sim_.store().Reclaim(ReclaimWhat::kEverything);
    EXPECT_EQ(Dictionaries().size(), 1u);
    EXPECT_TRUE(Holds("noise", 39));
    ASSERT_OK(sim_.Close());
  }
}

}  // namespace
}  // namespace tidemark::testing
