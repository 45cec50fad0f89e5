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

#include "engine/format.h"
#include "engine/internal/index_rows.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_seed.h"

namespace tidemark::internal {

void PrintTo(const PageVersion& version, std::ostream* out) {
  *out << "page version of LSN " << version.lsn.value << ", hash " << version.hash;
}

namespace {

using testing::Random;
using testing::Scaled;
using testing::TempDirectory;
using testing::TestSeed;

constexpr Lsn kLatest(UINT64_MAX);

Timestamp At(int64_t microseconds) { return Timestamp(std::chrono::microseconds(microseconds)); }

ObjectId IdOf(int number) {
  ObjectId id;
  id.bytes[0] = static_cast<std::byte>(number);
  id.bytes[31] = std::byte{1};
  return id;
}

// An image: others may have no row.
PageVersion VersionOf(uint64_t lsn, uint64_t hash) {
  return {.lsn = Lsn(lsn),
          .location = {.segment = static_cast<uint32_t>(hash % 7 + 1), .offset = 64},
          .length = 100,
          .chain_units = static_cast<uint8_t>(hash % 3),
          .hash = hash};
}

class IndexTest : public ::testing::Test {
 protected:
  void SetUp() override { Reopen({}); }

  void Reopen(const IndexOptions& options) {
    index_.reset();
    auto opened = Index::Open(directory_ / "index", options);
    ASSERT_OK(opened);
    index_ = std::move(opened).value();
  }

