// tidemark_points: what going through the past takes where there is much of it.
//
//   tidemark_points DIRECTORY COMMITS OBJECTS
//
// Makes a store with one object of COMMITS commits, a row each, and finds by Bisect the one that
// made something true, and by Blame those that changed one row. Then makes a namespace of OBJECTS
// objects, takes a bookmark, changes each of them, and restores all to it, and again to what they
// were. Prints seconds, each from a store that was opened anew, and the memory that is in use
// afterwards.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/namespace_point.h"
#include "engine/store.h"
#include "engine/transaction.h"
#include "vfs/bisect.h"
#include "vfs/blame.h"
#include "vfs/database.h"

namespace tidemark::bench {
namespace {

constexpr uint32_t kPageSize = 4096;

void Check(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

template <typename T>
T Check(Result<T> result) {
  Check(result.status());
  return std::move(result).value();
}

class Timer {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Memory in use that is no file's.
uint64_t MemoryKib() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("RssAnon:")) return std::strtoull(line.c_str() + 8, nullptr, 10);
  }
  return 0;
}

class Points {
 public:
  explicit Points(std::string directory) : directory_(std::move(directory)) { Open(); }
  ~Points() { Check(store_->Close()); }

  // One object of many commits.
  void GoThroughCommits(uint64_t commits) {
    const Bookmark first = MakeCommits(commits);
    Reopen();
    const auto object = Check(store_->OpenObject("rooms", "lobby", IfMissing::kFail));
    const std::string predicate =
        "exists (SELECT 1 FROM t WHERE id = " + std::to_string(commits * 2 / 3) + ")";
    const Bookmark last = Check(object->CurrentBookmark());
    const Timer bisecting;
    const BisectResult found = Check(Bisect(*store_, object, first, last, predicate));
    std::printf("bisect of %llu commits: %.3f s, %llu looks\n",
                static_cast<unsigned long long>(commits), bisecting.Seconds(),
                static_cast<unsigned long long>(found.looks));
    Reopen();
    const auto again = Check(store_->OpenObject("rooms", "lobby", IfMissing::kFail));
    const Timer blaming;
    uint64_t changes = 0;
    const BlameResult blamed =
        Check(Blame(*store_, again, "t", {std::to_string(commits * 2 / 3)}, Point(last),
                    [&](const RowCommit&) { return ++changes > 0; }));
    std::printf("blame of a row among them: %.3f s, %llu looks, %llu changes\n", blaming.Seconds(),
                static_cast<unsigned long long>(blamed.looks),
                static_cast<unsigned long long>(changes));
  }

  // A namespace of many objects.
  void RestoreObjects(uint64_t objects) {
    WriteEach(objects, std::byte{1});
    const Bookmark point = Check(store_->NamespaceBookmark("many"));
    WriteEach(objects, std::byte{2});
    const Bookmark undo = Check(store_->NamespaceBookmark("many"));
    for (const auto& [what, to] : {std::pair("restore", point), std::pair("undo", undo)}) {
      Reopen();
      const auto before = static_cast<int64_t>(MemoryKib());
      const Timer timer;
      const NamespaceReport report = Check(RestoreNamespace(*store_, "many", to));
      std::printf("%s of a namespace: %.3f s, %llu objects, %lld MiB more than before\n", what,
                  timer.Seconds(), static_cast<unsigned long long>(report.restored),
                  static_cast<long long>((static_cast<int64_t>(MemoryKib()) - before) / 1024));
    }
  }

 private:
  void Open() {
    StoreOptions options;
    options.create_if_missing = true;
    options.retention_share = 0;
    options.scrub_interval = options.drill_interval = std::chrono::seconds(0);
    store_ = Check(Store::Open(directory_, options));
  }
  void Reopen() {
    Check(store_->Close());
    Open();
  }

  Bookmark MakeCommits(uint64_t commits) {
    Database database =
        Check(Database::Open(*store_, "rooms", "lobby",
                             {.locking = Locking::kExclusive, .synchronous = Synchronous::kOff}));
    Check(database.Exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v)"));
    const Bookmark first = Check(database.object().CurrentBookmark());
    sqlite3_stmt* insert = nullptr;
    sqlite3_prepare_v2(database.handle(), "INSERT INTO t(v) VALUES('a row of some bytes')", -1,
                       &insert, nullptr);
    for (uint64_t i = 0; i < commits; ++i) {
      if (sqlite3_step(insert) != SQLITE_DONE) Check(database.ErrorStatus());
      sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    return first;
  }

  void WriteEach(uint64_t objects, std::byte value) {
    const std::vector<std::byte> page(kPageSize, value);
    for (uint64_t i = 0; i < objects; ++i) {
      Transaction transaction(
          Check(store_->OpenObject("many", "o" + std::to_string(i), IfMissing::kCreate)));
      Check(transaction.Begin());
      Check(transaction.ResetPageSize(kPageSize));
      Check(transaction.WritePage(PageNo(1), page));
      Check(transaction.Commit());
    }
    Check(store_->Sync());
  }

  const std::string directory_;
  std::unique_ptr<Store> store_;
};

int Main(int argc, char** argv) {
  const uint64_t commits = argc == 4 ? std::strtoull(argv[2], nullptr, 10) : 0;
  const uint64_t objects = argc == 4 ? std::strtoull(argv[3], nullptr, 10) : 0;
  if (commits == 0 || objects == 0) {
    std::fprintf(stderr, "usage: tidemark_points DIRECTORY COMMITS OBJECTS\n");
    return 2;
  }
  const std::string directory = std::string(argv[1]) + "/tidemark_points.store";
  std::filesystem::remove_all(directory);
  {
    Points points(directory);
    points.GoThroughCommits(commits);
    points.RestoreObjects(objects);
  }
  std::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace tidemark::bench

int main(int argc, char** argv) { return tidemark::bench::Main(argc, argv); }
