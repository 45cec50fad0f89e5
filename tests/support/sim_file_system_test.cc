// The fakes are what the crash tests stand on: a fake that is too kind hides bugs for years.

#include "tests/support/sim_file_system.h"
#include "engine/clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

std::vector<std::byte> Filled(size_t size, int value) {
  return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

std::vector<std::byte> ReadAll(File& file) {
  std::vector<std::byte> bytes(static_cast<size_t>(file.SizeBytes().value()));
  EXPECT_EQ(file.ReadAt(0, bytes).value(), bytes.size());
  return bytes;
}

std::unique_ptr<File> Open(SimFileSystem& fs, const std::string& path,
                           OpenMode mode = OpenMode::kReadWrite) {
  auto file = fs.Open(path, mode);
  EXPECT_OK(file);
  return std::move(file).value();
}

// A file "f" whose name is durable.
std::unique_ptr<File> DurableFile(SimFileSystem& fs) {
  auto file = Open(fs, "f", OpenMode::kCreateNew);
  EXPECT_OK(fs.SyncDirectory("."));
  return file;
}

// Goal: the page cache is an ordinary file until the power fails. Method: read what was written.
TEST(SimFileSystemTest, ReadsWhatWasWritten) {
  SimFileSystem fs(TestSeed());
  auto file = DurableFile(fs);
  ASSERT_OK(file->WriteAt(10000, Filled(5000, 7)));
  EXPECT_EQ(file->SizeBytes().value(), 15000u);
  auto expected = Filled(10000, 0);
  expected.resize(15000, std::byte{7});
  EXPECT_EQ(ReadAll(*file), expected);

  std::vector<std::byte> out(100);
  EXPECT_EQ(file->ReadAt(14990, out).value(), 10u);
  EXPECT_EQ(file->ReadAt(15000, out).value(), 0u);

  ASSERT_OK(file->Truncate(10001));
  ASSERT_OK(file->Allocate(20000));
  ASSERT_OK(file->Allocate(5));  // never shrinks
  expected.resize(10001);
  expected.resize(20000);  // what was cut off does not come back
  EXPECT_EQ(ReadAll(*file), expected);
}

// Goal: unsynced bytes are gone at kAll, synced ones never. Method: one write on each side of a
// sync.
TEST(SimFileSystemTest, UnsyncedWritesAreDropped) {
  SimFileSystem fs(TestSeed());
  auto file = DurableFile(fs);
  ASSERT_OK(file->WriteAt(0, Filled(1000, 1)));
  ASSERT_OK(file->Sync());
  ASSERT_OK(file->WriteAt(500, Filled(1000, 2)));
  fs.Crash();
  EXPECT_ERROR(file->WriteAt(0, Filled(1, 3)), StatusCode::kIoError, "power");
  EXPECT_ERROR(fs.Open("f", OpenMode::kReadOnly), StatusCode::kIoError, "power");

  fs.Restart(PowerLoss::kAll);
  EXPECT_EQ(fs.Contents("f"), Filled(1000, 1));
  EXPECT_ERROR(file->Sync(), StatusCode::kIoError, "before the power failed");
}

// Goal: when the process dies and the kernel lives, nothing is lost, names included.
TEST(SimFileSystemTest, NothingIsLostWhenOnlyTheProcessDies) {
  SimFileSystem fs(TestSeed());
  auto file = Open(fs, "f", OpenMode::kCreateNew);
  ASSERT_OK(file->WriteAt(0, Filled(1000, 1)));
  fs.Crash();
  fs.Restart(PowerLoss::kNothing);
  EXPECT_EQ(fs.Contents("f"), Filled(1000, 1));
}

// Goal: what a killed process left in the page cache a later power loss still takes, bytes and
// names; an image of the machine keeps both apart, too. Method: kill, then lose power here and
// there.
TEST(SimFileSystemTest, WhatAKilledProcessLeftCanStillBeLost) {
  SimFileSystem fs(TestSeed());
  auto file = DurableFile(fs);
  ASSERT_OK(file->WriteAt(0, Filled(1000, 1)));
  ASSERT_OK(file->Sync());
  ASSERT_OK(file->WriteAt(0, Filled(1000, 2)));
  Open(fs, "g", OpenMode::kCreateNew);
  fs.Crash();
  fs.Restart(PowerLoss::kNothing);
  EXPECT_EQ(fs.Contents("f"), Filled(1000, 2));

  SimFileSystem other(TestSeed(), fs.Save());
  EXPECT_EQ(other.Contents("f"), Filled(1000, 2));
  ASSERT_OK(Open(other, "f")->Sync());  // whoever syncs it
  other.Crash();
  other.Restart(PowerLoss::kAll);
  EXPECT_EQ(other.Contents("f"), Filled(1000, 2));
  EXPECT_FALSE(other.Exists("g").value());

  fs.Crash();
  fs.Restart(PowerLoss::kAll);
  EXPECT_EQ(fs.Contents("f"), Filled(1000, 1));
  EXPECT_FALSE(fs.Exists("g").value());
}

// Goal: kSeeded really does each of the things it is there for. Method: two unsynced writes over
// the same sectors, many seeds; collect what every sector held afterwards.
TEST(SimFileSystemTest, SeededLossKeepsDropsReordersAndTearsWholeSectors) {
  std::set<std::vector<int>> outcomes;
  bool reordered = false;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    SimFileSystem fs(seed);
    auto file = DurableFile(fs);
    ASSERT_OK(file->WriteAt(0, Filled(2048, 1)));
    ASSERT_OK(file->Sync());
    ASSERT_OK(file->WriteAt(0, Filled(1024, 2)));
    ASSERT_OK(file->WriteAt(1024, Filled(1024, 3)));
    fs.Crash();
    fs.Restart(PowerLoss::kSeeded);
    const auto bytes = fs.Contents("f");
    std::vector<int> sectors;
    for (size_t i = 0; i < bytes.size(); i += 512) {
      EXPECT_EQ(std::count(bytes.begin() + static_cast<ptrdiff_t>(i),
                           bytes.begin() + static_cast<ptrdiff_t>(i + 512), bytes[i]),
                512)
          << "a torn sector, seed " << seed;
      sectors.push_back(static_cast<int>(bytes[i]));
    }
    outcomes.insert(sectors);
    reordered |= sectors == std::vector{1, 1, 3, 3};
  }
  EXPECT_TRUE(outcomes.contains({1, 1, 1, 1}));  // all lost
  EXPECT_TRUE(outcomes.contains({2, 2, 3, 3}));  // all kept
  EXPECT_TRUE(outcomes.contains({2, 2, 1, 1}));  // the second lost
  EXPECT_TRUE(reordered);                        // the first lost, the second kept
  EXPECT_TRUE(outcomes.contains({2, 1, 3, 3}));  // torn
}

