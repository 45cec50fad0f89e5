// Lengths, counts and offsets that no writer wrote, under hashes that are right: damage that a hash
// cannot find is still refused as damage, without a crash and without memory for what is not there.

#include <sys/resource.h>

#include <functional>

#include "engine/internal/coding.h"
#include "engine/internal/group.h"
#include "tests/engine/log_fixture.h"

namespace tidemark::testing {
namespace {

using internal::Buffer;
using internal::ConstBytes;

// The parts of a group with one frame. Each case changes one of them; Assemble() makes them a group
// again, of the same size, with hashes that fit.
struct GroupParts {
  uint64_t incarnation = 0;
  uint32_t size = 0;
  format::GroupHeader header{};
  // The record: its lengths as they are written, which are those of its parts unless a case says
  // something else.
  uint64_t header_length = 0;
  uint64_t payload_length = 0;
  internal::RecordPlace place;
  internal::FrameFields frame;
  Buffer payload;
  internal::DirectoryEntry entry;
  uint32_t directory_length = UINT32_MAX;  // UINT32_MAX: as it is
  uint32_t footer_length = 0;
};

GroupParts TakeApart(ConstBytes group, uint64_t incarnation) {
  GroupParts parts;
  parts.incarnation = incarnation;
  parts.size = parts.footer_length = static_cast<uint32_t>(group.size());
  std::memcpy(&parts.header, group.data(), sizeof(parts.header));
  parts.entry = internal::ParseDirectory(group, incarnation).value().at(0);
  internal::RecordView record;
  EXPECT_EQ(internal::ParseRecord(group.subspan(parts.entry.offset), incarnation, record),
            internal::ParseOutcome::kOk);
  parts.place = record.place;
  parts.frame = internal::DecodeFrame(record.fields).value();
  const auto payload =
      group.subspan(parts.entry.offset + record.payload_offset, record.payload_length);
  parts.payload.assign(payload.begin(), payload.end());
  parts.payload_length = payload.size();
  return parts;
}

Buffer Assemble(const GroupParts& parts) {
  Buffer fields;
  internal::AppendVarint(fields, parts.place.lsn);
  internal::AppendVarint(fields, parts.place.time_delta);
  internal::AppendVarint(fields, parts.place.group_offset);
  internal::EncodeFrame(parts.frame, fields);

  Buffer group(sizeof(format::GroupHeader));
  const size_t record = group.size();
  group.push_back(static_cast<std::byte>(format::RecordKind::kFrame));
  internal::AppendVarint(group, parts.header_length == 0 ? fields.size() : parts.header_length);
  internal::AppendVarint(group, parts.payload_length);
  internal::AppendBytes(group, fields);
  const uint64_t hash = internal::SeededHash(ConstBytes(group).subspan(record), parts.incarnation);
  internal::AppendFixed(group, hash);
  internal::AppendBytes(group, parts.payload);

  Buffer directory;
  internal::AppendVarint(directory, parts.entry.lsn.value);
  internal::AppendVarint(directory, parts.entry.timeline.value);
  internal::AppendVarint(directory, parts.entry.offset);
  format::GroupFooter footer{};
  const size_t end = parts.size - sizeof(footer);
  footer.length = parts.footer_length;
  footer.directory_length = parts.directory_length == UINT32_MAX
                                ? static_cast<uint32_t>(directory.size())
                                : parts.directory_length;
  group.resize(end - directory.size());  // zeros; or the end of the payload goes
  internal::AppendBytes(group, directory);
  internal::AppendBytes(group, std::as_bytes(std::span(&footer, 1)));
  const size_t hashed = std::min<size_t>(footer.directory_length, end);
  footer.hash =
      internal::SeededHash(ConstBytes(group).subspan(end - hashed, hashed + 8), parts.incarnation);
  std::memcpy(group.data() + end, &footer, sizeof(footer));

  format::GroupHeader header = parts.header;
  header.body_hash =
      internal::SeededHash(ConstBytes(group).subspan(sizeof(header)), parts.incarnation);
  const auto bytes = std::as_bytes(std::span(&header, 1));
  header.hash = internal::SeededHash(bytes.subspan(sizeof(header.hash)), parts.incarnation);
  std::memcpy(group.data(), &header, sizeof(header));
  return group;
}

constexpr uint32_t kMost32 = UINT32_MAX;
constexpr uint64_t kMost64 = UINT64_MAX;

const struct {
  const char* name;
  std::function<void(GroupParts&)> change;
} kCases[] = {
    {"group length of 4 GiB", [](GroupParts& p) { p.header.length = kMost32 - 7; }},
    {"group length of 1 GiB", [](GroupParts& p) { p.header.length = 1u << 30; }},
    {"group length of a header", [](GroupParts& p) { p.header.length = 72; }},
    {"record count", [](GroupParts& p) { p.header.record_count = kMost32; }},
    {"no records", [](GroupParts& p) { p.header.record_count = 0; }},
    {"first LSN", [](GroupParts& p) { p.header.first_lsn = kMost64; }},
    {"directory length", [](GroupParts& p) { p.directory_length = kMost32 - 1; }},
    {"directory of the whole group", [](GroupParts& p) { p.directory_length = p.size - 16; }},
    {"no directory", [](GroupParts& p) { p.directory_length = 0; }},
    {"footer length", [](GroupParts& p) { p.footer_length = kMost32; }},
    {"footer length of nothing", [](GroupParts& p) { p.footer_length = 0; }},
    {"directory's LSN", [](GroupParts& p) { p.entry.lsn = Lsn(kMost64); }},
    {"directory's offset", [](GroupParts& p) { p.entry.offset = kMost32; }},
    {"directory's offset behind the group", [](GroupParts& p) { p.entry.offset = p.size; }},
    {"record header of 1 GiB", [](GroupParts& p) { p.header_length = 1u << 30; }},
    {"record header of 2^64", [](GroupParts& p) { p.header_length = kMost64; }},
    {"payload of 1 GiB", [](GroupParts& p) { p.payload_length = 1u << 30; }},
    {"payload of 2^64", [](GroupParts& p) { p.payload_length = kMost64; }},
    {"payload into the directory", [](GroupParts& p) { p.payload_length = p.size - 130; }},
    {"no payload", [](GroupParts& p) { p.payload_length = 0; }},
    {"record's offset", [](GroupParts& p) { p.place.group_offset = kMost32; }},
    {"record's LSN", [](GroupParts& p) { p.place.lsn = kMost64; }},
    {"version count", [](GroupParts& p) { p.frame.version_count = kMost32; }},
    {"no versions", [](GroupParts& p) { p.frame.version_count = 0; }},
    {"timeline", [](GroupParts& p) { p.frame.timeline = TimelineId(kMost64); }},
    {"batches that are not there",
     [](GroupParts& p) {
       p.frame.batch_count = kMost32;
       p.frame.batch_versions = p.frame.batch_bytes = kMost64;
       p.frame.last_batch = {.location = {1, 8192}, .record_hash = 1};
     }},
    {"a batch behind the file",
     [](GroupParts& p) {
       p.frame.batch_count = 1;
       p.frame.last_batch = {.location = {1, kMost32}, .record_hash = 1};
     }},
    {"a batch in no segment",
     [](GroupParts& p) {
       p.frame.batch_count = 1;
       p.frame.last_batch = {.location = {kMost32, kMost32}, .record_hash = 1};
     }},
    // Of the page version: 1 byte page, 1 form, 8 hash, 2 length of the data.
    {"page data of 256 MiB", [](GroupParts& p) { p.payload[13] = std::byte{0xff}; }},
    {"page data of nothing", [](GroupParts& p) { p.payload[10] = p.payload[11] = std::byte{0}; }},
    {"a patch on what is behind the file",
     [](GroupParts& p) {
       p.payload[1] = static_cast<std::byte>(format::PageForm::kRanges);
       p.payload[10] = std::byte{127};
       p.payload[11] = std::byte{255};
       Buffer base;
       internal::AppendVarint(base, 1);
       internal::AppendVarint(base, kMost32);
       internal::AppendVarint(base, kMost32);
       internal::AppendVarint(base, p.payload.size() - 24);
       std::copy(base.begin(), base.end(), p.payload.begin() + 12);
     }},
};

uint64_t PeakBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) << 10;
}

