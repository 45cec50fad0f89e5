// Confirmed groups that a wrong one hides: bytes under right hashes that lead past them, or that
// stand where they stood. No hash finds that; the sequence of LSNs does.

#include "engine/internal/group.h"
#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

using internal::Buffer;
using internal::ConstBytes;

class HiddenGroupTest : public LogFixture {
 protected:
  // Five confirmed commits of two objects in turn, each a group of its own and of the same length.
  void FillAndDie() {
    ASSERT_OK(sim_.Open());
    for (uint64_t seed = 1; seed <= 7; ++seed) {
      ASSERT_OK(Put(seed % 2 == 1 ? "odd" : "even", seed));
    }
    sim_.Crash(PowerLoss::kNothing);
    machine_ = sim_.Save();
    bytes_ = sim_.fs().Contents(PathOf(1));
    std::memcpy(&segment_, bytes_.data(), sizeof(segment_));
    for (uint64_t seed = 3; seed <= 7; ++seed) groups_.push_back(GroupAround(PlaceOf(seed)));
    for (const Group& group : groups_) ASSERT_EQ(group.length, groups_[0].length);
  }

  ConstBytes BytesOf(const Group& group) const {
    return ConstBytes(bytes_).subspan(group.offset, group.length);
  }

  // The header of a group as it would be with this length, over the bytes that are there.
  Buffer WithLength(const Group& group, uint32_t length, bool with_right_body_hash) const {
    format::GroupHeader header;
    std::memcpy(&header, bytes_.data() + group.offset, sizeof(header));
    header.length = length;
    if (with_right_body_hash) {
      header.body_hash = internal::SeededHash(
          ConstBytes(bytes_).subspan(group.offset, length).subspan(sizeof(header)),
          segment_.incarnation);
    }
    const auto bytes = std::as_bytes(std::span(&header, 1));
    header.hash = internal::SeededHash(bytes.subspan(sizeof(header.hash)), segment_.incarnation);
    return Buffer(bytes.begin(), bytes.end());
  }

  // Overwrites the log and looks at it, replayed and indexed: either it does not open, for damage
  // in the segment, or both objects are as they were last, or damaged, by name; and if it opens,
  // verify finds damage.
  void ExpectDamageIsSeen(uint32_t offset, ConstBytes bytes) {
    SimStore sim(TestSeed(), machine_);
    sim.fs().Overwrite(PathOf(1), offset, bytes);
    const Status opened = sim.Open();
    if (!opened.ok()) {
      EXPECT_ERROR(opened, StatusCode::kCorruption, "segment 1");
      return;
    }
    ++opened_;
    for (const char* const way : {"log", "index"}) {
      SCOPED_TRACE(way);
      for (const auto& [name, seed] : {std::pair("odd", 7), std::pair("even", 6)}) {
        const auto object = sim.store().OpenObject("rooms", name, IfMissing::kFail);
        const auto page = object.ok() ? ReadPage(*object, 1) : object.status();
        if (page.ok()) {
          EXPECT_TRUE(*page == RandomPage(static_cast<uint64_t>(seed))) << name;
        } else {
          EXPECT_ERROR(page.status(), StatusCode::kCorruption, name);
        }
      }
      const auto report = sim.store().Verify();
      ASSERT_OK(report);
      EXPECT_FALSE(report->damage.empty());
      ASSERT_OK(sim.Close());
      ASSERT_OK(sim.Open());
    }
  }

  SimStore::Machine machine_;
  PageBytes bytes_;
  format::SegmentHeader segment_{};
  std::vector<Group> groups_;  // of commits 3 to 7
  int opened_ = 0;
};

// Goal: a length that reaches over the next groups does not take them along. Method: each group
// that has others behind it says that it ends with each of those, or in the middle of it; with the
// hash of its bytes wrong, and right.
TEST_F(HiddenGroupTest, BehindALengthThatReachesOver) {
  FillAndDie();
  for (size_t first = 0; first < groups_.size(); ++first) {
    for (size_t last = first + 1; last < groups_.size(); ++last) {
      for (const uint32_t cut : {0u, 8u, groups_[0].length / 16 * 8}) {
        for (const bool right : {false, true}) {
          SCOPED_TRACE(::testing::Message() << "group " << first << " up to " << last << " less "
                                            << cut << (right ? ", hash right" : ", hash wrong"));
          const uint32_t length =
              groups_[last].offset + groups_[last].length - cut - groups_[first].offset;
          ExpectDamageIsSeen(groups_[first].offset, WithLength(groups_[first], length, right));
        }
      }
    }
  }
  EXPECT_GT(opened_, 0);
}

// Goal: a whole group in another one's place does not pass for the end of the log, or for the group
// that stood there. Method: each one over each other one, which makes the later of them hide all
// between.
TEST_F(HiddenGroupTest, UnderACopyOfAnother) {
  FillAndDie();
  for (size_t from = 0; from < groups_.size(); ++from) {
    // The last group is not proven: what is lost there passes for a torn tail.
    for (size_t to = 0; to + 1 < groups_.size(); ++to) {
      if (to == from) continue;
      SCOPED_TRACE(::testing::Message() << "group " << from << " over " << to);
      ExpectDamageIsSeen(groups_[to].offset, BytesOf(groups_[from]));
    }
  }
}