  TempDirectory directory_;
  std::unique_ptr<Index> index_;
};

// Goal: the version found is the latest at or before the LSN asked for, for any history, whatever
// the batches, replacements, growth of the map and reopenings it came by. Method: random batches
// into a tiny map, against a std::map.
TEST_F(IndexTest, FindPageVersionAgreesWithAModel) {
  Random random(TestSeed());
  Reopen({.initial_map_bytes = 64 << 10});
  std::map<std::pair<uint64_t, uint32_t>, std::map<uint64_t, PageVersion>> model;
  uint64_t last_lsn = 0;
  for (uint64_t round = 0; round < Scaled(60); ++round) {
    std::map<std::pair<uint64_t, uint32_t>, std::map<uint64_t, PageVersion>> batch;
    for (uint64_t i = random.Below(300); i-- > 0;) {
      const auto key = std::pair(random.Between(1, 3), static_cast<uint32_t>(random.Between(1, 9)));
      // Mostly new LSNs; sometimes an old one again, with other contents, or one in between.
      const uint64_t lsn = random.OneIn(10) ? random.Between(1, last_lsn + 1) : last_lsn + 1 + i;
      batch[key][lsn] = VersionOf(lsn, random.Next());
      last_lsn = std::max(last_lsn, lsn);
    }
    ASSERT_OK(index_->Update([&batch](IndexWriter& writer) -> Status {
      for (const auto& [key, versions] : batch) {
        std::vector<PageVersion> rows;
        for (const auto& [lsn, version] : versions) rows.push_back(version);
        TIDEMARK_RETURN_IF_ERROR(
            writer.PutPageVersions(TimelineId(key.first), PageNo(key.second), rows));
      }
      return OkStatus();
    }));
    for (const auto& [key, versions] : batch) {
      for (const auto& [lsn, version] : versions) model[key][lsn] = version;
    }
    if (random.OneIn(10)) Reopen({.initial_map_bytes = 64 << 10});

    const auto expected = [&model](uint64_t timeline, uint32_t page, uint64_t lsn) {
      const auto& versions = model[{timeline, page}];
      const auto after = versions.upper_bound(lsn);
      return after == versions.begin() ? std::nullopt : std::optional(std::prev(after)->second);
    };
    for (int i = 0; i < 200; ++i) {
      const uint64_t timeline = random.Between(1, 4);
      const auto page = static_cast<uint32_t>(random.Between(1, 10));
      const uint64_t lsn = random.OneIn(5) ? kLatest.value : random.Below(last_lsn + 3);
      SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", round " << round
                                        << ", timeline " << timeline << ", LSN " << lsn);
      ASSERT_OK_AND_ASSIGN(const auto found,
                           index_->FindPageVersion(TimelineId(timeline), PageNo(page), Lsn(lsn)));
      ASSERT_EQ(found, expected(timeline, page, lsn));
      std::vector<std::optional<PageVersion>> several(random.Below(12));
      ASSERT_OK(index_->FindPageVersions(TimelineId(timeline), PageNo(page), Lsn(lsn), several));
      for (size_t k = 0; k < several.size(); ++k) {
        ASSERT_EQ(several[k], expected(timeline, page + static_cast<uint32_t>(k), lsn)) << k;
      }
    }
  }
}

// Goal: the look-up is right at each of the shapes that LMDB gives duplicates: a plain value, a
// small page inside the leaf, a tree of their own. Method: even LSNs, as many as reach each shape;
// ask at, below and above every one.
TEST_F(IndexTest, FindsVersionsInEveryShapeOfDuplicates) {
  for (const uint32_t count : {1u, 2u, 3u, 30u, 100u, 3000u}) {
    SCOPED_TRACE(count);
    std::vector<PageVersion> rows;
    for (uint64_t i = 1; i <= count; ++i) rows.push_back(VersionOf(i * 2, i));
    ASSERT_OK(index_->Update([&](IndexWriter& writer) -> Status {
      // Neighbours, so that stepping over the end of the duplicates would be seen.
      for (const uint32_t page : {count - 1, count, count + 1}) {
        TIDEMARK_RETURN_IF_ERROR(writer.PutPageVersions(TimelineId(count), PageNo(page), rows));
      }
      return OkStatus();
    }));
    const auto find = [&](uint64_t lsn) {
      auto found = index_->FindPageVersion(TimelineId(count), PageNo(count), Lsn(lsn));
      EXPECT_OK(found);
      return *found;
    };
    EXPECT_EQ(find(0), std::nullopt);
    EXPECT_EQ(find(1), std::nullopt);
    for (uint64_t i = 1; i <= count; ++i) {
      ASSERT_EQ(find(i * 2), rows[i - 1]);
      ASSERT_EQ(find(i * 2 + 1), rows[i - 1]);
    }
    EXPECT_EQ(find(kLatest.value), rows.back());
  }
}

// Goal: a batch that is put again, as recovery does, leaves the same rows. Method: put overlapping
// batches with other contents for the same LSNs, first, last and in between.
TEST_F(IndexTest, PuttingAnLsnAgainReplacesIt) {
  const std::vector<PageVersion> first = {VersionOf(10, 1), VersionOf(20, 2), VersionOf(30, 3)};
  const std::vector<PageVersion> second = {VersionOf(5, 4),  VersionOf(10, 5), VersionOf(20, 2),
                                           VersionOf(25, 6), VersionOf(30, 7), VersionOf(40, 8)};
  for (const auto& rows : {first, second}) {
    ASSERT_OK(index_->Update([&](IndexWriter& writer) {
      return writer.PutPageVersions(TimelineId(1), PageNo(1), rows);
    }));
  }
  for (const PageVersion& row : second) {
    ASSERT_OK_AND_ASSIGN(const auto found,
                         index_->FindPageVersion(TimelineId(1), PageNo(1), row.lsn));
    EXPECT_EQ(found, row);
    ASSERT_OK_AND_ASSIGN(const auto before,
                         index_->FindPageVersion(TimelineId(1), PageNo(1), Lsn(row.lsn.value - 1)));
    EXPECT_NE(before, row);
  }
}

// Goal: a version is found by its own row, or by that of a later one not far behind it on its own
// chain, and most have none of their own. Method: random chains, some of whose links stand before
// what they are made on, put in random batches.
TEST_F(IndexTest, AVersionIsFoundByALaterOneOfItsChain) {
  Random random(TestSeed());
  for (uint32_t page = 1; page <= Scaled(20); ++page) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", page " << page);
    std::map<uint64_t, PageVersion> model;
    PageVersion last = {};
    uint64_t lsn = 100;
    size_t with_rows = 0;
    for (int batch = 0; batch < 30; ++batch) {
      std::vector<PageVersion> versions;
      for (uint64_t i = random.Below(40); i-- > 0;) {
        PageVersion next{.lsn = Lsn(lsn += random.Between(1, 5)),
                         .location = {.segment = 1, .offset = last.location.offset + 100},
                         .length = 90,
                         .hash = random.Next()};
        if (random.OneIn(50)) next.location = {.segment = 1, .offset = 50};
        if (!model.empty() && last.depth < 64 && !random.OneIn(40)) {
          next.depth = static_cast<uint8_t>(last.depth + 1);
          next.chain_units = static_cast<uint8_t>(last.chain_units + random.Below(4));
        }
        model[next.lsn.value] = next;
        versions.push_back(next);
        last = next;
      }
      ASSERT_OK(index_->Update([&](IndexWriter& writer) -> Status {
        TIDEMARK_RETURN_IF_ERROR(writer.PutCheckpoint({.lsn = Lsn(lsn)}));
        return writer.PutPageVersions(TimelineId(1), PageNo(page), versions);
      }));
    }
    for (uint64_t at = 95; at < lsn + 5; ++at) {
      ASSERT_OK_AND_ASSIGN(const auto found,
                           index_->FindPageVersion(TimelineId(1), PageNo(page), Lsn(at)));
      const auto behind = model.upper_bound(at);
      if (behind == model.begin()) {
        ASSERT_EQ(found, std::nullopt) << at;
        continue;
      }
      const PageVersion& wanted = std::prev(behind)->second;
      ASSERT_TRUE(found) << at;
      with_rows += found->lsn.value == at;
      if (!found->in_chain) {
        ASSERT_EQ(*found, wanted) << at;
        continue;
      }
      // Each from the one wanted to the one found is a patch on the one before it.
      int depth = wanted.depth;
      for (auto it = behind; it != model.end() && it->first <= found->lsn.value; ++it) {
        ASSERT_EQ(it->second.depth, ++depth) << at;
      }
      ASSERT_EQ(found->depth, depth) << at;
      ASSERT_LE(found->depth - wanted.depth, 32) << at;
      ASSERT_LE(found->chain_units - wanted.chain_units, 32 + 3) << at;
      ASSERT_TRUE(found->MayBuildOn(wanted)) << at;
      PageVersion there = *found;
      there.in_chain = false;
      ASSERT_EQ(there, model.at(found->lsn.value)) << at;
    }
    EXPECT_LT(with_rows, model.size() / 4);
    // One ahead of the checkpoint leads to nothing: what it builds on may be on its way.
    const PageVersion ahead{
        .lsn = Lsn(lsn + 9), .location = {.segment = 2, .offset = 9}, .length = 9, .depth = 65};
    ASSERT_OK(index_->Update([&](IndexWriter& writer) {
      return writer.PutPageVersionAhead(TimelineId(1), PageNo(page), ahead);
    }));
    ASSERT_OK_AND_ASSIGN(const auto before,
                         index_->FindPageVersion(TimelineId(1), PageNo(page), Lsn(lsn + 8)));
    EXPECT_EQ(before, last);
  }
}

