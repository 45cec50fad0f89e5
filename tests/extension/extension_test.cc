// The loadable extension as a guest: whom it refuses, and how long it stays.

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
// Only for the type of the table: with SQLITE_CORE defined, calls go to the library as ever.
#define SQLITE_CORE 1
#include <sqlite3ext.h>

#include <string>

#include "tests/extension/host_fixture.h"

namespace tidemark::testing {
namespace {

using ::testing::HasSubstr;

// The table of functions that this program's SQLite hands to extensions.
const sqlite3_api_routines* host_api = nullptr;

int CaptureApi(sqlite3*, char**, const sqlite3_api_routines* api) {
  host_api = api;
  return SQLITE_OK;
}

class ExtensionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(CaptureApi));
    ASSERT_EQ(sqlite3_open(":memory:", &connection_), SQLITE_OK);
    sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(CaptureApi));
    ASSERT_NE(host_api, nullptr);
    ASSERT_EQ(sqlite3_db_config(connection_, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, nullptr),
              SQLITE_OK);
  }
  void TearDown() override { sqlite3_close(connection_); }

  // "" if it loads, else the message.
  std::string Load(const char* entry_point) {
    char* message = nullptr;
    const int code = sqlite3_load_extension(connection_, kExtension, entry_point, &message);
    if (code == SQLITE_OK) return "";
    const std::string text = message == nullptr ? "no message" : message;
    sqlite3_free(message);
    return text;
  }

  sqlite3* connection_ = nullptr;
};

// Goal: a host whose SQLite is too old is refused before anything newer of it is touched.
// Method: this host's table with an older number, and nothing else that may be called.
TEST_F(ExtensionTest, AnOldHostIsRefused) {
  sqlite3_api_routines old{};
  old.mprintf = host_api->mprintf;
  old.libversion = [] { return "3.8.7"; };
  old.libversion_number = [] { return 3008007; };
  void* library = dlopen(kExtension, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  using EntryPoint = int (*)(sqlite3*, char**, const sqlite3_api_routines*);
  const auto entry_point = reinterpret_cast<EntryPoint>(dlsym(library, "sqlite3_tidemark_init"));
  ASSERT_NE(entry_point, nullptr);
  char* message = nullptr;
  EXPECT_EQ(entry_point(connection_, &message, &old), SQLITE_ERROR);
  EXPECT_STREQ(message,
               "tidemark: this program has SQLite 3.8.7; the extension needs 3.40.0 or newer");
  sqlite3_free(message);
}

// Goal: once loaded, the VFS is there for all connections, also when the one that loaded it is
// gone; loading again is harmless; and a second SQLite in the process is refused, not mixed up with
// the first. Method: in this order, since loading cannot be undone.
TEST_F(ExtensionTest, LoadsOnceForAll) {
  EXPECT_EQ(Load(nullptr), "") << "by the name that SQLite makes up";
  EXPECT_EQ(Load("sqlite3_tidemark_init"), "");
  EXPECT_NE(sqlite3_vfs_find("tidemark"), nullptr);
  EXPECT_STRNE(sqlite3_vfs_find(nullptr)->zName, "tidemark");
  sqlite3_close(connection_);
  connection_ = nullptr;

  const TempDirectory directory;
  const std::string uri = "file:ns/a?vfs=tidemark&store=" + (directory / "store");
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI;
  ASSERT_EQ(sqlite3_open_v2(uri.c_str(), &connection_, flags, nullptr), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(connection_, "CREATE TABLE t(x)", nullptr, nullptr, nullptr), SQLITE_OK);

  const sqlite3_api_routines other = *host_api;
  void* library = dlopen(kExtension, RTLD_NOW | RTLD_LOCAL);
  using EntryPoint = int (*)(sqlite3*, char**, const sqlite3_api_routines*);
  const auto entry_point = reinterpret_cast<EntryPoint>(dlsym(library, "sqlite3_tidemark_init"));
  char* message = nullptr;
  EXPECT_EQ(entry_point(connection_, &message, &other), SQLITE_ERROR);
  EXPECT_THAT(message, HasSubstr("already loaded into another SQLite of this process"));
  sqlite3_free(message);
  EXPECT_EQ(sqlite3_exec(connection_, "INSERT INTO t VALUES(1)", nullptr, nullptr, nullptr),
            SQLITE_OK);
}

}  // namespace
}  // namespace tidemark::testing
