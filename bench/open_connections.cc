// tidemark_open_connections: what it costs to have many objects open at once.
//
//   tidemark_open_connections [--stock] DIRECTORY COUNT
//
// Opens a connection to each of COUNT databases, of one table and one row, with SQLite's defaults,
// and prints after each stage what a connection holds: bytes that SQLite has allocated
// (sqlite3_memory_used), bytes of the heap beside those, resident bytes, file descriptors.
// --stock does the same on plain SQLite files: their difference is what Tidemark adds. There, a
// transaction that is open holds a second file.

#include <malloc.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "engine/store.h"
#include "vfs/vfs.h"

namespace tidemark::bench {
namespace {

[[noreturn]] void Fail(const std::string& what, const std::string& why) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), why.c_str());
  std::exit(1);
}

struct Usage {
  int64_t sqlite = 0;
  int64_t heap = 0;  // all of it
  int64_t resident = 0;
  int64_t descriptors = 0;
};

Usage Now() {
  Usage usage;
  usage.sqlite = sqlite3_memory_used();
  const struct mallinfo2 heap = mallinfo2();
  usage.heap = static_cast<int64_t>(heap.uordblks + heap.hblkhd);
  int64_t pages = 0;
  std::ifstream statm("/proc/self/statm");
  statm >> pages >> pages;
  usage.resident = pages * sysconf(_SC_PAGESIZE);
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++usage.descriptors;
  }
  return usage;
}

class Databases {
 public:
  Databases(std::string directory, bool stock) : directory_(std::move(directory)) {
    if (stock) return;
    Result<std::unique_ptr<Store>> store =
        Store::Open(directory_ + "/store", {.create_if_missing = true});
    if (!store.ok()) Fail(directory_, store.status().ToString());
    store_ = *std::move(store);
    for (const Status& status : {RegisterVfs(), AttachStore(store_.get())}) {
      if (!status.ok()) Fail(directory_, status.ToString());
    }
  }
  ~Databases() {
    for (sqlite3* connection : open_) sqlite3_close(connection);
    if (store_ == nullptr) return;
    for (const Status& status : {DetachStore(store_.get()), store_->Close()}) {
      if (!status.ok()) Fail(directory_, status.ToString());
    }
  }

  void Open(int64_t number) {
    const std::string name = "object-" + std::to_string(number);
    const std::string uri =
        store_ == nullptr ? directory_ + "/" + name
                          : "file:ns/" + name + "?vfs=tidemark&store=" + directory_ + "/store";
    sqlite3* connection = nullptr;
    if (sqlite3_open_v2(uri.c_str(), &connection,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI,
                        nullptr) != SQLITE_OK) {
      Fail(uri, sqlite3_errmsg(connection));
    }
    open_.push_back(connection);
  }
  void Close() {
    for (sqlite3* connection : open_) sqlite3_close(connection);
    open_.clear();
  }
  void All(const char* sql) {
    for (sqlite3* connection : open_) {
      if (sqlite3_exec(connection, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        Fail(sql, sqlite3_errmsg(connection));
      }
    }
  }

 private:
  const std::string directory_;
  std::unique_ptr<Store> store_;
  std::vector<sqlite3*> open_;
};

void Print(const char* stage, const Usage& before, int64_t count) {
  const Usage now = Now();
  const int64_t sqlite = now.sqlite - before.sqlite;
  std::printf(
      "%-22s %8lld %8lld %9lld %12.2f\n", stage, static_cast<long long>(sqlite / count),
      static_cast<long long>((now.heap - before.heap - sqlite) / count),
      static_cast<long long>((now.resident - before.resident) / count),
      static_cast<double>(now.descriptors - before.descriptors) / static_cast<double>(count));
  std::fflush(stdout);
}

void Run(const std::string& directory, int64_t count, bool stock) {
  Databases databases(directory, stock);
  for (int64_t made = 0; made < count; made += 100) {  // not all open at once yet
    for (int64_t i = made; i < std::min(count, made + 100); ++i) databases.Open(i);
    databases.All(
        "pragma synchronous=off; create table if not exists t(k integer primary key, v);"
        "insert into t(v) values('a row')");
    databases.Close();
  }
  malloc_trim(0);
  std::printf("a connection holds      SQLite  besides  resident  descriptors\n");
  const Usage before = Now();
  for (int64_t i = 0; i < count; ++i) databases.Open(i);
  Print("when it is opened", before, count);
  databases.All("select * from t");
  Print("after a read", before, count);
  databases.All("begin; select * from t");
  Print("in a read transaction", before, count);
  databases.All("commit; pragma synchronous=normal; begin; update t set v='changed'");
  Print("in a write transaction", before, count);
  databases.All("commit");
  Print("after a commit", before, count);
  std::printf("resident in all: %lld MB\n", static_cast<long long>(Now().resident >> 20));
}

int Main(int argc, char** argv) {
  const bool stock = argc > 1 && std::strcmp(argv[1], "--stock") == 0;
  const int first = stock ? 2 : 1;
  const int64_t count = argc - first == 2 ? std::strtoll(argv[first + 1], nullptr, 10) : 0;
  if (count < 1) {
    std::fprintf(stderr, "usage: tidemark_open_connections [--stock] DIRECTORY COUNT\n");
    return 2;
  }
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;  // stock SQLite needs one for each, and one more to write
  setrlimit(RLIMIT_NOFILE, &limit);
  std::string place = std::string(argv[first]) + "/open_connections_XXXXXX";
  if (mkdtemp(place.data()) == nullptr) Fail(place, std::strerror(errno));
  Run(place, count, stock);
  std::filesystem::remove_all(place);
  return 0;
}

}  // namespace
}  // namespace tidemark::bench

int main(int argc, char** argv) { return tidemark::bench::Main(argc, argv); }