// Goal: a directory that leaves a record out, under right hashes, is damage. Method: a group of two
// commits whose directory and header speak of the second only, and of the first only.
TEST_F(HiddenGroupTest, RecordThatTheDirectoryLeavesOut) {
  FillAndDie();
  ASSERT_OK(sim_.Open());
  const auto put = [this](const char* name, uint64_t seed) {
    ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
    ASSERT_OK(Commit(object, {{1, RandomPage(seed)}}));
  };
  put("odd", 9);
  put("even", 8);
  ASSERT_OK(sim_.store().Sync());
  ASSERT_OK(Put("last", 10));
  sim_.Crash(PowerLoss::kNothing);

  const Group group = GroupAround(PlaceOf(9));
  const auto log = sim_.fs().Contents(PathOf(group.segment));
  format::SegmentHeader segment;
  std::memcpy(&segment, log.data(), sizeof(segment));
  const ConstBytes whole = ConstBytes(log).subspan(group.offset, group.length);
  const auto directory = internal::ParseDirectory(whole, segment.incarnation);
  ASSERT_TRUE(directory.has_value());
  ASSERT_EQ(directory->size(), 2u);
  const SimStore::Machine machine = sim_.Save();
  for (const internal::DirectoryEntry& kept : *directory) {
    Buffer bytes(whole.begin(), whole.end());
    Buffer entries;
    internal::AppendVarint(entries, kept.lsn.value);
    internal::AppendVarint(entries, kept.timeline.value);
    internal::AppendVarint(entries, sizeof(format::GroupHeader));
    format::GroupFooter footer{};
    footer.length = group.length;
    footer.directory_length = static_cast<uint32_t>(entries.size());
    const size_t end = bytes.size() - sizeof(footer);
    std::copy(entries.begin(), entries.end(),
              bytes.begin() + static_cast<ptrdiff_t>(end - entries.size()));
    std::memcpy(bytes.data() + end, &footer, sizeof(footer));
    footer.hash = internal::SeededHash(
        ConstBytes(bytes).subspan(end - entries.size(), entries.size() + 8), segment.incarnation);
    std::memcpy(bytes.data() + end, &footer, sizeof(footer));
    format::GroupHeader header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    header.record_count = 1;
    header.first_lsn = kept.lsn.value;
    header.body_hash =
        internal::SeededHash(ConstBytes(bytes).subspan(sizeof(header)), segment.incarnation);
    header.hash =
        internal::SeededHash(std::as_bytes(std::span(&header, 1)).subspan(8), segment.incarnation);
    std::memcpy(bytes.data(), &header, sizeof(header));
    SimStore sim(TestSeed(), machine);
    sim.fs().Overwrite(PathOf(group.segment), group.offset, bytes);
    EXPECT_ERROR(sim.Open(), StatusCode::kCorruption, "segment " + std::to_string(group.segment));
  }
}

// Goal: two sectors that changed places cost the objects whose bytes were in them, also where one
// of them held the directory of the group and the header behind it: that header is found inside the
// group then, which ends before it no more than it did. Method: a group of three objects, the last
// one's record ending in the sector of the directory; the first one's page takes its place.
TEST_F(HiddenGroupTest, DirectoryThatMovedIntoItsGroup) {
  constexpr uint64_t kSector = 512;
  ASSERT_OK(sim_.Open());
  Group behind;
  for (uint64_t round = 0; round < 100; ++round) {
    // A little more each time, until the directory and the next header share a sector.
    ASSERT_OK_AND_ASSIGN(const auto filler, Open("filler"));
    ASSERT_OK(Commit(filler, {{1, PageBytes(kPageSize, static_cast<std::byte>(round))}}));
    ASSERT_OK(sim_.store().Sync());
    for (const auto& [name, page] :
         {std::pair("first", 1), std::pair("well", 2), std::pair("last", 3)}) {
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
      const auto seed = static_cast<uint64_t>(page) + 10 * round;
      ASSERT_OK(Commit(object, {{1, RandomPage(seed)}}));
    }
    ASSERT_OK(sim_.store().Sync());
    ASSERT_OK(Put("behind", 9 + 10 * round));
    behind = GroupAround(PlaceOf(9 + 10 * round));
    const uint64_t in_sector = behind.offset % kSector;
    if (in_sector < 100 || in_sector > kSector - sizeof(format::GroupHeader)) continue;
    if (round == 0) continue;  // what is damaged must not be what creates the objects
    sim_.Crash(PowerLoss::kNothing);
    auto bytes = sim_.fs().Contents(PathOf(behind.segment));
    const auto one = bytes.begin() + static_cast<ptrdiff_t>(behind.offset / kSector * kSector);
    const Place first = PlaceOf(1 + 10 * round);
    const auto other =
        bytes.begin() + static_cast<ptrdiff_t>((first.offset / kSector + 2) * kSector);
    std::swap_ranges(one, one + kSector, other);
    sim_.fs().Overwrite(PathOf(behind.segment), 0, bytes);
    ByLogAndByIndex([&] {
      EXPECT_TRUE(Holds("well", 2 + 10 * round));
      for (const char* const name : {"first", "last"}) {
        ASSERT_OK_AND_ASSIGN(const auto object, Open(name, IfMissing::kFail));
        EXPECT_ERROR(object->OpenSnapshot(), StatusCode::kCorruption, name);
      }
    });
    return;
  }
  FAIL() << "no group ended where it should";
}

}  // namespace
}  // namespace tidemark::testing
