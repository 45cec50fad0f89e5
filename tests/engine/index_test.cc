// The index's tables: what was put is found, at the right LSN, in the right order.

#include "engine/internal/index.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/internal/index_rows.h"
#include "tests/engine/index_fixture.h"

namespace tidemark::internal {
namespace {

using testing::TempDirectory;

constexpr Lsn kLatest(UINT64_MAX);

Timestamp At(int64_t microseconds) { return Timestamp(std::chrono::microseconds(microseconds)); }

ObjectId IdOf(int number) {
  ObjectId id;
  id.bytes[0] = static_cast<std::byte>(number);
  id.bytes[31] = std::byte{1};
  return id;
}

// Goal: names up to 512 bytes, one more than an LMDB key, are kept apart and in order. Method:
// names that share their first 511 bytes.
TEST_F(IndexTest, NamespacesOfAnyLengthAreFoundAndOrdered) {
  const std::string longest(511, 'm');
  const std::vector<std::string> names = {"a", "aa", "b", longest, longest + "a", longest + "\xc3",
                                          "z"};
  ASSERT_OK(index_->Update([&](IndexWriter& writer) -> Status {
    for (size_t i = names.size(); i-- > 0;) {
      TIDEMARK_RETURN_IF_ERROR(writer.PutNamespace({.id = i + 1, .name = names[i]}));
    }
    return writer.PutNamespace({.id = 100, .name = names[4]});  // replaces
  }));
  ASSERT_OK_AND_ASSIGN(const auto listed, index_->ListNamespaces());
  ASSERT_EQ(listed.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(listed[i].name, names[i]);
    ASSERT_OK_AND_ASSIGN(const auto found, index_->FindNamespace(names[i]));
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->name, names[i]);
    EXPECT_EQ(found->id, i == 4 ? 100 : i + 1);
  }
  EXPECT_EQ(index_->NamespaceCount(), names.size());
  for (const std::string& missing :
       {std::string(), std::string("c"), longest + "b", std::string(510, 'm'), longest + "aa"}) {
    ASSERT_OK_AND_ASSIGN(const auto found, index_->FindNamespace(missing));
    EXPECT_FALSE(found.has_value()) << missing;
  }
}

TEST_F(IndexTest, ObjectsAreListedPageByPageInOrderOfIds) {
  ASSERT_OK(index_->Update([](IndexWriter& writer) -> Status {
    for (int i = 1; i <= 10; ++i) {
      TIDEMARK_RETURN_IF_ERROR(
          writer.PutObject({.id = IdOf(i), .namespace_id = 2, .name = std::string(512, 'n')}));
    }
    TIDEMARK_RETURN_IF_ERROR(writer.PutObject({.id = IdOf(1), .namespace_id = 1, .name = "other"}));
    return writer.PutObject({.id = IdOf(1), .namespace_id = 3, .created = Lsn(5), .name = "other"});
  }));
  EXPECT_EQ(index_->ObjectCount(), 12);
  std::vector<ObjectId> seen;
  std::optional<ObjectId> after;
  for (;;) {
    ASSERT_OK_AND_ASSIGN(const auto page, index_->ListObjects(2, after, 3));
    for (const ObjectRow& row : page) {
      EXPECT_EQ(row.name, std::string(512, 'n'));
      seen.push_back(row.id);
    }
    if (page.size() < 3) break;
    after = page.back().id;
  }
  ASSERT_EQ(seen.size(), 10);
  for (int i = 1; i <= 10; ++i) EXPECT_EQ(seen[static_cast<size_t>(i - 1)], IdOf(i));

  // An object that is not there is a place to go on from, too.
  ASSERT_OK_AND_ASSIGN(const auto last, index_->ListObjects(2, IdOf(10), 3));
  EXPECT_TRUE(last.empty());
  ASSERT_OK_AND_ASSIGN(const auto from_start, index_->ListObjects(2, IdOf(0), 1));
  ASSERT_EQ(from_start.size(), 1);
  EXPECT_EQ(from_start[0].id, IdOf(1));
  ASSERT_OK_AND_ASSIGN(const auto found, index_->FindObject(3, IdOf(1)));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->created, Lsn(5));
  ASSERT_OK_AND_ASSIGN(const auto missing, index_->FindObject(4, IdOf(1)));
  EXPECT_FALSE(missing.has_value());
}

