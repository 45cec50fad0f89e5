// What the VFS tests share: a store in a temporary directory, and SQL in one line.

#ifndef TIDEMARK_TESTS_VFS_VFS_FIXTURE_H_
#define TIDEMARK_TESTS_VFS_VFS_FIXTURE_H_

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <memory>
#include <string>

#include "engine/store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"
#include "vfs/database.h"
#include "vfs/vfs.h"

namespace tidemark::testing {

// Runs SQL and returns its rows: columns joined by "|", rows by a new line, NULL as "NULL". An
// error is a test failure, and returned as its message.
std::string Query(sqlite3* connection, const std::string& sql);
inline std::string Query(const Database& database, const std::string& sql) {
  return Query(database.handle(), sql);
}

// Runs SQL that must not fail.
void Exec(sqlite3* connection, const std::string& sql);
inline void Exec(const Database& database, const std::string& sql) { Exec(database.handle(), sql); }

// Runs SQL and returns the extended result code, for SQL that is expected to fail.
int Try(sqlite3* connection, const std::string& sql);
inline int Try(const Database& database, const std::string& sql) {
  return Try(database.handle(), sql);
}

// A stock connection, for twins and for the backup API; closed at the end of the scope.
class Connection {
 public:
  explicit Connection(const std::string& uri,
                      int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  int code() const { return code_; }  // of the open
  sqlite3* handle() const { return handle_; }

 private:
  sqlite3* handle_ = nullptr;
  int code_;
};

// Copies a whole database with the backup API; returns SQLITE_DONE or the code of the failure.
int Backup(sqlite3* to, sqlite3* from);

// Everything that SQL can see: schema and rows of all tables, in order.
std::string Dump(sqlite3* connection);

class VfsTest : public ::testing::Test {
 protected:
  void SetUp() override { OpenStore({.create_if_missing = true}); }
  void TearDown() override {
    if (store_ == nullptr) return;
    EXPECT_OK(store_->Close());
  }

  void OpenStore(StoreOptions options) {
    auto store = Store::Open(directory_.path() + "/store", options);
    ASSERT_OK(store);
    store_ = *std::move(store);
  }

  // An open database; a failure ends the test program, since nothing can be tested without.
  Database Open(const std::string& name, DatabaseOptions options = {});
  CommitInfo Head(const std::string& name);
  // How many commits the object has.
  int CommitCount(const std::string& name);
  std::string Uri(const std::string& name, const std::string& more = "") const {
    return "file:ns/" + name + "?vfs=tidemark&store=" + store_->directory() + more;
  }

  TempDirectory directory_;
  std::unique_ptr<Store> store_;
};

// The same with the store attached, so that URIs reach it.
class AttachedVfsTest : public VfsTest {
 protected:
  void SetUp() override {
    VfsTest::SetUp();
    ASSERT_OK(AttachStore(store_.get()));
  }
  void TearDown() override {
    EXPECT_OK(DetachStore(store_.get()));
    VfsTest::TearDown();
  }
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_VFS_VFS_FIXTURE_H_