// Goal: an unsynced size is kept or lost by itself; bytes beyond the end never show.
TEST(SimFileSystemTest, SeededLossOfASize) {
  std::set<size_t> sizes;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SimFileSystem fs(seed);
    auto file = DurableFile(fs);
    ASSERT_OK(file->WriteAt(0, Filled(700, 1)));
    ASSERT_OK(file->Sync());
    ASSERT_OK(file->WriteAt(700, Filled(300, 2)));
    fs.Crash();
    fs.Restart(PowerLoss::kSeeded);
    auto bytes = fs.Contents("f");
    sizes.insert(bytes.size());
    for (size_t i = 0; i < 700; ++i) ASSERT_EQ(bytes[i], std::byte{1}) << "seed " << seed;
  }
  EXPECT_EQ(sizes, (std::set<size_t>{700, 1000}));
}

// Goal: a name without SyncDirectory is lost at kAll, however well the file was synced; a rename is
// whole or absent. Method: create, rename and remove with and without syncing the directory.
TEST(SimFileSystemTest, NamesNeedTheirDirectorySynced) {
  SimFileSystem fs(TestSeed());
  ASSERT_OK(fs.CreateDirectory("d"));
  ASSERT_OK(fs.SyncDirectory(""));
  for (const char* name : {"d/old", "d/gone"}) Open(fs, name, OpenMode::kCreateNew);
  ASSERT_OK(fs.SyncDirectory("d"));

  auto file = Open(fs, "d/new", OpenMode::kCreateNew);
  ASSERT_OK(file->WriteAt(0, Filled(10, 1)));
  ASSERT_OK(file->Sync());
  ASSERT_OK(fs.Remove("d/gone"));
  ASSERT_OK(fs.Rename("d/old", "d/renamed"));
  fs.Crash();
  fs.Restart(PowerLoss::kAll);
  auto names = fs.ListDirectory("d").value();
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"gone", "old"}));

  ASSERT_OK(fs.Remove("d/gone"));
  ASSERT_OK(fs.Rename("d/old", "d/renamed"));
  ASSERT_OK(fs.SyncDirectory("d"));
  fs.Crash();
  fs.Restart(PowerLoss::kAll);
  EXPECT_EQ(fs.ListDirectory("d").value(), (std::vector<std::string>{"renamed"}));
}

