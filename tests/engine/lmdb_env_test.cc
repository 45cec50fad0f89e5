// LMDB's environment under load and in trouble: growth, limits, full disks, damage, many threads.

#include "engine/internal/lmdb_env.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "engine/check.h"
#include "engine/internal/index.h"
#include "engine/internal/index_rows.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_seed.h"

namespace tidemark::internal {
namespace {

using testing::Random;
using testing::Scaled;
using testing::TempDirectory;
using testing::TestSeed;

constexpr uint64_t kTinyMap = 64 << 10;
constexpr Lsn kLatest(UINT64_MAX);

// Puts a version of each of `pages` pages, and a checkpoint that says so.
Status PutVersions(IndexWriter& writer, uint64_t lsn, uint32_t pages) {
  TIDEMARK_RETURN_IF_ERROR(writer.PutCheckpoint({.lsn = Lsn(lsn)}));
  for (uint32_t page = 1; page <= pages; ++page) {
    const PageVersion version[] = {{.lsn = Lsn(lsn), .hash = lsn}};
    TIDEMARK_RETURN_IF_ERROR(writer.PutPageVersions(TimelineId(1), PageNo(page), version));
  }
  return OkStatus();
}

// The LSN of the checkpoint; also checks that each page stands there.
uint64_t ReadVersions(const Index& index, uint32_t pages) {
  auto checkpoint = index.Checkpoint();
  EXPECT_OK(checkpoint);
  const uint64_t lsn = *checkpoint ? (*checkpoint)->lsn.value : 0;
  std::vector<std::optional<PageVersion>> versions(pages);
  EXPECT_OK(index.FindPageVersions(TimelineId(1), PageNo(1), kLatest, versions));
  for (const auto& version : versions) EXPECT_EQ(version ? version->lsn.value : 0, lsn);
  return lsn;
}

// Goal: a map too small for a batch grows, at a put or at the commit, and the batch is whole.
// Method: batches of every size around what a tiny map holds, each into a new index.
TEST(LmdbEnvTest, AFullMapGrowsAndTheBatchRunsAgain) {
  int runs_needed_more = 0;
  for (uint32_t pages = 100; pages < 3000; pages += pages / 10) {
    SCOPED_TRACE(pages);
    TempDirectory directory;
    ASSERT_OK_AND_ASSIGN(auto index,
                         Index::Open(directory / "index", {.initial_map_bytes = kTinyMap}));
    for (uint64_t lsn = 1; lsn <= 3; ++lsn) {
      int runs = 0;
      ASSERT_OK(index->Update([&](IndexWriter& writer) {
        ++runs;
        return PutVersions(writer, lsn, pages);
      }));
      if (runs > 1) ++runs_needed_more;
      ASSERT_EQ(ReadVersions(*index, pages), lsn);
    }
  }
  EXPECT_GT(runs_needed_more, 5);
}

// Goal: at its limit the index says so, names itself and the limit, keeps what it has and goes on
// reading and writing. Method: a limit that the second batch does not fit.
TEST(LmdbEnvTest, AtItsLimitTheIndexIsFullAndUnharmed) {
  TempDirectory directory;
  const std::string path = directory / "index";
  const IndexOptions options{.initial_map_bytes = kTinyMap, .max_map_bytes = 1 << 20};
  ASSERT_OK_AND_ASSIGN(auto index, Index::Open(path, options));
  ASSERT_OK(index->Update([](IndexWriter& writer) { return PutVersions(writer, 1, 1000); }));
  const auto too_much = [](IndexWriter& writer) { return PutVersions(writer, 4, 100'000); };
  EXPECT_ERROR(index->Update(too_much), StatusCode::kFull, path);
  EXPECT_ERROR(index->Update(too_much), StatusCode::kFull, "1048576 bytes");
  EXPECT_EQ(ReadVersions(*index, 1000), 1);
  EXPECT_OK(index->Update([](IndexWriter& writer) { return PutVersions(writer, 3, 1000); }));
  EXPECT_EQ(ReadVersions(*index, 1000), 3);

  // A higher limit, after opening again, is all it takes.
  index.reset();
  ASSERT_OK_AND_ASSIGN(index, Index::Open(path, {.initial_map_bytes = kTinyMap}));
  EXPECT_OK(index->Update(too_much));
  EXPECT_EQ(ReadVersions(*index, 100'000), 4);
}

// A map may be larger than its limit when it is opened with a smaller one: the file must fit.
TEST(LmdbEnvTest, OpensAFileLargerThanTheMapAskedFor) {
  TempDirectory directory;
  {
    ASSERT_OK_AND_ASSIGN(auto index, Index::Open(directory / "index", {}));
    ASSERT_OK(index->Update([](IndexWriter& writer) { return PutVersions(writer, 1, 20'000); }));
    ASSERT_GT(index->FileBytes(), kTinyMap * 4);
  }
  ASSERT_OK_AND_ASSIGN(auto index, Index::Open(directory / "index", {.initial_map_bytes = kTinyMap,
                                                                     .max_map_bytes = kTinyMap}));
  EXPECT_EQ(ReadVersions(*index, 20'000), 1);
}

TEST(LmdbEnvTest, NothingOfAFailedChangeStays) {
  TempDirectory directory;
  ASSERT_OK_AND_ASSIGN(auto index, Index::Open(directory / "index", {}));
  ASSERT_OK(index->Update([](IndexWriter& writer) { return PutVersions(writer, 1, 500); }));
  EXPECT_ERROR(index->Update([](IndexWriter& writer) -> Status {
    TIDEMARK_RETURN_IF_ERROR(PutVersions(writer, 2, 500));
    return Status(StatusCode::kExpired, "the change's own");
  }),
               StatusCode::kExpired, "the change's own");
  EXPECT_EQ(ReadVersions(*index, 500), 1);
}

// Goal: a full disk is an error, not the end: what was there stays, and work goes on once there is
// room. Method: a limit on the size of files, which cuts writes short just as a full disk does.
TEST(LmdbEnvTest, AFullDiskLeavesTheIndexAsItWas) {
  TempDirectory directory;
  ASSERT_OK_AND_ASSIGN(auto index, Index::Open(directory / "index", {}));
  ASSERT_OK(index->Update([](IndexWriter& writer) { return PutVersions(writer, 1, 1000); }));

  auto* const old_handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  for (const uint64_t room : {0u, 5000u, 50'000u, 500'000u}) {
    SCOPED_TRACE(room);
    struct rlimit limit = old_limit;
    limit.rlim_cur = index->FileBytes() + room;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const Status status =
        index->Update([](IndexWriter& writer) { return PutVersions(writer, 2, 50'000); });
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
    EXPECT_TRUE(status.code() == StatusCode::kFull || status.code() == StatusCode::kIoError)
        << status.ToString();
    EXPECT_EQ(ReadVersions(*index, 1000), 1);
  }
  std::signal(SIGXFSZ, old_handler);
  EXPECT_OK(index->Update([](IndexWriter& writer) { return PutVersions(writer, 3, 50'000); }));
  EXPECT_EQ(ReadVersions(*index, 50'000), 3);
}

// Goal: where the file that has taken the place of another cannot be opened, all fails for as long
// as that lasts, and no longer. Method: a process that may open no file, from the moment on in
// which the old one is still open.
TEST(LmdbEnvTest, ACompactedFileThatDoesNotOpenAtOnce) {
#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer)
  GTEST_SKIP() << "its look at objects needs descriptors, which this takes away";
#endif
#endif
  TempDirectory directory;
  ASSERT_OK_AND_ASSIGN(const auto env,
                       LmdbEnv::Open(directory / "index", kIndexTables,
                                     {.initial_map_bytes = 1 << 20, .max_map_bytes = 1 << 30}));
  const auto put = [&](std::string_view key) {
    return env->Write([&](LmdbWriteTransaction& transaction) {
      return transaction.Put(kMetaTable, TextKey(key), TextKey("value"));
    });
  };
  const auto has = [&](std::string_view key) -> Result<bool> {
    LmdbReadTransaction read(*env);
    const bool found = read.cursor(kMetaTable).Seek(TextKey(key));
    TIDEMARK_RETURN_IF_ERROR(read.status());
    return found;
  };
  ASSERT_OK(put("before"));
  const uint64_t last = env->LastTransaction();
  EXPECT_GT(last, 0u);
  struct rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old_limit), 0);
  struct rlimit limit = old_limit;
  limit.rlim_cur = 3;
  const Status compacted = env->Compact([&] {
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    return OkStatus();
  });
  const Status reads = has("before").status();
  const Status writes = put("between");
  const Status compacts = env->Compact([] { return OkStatus(); });
  const uint64_t none = env->LastTransaction();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old_limit), 0);
  EXPECT_ERROR(compacted, StatusCode::kIoError, "cannot open");
  EXPECT_ERROR(reads, StatusCode::kBroken, "");
  EXPECT_ERROR(writes, StatusCode::kBroken, "");
  EXPECT_ERROR(compacts, StatusCode::kBroken, "");
  EXPECT_EQ(none, 0u);

  ASSERT_OK_AND_ASSIGN(const bool before, has("before"));
  EXPECT_TRUE(before);
  ASSERT_OK_AND_ASSIGN(const bool between, has("between"));
  EXPECT_FALSE(between);
  ASSERT_OK(put("behind"));
  ASSERT_OK(env->Compact([] { return OkStatus(); }));
  ASSERT_OK_AND_ASSIGN(const bool behind, has("behind"));
  EXPECT_TRUE(behind);
}

// Goal: readers see one committed state each, while batches are committed and the map is moved
// under them. Method: readers on several threads compare all pages within one transaction; the
// writer starts from a tiny map and grows it several times. (Run it under tsan, too.)
TEST(LmdbEnvTest, ReadersSeeWholeBatchesWhileTheMapGrows) {
  constexpr uint32_t kPages = 200;
  TempDirectory directory;
  ASSERT_OK_AND_ASSIGN(auto index,
                       Index::Open(directory / "index", {.initial_map_bytes = kTinyMap}));
  ASSERT_OK(index->Update([](IndexWriter& writer) { return PutVersions(writer, 1, kPages); }));
  std::atomic<bool> done = false;
  std::atomic<uint64_t> reads = 0;
  std::atomic<uint64_t> wrong = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      uint64_t last = 0;
      std::vector<std::optional<PageVersion>> versions(kPages);
      do {
        const Status status = index->FindPageVersions(TimelineId(1), PageNo(1), kLatest, versions);
        uint64_t lsn = versions[0] ? versions[0]->lsn.value : 0;
        if (!status.ok() || lsn < last) ++wrong;
        for (const auto& version : versions) {
          if (!version || version->lsn.value != lsn || version->hash != lsn) ++wrong;
        }
        last = lsn;
        ++reads;
      } while (!done);
    });
  }
  int runs = 0;
  const uint64_t batches = Scaled(300);
  for (uint64_t lsn = 2; lsn <= batches; ++lsn) {
    EXPECT_OK(index->Update([&](IndexWriter& writer) {
      ++runs;
      return PutVersions(writer, lsn, kPages);
    }));
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GE(reads, 4);
  EXPECT_GT(runs, static_cast<int>(batches) + 2) << "the map never grew";
  EXPECT_EQ(ReadVersions(*index, kPages), batches);
}

// Goal: more threads than slots get their turn. Method: a hundred threads, each reading its fill.
TEST(LmdbEnvTest, MoreThreadsThanSlots) {
  TempDirectory directory;
  ASSERT_OK_AND_ASSIGN(auto index, Index::Open(directory / "index", {}));
  ASSERT_OK(index->Update([](IndexWriter& writer) { return PutVersions(writer, 1, 50); }));
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 100; ++i) {
    threads.emplace_back([&] {
      for (uint32_t page = 1; page <= 50; ++page) {
        auto found = index->FindPageVersion(TimelineId(1), PageNo(page), kLatest);
        if (found.ok() && found->has_value()) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 5000);
}

// Goal: a file that is no LMDB file, or has lost its end, is named as damaged, with the way out,
// and never kills the process. Method: overwrite its head; cut it at every length; open and read
// all.
TEST(LmdbEnvTest, DamagedFilesAreNamed) {
  TempDirectory directory;
  const std::string path = directory / "index";
  {
    ASSERT_OK_AND_ASSIGN(auto index, Index::Open(path, {}));
    ASSERT_OK(index->Update([](IndexWriter& writer) { return PutVersions(writer, 1, 2000); }));
  }
  const std::string file = path + "/data.mdb";
  std::string whole;
  {
    std::ifstream in(file, std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(in), {});
  }
  const auto write = [&file](const std::string& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  };
  std::string garbage = whole;
  garbage.replace(0, 64, 64, 'x');
  for (const std::string& bytes : {std::string("no LMDB file"), std::string(100'000, 'x'),
                                   std::string(100'000, '\0'), garbage}) {
    write(bytes);
    EXPECT_ERROR(Index::Open(path, {}), StatusCode::kCorruption, path);
    EXPECT_ERROR(Index::Open(path, {}), StatusCode::kCorruption, "can be rebuilt");
  }
  int damaged = 0;
  for (size_t size = 8192; size < whole.size(); size += 4096) {
    SCOPED_TRACE(size);
    write(whole.substr(0, size));
    auto index = Index::Open(path, {});
    std::vector<std::optional<PageVersion>> versions(2000);
    const Status status =
        index.ok() ? (*index)->FindPageVersions(TimelineId(1), PageNo(1), kLatest, versions)
                   : index.status();
    if (status.ok()) {
      for (const auto& version : versions) ASSERT_TRUE(version.has_value());
    } else {
      EXPECT_ERROR(status, StatusCode::kCorruption, path);
      ++damaged;
    }
  }
  EXPECT_GT(damaged, 10);
  write(whole);
  ASSERT_OK_AND_ASSIGN(auto index, Index::Open(path, {}));
  EXPECT_EQ(ReadVersions(*index, 2000), 1);
}

TEST(LmdbEnvTest, OpeningErrorsNameThePath) {
  TempDirectory directory;
  EXPECT_ERROR(Index::Open(directory / "no/such/index", {}), StatusCode::kIoError,
               directory / "no/such/index");
  std::ofstream(directory / "file") << "a file";
  EXPECT_ERROR(Index::Open(directory / "file", {}), StatusCode::kIoError, directory / "file");
  if (geteuid() != 0) {  // root may write anywhere
    ASSERT_OK(Index::Open(directory / "index", {}));
    std::filesystem::permissions(directory / "index/data.mdb", std::filesystem::perms::owner_read);
    EXPECT_ERROR(Index::Open(directory / "index", {}), StatusCode::kReadOnly, directory / "index");
  }
}

}  // namespace
}  // namespace tidemark::internal