// Goal: commits are found, counted and removed one by one, however their lists were filled and
// taken apart. Method: random batches, some of them put again, some with rows that go or move, of
// neighbouring timelines, against a std::map.
TEST_F(IndexTest, CommitsAgreeWithAModel) {
  Random random(TestSeed());
  ObjectId object;
  object.bytes.fill(std::byte{7});
  std::map<uint64_t, std::map<uint64_t, CommitRow>> model;
  ASSERT_OK(index_->Update([&](IndexWriter& writer) -> Status {
    for (uint64_t timeline = 1; timeline <= 3; ++timeline) {
      TIDEMARK_RETURN_IF_ERROR(
          writer.PutTimeline({.id = TimelineId(timeline), .namespace_id = 1, .object = object}));
    }
    return OkStatus();
  }));
  uint64_t last = 0;
  for (uint64_t round = 0; round < Scaled(60); ++round) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", round " << round);
    const uint64_t timeline = random.Between(1, 3);
    auto& commits = model[timeline];
    std::map<uint64_t, CommitRow> batch;
    for (uint64_t i = random.OneIn(4) ? random.Below(1000) : random.Below(30); i-- > 0;) {
      uint64_t lsn = last += random.OneIn(100) ? 1u << 20 : random.Between(1, 9);
      if (random.OneIn(3)) {  // one that is there, perhaps; if not, it is put before others
        const auto there = commits.lower_bound(random.Below(last));
        lsn = there == commits.end() ? random.Between(1, last) : there->first;
      }
      CommitRow row{.lsn = Lsn(lsn), .location = {}};
      if (!random.OneIn(4)) {
        row.location = {.segment = static_cast<uint32_t>(random.Between(1, 3)) |
                                   (random.OneIn(9) ? format::kPackedBit : 0),
                        .offset = static_cast<uint32_t>(random.Next() >> random.Between(32, 60))};
      }
      batch[lsn] = row;
    }
    std::vector<CommitRow> rows;
    for (const auto& [lsn, row] : batch) rows.push_back(row);
    ASSERT_OK(index_->Update(
        [&](IndexWriter& writer) { return writer.PutCommits(TimelineId(timeline), rows); }));
    for (const CommitRow& row : rows) {
      commits.erase(row.lsn.value);
      if (row.location.segment != 0) commits[row.lsn.value] = row;
    }
    size_t count = 0;
    for (const auto& [id, all] : model) count += all.size();
    ASSERT_OK_AND_ASSIGN(const auto counted, index_->CountCommits(object));
    ASSERT_EQ(counted.count, count);
    for (int i = 0; i < 200; ++i) {
      const TimelineId id(random.Between(1, 4));
      const auto& of = model[id.value];
      const uint64_t lsn = random.OneIn(9) ? kLatest.value - 1 : random.Below(last + 3);
      const auto behind = of.upper_bound(lsn);
      ASSERT_OK_AND_ASSIGN(const auto found, index_->FindCommit(id, Lsn(lsn)));
      ASSERT_EQ(found,
                behind == of.begin() ? std::nullopt : std::optional(std::prev(behind)->second));
      ASSERT_OK_AND_ASSIGN(const auto next, index_->FindNextCommit(id, Lsn(lsn)));
      ASSERT_EQ(next, behind == of.end() ? std::nullopt : std::optional(behind->second.lsn));
    }
  }
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