TEST_F(IndexTest, TheTimelineOfAnLsnIsTheLastOneStartedByThen) {
  ASSERT_OK(index_->Update([](IndexWriter& writer) -> Status {
    for (const uint64_t id : {30u, 10u, 20u, 20u}) {
      TIDEMARK_RETURN_IF_ERROR(writer.PutTimeline({.id = TimelineId(id), .object = IdOf(1)}));
    }
    return writer.PutTimeline({.id = TimelineId(15), .object = IdOf(2)});
  }));
  const auto at = [this](uint64_t lsn) {
    auto found = index_->FindTimelineAt(IdOf(1), Lsn(lsn));
    EXPECT_OK(found);
    return found->value_or(TimelineId()).value;
  };
  EXPECT_EQ(at(9), 0);
  EXPECT_EQ(at(10), 10);
  EXPECT_EQ(at(19), 10);
  EXPECT_EQ(at(20), 20);
  EXPECT_EQ(at(29), 20);
  EXPECT_EQ(at(kLatest.value), 30);
  ASSERT_OK_AND_ASSIGN(const auto row, index_->FindTimeline(TimelineId(15)));
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->object, IdOf(2));
  ASSERT_OK_AND_ASSIGN(const auto missing, index_->FindTimeline(TimelineId(16)));
  EXPECT_FALSE(missing.has_value());
}

TEST_F(IndexTest, FirstLsnAfterATime) {
  ASSERT_OK(index_->Update([](IndexWriter& writer) -> Status {
    TIDEMARK_RETURN_IF_ERROR(writer.PutTime(At(-5), Lsn(1)));
    TIDEMARK_RETURN_IF_ERROR(writer.PutTime(At(0), Lsn(2)));
    return writer.PutTime(At(1000), Lsn(3));
  }));
  const auto after = [this](Timestamp time) {
    auto found = index_->FirstLsnAfter(time);
    EXPECT_OK(found);
    return found->value_or(Lsn()).value;
  };
  EXPECT_EQ(after(Timestamp::min()), 1);
  EXPECT_EQ(after(At(-6)), 1);
  EXPECT_EQ(after(At(-5)), 2);
  EXPECT_EQ(after(At(0)), 3);
  EXPECT_EQ(after(At(999)), 3);
  EXPECT_EQ(after(At(1000)), 0);
  EXPECT_EQ(after(Timestamp::max()), 0);
}

// Goal: the epoch of an LSN is the last that began at or before it, gaps or not. Method: compare
// the binary search with the list it searches.
TEST_F(IndexTest, FindEpochOf) {
  ASSERT_OK_AND_ASSIGN(const auto empty, index_->FindEpochOf(kLatest));
  EXPECT_FALSE(empty.has_value());
  const std::vector<uint32_t> epochs = {1, 2, 3, 7, 100, 5000, UINT32_MAX};
  ASSERT_OK(index_->Update([&](IndexWriter& writer) -> Status {
    for (size_t i = 0; i < epochs.size(); ++i) {
      TIDEMARK_RETURN_IF_ERROR(writer.PutEpoch(
          {.epoch = epochs[i], .first_lsn = Lsn(10 + i * 10), .previous_end = Lsn(i)}));
    }
    return OkStatus();
  }));
  for (uint64_t lsn = 0; lsn < 100; ++lsn) {
    ASSERT_OK_AND_ASSIGN(const auto found, index_->FindEpochOf(Lsn(lsn)));
    ASSERT_EQ(found.has_value(), lsn >= 10) << lsn;
    if (found) {
      EXPECT_EQ(found->epoch, epochs[std::min<size_t>(lsn / 10 - 1, epochs.size() - 1)]);
    }
  }
  ASSERT_OK_AND_ASSIGN(const auto row, index_->FindEpoch(7));
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->first_lsn, Lsn(40));
}

// Goal: what was updated is there after reopening, and every list is in its order. Method: put rows
// out of order, reopen, list.
TEST_F(IndexTest, EverythingIsThereAfterReopening) {
  const CheckpointRow checkpoint{.lsn = Lsn(99),
                                 .position = {.segment = 2, .offset = 4096},
                                 .time = At(77),
                                 .group_length = 1000,
                                 .group_hash = 1u << 31};
  const RestoreRow restore1{.object = IdOf(1), .lsn = Lsn(5), .from_bookmark = "a"};
  const RestoreRow restore2{.object = IdOf(1), .lsn = Lsn(600), .from_bookmark = "b"};
  const DamageRow damage{.timeline = TimelineId(4),
                         .damage = {.lsn = Lsn(44), .location = {1, 2}, .time = At(5)},
                         .tag = 6};
  ASSERT_OK_AND_ASSIGN(const auto fresh, index_->Checkpoint());
  EXPECT_FALSE(fresh.has_value());
  ASSERT_OK(index_->Update([&](IndexWriter& writer) -> Status {
    TIDEMARK_RETURN_IF_ERROR(writer.PutCheckpoint({.lsn = Lsn(1)}));
    TIDEMARK_RETURN_IF_ERROR(writer.PutCheckpoint(checkpoint));
    TIDEMARK_RETURN_IF_ERROR(writer.PutRestore(restore2));
    TIDEMARK_RETURN_IF_ERROR(writer.PutRestore(restore1));
    TIDEMARK_RETURN_IF_ERROR(writer.PutRestore({.object = IdOf(2), .lsn = Lsn(1)}));
    return writer.PutDamage(damage);
  }));
  Reopen({});
  ASSERT_OK_AND_ASSIGN(const auto read_checkpoint, index_->Checkpoint());
  EXPECT_EQ(read_checkpoint, checkpoint);
  ASSERT_OK_AND_ASSIGN(const auto restores, index_->ListRestores(IdOf(1)));
  EXPECT_EQ(restores, (std::vector<RestoreRow>{restore1, restore2}));
  ASSERT_OK_AND_ASSIGN(const auto damages, index_->ListDamage());
  EXPECT_EQ(damages, (std::vector<DamageRow>{damage}));
  EXPECT_GT(index_->UsedBytes(), 0);
  EXPECT_LE(index_->UsedBytes(), index_->FileBytes());
}

