// The index's versions and commits: what was put is found, at the right LSN.

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "engine/format.h"
#include "engine/internal/page_rows.h"
#include "tests/engine/index_fixture.h"
#include "tests/support/test_seed.h"

namespace tidemark::internal {

void PrintTo(const PageVersion& version, std::ostream* out) {
  *out << "page version of LSN " << version.lsn.value << ", hash " << version.hash;
}

namespace {

using testing::Random;
using testing::Scaled;
using testing::TestSeed;

constexpr Lsn kLatest(UINT64_MAX);

class IndexHistoryTest : public IndexTest {};

// Goal: the version found is the latest at or before the LSN asked for, for any history, whatever
// the batches, replacements, growth of the map and reopenings it came by. Method: random batches
// into a tiny map, against a std::map.
TEST_F(IndexHistoryTest, FindPageVersionAgreesWithAModel) {
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
      // And a stretch of rows, with what stands before and behind it.
      const uint64_t first = random.Between(1, last_lsn + 2);
      const uint64_t last = random.Between(first, last_lsn + 2);
      PageRows rows;
      ASSERT_OK(
          index_->ListPageRows(TimelineId(timeline), PageNo(page), Lsn(first), Lsn(last), &rows));
      const auto& versions = model[{timeline, page}];
      const auto begin = versions.lower_bound(first);
      const auto end = versions.upper_bound(last);
      ASSERT_EQ(rows.before, expected(timeline, page, first - 1));
      ASSERT_EQ(rows.behind, end == versions.end() ? std::nullopt : std::optional(end->second));
      ASSERT_EQ(rows.rows.size(), static_cast<size_t>(std::distance(begin, end)));
      auto row = rows.rows.begin();
      for (auto it = begin; it != end; ++it, ++row) ASSERT_EQ(*row, it->second);
      ASSERT_EQ(rows.RowAt(Lsn(last)) == nullptr, !expected(timeline, page, last));
      if (begin != end) {
        ASSERT_EQ(*rows.RowAt(Lsn(last)), std::prev(end)->second);
      }
    }
  }
}

// Goal: the look-up is right at each of the shapes that LMDB gives duplicates: a plain value, a
// small page inside the leaf, a tree of their own. Method: even LSNs, as many as reach each shape;
// ask at, below and above every one.
TEST_F(IndexHistoryTest, FindsVersionsInEveryShapeOfDuplicates) {
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
TEST_F(IndexHistoryTest, PuttingAnLsnAgainReplacesIt) {
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
TEST_F(IndexHistoryTest, AVersionIsFoundByALaterOneOfItsChain) {
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
    // A stretch of rows knows the versions that a look-up finds, and no others.
    const auto begin = std::next(model.begin(), static_cast<int>(random.Below(model.size())));
    PageRows rows;
    ASSERT_OK(index_->ListPageRows(TimelineId(1), PageNo(page), Lsn(begin->first),
                                   std::prev(model.end())->second.lsn, &rows));
    for (auto it = begin; it != model.end(); ++it) {
      ASSERT_TRUE(rows.Know(it->second)) << it->first;
      PageVersion other = it->second;
      if (random.OneIn(2)) {
        other.lsn = Lsn(std::max(other.lsn.value - random.Below(3), begin->first));
      }
      if (random.OneIn(2)) other.depth = static_cast<uint8_t>(random.Below(65));
      if (random.OneIn(2)) other.hash ^= 1;
      ASSERT_OK_AND_ASSIGN(const auto found,
                           index_->FindPageVersion(TimelineId(1), PageNo(page), other.lsn));
      ASSERT_TRUE(found);
      ASSERT_EQ(rows.Know(other), found->in_chain ? found->MayBuildOn(other) : *found == other)
          << it->first;
    }
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
TEST_F(IndexHistoryTest, CommitsAgreeWithAModel) {
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

}  // namespace
}  // namespace tidemark::internal