// Goal: what is in a directory whose own name was lost is lost, too.
TEST(SimFileSystemTest, ALostDirectoryTakesItsFilesAlong) {
  SimFileSystem fs(TestSeed());
  ASSERT_OK(fs.CreateDirectory("d"));
  Open(fs, "d/f", OpenMode::kCreateNew);
  ASSERT_OK(fs.SyncDirectory("d"));
  fs.Crash();
  fs.Restart(PowerLoss::kAll);
  EXPECT_FALSE(fs.Exists("d").value());
  EXPECT_FALSE(fs.Exists("d/f").value());
  EXPECT_ERROR(fs.Open("d/f", OpenMode::kCreateNew), StatusCode::kNotFound, "d");
}

// Goal: CrashAt counts every operation that changes something, and fails from that one on.
TEST(SimFileSystemTest, CrashesAtEveryOperation) {
  const auto work = [](SimFileSystem& fs) {
    int done = 0;
    const auto step = [&](const Status& status) { done += status.ok() ? 1 : 0; };
    step(fs.CreateDirectory("d"));
    auto file = fs.Open("d/f", OpenMode::kCreateNew);
    step(file.status());
    if (file.ok()) {
      step((*file)->Allocate(1000));
      step((*file)->WriteAt(0, Filled(10, 1)));
      step((*file)->Sync());
      step((*file)->Truncate(5));
    }
    step(fs.Rename("d/f", "d/g"));
    step(fs.SyncDirectory("d"));
    step(fs.Remove("d/g"));
    return done;
  };
  SimFileSystem whole(TestSeed());
  EXPECT_EQ(work(whole), 9);
  EXPECT_EQ(whole.operations(), 9u);
  EXPECT_FALSE(whole.crashed());
  for (uint64_t at = 1; at <= 9; ++at) {
    SimFileSystem fs(TestSeed());
    fs.CrashAt(at);
    EXPECT_EQ(work(fs), static_cast<int>(at) - 1);
    EXPECT_TRUE(fs.crashed());
  }
}

// Goal: after a failed sync the cache shows what the disk lacks, and the next sync proves nothing.
TEST(SimFileSystemTest, AFailedSyncLosesForEver) {
  int lost = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SimFileSystem fs(seed);
    auto file = DurableFile(fs);
    ASSERT_OK(file->WriteAt(0, Filled(512, 1)));
    ASSERT_OK(file->Sync());
    ASSERT_OK(file->WriteAt(0, Filled(512, 2)));
    fs.FailSync(1);
    ASSERT_ERROR(file->Sync(), StatusCode::kIoError, "simulated");
    ASSERT_OK(file->Sync());
    EXPECT_EQ(ReadAll(*file), Filled(512, 2));
    fs.Crash();
    fs.Restart(PowerLoss::kAll);
    lost += fs.Contents("f") == Filled(512, 1) ? 1 : 0;
  }
  EXPECT_GT(lost, 5);
  EXPECT_LT(lost, 50);
}

