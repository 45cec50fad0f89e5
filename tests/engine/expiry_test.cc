// What has expired is packed away, and nothing else; damage beside it.

#include <algorithm>
#include <filesystem>

#include "engine/format.h"
#include "engine/internal/packer.h"
#include "engine/internal/segment_header.h"
#include "tests/engine/packing_fixture.h"
#include "tests/support/dictionaries.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

// What has expired is gone, and its space; what has not is there. Method: an object is written over
// for 60 days, a few pages a day, beside others that are labelled, forked, held, read and deleted.
class ExpiryTest : public PackingFixture {
 protected:
  static constexpr uint32_t kPages = 60;

  // Page `number` as day `day` leaves it. Most days change a few bytes of it, some all.
  PageBytes PageOf(uint32_t number, int day) const {
    const int last = day - (day + static_cast<int>(number)) % 3;  // the day of its last change
    PageBytes page = RandomPage(number + static_cast<uint64_t>(last / 20) * 1000);
    if (rows_) {
      Random random(number);
      FillWithRows(page, random);
    }
    for (int i = 0; i < 8; ++i) page[static_cast<size_t>(100 + i)] = static_cast<std::byte>(last);
    return page;
  }

  Result<CommitInfo> Write(const std::string& name, int day) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(name));
    std::map<uint32_t, PageBytes> pages;
    for (uint32_t number = 1; number <= kPages; ++number) {
      if (day == 0 || PageOf(number, day) != PageOf(number, day - 1)) {
        pages[number] = PageOf(number, day);
      }
    }
    return Commit(object, pages);
  }

  ::testing::AssertionResult IsOf(const Result<Snapshot>& snapshot, int day) {
    if (!snapshot.ok()) return ::testing::AssertionFailure() << snapshot.status().ToString();
    const Status whole = snapshot->Verify();
    if (!whole.ok()) return ::testing::AssertionFailure() << whole.ToString();
    for (uint32_t number = 1; number <= kPages; ++number) {
      const auto page = ReadPage(*snapshot, number);
      if (!page.ok()) return ::testing::AssertionFailure() << page.status().ToString();
      if (*page != PageOf(number, day)) {
        return ::testing::AssertionFailure() << "page " << number << " is not of day " << day;
      }
    }
    return ::testing::AssertionSuccess();
  }

  Result<Snapshot> At(const std::string& name, const Point& point) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(name, IfMissing::kDeleted));
    return object->OpenSnapshot(point);
  }

  // A packed segment, made in a few hours of several objects, rots.
  void ExpectRotIsFound();

  void Reopen(bool without_index) {
    ASSERT_OK(sim_.Close());
    if (without_index) std::filesystem::remove_all(sim_.options().index_directory);
    ASSERT_OK(sim_.Open());
  }

  bool rows_ = false;  // pages are rows that are alike
};

