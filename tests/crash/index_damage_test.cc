// The index's file is damaged in every way that a file can be: opening says so and how to go on,
// and a rebuild brings everything back from the log.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "engine/store.h"
#include "engine/transaction.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

namespace fs = std::filesystem;

constexpr int kObjects = 300;
constexpr int kCommits = 12;
constexpr uint32_t kPageSize = 4096;

std::vector<std::byte> PageOf(int object, int commit) {
  Random random(static_cast<uint64_t>(object * 1000 + commit));
  std::vector<std::byte> page(kPageSize);
  for (size_t i = 0; i < 200; ++i) page[i * 20] = static_cast<std::byte>(random.Next());
  return page;
}

std::string NameOf(int object) { return "object" + std::to_string(object); }

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// How a child that looked at the store ended.
enum class End { kExact, kRefused, kOther, kSignal };

class IndexDamageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.segment_size_bytes = 1 << 20;
    options_.background_work = BackgroundWork::kManual;
    options_.create_if_missing = true;
    ASSERT_OK_AND_ASSIGN(auto store, Store::Open(store_, options_));
    for (int commit = 0; commit < kCommits; ++commit) {
      for (int i = 0; i < kObjects; ++i) {
        ASSERT_OK_AND_ASSIGN(const auto object,
                             store->OpenObject("rooms", NameOf(i), IfMissing::kCreate));
        Transaction transaction(object);
        ASSERT_OK(transaction.Begin());
        ASSERT_OK(transaction.ResetPageSize(kPageSize));
        ASSERT_OK(transaction.WritePage(PageNo(static_cast<uint32_t>(1 + commit % 3)),
                                        PageOf(i, commit)));
        ASSERT_OK(transaction.Commit());
      }
      if (commit % 5 == 4) {
        ASSERT_OK(store->Checkpoint());
      }
    }
    ASSERT_OK(store->Close());
    options_.create_if_missing = false;
    whole_ = ReadFile(index_);
    mark_ = ReadFile(mark_path_);
    ASSERT_GT(whole_.size(), 40u * 4096);
  }

  // Every object's latest state, and no more objects than there are.
  static Status ReadAll(Store& store) {
    uint64_t listed = 0;
    TIDEMARK_RETURN_IF_ERROR(store.ListObjects("", [&](const ObjectSummary&) {
      ++listed;
      return listed < 10 * kObjects;
    }));
    if (listed != kObjects) return Status(StatusCode::kNotFound, "another number of objects");
    std::vector<std::byte> page(kPageSize);
    for (int i = 0; i < kObjects; ++i) {
      TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                                store.OpenObject("rooms", NameOf(i), IfMissing::kFail));
      TIDEMARK_ASSIGN_OR_RETURN(const Snapshot snapshot, object->OpenSnapshot());
      for (int commit = kCommits - 3; commit < kCommits; ++commit) {
        TIDEMARK_RETURN_IF_ERROR(
            snapshot.ReadPage(PageNo(static_cast<uint32_t>(1 + commit % 3)), page));
        if (page != PageOf(i, commit)) return Status(StatusCode::kMalformed, "wrong bytes");
      }
    }
    return OkStatus();
  }

  // In a process of its own, for as long as it lives.
  static End InChild(const std::function<End()>& run) {
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
      if (freopen("/dev/null", "w", stderr) == nullptr) _exit(99);
      alarm(60);  // a tree with a circle in it
      _exit(static_cast<int>(run()));
    }
    int ended = 0;
    EXPECT_EQ(waitpid(child, &ended, 0), child);
    return WIFEXITED(ended) ? static_cast<End>(WEXITSTATUS(ended)) : End::kSignal;
  }

  End Look(bool check_index) const {
    return InChild([&] {
      StoreOptions options = options_;
      options.check_index = check_index;
      const auto store = Store::Open(store_, options);
      if (!store.ok()) {
        const bool helps = store.status().code() == StatusCode::kCorruption &&
                           store.status().message().find("tidemark rebuild") != std::string::npos;
        return helps ? End::kRefused : End::kOther;
      }
      const Status read = ReadAll(**store);
      return read.ok() ? End::kExact : End::kOther;
    });
  }

  void Restore(const std::string& index) {
    fs::remove_all(store_ + "/index");
    fs::create_directory(store_ + "/index");
    WriteFile(index_, index);
    WriteFile(mark_path_, mark_);
  }

  // The store is what it was, after a rebuild.
  Status RebuildAndRead() const {
    TIDEMARK_ASSIGN_OR_RETURN(const RebuildReport rebuilt, Store::Rebuild(store_, options_));
    const auto wrong = [](const char* what) { return Status(StatusCode::kMalformed, what); };
    if (rebuilt.objects != kObjects) return wrong("another number of objects");
    if (rebuilt.damaged_objects != 0) return wrong("damaged objects");
    StoreOptions options = options_;
    options.check_index = true;
    TIDEMARK_ASSIGN_OR_RETURN(const auto store, Store::Open(store_, options));
    TIDEMARK_RETURN_IF_ERROR(ReadAll(*store));
    TIDEMARK_ASSIGN_OR_RETURN(const VerifyReport report, store->Verify());
    if (!report.damage.empty()) return wrong(report.damage[0].message.c_str());
    return store->Close();
  }

  void ExpectRebuilds() {
    EXPECT_EQ(InChild([&] {
                const Status status = RebuildAndRead();
                if (!status.ok()) std::printf("%s\n", status.ToString().c_str());
                std::fflush(stdout);
                return status.ok() ? End::kExact : End::kOther;
              }),
              End::kExact);
  }

  TempDirectory directory_;
  const std::string store_ = directory_ / "store";
  const std::string index_ = store_ + "/index/data.mdb";
  const std::string mark_path_ = store_ + "/index/WRITTEN";
  StoreOptions options_;
  std::string whole_;
  std::string mark_;
};

