// Standbys of a store in the midst of a packing that never came to its end, on real files.

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/standby.h"
#include "tests/engine/store_fixture.h"
#include "tests/support/temp_directory.h"

namespace tidemark::testing {
namespace {

namespace fs = std::filesystem;

class StandbyPackingTest : public ::testing::Test {
 protected:
  static StoreOptions Options() {
    return {.create_if_missing = true,
            .segment_size_bytes = 1 << 20,
            .background_work = BackgroundWork::kManual};
  }
  // So many commits of a page each, to the store in `directory`, which is closed then. Returns the
  // last one.
  CommitInfo Write(const std::string& directory, int commits) {
    auto store = Store::Open(directory, Options());
    EXPECT_OK(store);
    CommitInfo last;
    {
      const auto object = (*store)->OpenObject("rooms", "lobby", IfMissing::kCreate).value();
      for (int i = 0; i < commits; ++i) {
        auto commit = Commit(object, {{1 + seed_ % 50, RandomPage(seed_)}});
        EXPECT_OK(commit);
        last = *commit;
        ++seed_;
      }
    }
    EXPECT_OK((*store)->Close());
    return last;
  }
  static std::vector<fs::path> PackedFiles(const std::string& directory) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(directory + "/log")) {
      if (entry.path().extension() == ".pack") files.push_back(entry.path());
    }
    return files;
  }

  TempDirectory directory_;
  uint32_t seed_ = 1;
};

// Goal: a packed file that is whole, and that the source's index does not name yet, is not taken:
// if the packing fails the source goes on with the segments, and makes another file of that name.
// Method: such a file, from a twin of the source that has come to the end of the same packing.
TEST_F(StandbyPackingTest, OneThatNeverEnded) {
  const std::string source = directory_ / "source";
  const std::string twin = directory_ / "twin";
  Write(source, 900);
  fs::copy(source, twin, fs::copy_options::recursive);
  {
    auto store = Store::Open(twin, Options());
    ASSERT_OK(store);
    ASSERT_OK((*store)->Reclaim(ReclaimWhat::kEverything));
    ASSERT_OK((*store)->Close());
  }
  const std::vector<fs::path> packed = PackedFiles(twin);
  ASSERT_FALSE(packed.empty());
  for (const fs::path& file : packed) fs::copy(file, source + "/log");
  ASSERT_OK_AND_ASSIGN(const auto standby, Standby::Open(source, directory_ / "standby"));
  ASSERT_OK(standby->Advance());
  // The source drops it when it is opened.
  Write(source, 5);
  ASSERT_TRUE(PackedFiles(source).empty());
  ASSERT_OK(standby->Advance());
  // Another packing, which ends.
  Write(source, 600);
  {
    auto store = Store::Open(source, Options());
    ASSERT_OK(store);
    ASSERT_OK((*store)->Reclaim(ReclaimWhat::kEverything));
    ASSERT_OK((*store)->Close());
  }
  const CommitInfo last = Write(source, 5);
  ASSERT_OK_AND_ASSIGN(const StandbyStatus status, standby->Advance());
  EXPECT_GE(status.lsn, last.lsn);
  fs::copy(directory_ / "standby", directory_ / "promoted", fs::copy_options::recursive);
  ASSERT_OK(Standby::Promote(directory_ / "promoted"));
  auto promoted = Store::Open(directory_ / "promoted", Options());
  ASSERT_OK(promoted);
  {
    const auto object = (*promoted)->OpenObject("rooms", "lobby", IfMissing::kFail).value();
    EXPECT_EQ(object->head().state_hash, last.state_hash);
    int commits = 0;
    EXPECT_OK(object->History([&](const CommitInfo& commit) {
      EXPECT_OK(object->OpenSnapshot(commit).value().Verify());
      return ++commits > 0;
    }));
    EXPECT_EQ(commits, 900 + 5 + 600 + 5);
  }
  EXPECT_OK((*promoted)->Close());
}

// Goal: a source of which all is packed, and that has written nothing since, is waited for.
TEST_F(StandbyPackingTest, OfAllThatThereIs) {
  const std::string source = directory_ / "source";
  Write(source, 900);
  auto store = Store::Open(source, Options());
  ASSERT_OK(store);
  ASSERT_OK((*store)->Reclaim(ReclaimWhat::kEverything));
  ASSERT_OK_AND_ASSIGN(const auto standby, Standby::Open(source, directory_ / "standby"));
  ASSERT_OK(standby->Advance((*store)->durable_lsn()));
  ASSERT_OK((*store)->Close());
  const CommitInfo last = Write(source, 1);
  ASSERT_OK_AND_ASSIGN(const StandbyStatus status, standby->Advance());
  EXPECT_GE(status.lsn, last.lsn);
}

}  // namespace
}  // namespace tidemark::testing