// Goal: writes fail when told to, and the disk is full when it is; both leave the file usable.
TEST(SimFileSystemTest, FailingWritesAndAFullDisk) {
  SimFileSystem fs(TestSeed());
  auto file = DurableFile(fs);
  fs.FailWrite(2, StatusCode::kIoError);
  ASSERT_OK(file->WriteAt(0, Filled(100, 1)));
  EXPECT_ERROR(file->WriteAt(0, Filled(100, 2)), StatusCode::kIoError, "simulated");
  ASSERT_OK(file->WriteAt(0, Filled(100, 3)));

  fs.SetCapacity(1000);
  ASSERT_OK(file->WriteAt(0, Filled(1000, 4)));
  EXPECT_ERROR(file->WriteAt(1, Filled(1000, 5)), StatusCode::kFull, "full");
  EXPECT_ERROR(file->Allocate(1001), StatusCode::kFull, "full");
  EXPECT_EQ(ReadAll(*file), Filled(1000, 4));
  fs.SetCapacity(2000);
  EXPECT_OK(file->WriteAt(1, Filled(1000, 5)));
}

// Goal: one owner of a lock at a time, until it lets go or the power fails.
TEST(SimFileSystemTest, LocksAreExclusive) {
  SimFileSystem fs(TestSeed());
  auto lock = fs.Lock("LOCK");
  ASSERT_OK(lock);
  EXPECT_ERROR(fs.Lock("LOCK"), StatusCode::kInUse, "in use by process");
  lock->reset();
  lock = fs.Lock("LOCK");
  ASSERT_OK(lock);
  fs.Crash();
  fs.Restart(PowerLoss::kAll);
  auto second = fs.Lock("LOCK");
  ASSERT_OK(second);
  lock->reset();  // from before the power failed: must not free the new owner's
  EXPECT_ERROR(fs.Lock("LOCK"), StatusCode::kInUse, "");
}

// Goal: an image of a disk starts as many equal lives as a test wants, and they do not mix.
TEST(SimFileSystemTest, ImagesAreIndependent) {
  SimFileSystem fs(TestSeed());
  auto file = DurableFile(fs);
  ASSERT_OK(file->WriteAt(0, Filled(5000, 1)));
  const auto image = fs.Save();
  SimFileSystem other(TestSeed(), image);
  ASSERT_OK(Open(other, "f")->WriteAt(4000, Filled(2000, 2)));
  EXPECT_EQ(fs.Contents("f"), Filled(5000, 1));
  other.FlipBit("f", 0, 3);
  other.ZeroRange("f", 10, 5);
  EXPECT_EQ(other.Contents("f")[0], std::byte{9});
  EXPECT_EQ(other.Contents("f")[12], std::byte{0});
  EXPECT_EQ(SimFileSystem(1, image).Contents("f"), Filled(5000, 1));
}

// Goal: any thread may use it. Method: writers and a reader at once; sanitizers watch.
TEST(SimFileSystemTest, ThreadsShareIt) {
  SimFileSystem fs(TestSeed());
  auto file = DurableFile(fs);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        EXPECT_OK(file->WriteAt(static_cast<uint64_t>(t * 1000 + i * 10), Filled(10, t + 1)));
        EXPECT_TRUE(i % 10 != 0 || file->Sync().ok());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (int t = 0; t < 4; ++t) {
    EXPECT_EQ(fs.Contents("f")[static_cast<size_t>(t * 1000 + 999)], static_cast<std::byte>(t + 1));
  }
}

// Goal: the manual clock moves when told to, in both directions, and not otherwise.
TEST(ManualClockTest, MovesWhenTold) {
  ManualClock clock;
  EXPECT_EQ(clock.Now(), ManualClock::kStart);
  clock.Advance(std::chrono::seconds(2));
  EXPECT_EQ(clock.Now() - ManualClock::kStart, std::chrono::seconds(2));
  clock.Advance(-std::chrono::seconds(5));
  EXPECT_EQ(clock.Now() - ManualClock::kStart, std::chrono::seconds(-3));
  clock.Set(ManualClock::kStart);
  EXPECT_EQ(clock.Now(), ManualClock::kStart);
}

}  // namespace
}  // namespace tidemark::testing
