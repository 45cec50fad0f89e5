// Salvage of histories that were packed, and of the damage that it was made for.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/format.h"
#include "engine/salvage.h"
#include "tests/engine/log_fixture.h"
#include "tests/support/temp_directory.h"

namespace tidemark::testing {
namespace {

class SalvageHistoryTest : public LogFixture {
 protected:
  using Pages = std::map<uint32_t, PageBytes>;
  struct Known {
    Pages pages;  // as they are now
    CommitInfo newest;
    std::map<uint64_t, Pages> states;  // by state hash
    uint64_t commits = 0;
  };

  void Write(const std::string& name, Random& random) {
    Known& known = known_[name];
    Pages changed;
    for (uint64_t i = 0, n = 1 + random.Below(3); i < n; ++i) {
      const auto number = static_cast<uint32_t>(1 + random.Below(8));
      if (number > known.pages.size() + 1) continue;
      PageBytes page = known.pages.contains(number) && !random.OneIn(6) ? known.pages[number]
                                                                        : RandomPage(random.Next());
      for (int byte = 0; byte < 9; ++byte) {
        page[random.Below(page.size())] = static_cast<std::byte>(random.Next());
      }
      known.pages[number] = changed[number] = page;
    }
    if (changed.empty()) return;
    ASSERT_OK_AND_ASSIGN(const auto object, Open(name));
    ASSERT_OK_AND_ASSIGN(known.newest, Commit(object, changed));
    known.states[known.newest.state_hash] = known.pages;
    ++known.commits;
  }

  // A history of 40 days, most of it packed, some of it in several files.
  void MakeHistory(Random& random, bool expires) {
    ASSERT_OK(sim_.Open());
    if (expires) {
      ASSERT_OK(sim_.store().SetRetention(RetentionScope(), {.window = std::chrono::hours(100)}));
    }
    for (int day = 0; day < 40; ++day) {
      sim_.clock().Advance(std::chrono::hours(24));
      for (const char* const name : {"a", "b", "c", "d", "e"}) {
        for (uint64_t i = random.Below(6); i > 0; --i) {
          sim_.clock().Advance(std::chrono::milliseconds(1 + random.Below(1000)));
          Write(name, random);
        }
      }
      if (day == 10 || day == 20 || day == 30) {
        ASSERT_OK(sim_.Checkpoint());
        if (expires) {
          const Status pruned = sim_.store().Prune();
          EXPECT_TRUE(pruned.ok() || pruned.code() == StatusCode::kPaused) << pruned.ToString();
        }
        ASSERT_OK(sim_.Reclaim(day == 20 ? ReclaimWhat::kEverything : ReclaimWhat::kWhatPays));
      }
      if (day == 15) {
        ASSERT_OK_AND_ASSIGN(const auto object, Open("b", IfMissing::kFail));
        ASSERT_OK(object->SetLabel("day-15", known_["b"].newest.time));
        labelled_ = known_["b"].pages;
      }
    }
    ASSERT_OK(sim_.Close());
  }

  Result<SalvageReport> SalvageTo(const std::string& directory) {
    StoreOptions options = sim_.options();
    options.index_directory = index_ / directory;
    return Salvage("store", directory, options);
  }

  Result<std::unique_ptr<Store>> OpenNew(const std::string& directory) {
    StoreOptions options = sim_.options();
    options.index_directory = index_ / directory;
    options.create_if_missing = false;
    return Store::Open(directory, options);
  }

  static const SalvagedObject* Find(const SalvageReport& report, const std::string& name) {
    for (const SalvagedObject& object : report.objects) {
      if (object.display_name == "rooms/" + name) return &object;
    }
    return nullptr;
  }

