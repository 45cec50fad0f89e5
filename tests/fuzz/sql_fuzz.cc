// SQL on an object: whatever a script says, the object's history can be read, and nothing but the
// store in memory was touched.
//
// An input is SQL. It ends because of the limits set here; ATTACH and VACUUM INTO may only name
// objects of the store in memory.

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/check.h"
#include "engine/memory_file_system.h"
#include "engine/store.h"
#include "tests/fuzz/fuzz_input.h"
#include "vfs/database.h"

namespace tidemark::testing {
namespace {

constexpr int kMostSteps = 300;        // of 1000 instructions each
constexpr int kScriptsPerStore = 200;  // then it takes too much memory

// A store in memory that is made anew now and then. Objects are new in each script.
class MemoryStore {
 public:
  ~MemoryStore() { Close(); }

  Store& Get() {
    if (scripts_++ % kScriptsPerStore == 0) {
      Close();
      auto files = MemoryFileSystem::Create();
      CHECK(files.ok());
      files_ = *std::move(files);
      StoreOptions options = files_->Options(&clock_);
      options.background_work = BackgroundWork::kManual;
      auto store = Store::Open("data", options);
      CHECK(store.ok());
      store_ = *std::move(store);
    }
    return *store_;
  }
  std::string Name() const { return "o" + std::to_string(scripts_); }
  ManualClock& clock() { return clock_; }

 private:
  void Close() {
    if (store_ == nullptr) return;
    CHECK(store_->Close().ok());
    store_.reset();
  }

  ManualClock clock_;
  std::unique_ptr<MemoryFileSystem> files_;
  std::unique_ptr<Store> store_;
  int scripts_ = 0;
};

int Authorize(void*, int action, const char* a, const char* b, const char*, const char*) {
  const std::string_view first(a == nullptr ? "" : a);
  const std::string_view second(b == nullptr ? "" : b);
  if (action == SQLITE_ATTACH) {  // a store is named only to be refused as missing
    const bool is_object = first.starts_with("file:") &&
                           first.find("vfs=tidemark&store=data") != std::string_view::npos &&
                           first.find("store=") == first.rfind("store=") &&
                           first.find("vfs=") == first.rfind("vfs=") &&
                           first.find('%') == std::string_view::npos;
    return is_object || first.empty() || first == ":memory:" ? SQLITE_OK : SQLITE_DENY;
  }
  if (action == SQLITE_PRAGMA) {
    std::string name;
    for (const char c : first)
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    // These have no limits, or are of the whole process.
    if (name.ends_with("_directory") || name.ends_with("heap_limit") || name == "threads" ||
        name == "max_page_count" || name == "cache_size" || name == "mmap_size" ||
        name == "cache_spill" || name == "busy_timeout") {
      return b == nullptr ? SQLITE_OK : SQLITE_DENY;
    }
  }
  if (action == SQLITE_FUNCTION && second == "load_extension") return SQLITE_DENY;
  return SQLITE_OK;
}

void SetLimits(sqlite3* db, int* steps) {
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 200'000);
  sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, 20'000);
  sqlite3_limit(db, SQLITE_LIMIT_EXPR_DEPTH, 50);
  sqlite3_limit(db, SQLITE_LIMIT_COMPOUND_SELECT, 20);
  sqlite3_limit(db, SQLITE_LIMIT_VDBE_OP, 20'000);
  sqlite3_limit(db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50);
  sqlite3_limit(db, SQLITE_LIMIT_TRIGGER_DEPTH, 5);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_exec(db, "PRAGMA max_page_count=500; PRAGMA temp_store=MEMORY; PRAGMA cache_size=20",
               nullptr, nullptr, nullptr);
  sqlite3_set_authorizer(db, Authorize, nullptr);
  sqlite3_progress_handler(
      db, 1000, [](void* left) { return --*static_cast<int*>(left) < 0 ? 1 : 0; }, steps);
}

// Statement by statement, whatever the one before said.
void Run(sqlite3* db, const std::string& script) {
  const char* at = script.c_str();
  for (int i = 0; i < 100 && *at != '\0'; ++i) {
    sqlite3_stmt* statement = nullptr;
    const char* tail = nullptr;
    if (sqlite3_prepare_v2(db, at, -1, &statement, &tail) == SQLITE_OK) {
      for (int row = 0; row < 1000 && sqlite3_step(statement) == SQLITE_ROW; ++row) {
        for (int column = 0; column < sqlite3_column_count(statement); ++column) {
          sqlite3_column_text(statement, column);
        }
      }
    }
    const int code = sqlite3_finalize(statement) & 0xff;
    CHECK(code != SQLITE_NOTADB);
    CHECK(code != SQLITE_PROTOCOL);
    if (tail == at) return;
    at = tail;
  }
}

void Script(const std::string& script) {
  static const bool limited = [] { return sqlite3_hard_heap_limit64(64 << 20) >= 0; }();
  CHECK(limited);
  static MemoryStore memory;
  Store& store = memory.Get();
  const std::string name = memory.Name();
  {
    auto database = Database::Open(store, "fuzz", name);
    CHECK(database.ok());
    int steps = kMostSteps;
    SetLimits(database->handle(), &steps);
    Run(database->handle(), script);
    memory.clock().Advance(std::chrono::seconds(1));
  }
  auto object = store.OpenObject("fuzz", name, IfMissing::kDeleted);
  if (!object.ok()) return;
  CHECK((*object)->History([](const CommitInfo&) { return true; }).ok());
  if (!(*object)->exists()) return;
  const auto snapshot = (*object)->OpenSnapshot();
  CHECK(snapshot.ok());
  CHECK(snapshot->Verify().ok());
  // A restore to what is current changes nothing, and is always possible.
  const auto bookmark = (*object)->CurrentBookmark();
  CHECK(bookmark.ok());
  CHECK((*object)->Restore(*bookmark).ok());
}

}  // namespace
}  // namespace tidemark::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidemark::testing::Script(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