// Goal: what can be seen of a damaged index before it is used is an error that names the verb that
// makes it anew, and never a signal. Method: each kind of damage to the file as a whole and to the
// pages at its begin; then the rebuild.
TEST_F(IndexDamageTest, IsRefusedAndNamesTheVerb) {
  struct Kind {
    const char* name;
    std::function<std::string(std::string)> damage;
    bool opens = false;  // it begins anew, or nothing of it counts
  };
  const auto set = [](size_t at, const std::string& bytes) {
    return [=](std::string index) { return index.replace(at, bytes.size(), bytes); };
  };
  const std::string ff(8, '\xff');
  const std::string odd("\x03\0\0\0\0\0\0\0", 8);
  std::vector<Kind> kinds = {
      {"empty", [](std::string) { return std::string(); }},
      {"a page", [](const std::string& index) { return index.substr(0, 4096); }},
      {"two pages", [](const std::string& index) { return index.substr(0, 8192); }},
      {"half",
       [](const std::string& index) { return index.substr(0, index.size() / 8192 * 4096); }},
      {"zeros", [](const std::string& index) { return std::string(index.size(), '\0'); }},
      {"garbage", [](const std::string& index) { return std::string(index.size(), 'x'); }},
      {"text", [](std::string) { return std::string("this is no index\n"); }},
      {"first page gone", set(0, std::string(4096, '\0'))},
      {"second page gone", set(4096, std::string(4096, '\0'))},
  };
  // Of each meta page: magic, page size, root of either tree, last page, transaction.
  for (const size_t page : {size_t{0}, size_t{4096}}) {
    for (const size_t field : {16u, 40u, 80u, 128u, 136u, 144u}) {
      kinds.push_back({"a field of a meta page", set(page + field, ff)});
    }
    kinds.push_back({"page size", set(page + 40, std::string("\0\x02\0\0", 4))});
  }
  for (const Kind& kind : kinds) {
    SCOPED_TRACE(kind.name);
    Restore(kind.damage(whole_));
    EXPECT_NE(ReadFile(index_), whole_);
    const End end = Look(false);
    // Which of two meta pages counts is LMDB's secret; the other one's roots are not looked at.
    EXPECT_TRUE(end == End::kRefused || end == End::kExact) << static_cast<int>(end);
    ExpectRebuilds();
    if (HasFailure()) return;
  }
  Restore(whole_);
  EXPECT_EQ(Look(false), End::kExact);
  EXPECT_EQ(Look(true), End::kExact);
}