  // Every state of every object is one that it had; returns how many there are of each.
  std::map<std::string, uint64_t> CheckStates(Store& store) {
    std::map<std::string, uint64_t> counts;
    for (const auto& one : known_) {
      const std::string& name = one.first;
      const Known& known = one.second;
      SCOPED_TRACE(name);
      const auto object = store.OpenObject("rooms", name, IfMissing::kFail);
      if (!object.ok()) {
        EXPECT_EQ(object.status().code(), StatusCode::kNotFound);
        continue;
      }
      EXPECT_OK((*object)->History([&](const CommitInfo& commit) {
        ++counts[name];
        const auto state = known.states.find(commit.state_hash);
        EXPECT_NE(state, known.states.end());
        if (state == known.states.end()) return false;
        const auto snapshot = (*object)->OpenSnapshot(commit);
        EXPECT_OK(snapshot);
        for (const auto& [number, page] : state->second) {
          const auto read = ReadPage(*snapshot, number);
          EXPECT_TRUE(read.ok() && *read == page) << "LSN " << commit.lsn.value;
        }
        return true;
      }));
    }
    return counts;
  }

  static std::string Describe(const SalvageReport& report) {
    std::string text = std::to_string(report.lost.size()) + " stretches, " +
                       std::to_string(report.unattributed) + " unattributed, " +
                       std::to_string(report.lost_policies) + " policies";
    for (const LostStretch& lost : report.lost) {
      text +=
          "\nLSN " + std::to_string(lost.first.value) + " to " + std::to_string(lost.last.value);
    }
    for (const SalvagedObject& object : report.objects) {
      text += "\n" + object.display_name + ": " + std::to_string(object.commits) + ", newer " +
              std::to_string(object.lost_newer) + ", older " + std::to_string(object.lost_older) +
              ", left out " + std::to_string(object.left_out);
    }
    for (const tidemark::Damage& damage : report.damage) {
      text += "\n" + damage.object + " " + std::to_string(damage.segment) + ":" +
              std::to_string(damage.offset) + " " + damage.message;
    }
    return text;
  }

  std::vector<std::string> Files() {
    std::vector<std::string> files = sim_.fs().ListDirectory("store/log").value();
    std::sort(files.begin(), files.end());
    return files;
  }

  std::map<std::string, Known> known_;
  Pages labelled_;
  TempDirectory index_;
};

// Goal: of a whole store everything comes that has not expired, whatever files it stands in.
class WholeHistoryTest : public SalvageHistoryTest, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Expires, WholeHistoryTest, ::testing::Bool());

TEST_P(WholeHistoryTest, Everything) {
  {
    const bool expires = GetParam();
    Random random(TestSeed());
    MakeHistory(random, expires);
    const auto files = Files();
    ASSERT_TRUE(std::any_of(files.begin(), files.end(),
                            [](const std::string& file) { return file.ends_with(".pack"); }));
    const std::string to = expires ? "new-expired" : "new";
    ASSERT_OK_AND_ASSIGN(const SalvageReport report, SalvageTo(to));
    EXPECT_TRUE(report.whole()) << Describe(report);
    EXPECT_TRUE(report.ends_cleanly);
    EXPECT_TRUE(report.damage.empty());
    ASSERT_OK_AND_ASSIGN(const auto store, OpenNew(to));
    const auto counts = CheckStates(*store);
    for (const auto& [name, known] : known_) {
      SCOPED_TRACE(name);
      const SalvagedObject* const object = Find(report, name);
      ASSERT_NE(object, nullptr);
      EXPECT_EQ(object->newest.lsn, known.newest.lsn);
      EXPECT_EQ(object->newest.time, known.newest.time);
      EXPECT_EQ(counts.at(name), object->commits);
      if (expires) {
        EXPECT_LT(object->commits, known.commits);
      } else {
        EXPECT_EQ(object->commits, known.commits);
        EXPECT_EQ(object->left_out, 0u);
      }
    }
    {
      ASSERT_OK_AND_ASSIGN(const auto object, store->OpenObject("rooms", "b", IfMissing::kFail));
      ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, object->OpenSnapshot(Label{"day-15"}));
      for (const auto& [number, page] : labelled_)
        EXPECT_EQ(ReadPage(snapshot, number).value(), page);
    }
    ASSERT_OK(store->Close());
  }
}