// Goal: a kill while LMDB begins its file does not leave an index that cannot be opened. Method:
// the file cut to the first of its two first pages.
TEST_F(IndexTest, WhatIsMostlyFreeBecomesSmallWhenItIsOpened) {
  constexpr uint32_t kPages = 120'000;
  constexpr uint32_t kKept = 100;
  ASSERT_OK(index_->Update([](IndexWriter& writer) -> Status {
    for (uint32_t page = 1; page <= kPages; ++page) {
      const PageVersion version = VersionOf(7, page);
      TIDEMARK_RETURN_IF_ERROR(writer.PutPageVersions(TimelineId(7), PageNo(page), {&version, 1}));
    }
    return OkStatus();
  }));
  ASSERT_OK(index_->Update([](IndexWriter& writer) -> Status {
    for (uint32_t page = kKept + 1; page <= kPages; ++page) {
      MovedVersion gone{TimelineId(7), PageNo(page), {}};
      gone.version.lsn = Lsn(7);
      TIDEMARK_RETURN_IF_ERROR(writer.Move(gone));
    }
    return OkStatus();
  }));
  const uint64_t before = index_->FileBytes();
  ASSERT_GT(before, 4u << 20);
  ASSERT_OK(index_->EndUpdates());
  // What a crash in the middle of it leaves.
  std::ofstream(directory_ / "index/data.mdb.new") << "half";
  Reopen({});
  EXPECT_LT(index_->FileBytes(), before / 10);
  Reopen({});  // also without having been closed
  for (uint32_t page = 1; page <= kPages; page += page < kKept ? 1 : 991) {
    ASSERT_OK_AND_ASSIGN(const auto found,
                         index_->FindPageVersion(TimelineId(7), PageNo(page), kLatest));
    EXPECT_EQ(found.has_value(), page <= kKept) << page;
    if (found) {
      EXPECT_EQ(*found, VersionOf(7, page));
    }
  }
  EXPECT_FALSE(std::filesystem::exists(directory_ / "index/data.mdb.new"));
}

TEST_F(IndexTest, CreationCutShort) {
  const std::string path = directory_ / "index";
  index_.reset();
  std::filesystem::resize_file(path + "/data.mdb", 4096);
  Reopen({});
  ASSERT_OK_AND_ASSIGN(const auto checkpoint, index_->Checkpoint());
  EXPECT_FALSE(checkpoint.has_value());
}

// Goal: an index of a newer version, or with a malformed row, is refused by name and not guessed
// at. Method: write such rows past the index.
TEST_F(IndexTest, WhatItCannotReadIsAnError) {
  const std::string path = directory_ / "index";
  index_.reset();
  const auto put = [&path](size_t table, ConstBytes key, size_t value_size) {
    auto env = LmdbEnv::Open(path, kIndexTables, {.max_map_bytes = 1 << 20});
    ASSERT_OK(env);
    ASSERT_OK((*env)->Write([&](LmdbWriteTransaction& transaction) {
      return transaction.Put(table, key, std::vector<std::byte>(value_size, std::byte{2}));
    }));
  };
  put(kObjectsTable, ObjectKey(1, IdOf(1)), 3);
  put(kDamageTable, NumberKey(uint64_t{1}), 11);
  Reopen({});
  EXPECT_ERROR(index_->FindObject(1, IdOf(1)), StatusCode::kCorruption, "table objects");
  EXPECT_ERROR(index_->ListObjects(1, std::nullopt, 5), StatusCode::kCorruption, path);
  EXPECT_ERROR(index_->ListDamage(), StatusCode::kCorruption, "can be rebuilt");

  index_.reset();
  put(kMetaTable, TextKey(kVersionKey), 4);
  EXPECT_ERROR(Index::Open(path, {}), StatusCode::kUnsupportedVersion, path);
  put(kMetaTable, TextKey(kVersionKey), 5);
  EXPECT_ERROR(Index::Open(path, {}), StatusCode::kCorruption, path);
}

}  // namespace
}  // namespace tidemark::internal