class HostileLengthTest : public LogFixture {
 protected:
  // `commits` by seed. Not all of "hurt" can be as it was: the third commit is not.
  static void CheckObjects(SimStore& sim, const CommitInfo* commits) {
    const auto well = sim.store().OpenObject("rooms", "well", IfMissing::kFail);
    ASSERT_OK(well);
    EXPECT_TRUE(Reads(*well, 1, RandomPage(4)));
    const auto object = sim.store().OpenObject("rooms", "hurt", IfMissing::kFail);
    ASSERT_OK(object);
    const auto expect = [](const Status& status) {
      EXPECT_ERROR(status, StatusCode::kCorruption, "rooms/hurt");
    };
    for (const uint64_t seed : {1u, 3u, 5u}) {
      const auto snapshot = (*object)->OpenSnapshot((*object)->BookmarkOf(commits[seed]));
      const auto page = snapshot.ok() ? ReadPage(*snapshot, 1) : snapshot.status();
      if (!page.ok()) {
        expect(page.status());
      } else {
        EXPECT_TRUE(*page == RandomPage(seed)) << "seed " << seed;
      }
      const auto found = (*object)->Resolve(commits[seed].time);
      if (!found.ok()) expect(found.status());
    }
    const Status history = (*object)->History([](const CommitInfo&) { return true; });
    if (!history.ok()) expect(history);
    const auto report = sim.store().Verify();
    ASSERT_OK(report);
    EXPECT_FALSE(report->damage.empty());
  }
};