// Goal: damage anywhere in packed files, too: nothing false, and every object either at its newest
// commit or named. Method: bursts, sectors, files that are cut or gone.
TEST_F(SalvageHistoryTest, DamagedAnywhere) {
  Random random(TestSeed());
  MakeHistory(random, false);
  const SimFileSystem::Image whole = sim_.fs().Save();
  const auto files = Files();
  int newest = 0;
  int told = 0;
  for (uint64_t trial = 0; trial < Scaled(40); ++trial) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", trial " << trial);
    SimFileSystem fs(trial, whole);
    const std::string file = "store/log/" + files[random.Below(files.size())];
    const uint64_t size = fs.Contents(file).size();
    // Most of a file of the log is used at its begin.
    const uint64_t offset = random.Below(random.OneIn(2) ? size : std::min<uint64_t>(size, 60000));
    switch (trial % 5) {
      case 0: fs.FlipBit(file, offset, static_cast<unsigned>(random.Below(8))); break;
      case 1: {
        std::vector<std::byte> noise(std::min<uint64_t>(200, size - offset));
        for (auto& byte : noise) byte = static_cast<std::byte>(random.Next());
        fs.Overwrite(file, offset, noise);
        break;
      }
      case 2: fs.ZeroRange(file, offset / 4096 * 4096, std::min<uint64_t>(4096, size)); break;
      case 3: {
        auto cut = fs.Open(file, OpenMode::kReadWrite);
        ASSERT_OK(cut);
        ASSERT_OK((*cut)->Truncate(offset));
        break;
      }
      default: ASSERT_OK(fs.Remove(file)); break;
    }
    SCOPED_TRACE(file + ", offset " + std::to_string(offset) + ", kind " +
                 std::to_string(trial % 5));
    StoreOptions options = sim_.options();
    options.file_system = &fs;
    options.index_directory = index_ / ("damaged" + std::to_string(trial));
    ASSERT_OK_AND_ASSIGN(const SalvageReport report, Salvage("store", "new", options));
    options.create_if_missing = false;
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open("new", options));
    CheckStates(*store);
    for (const auto& [name, known] : known_) {
      const SalvagedObject* const object = Find(report, name);
      const bool at_newest = object != nullptr && object->newest.lsn == known.newest.lsn;
      if (at_newest) {
        ++newest;
        if (object->commits == known.commits) continue;
      }
      ++told;
      // The last group, with the close record behind it: no log can tell that from a torn tail.
      const bool is_tail = !at_newest && !report.ends_cleanly && !report.damage.empty();
      // Under another name, if its own is lost.
      const bool is_told =
          (object != nullptr && !object->whole()) || !report.lost.empty() ||
          report.unattributed > 0 || is_tail ||
          std::any_of(report.objects.begin(), report.objects.end(),
                      [](const SalvagedObject& other) { return !other.identified; });
      EXPECT_TRUE(is_told) << name
                           << " has lost something, and nothing says so: " << Describe(report);
    }
    ASSERT_OK(store->Close());
    if (HasFailure()) return;
  }
  EXPECT_GT(newest, 0);
  EXPECT_GT(told, 0);
}

// Four thousand bytes lost over several groups, whole: a store that does not open.
TEST_F(SalvageHistoryTest, ABlockOverSeveralGroups) {
  ASSERT_OK(sim_.Open());
  for (uint64_t i = 0; i < 120; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("o" + std::to_string(i % 6)));
    PageBytes page(kPageSize);
    page[0] = static_cast<std::byte>(i + 1);
    if (i >= 114) page = RandomPage(i);  // what does not build on what is lost
    ASSERT_OK_AND_ASSIGN(const CommitInfo commit, Commit(object, {{1, page}}));
    ASSERT_OK(sim_.store().WaitDurable(commit.lsn));
  }
  ASSERT_OK(sim_.Close());
  const auto groups = GroupsOf(1);
  ASSERT_GT(groups.size(), 120u);
  const uint64_t block = 12288;
  ASSERT_GT(groups[90].offset, block + 4096);
  sim_.fs().ZeroRange(PathOf(1), block, 4096);
  std::filesystem::remove_all(sim_.options().index_directory);
  EXPECT_ERROR(Store::Open("store", sim_.options()), StatusCode::kCorruption, "segment 1");
  ASSERT_OK_AND_ASSIGN(const SalvageReport report, SalvageTo("new"));
  EXPECT_FALSE(report.whole());
  EXPECT_FALSE(report.lost.empty());
  ASSERT_OK_AND_ASSIGN(const auto store, OpenNew("new"));
  for (uint64_t i = 114; i < 120; ++i) {
    ASSERT_OK_AND_ASSIGN(const auto object,
                         store->OpenObject("rooms", "o" + std::to_string(i % 6), IfMissing::kFail));
    EXPECT_TRUE(Reads(object, 1, RandomPage(i)));
  }
}