TEST_F(ExpiryTest, WhatExpiredIsGoneAndNothingElse) {
  constexpr int kDays = 60;
  ASSERT_OK(sim_.Open());
  std::map<std::string, std::vector<Bookmark>> days;
  const std::vector<std::string> names = {"plain", "labelled", "source", "read", "deleted", "back",
                                          "a",     "b",        "c",      "d",    "e",       "f"};
  const auto write_day = [&](int day) {
    for (const std::string& name : names) {
      if (name == "deleted" && day > 5) continue;
      ASSERT_OK_AND_ASSIGN(const CommitInfo commit, Write(name, day));
      ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
      days[name].push_back(object->BookmarkOf(commit));
    }
  };
  for (int day = 0; day < kDays; ++day) {
    ASSERT_NO_FATAL_FAILURE(write_day(day));
    if (day == 5) {
      ASSERT_OK_AND_ASSIGN(const auto object, Open("deleted"));
      ASSERT_OK(object->Delete());
    }
    if (day == 9) {
      ASSERT_OK_AND_ASSIGN(const auto labelled, Open("labelled"));
      ASSERT_OK(labelled->SetLabel("kept", days["labelled"][7]));
      ASSERT_OK_AND_ASSIGN(const auto source, Open("source"));
      ASSERT_OK(sim_.store().Fork(*source, days["source"][4], "rooms", "fork"));
    }
    if (day == 12) {
      ASSERT_OK_AND_ASSIGN(const auto back, Open("back"));
      ASSERT_OK(back->Restore(days["back"][3]));
      days["back"].back() = back->CurrentBookmark().value();
    }
    sim_.clock().Advance(std::chrono::hours(24));
    ASSERT_OK(sim_.store().Sync());
  }
  // "back" went on writing as if it had not been restored: only what it wrote since is checked.
  ASSERT_OK_AND_ASSIGN(const Snapshot held, At("read", days["read"][10]));
  ASSERT_OK(sim_.Checkpoint());
  const uint64_t before = sim_.store().Stats().log_bytes;
  ASSERT_GT(sim_.store().Stats().segment_count, 3u);

  ASSERT_OK(sim_.store().Reclaim());
  for (const auto& [name, bookmarks] : days) {
    ASSERT_OK(At(name, bookmarks[0]).status()) << name << ": without a licence nothing may go";
  }
  ASSERT_OK_AND_ASSIGN(const ReclaimReport nothing, sim_.store().Reclaim());
  EXPECT_EQ(nothing.files, 0u) << "what was packed, and has not expired, is not packed again";
  uint64_t planned = 0;
  ASSERT_OK(sim_.store().PlanPrune([](const ExpiringObject&) { return true; }, &planned));
  ASSERT_OK(sim_.store().Prune());
  ASSERT_OK_AND_ASSIGN(const ReclaimReport report, sim_.store().Reclaim());
  EXPECT_GT(report.files, 0u);
  EXPECT_LT(report.bytes_after, report.bytes_before);
  EXPECT_GT(planned, (report.bytes_before - report.bytes_after) * 3 / 4);
  EXPECT_LT(planned, (report.bytes_before - report.bytes_after) * 5 / 4);
  ASSERT_OK(sim_.store().PlanPrune([](const ExpiringObject&) { return true; }, &planned));
  EXPECT_EQ(planned, 0u) << "it is done";
  EXPECT_LT(sim_.store().Stats().log_bytes, before * 8 / 10);
  for (uint32_t number = 1; number <= kPages; ++number) {
    ASSERT_OK_AND_ASSIGN(const PageBytes page, ReadPage(held, number));
    ASSERT_TRUE(page == PageOf(number, 10)) << number;
  }

  for (const char* const state :
       {"packed", "reopened", "made anew", "packed again", "anew again"}) {
    SCOPED_TRACE(state);
    if (state == std::string("reopened")) {
      ASSERT_NO_FATAL_FAILURE(Reopen(false));
    }
    if (state == std::string("made anew") || state == std::string("anew again")) {
      ASSERT_NO_FATAL_FAILURE(Reopen(true));
    }
    if (state == std::string("packed again")) {
      ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
    }
    for (const char* const name : {"plain", "labelled", "source"}) {
      SCOPED_TRACE(name);
      EXPECT_TRUE(IsOf(Open(name).value()->OpenSnapshot(), kDays - 1));
      for (int day = 0; day < kDays; ++day) {
        const auto snapshot = At(name, days[name][static_cast<size_t>(day)]);
        if (day >= kDays - 30 || (day == 7 && name == std::string("labelled"))) {
          EXPECT_TRUE(IsOf(snapshot, day)) << day;
        } else {
          EXPECT_EQ(snapshot.status().code(), StatusCode::kExpired)
              << day << ": " << snapshot.status().ToString();
        }
      }
    }
    EXPECT_TRUE(IsOf(At("labelled", Label{"kept"}), 7));
    EXPECT_TRUE(IsOf(Open("fork", IfMissing::kFail).value()->OpenSnapshot(), 4));
    EXPECT_TRUE(IsOf(Open("back").value()->OpenSnapshot(), kDays - 1));
    EXPECT_EQ(Open("deleted", IfMissing::kFail).status().code(), StatusCode::kNotFound);
    EXPECT_EQ(At("deleted", days["deleted"][5]).status().code(), StatusCode::kExpired);
    ASSERT_NO_FATAL_FAILURE(ExpectWhole(state));
  }
}

