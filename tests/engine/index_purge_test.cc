// What the index does for purges: its rows of them, taking out all of an object, and a file without
// what was taken out.

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "engine/internal/index.h"
#include "engine/internal/index_rows.h"
#include "tests/support/golden_bytes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"

namespace tidemark::internal {
namespace {

using testing::Hex;
using testing::TempDirectory;

ObjectId IdOf(uint8_t first) {
  ObjectId id;
  for (size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<std::byte>(first + i);
  return id;
}

class IndexPurgeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Index::Open(directory_.path(), {});
    ASSERT_OK(opened);
    index_ = *std::move(opened);
  }
  std::string FileBytes() const {
    std::ifstream in(directory_ / "data.mdb", std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }

  TempDirectory directory_;
  std::unique_ptr<Index> index_;
};

TEST_F(IndexPurgeTest, GoldenBytesOfAPurge) {
  const PurgeRow row{.object = IdOf(0xa0),
                     .namespace_id = 3,
                     .lsn = Lsn(0x0102),
                     .timelines = {TimelineId(5), TimelineId(7)},
                     .log_is_clean = true,
                     .first_packed = 0x80000007};
  const std::string id = "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf";
  EXPECT_EQ(Hex(PurgeKey(row.object)), "707572676520" + id);
  EXPECT_EQ(Hex(EncodePurgeRow(row)),
            "0201000000000000"
            "03"
            "07000080" +
                id +
                "03"
                "02"
                "05"
                "02");
  EXPECT_EQ(DecodePurgeRow(PurgeKey(row.object), EncodePurgeRow(row)), row);
  EXPECT_FALSE(DecodePurgeRow(PurgeKey(IdOf(1)), EncodePurgeRow(row)).has_value());
  auto bytes = EncodePurgeRow(row);
  bytes.pop_back();
  EXPECT_FALSE(DecodePurgeRow(PurgeKey(row.object), bytes).has_value());
  bytes = EncodePurgeRow(row);
  bytes[8] = std::byte{4};
  EXPECT_FALSE(DecodePurgeRow(PurgeKey(row.object), bytes).has_value());
  PurgeRow without = row;
  without.log_is_clean = false;
  without.first_packed = 0;
  bytes = EncodePurgeRow(without);
  EXPECT_EQ(bytes[8], std::byte{0});
  EXPECT_EQ(bytes.size() + 4, EncodePurgeRow(row).size());
  EXPECT_EQ(DecodePurgeRow(PurgeKey(row.object), bytes), without);
  bytes[8] = std::byte{2};
  EXPECT_FALSE(DecodePurgeRow(PurgeKey(row.object), bytes).has_value());
}

TEST_F(IndexPurgeTest, PurgesAreListedUntilTheyEnd) {
  const PurgeRow a{
      .object = IdOf(1), .namespace_id = 2, .lsn = Lsn(9), .timelines = {TimelineId(3)}};
  PurgeRow b{.object = IdOf(2), .namespace_id = 2, .lsn = Lsn(8), .timelines = {TimelineId(4)}};
  ASSERT_OK(index_->Update([&](IndexWriter& writer) -> Status {
    TIDEMARK_RETURN_IF_ERROR(writer.PutPurge(a));
    return writer.PutPurge(b);
  }));
  b.log_is_clean = true;
  ASSERT_OK(index_->Update([&](IndexWriter& writer) -> Status {
    TIDEMARK_RETURN_IF_ERROR(writer.PutPurge(b));
    return writer.RemovePurge(a.object);
  }));
  ASSERT_OK_AND_ASSIGN(const auto rows, index_->ListPurges());
  EXPECT_EQ(rows, std::vector<PurgeRow>{b});
}

// Goal: all of an object goes, in steps, and nothing of another one. Method: two objects with rows
// in every table, of which one began on the other.
TEST_F(IndexPurgeTest, AllOfAnObjectGoes) {
  const auto put = [](IndexWriter& writer, uint8_t first, uint64_t timeline) -> Status {
    const ObjectId id = IdOf(first);
    const TimelineId number(timeline);
    const ObjectRow object{.id = id,
                           .namespace_id = 2,
                           .timeline = number,
                           .created = Lsn(timeline),
                           .name = "n",
                           .alarm = Timestamp(std::chrono::seconds(9))};
    TIDEMARK_RETURN_IF_ERROR(writer.PutObject(object));
    TIDEMARK_RETURN_IF_ERROR(writer.MoveAlarm(object, std::nullopt, object.alarm));
    TIDEMARK_RETURN_IF_ERROR(writer.PutTimeline({.id = number,
                                                 .kind = TimelineKind::kFork,
                                                 .namespace_id = 2,
                                                 .object = id,
                                                 .parent = TimelineId(10),
                                                 .parent_lsn = Lsn(12)}));
    const PageVersion versions[] = {{.lsn = Lsn(timeline + 1)}, {.lsn = Lsn(timeline + 2)}};
    for (uint32_t page = 1; page <= 10; ++page) {
      TIDEMARK_RETURN_IF_ERROR(writer.PutPageVersions(number, PageNo(page), versions));
    }
    const CommitRow commits[] = {{.lsn = Lsn(timeline + 1), .location = {1, 8192}},
                                 {.lsn = Lsn(timeline + 2), .location = {1, 9192}}};
    TIDEMARK_RETURN_IF_ERROR(writer.PutCommits(number, commits));
    TIDEMARK_RETURN_IF_ERROR(writer.PutRestore({.object = id, .lsn = Lsn(timeline)}));
    TIDEMARK_RETURN_IF_ERROR(writer.PutLabel({.object = id, .name = "l"}));
    TIDEMARK_RETURN_IF_ERROR(writer.PutSchedule({.object = id,
                                                 .namespace_id = 2,
                                                 .set = true,
                                                 .source_namespace = 2,
                                                 .source = id,
                                                 .timeline = number,
                                                 .commit = Lsn(timeline)}));
    TIDEMARK_RETURN_IF_ERROR(writer.PutRule({.key = RuleKey::OfObject(RuleKind::kHold, id)}));
    return writer.PutDamage({.timeline = number, .damage = {.lsn = Lsn(1)}});
  };
  ASSERT_OK(index_->Update([&](IndexWriter& writer) -> Status {
    TIDEMARK_RETURN_IF_ERROR(put(writer, 1, 20));
    return put(writer, 2, 21);
  }));
  uint64_t steps = 0;
  for (uint64_t most = 0; most == 0; ++steps) {
    most = 6;
    ASSERT_OK(index_->Update([&](IndexWriter& writer) {
      most = 6;
      return writer.RemovePages(TimelineId(20), &most);
    }));
  }
  EXPECT_EQ(steps, 4u);  // a page has two versions
  ASSERT_OK_AND_ASSIGN(const auto row, index_->FindTimeline(TimelineId(20)));
  ASSERT_OK(index_->Update([&](IndexWriter& writer) -> Status {
    TIDEMARK_RETURN_IF_ERROR(writer.RemoveTimeline(*row));
    return writer.RemoveObject(2, IdOf(1));
  }));
  for (const auto& [first, timeline, there] : {std::tuple(uint8_t{1}, TimelineId(20), false),
                                               std::tuple(uint8_t{2}, TimelineId(21), true)}) {
    const ObjectId id = IdOf(first);
    EXPECT_EQ(index_->FindObject(2, id)->has_value(), there);
    EXPECT_EQ(index_->FindTimelineAt(id, Lsn(100))->has_value(), there);
    EXPECT_EQ(index_->FindTimeline(timeline)->has_value(), there);
    EXPECT_EQ(index_->FindPageVersion(timeline, PageNo(10), Lsn(100))->has_value(), there);
    EXPECT_EQ(index_->FindCommit(timeline, Lsn(100))->has_value(), there);
    EXPECT_EQ(index_->ListRestores(id)->size(), there ? 1u : 0u);
    EXPECT_EQ(index_->ListLabels(id)->size(), there ? 1u : 0u);
    EXPECT_EQ(index_->FindRule(RuleKey::OfObject(RuleKind::kHold, id))->has_value(), there);
  }
  EXPECT_EQ(index_->ListDamage()->size(), 1u);
  ASSERT_OK_AND_ASSIGN(const auto children, index_->ListChildren(TimelineId(10), {}, 10));
  ASSERT_EQ(children.size(), 1u);
  EXPECT_EQ(children[0].id, TimelineId(21));
}

// Goal: what was removed is in the file until it is compacted, and not afterwards; what stays can
// be read all the time. Method: labels with names that are searched for, a thread that reads.
TEST_F(IndexPurgeTest, ACompactedFileHasNothingThatWasRemoved) {
  const ObjectId gone = IdOf(1);
  const ObjectId kept = IdOf(2);
  const auto name_of = [](int i) { return "secret-" + std::to_string(1'000'000 + i); };
  // Objects that go between others that stay: their keys tell pages apart.
  const auto id_of = [](int i) {
    ObjectId id = IdOf(7);
    id.bytes[0] = static_cast<std::byte>(3 + i / 200);
    id.bytes[1] = static_cast<std::byte>(i % 200);
    return id;
  };
  ASSERT_OK(index_->Update([&](IndexWriter& writer) -> Status {
    for (int i = 0; i < 3000; ++i) {
      TIDEMARK_RETURN_IF_ERROR(writer.PutLabel({.object = gone, .name = name_of(i)}));
      TIDEMARK_RETURN_IF_ERROR(
          writer.PutLabel({.object = kept, .name = "kept-" + std::to_string(i)}));
      TIDEMARK_RETURN_IF_ERROR(
          writer.PutLabel({.object = id_of(i), .name = i % 2 == 0 ? "kept" : name_of(i)}));
    }
    return OkStatus();
  }));
  EXPECT_NE(FileBytes().find("secret-"), std::string::npos);
  ASSERT_OK(index_->Update([&](IndexWriter& writer) -> Status {
    TIDEMARK_RETURN_IF_ERROR(writer.RemoveObject(2, gone));
    for (int i = 1; i < 3000; i += 2) {
      TIDEMARK_RETURN_IF_ERROR(writer.RemoveObject(2, id_of(i)));
    }
    return writer.PutCompactionDue();
  }));
  EXPECT_NE(FileBytes().find("secret-"), std::string::npos);
  std::atomic<bool> done{false};
  std::atomic<uint64_t> reads{0};
  std::thread reader([&] {
    while (!done && !HasFailure()) {
      ASSERT_OK_AND_ASSIGN(const auto labels, index_->ListLabels(kept));
      ASSERT_EQ(labels.size(), 3000u);
      ++reads;
    }
  });
  for (int i = 0; i < 5; ++i) ASSERT_OK(index_->Compact());
  while (reads == 0 && !HasFailure()) std::this_thread::yield();
  done = true;
  reader.join();
  EXPECT_EQ(FileBytes().find("secret-"), std::string::npos);
  EXPECT_EQ(index_->ListLabels(kept)->size(), 3000u);
  for (int i = 0; i < 3000; ++i) {
    EXPECT_EQ(index_->ListLabels(id_of(i))->size(), i % 2 == 0 ? 1u : 0u) << i;
  }
  EXPECT_FALSE(std::filesystem::exists(directory_ / "data.mdb.new"));
  // It is written to as before, and opens again, clean or not.
  ASSERT_OK(index_->Update(
      [&](IndexWriter& writer) { return writer.PutLabel({.object = gone, .name = "again"}); }));
  for (const bool clean : {false, true}) {
    if (clean) {
      ASSERT_OK(index_->EndUpdates());
    }
    index_.reset();
    SetUp();
    EXPECT_EQ(index_->ListLabels(gone)->size(), 1u);
  }
}

// Goal: a compaction that is due and was never made is made when the index is opened. Method: that;
// and what a crash in the middle of one leaves beside the file goes, too.
TEST_F(IndexPurgeTest, ADueCompactionIsMadeAtTheOpening) {
  const ObjectId gone = IdOf(1);
  ASSERT_OK(index_->Update([&](IndexWriter& writer) {
    return writer.PutLabel({.object = gone, .name = "secret-label-of-somebody"});
  }));
  ASSERT_OK(index_->Update([&](IndexWriter& writer) -> Status {
    TIDEMARK_RETURN_IF_ERROR(writer.RemoveObject(2, gone));
    return writer.PutCompactionDue();
  }));
  EXPECT_NE(FileBytes().find("secret-label"), std::string::npos);
  index_.reset();
  std::ofstream(directory_ / "data.mdb.new") << "secret-label-of-somebody";
  SetUp();
  EXPECT_EQ(FileBytes().find("secret-label"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "data.mdb.new"));
}

}  // namespace
}  // namespace tidemark::internal