// A page of which the only copy is damaged is that of another object: the hash proves it.
TEST_F(SalvageHistoryTest, APageIsMadeFromATwin) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("first", 1));
  ASSERT_OK(Put("first", 2));
  const Place lost = PlaceOf(2);
  ASSERT_OK(Put("twin", 2));
  ASSERT_OK(sim_.Close());
  sim_.fs().FlipBit(PathOf(lost.segment), lost.offset + 100, 3);
  ASSERT_OK_AND_ASSIGN(const SalvageReport report, SalvageTo("new"));
  ASSERT_NE(Find(report, "first"), nullptr);
  EXPECT_TRUE(Find(report, "first")->whole());
  EXPECT_EQ(Find(report, "first")->rebuilt_pages, 1u);
  EXPECT_EQ(Find(report, "first")->commits, 2u);
  ASSERT_OK_AND_ASSIGN(const auto store, OpenNew("new"));
  ASSERT_OK_AND_ASSIGN(const auto object, store->OpenObject("rooms", "first", IfMissing::kFail));
  EXPECT_TRUE(Reads(object, 1, RandomPage(2)));
}

// The record that opened the log again after a crash tells which LSNs were lost with it; should it
// be damaged, the segments' headers tell.
TEST_F(SalvageHistoryTest, AnOpenRecordCanBeDoneWithout) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("first", 1));
  sim_.Crash(PowerLoss::kNothing);
  ASSERT_OK(sim_.Open());
  EXPECT_ERROR(SalvageTo("new"), StatusCode::kInUse, "LOCK");
  ASSERT_OK(Put("first", 2));
  ASSERT_OK(sim_.Close());
  sim_.fs().FlipBit(PathOf(2), format::kFirstGroupOffset + sizeof(format::GroupHeader) + 3, 0);
  ASSERT_OK_AND_ASSIGN(const SalvageReport report, SalvageTo("new"));
  EXPECT_FALSE(report.damage.empty());
  EXPECT_TRUE(report.whole()) << Describe(report);
  EXPECT_EQ(Find(report, "first")->commits, 2u);
  EXPECT_ERROR(SalvageTo("new"), StatusCode::kExists, "not empty");
}

// Files by other names, copies, and files of other stores.
TEST_F(SalvageHistoryTest, FilesCountByTheirHeaders) {
  Random random(TestSeed());
  MakeHistory(random, false);
  const auto files = Files();
  ASSERT_OK(sim_.fs().Rename("store/log/" + files.back(), "store/log/00000077.seg"));
  auto copy = sim_.fs().Open("store/log/00000078.seg", OpenMode::kCreateNew);
  ASSERT_OK(copy);
  ASSERT_OK((*copy)->WriteAt(0, sim_.fs().Contents("store/log/" + files.front())));
  ASSERT_OK_AND_ASSIGN(const SalvageReport report, SalvageTo("new"));
  for (const auto& [name, known] : known_) {
    ASSERT_NE(Find(report, name), nullptr);
    EXPECT_TRUE(Find(report, name)->whole());
    EXPECT_EQ(Find(report, name)->commits, known.commits);
  }
}

}  // namespace
}  // namespace tidemark::testing