// Goal: a timeline that nobody needs any more does not hold what it was made on, and is no damage
// where the log still has it. Method: a fork that changes pages of its source and is deleted.
TEST_F(ExpiryTest, ADeadForkHoldsNothing) {
  ASSERT_OK(sim_.Open());
  for (int day = 0; day < 60; ++day) {
    for (const char* const name : {"source", "a", "b", "c", "d", "e"}) {
      ASSERT_OK(Write(name, day));
    }
    if (day == 6) {
      ASSERT_OK_AND_ASSIGN(const auto source, Open("source"));
      ASSERT_OK(sim_.store().Fork(*source, Timestamp(sim_.clock().Now()), "rooms", "fork"));
    }
    if (day == 20) {
      ASSERT_OK_AND_ASSIGN(const auto fork, Open("fork"));
      PageBytes page = PageOf(1, 6);
      page[7] ^= std::byte{1};
      ASSERT_OK(Commit(fork, {{1, page}}));
      ASSERT_OK(fork->Delete());
    }
    ASSERT_OK(sim_.store().Sync());
    sim_.clock().Advance(std::chrono::hours(24));
  }
  ASSERT_OK(sim_.store().Prune());
  ASSERT_OK_AND_ASSIGN(const ReclaimReport report, sim_.store().Reclaim());
  EXPECT_GT(report.files, 0u);
  ASSERT_NO_FATAL_FAILURE(ExpectWhole("what pays is packed"));
  ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
  ASSERT_NO_FATAL_FAILURE(ExpectWhole("all is packed"));
  EXPECT_TRUE(IsOf(Open("source").value()->OpenSnapshot(), 59));
  ASSERT_NO_FATAL_FAILURE(Reopen(true));
  ASSERT_NO_FATAL_FAILURE(ExpectWhole("made anew"));
  EXPECT_TRUE(IsOf(Open("source").value()->OpenSnapshot(), 59));
  EXPECT_EQ(Open("fork", IfMissing::kFail).status().code(), StatusCode::kNotFound);
}

// Goal: what packing has before it is known without reading, and what is younger than all horizons
// is not read. Method: a bit of the youngest packed file is changed; it is found when that file is
// written anew, and not before.
TEST_F(ExpiryTest, WhatHasNotExpiredIsNotLookedAt) {
  ASSERT_OK(sim_.Open());
  uint64_t seed = 0;
  const auto write_days = [&](int days) {
    for (int day = 0; day < days; ++day) {
      std::map<uint32_t, PageBytes> pages;
      for (uint32_t page = 1; page <= 40; ++page) pages[page] = RandomPage(++seed);
      ASSERT_OK(Commit(Open("a").value(), pages));
      ASSERT_OK(sim_.store().Sync());
      sim_.clock().Advance(std::chrono::hours(24));
    }
  };
  internal::StoreImpl& store = internal::StorePeer::Impl(sim_.store());
  ASSERT_NO_FATAL_FAILURE(write_days(60));
  ASSERT_OK(sim_.store().Prune());
  ASSERT_OK(sim_.store().Reclaim());
  EXPECT_EQ(store.packer().ExpiredBytes(), 0u);
  for (int round = 0; round < 2; ++round) {
    ASSERT_NO_FATAL_FAILURE(write_days(20));
    ASSERT_OK(sim_.store().Reclaim());
  }
  EXPECT_EQ(store.packer().ExpiredBytes(), 0u) << "without a licence nothing may go";
  ASSERT_OK(sim_.store().Prune());
  EXPECT_EQ(store.packer().ExpiredBytes(), 0u) << "nobody asked for the horizon";
  ASSERT_OK(store.packer().NoteHorizon());

  const auto packed = store.segments().ListPacked();
  ASSERT_GE(packed.size(), 3u);
  const internal::Segments::Packed& last = packed.back();
  const Timestamp horizon = sim_.clock().Now() - sim_.options().retention;
  ASSERT_GT(packed[packed.size() - 2].log.last_time,
            static_cast<uint64_t>(horizon.time_since_epoch().count()));
  const uint64_t history = store.packer().HistoryBytes();
  EXPECT_GT(store.packer().ExpiredBytes(), history / 10);
  EXPECT_LT(store.packer().ExpiredBytes(), history - last.size_bytes);

  const std::string path = "store/log/" + internal::SegmentName(last.header.number);
  sim_.fs().FlipBit(path, last.size_bytes / 2, 3);
  ASSERT_OK_AND_ASSIGN(const ReclaimReport reclaimed, sim_.store().Reclaim());
  EXPECT_LT(reclaimed.bytes_after, reclaimed.bytes_before);
  EXPECT_EQ(store.packer().ExpiredBytes(), 0u);
  EXPECT_ERROR(sim_.store().Reclaim(ReclaimWhat::kEverything), StatusCode::kCorruption,
               "Bring the file back");
  sim_.fs().FlipBit(path, last.size_bytes / 2, 3);
  ASSERT_NO_FATAL_FAILURE(ExpectWhole("mended"));
}