// Goal: see above. Method: of five commits of two objects the third, of "hurt", gets each absurd
// number in turn, in a log that is replayed and in one that is indexed. Whatever a call says of
// "hurt", it is an error or true; "well" is whole, unless the store says that it cannot tell whose
// the damage is; and what was asked for never took memory.
TEST_F(HostileLengthTest, AreDamage) {
  for (const bool indexed : {false, true}) {
    SimStore sim(TestSeed());
    ASSERT_OK(sim.Open());
    CommitInfo commits[6];
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      const auto object =
          sim.store().OpenObject("rooms", seed % 2 == 1 ? "hurt" : "well", IfMissing::kCreate);
      ASSERT_OK(object);
      sim.clock().Advance(std::chrono::hours(1));
      ASSERT_OK_AND_ASSIGN(commits[seed], Commit(*object, {{1, RandomPage(seed)}}));
      ASSERT_OK(sim.store().Sync());
    }
    if (indexed) {
      ASSERT_OK(sim.Close());
    } else {
      sim.Crash(PowerLoss::kNothing);
    }
    const SimStore::Machine machine = sim.Save();
    const auto bytes = sim.fs().Contents(PathOf(1));
    format::SegmentHeader segment;
    std::memcpy(&segment, bytes.data(), sizeof(segment));
    const auto groups = GroupsOf(sim, 1);
    const PageBytes third = RandomPage(3);
    const auto at = std::search(bytes.begin(), bytes.end(), third.begin(), third.end());
    Group target;
    for (const Group& group : groups) {
      if (bytes.begin() + group.offset < at) target = group;
    }
    const GroupParts whole =
        TakeApart(ConstBytes(bytes).subspan(target.offset, target.length), segment.incarnation);
    ASSERT_TRUE(std::equal(bytes.begin() + target.offset,
                           bytes.begin() + target.offset + target.length, Assemble(whole).begin()));

    for (const auto& hostile : kCases) {
      SCOPED_TRACE(std::string(hostile.name) + (indexed ? ", indexed" : ", replayed"));
      GroupParts parts = whole;
      hostile.change(parts);
      SimStore hurt(TestSeed(), machine);
      hurt.fs().Overwrite(PathOf(1), target.offset, Assemble(parts));
      const uint64_t before = PeakBytes();
      const Status opened = hurt.Open();
      if (opened.ok()) {
        CheckObjects(hurt, commits);
      } else {
        EXPECT_ERROR(opened, StatusCode::kCorruption, "segment 1");
        EXPECT_FALSE(indexed) << opened.ToString();
      }
      EXPECT_LT(PeakBytes() - before, 128u << 20);
    }
  }
}

}  // namespace
}  // namespace tidemark::testing
