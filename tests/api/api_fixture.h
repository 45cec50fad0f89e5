// What the tests of object storage share: a store in memory, a clock that the test moves, and one
// object in it.

#ifndef TIDEMARK_TESTS_API_API_FIXTURE_H_
#define TIDEMARK_TESTS_API_API_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/storage.h"
#include "engine/clock.h"
#include "engine/memory_file_system.h"
#include "tests/support/status_matchers.h"

namespace tidemark::testing {

inline const StorageOptions kTurns{.commit_mode = CommitMode::kTurn};

class ApiTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(files_, MemoryFileSystem::Create());
    OpenStore();
    Open();
  }

  // Without threads of its own: each call does what it needs.
  void OpenStore() {
    StoreOptions options = files_->Options(&clock_);
    options.background_work = BackgroundWork::kManual;
    ASSERT_OK_AND_ASSIGN(store_, Store::Open("data", options));
  }
  // The object of the test, anew.
  void Open(const StorageOptions& options = {}) {
    storage_.reset();
    storage_ = ObjectStorage::Open(*store_, "ns", "object", options);
  }
  // As after a crash of the process that keeps what is confirmed.
  void ReopenStore(const StorageOptions& options = {}) {
    storage_.reset();
    ASSERT_OK(store_->Close());
    store_.reset();
    OpenStore();
    Open(options);
  }

  Sql& sql() { return storage_->sql(); }
  Kv& kv() { return storage_->kv(); }
  template <typename... Args>
  Cursor Exec(std::string_view text, const Args&... args) {
    return sql().Exec(text, args...);
  }

  // Rows as text: columns joined by "|", rows by a space; NULL as "NULL", blobs as their bytes.
  std::string Query(std::string_view text);

  // Number of the object's commits.
  int CommitCount() const;

  ManualClock clock_;
  std::unique_ptr<MemoryFileSystem> files_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<ObjectStorage> storage_;
};

// The Error that `call` throws; a failure of the test, and nothing in it, if it throws none.
std::optional<Error> ErrorOf(const std::function<void()>& call);
// Its message; empty if there is none.
std::string MessageOf(const std::function<void()>& call);

std::string TextOf(const ValueView& value);

// What a plain connection says to a query of one column.
std::vector<std::string> AskSqlite(const char* text);

}  // namespace tidemark::testing

// `EXPECT_FAILS(statement, "part of the message")`.
#define EXPECT_FAILS(statement, part) \
  EXPECT_THAT(::tidemark::testing::MessageOf([&] { statement; }), ::testing::HasSubstr(part))

#endif  // TIDEMARK_TESTS_API_API_FIXTURE_H_