// Goal: damage in the middle of the file never ends the process of who has all pages checked first,
// and the rebuild brings all of it back. Method: bits, bursts and sectors of pages that are in use,
// by the thousand at a larger scale; what happens without the check is printed.
TEST_F(IndexDamageTest, CheckedPagesDoNotEndTheProcess) {
  Random random(TestSeed());
  std::array<int, 4> unchecked{};
  std::array<int, 4> checked{};
  for (uint64_t trial = 0; trial < Scaled(60); ++trial) {
    std::string index = whole_;
    const size_t at = random.Between(8192, index.size() - 1);
    switch (trial % 4) {
      case 0: index[at] = static_cast<char>(index[at] ^ (1 << random.Below(8))); break;
      case 1:
        for (size_t i = at; i < std::min(at + 60, index.size()); ++i) {
          index[i] = static_cast<char>(random.Next());
        }
        break;
      case 2:
        for (size_t i = at / 4096 * 4096; i < at / 4096 * 4096 + 512; ++i) index[i] = '\0';
        break;
      default:  // a head of a page
        index[at / 4096 * 4096 + random.Below(24)] = static_cast<char>(random.Next());
        break;
    }
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", trial " << trial);
    Restore(index);
    const End plain = Look(false);
    ++unchecked[static_cast<size_t>(plain)];
    Restore(index);
    const End end = Look(true);
    ++checked[static_cast<size_t>(end)];
    EXPECT_NE(end, End::kSignal);
    if (trial % 8 == 0) ExpectRebuilds();
    if (HasFailure()) return;
  }
  std::printf("unchecked: %d exact, %d refused, %d errors, %d signals; checked: %d, %d, %d, %d\n",
              unchecked[0], unchecked[1], unchecked[2], unchecked[3], checked[0], checked[1],
              checked[2], checked[3]);
  EXPECT_GT(checked[1], 0);
}

// Goal: a rebuild that is killed anywhere leaves the store as it was, and the next one ends it.
// Method: a process that rebuilds is killed after the nth report of progress, and before the end.
TEST_F(IndexDamageTest, ARebuildIsKilled) {
  for (int kill_at = 1; kill_at < 60; kill_at += 7) {
    SCOPED_TRACE(kill_at);
    Restore(whole_.substr(0, 8192));
    const std::string before = ReadFile(index_);
    const End end = InChild([&] {
      StoreOptions options = options_;
      int reports = 0;
      options.recovery_progress = [&](uint64_t, uint64_t) {
        if (++reports == kill_at) raise(SIGKILL);
      };
      return Store::Rebuild(store_, options).ok() ? End::kExact : End::kOther;
    });
    if (end == End::kSignal) {
      EXPECT_EQ(ReadFile(index_), before);
      EXPECT_EQ(Look(false), End::kRefused);
    }
    ExpectRebuilds();
    if (HasFailure()) return;
  }
}

// A rebuild that was begun is dropped when the store goes on with its index.
TEST_F(IndexDamageTest, AnOvertakenRebuildIsDropped) {
  EXPECT_EQ(InChild([&] {
              StoreOptions options = options_;
              options.recovery_progress = [](uint64_t done, uint64_t) {
                if (done > 0) raise(SIGKILL);
              };
              return Store::Rebuild(store_, options).ok() ? End::kExact : End::kOther;
            }),
            End::kSignal);
  EXPECT_TRUE(fs::exists(store_ + "/index/rebuild"));
  ASSERT_OK_AND_ASSIGN(auto store, Store::Open(store_, options_));
  EXPECT_FALSE(fs::exists(store_ + "/index/rebuild"));
  ASSERT_OK(store->Reclaim(ReclaimWhat::kEverything));
  ASSERT_OK(store->Close());
  ASSERT_OK_AND_ASSIGN(const RebuildReport report, Store::Rebuild(store_, options_));
  EXPECT_FALSE(report.continued);
  EXPECT_EQ(Look(true), End::kExact);
}

// An older copy of the index beside a log that has gone on: a closed one is taken up where it was,
// or, if what it points to was packed since, refused.
TEST_F(IndexDamageTest, AnOlderCopy) {
  for (const bool packs : {false, true}) {
    SCOPED_TRACE(packs);
    {
      ASSERT_OK_AND_ASSIGN(auto store, Store::Open(store_, options_));
      if (packs) {
        ASSERT_OK(store->Reclaim(ReclaimWhat::kEverything));
      }
      ASSERT_OK(store->Close());
    }
    Restore(whole_);
    EXPECT_EQ(Look(false), packs ? End::kRefused : End::kExact);
    ExpectRebuilds();
  }
}

// The old index may know what a damaged log does not tell any more.
TEST_F(IndexDamageTest, OfADamagedLogTheOldOneIsKept) {
  const std::string segment = store_ + "/log/00000001.seg";
  std::string log = ReadFile(segment);
  // In the middle of it: the directory at the end of the group tells whose record it was.
  const size_t middle = 300 << 10;
  for (size_t at = middle; at < middle + 20; ++at) log[at] = 'x';
  WriteFile(segment, log);
  ASSERT_OK_AND_ASSIGN(const RebuildReport report, Store::Rebuild(store_, options_));
  EXPECT_GT(report.damaged_objects, 0u);
  EXPECT_EQ(report.old_index, store_ + "/index/data.mdb.old");
  EXPECT_EQ(ReadFile(report.old_index), whole_);
}

}  // namespace
}  // namespace tidemark::testing