// Goal: damage in the log costs the packing of what stands behind it, and nothing before it: that
// is packed, and packed again when it has expired; the damage is reported as before, and says what
// to do; and mended, all goes on. Method: a bit of a segment in the middle.
TEST_F(ExpiryTest, DamageStopsWhatStandsBehindIt) {
  ASSERT_OK(sim_.Open());
  const auto write_days = [&](int days) {
    for (int day = 0; day < days; ++day) {
      for (const char* const name : {"a", "b", "c", "d", "e", "f"}) ASSERT_OK(Write(name, day));
      ASSERT_OK(sim_.store().Sync());
      sim_.clock().Advance(std::chrono::hours(24));
    }
  };
  const auto files = [&](const std::string& ending) {
    std::vector<std::string> found;
    const auto names = sim_.fs().ListDirectory("store/log").value();
    for (const std::string& name : names) {
      if (name.ends_with(ending)) found.push_back("store/log/" + name);
    }
    return found;
  };
  ASSERT_NO_FATAL_FAILURE(write_days(10));
  ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
  ASSERT_NO_FATAL_FAILURE(write_days(80));
  ASSERT_OK(sim_.Checkpoint());
  const auto log = files(".seg");
  ASSERT_GE(log.size(), 5u);
  const std::string& damaged = log[log.size() / 2];
  sim_.fs().FlipBit(damaged, 300'000, 3);
  EXPECT_ERROR(sim_.store().Reclaim(), StatusCode::kCorruption, "Bring the file back");
  const auto rest = files(".seg");
  ASSERT_EQ(rest.size(), log.size() - log.size() / 2) << "what stands before it is packed";
  EXPECT_EQ(rest.front(), damaged);
  ASSERT_OK_AND_ASSIGN(const VerifyReport verified, sim_.store().Verify());
  EXPECT_FALSE(verified.damage.empty());

  // What has expired of the packed part goes, although the log behind it is damaged.
  const auto packed_bytes = [&] {
    uint64_t bytes = 0;
    for (const std::string& name : files(".pack")) bytes += sim_.fs().Contents(name).size();
    return bytes;
  };
  const uint64_t before = packed_bytes();
  ASSERT_OK(sim_.store().Prune());
  EXPECT_ERROR(sim_.store().Reclaim(), StatusCode::kCorruption, "Bring the file back");
  EXPECT_LT(packed_bytes(), before * 3 / 4);
  EXPECT_EQ(files(".seg"), rest);

  sim_.fs().FlipBit(damaged, 300'000, 3);
  ASSERT_OK(sim_.store().Reclaim());
  EXPECT_LE(files(".seg").size(), 2u);
  ASSERT_NO_FATAL_FAILURE(ExpectWhole("mended"));
}

void ExpiryTest::ExpectRotIsFound() {
  ASSERT_OK(sim_.Open());
  std::map<std::string, std::vector<Bookmark>> days;
  for (int day = 0; day < 8; ++day) {
    for (const char* const name : {"a", "b", "c", "d", "e", "f"}) {
      ASSERT_OK_AND_ASSIGN(const CommitInfo commit, Write(name, day));
      days[name].push_back(Open(name).value()->BookmarkOf(commit));
    }
    sim_.clock().Advance(std::chrono::hours(1));
  }
  ASSERT_OK_AND_ASSIGN(const ReclaimReport report, sim_.store().Reclaim(ReclaimWhat::kEverything));
  ASSERT_GT(report.files, 0u);
  ASSERT_OK(sim_.Close());
  const SimStore::Machine machine = sim_.Save();
  EXPECT_EQ(FindDictionaries(sim_.fs()).empty(), !rows_);
  const std::string path = "store/log/00000001.pack";
  const size_t size = sim_.fs().Contents(path).size();
  Random random(TestSeed());
  for (uint64_t round = 0; round < Scaled(60); ++round) {
    SCOPED_TRACE(round);
    SimStore sim(round, machine);
    const size_t at = random.Below(size);
    auto bytes = sim.fs().Contents(path);
    const size_t length = std::min<size_t>(size - at, random.OneIn(2) ? 1 : 1 + random.Below(5000));
    std::vector<std::byte> rotten(bytes.begin() + static_cast<ptrdiff_t>(at),
                                  bytes.begin() + static_cast<ptrdiff_t>(at + length));
    for (std::byte& byte : rotten) byte ^= std::byte{0x55};
    sim.fs().Overwrite(path, at, rotten);
    const bool without_index = round % 3 == 0;
    if (without_index) std::filesystem::remove_all(sim.options().index_directory);
    const Status opened = sim.Open();
    if (!opened.ok()) {
      EXPECT_EQ(opened.code(), StatusCode::kCorruption) << opened.ToString();
      continue;
    }
    bool found = false;
    for (const auto& [name, bookmarks] : days) {
      const auto object = sim.store().OpenObject("rooms", name, IfMissing::kFail);
      if (!object.ok()) {
        found = true;
        EXPECT_EQ(object.status().code(), StatusCode::kCorruption) << object.status().ToString();
        continue;
      }
      for (size_t day = 0; day < bookmarks.size(); ++day) {
        const auto snapshot = (*object)->OpenSnapshot(bookmarks[day]);
        if (!snapshot.ok()) {
          found = true;
          EXPECT_EQ(snapshot.status().code(), StatusCode::kCorruption)
              << snapshot.status().ToString();
          continue;
        }
        for (uint32_t number = 1; number <= kPages; ++number) {
          const auto page = ReadPage(*snapshot, number);
          if (page.ok()) {
            ASSERT_TRUE(*page == PageOf(number, static_cast<int>(day))) << name << " " << number;
          } else {
            found = true;
            EXPECT_EQ(page.status().code(), StatusCode::kCorruption) << page.status().ToString();
          }
        }
      }
    }
    ASSERT_OK_AND_ASSIGN(const VerifyReport verified, sim.store().Verify());
    const bool unused = at + length <= format::kFirstGroupOffset;  // the header's blocks
    EXPECT_TRUE(!verified.damage.empty() || unused) << "at " << at << ", " << length << " bytes";
    EXPECT_TRUE(!found || !verified.damage.empty());
    ASSERT_OK(sim.Close());
  }
}

// Goal: whatever rots in a packed segment is found, and never read as data; what it does not touch
// stays. Method: bytes of it are changed, one place at a time; with the index and without it.
TEST_F(ExpiryTest, RotInAPackedSegmentIsFound) { ExpectRotIsFound(); }

// The same of blocks that need dictionaries.
TEST_F(ExpiryTest, RotBesideDictionariesIsFound) {
  rows_ = true;
  sim_.use_dictionaries_early();
  ExpectRotIsFound();
}

}  // namespace
}  // namespace tidemark::testing
