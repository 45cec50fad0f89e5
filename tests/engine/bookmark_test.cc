#include "engine/bookmark.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/object_id.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_seed.h"

namespace tidemark {
namespace {

using testing::Random;
using testing::TestSeed;

// Goal: the text is pinned: users keep bookmarks for as long as they keep stores.
TEST(BookmarkTest, GoldenText) {
  const Bookmark bookmark{.epoch = 0x2a,
                          .lsn = Lsn(0x10000c0de),
                          .object_tag = 0x8f14e45fceea167a,
                          .state_hash = 0x5a36dedd4bea2543};
  EXPECT_EQ(bookmark.ToString(), "0000002a-00000001-0000c0de-8f14e45fceea167a5a36dedd4bea2543");
  const auto parsed =
      Bookmark::Parse("0000002A-00000001-0000C0DE-8F14E45fceea167a5a36dedd4bea2543");
  ASSERT_OK(parsed);
  EXPECT_EQ(*parsed, bookmark);
  const Bookmark session_end{.epoch = 0x2a,
                             .is_session_end = true,
                             .lsn = Lsn(0x10000c0de),
                             .object_tag = 0x8f14e45fceea167a};
  EXPECT_EQ(session_end.ToString(), "0000002a-80000001-0000c0de-8f14e45fceea167a0000000000000000");
  ASSERT_OK_AND_ASSIGN(const Bookmark again, Bookmark::Parse(session_end.ToString()));
  EXPECT_EQ(again, session_end);
}

// Goal: every bookmark comes back from its text, and texts sort as (epoch, LSN) do. Method: random
// bookmarks, close together and far apart.
TEST(BookmarkTest, RoundTripAndOrder) {
  Random random(TestSeed());
  std::vector<Bookmark> bookmarks;
  for (int i = 0; i < 2000; ++i) {
    Bookmark bookmark;
    bookmark.epoch = static_cast<uint32_t>(random.Next() >> random.Between(32, 63));
    bookmark.is_session_end = random.OneIn(4);
    bookmark.lsn = Lsn((random.Next() >> random.Between(1, 63)) | 1);
    bookmark.object_tag = 0x123456789abcdef0;  // of one object
    bookmark.state_hash = random.Next();
    const auto parsed = Bookmark::Parse(bookmark.ToString());
    ASSERT_OK(parsed);
    EXPECT_EQ(*parsed, bookmark);
    bookmarks.push_back(bookmark);
  }
  std::sort(bookmarks.begin(), bookmarks.end());
  for (size_t i = 1; i < bookmarks.size(); ++i) {
    EXPECT_LE(bookmarks[i - 1].ToString(), bookmarks[i].ToString());
  }
}

// Goal: whatever is no bookmark is kMalformed and says why. Method: one wrong thing at a time, at
// every position.
TEST(BookmarkTest, MalformedTexts) {
  const std::string good = "0000002a-00000000-0000c0de-8f14e45fceea167a5a36dedd4bea2543";
  ASSERT_OK(Bookmark::Parse(good));
  for (size_t i = 0; i < good.size(); ++i) {
    for (const char wrong : {'g', ' ', '\0', good[i] == '-' ? '0' : '-'}) {
      std::string text = good;
      text[i] = wrong;
      EXPECT_ERROR(Bookmark::Parse(text), StatusCode::kMalformed, "position " + std::to_string(i));
    }
    EXPECT_ERROR(Bookmark::Parse(good.substr(0, i)), StatusCode::kMalformed,
                 std::to_string(i) + " characters");
  }
  EXPECT_ERROR(Bookmark::Parse(good + "0"), StatusCode::kMalformed, "60 characters");
  EXPECT_ERROR(Bookmark::Parse("0000002a-00000000-00000000-8f14e45fceea167a5a36dedd4bea2543"),
               StatusCode::kMalformed, "no commit");
}

// Goal: a bookmark shows the first digits of its object's id.
TEST(BookmarkTest, ObjectTagIsTheBeginningOfTheId) {
  const ObjectId id = ObjectIdFactory("rooms").FromName("lobby");
  const Bookmark bookmark{.epoch = 1, .lsn = Lsn(1), .object_tag = ObjectTag(id), .state_hash = 0};
  EXPECT_EQ(bookmark.ToString().substr(27, 16), id.ToString().substr(0, 16));
}

}  // namespace
}  // namespace tidemark
