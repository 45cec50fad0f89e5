// Names that try to lead out of the store, as a program takes them from somebody: in URIs, in
// ATTACH, and as plain file names.

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "tests/vfs/vfs_fixture.h"

namespace tidemark::testing {
namespace {

namespace files = std::filesystem;

class HostileNameTest : public ::testing::Test {
 protected:
  static constexpr char kSecret[] = "what is not the store's";

  void SetUp() override {
    ASSERT_OK(RegisterVfs());
    std::ofstream(parent_ / "victim") << kSecret;
    { Exec(Connection(Uri("ns/a")).handle(), "CREATE TABLE t(x)"); }
    before_ = Tree();
  }
  void TearDown() override { ::unsetenv("TIDEMARK_STORE"); }

  std::string Uri(const std::string& name, const std::string& more = "") const {
    return "file:" + name + "?vfs=tidemark&store=" + store_ + more;
  }
  std::set<std::string> Tree() const {
    std::set<std::string> paths;
    for (const auto& entry : files::recursive_directory_iterator(parent_.path())) {
      paths.insert(entry.path().generic_string());
    }
    return paths;
  }
  void ExpectNothingOutside() const {
    EXPECT_EQ(Tree(), before_);
    std::ifstream in(parent_ / "victim");
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), kSecret);
  }

  TempDirectory parent_;
  const std::string store_ = parent_ / "store";
  std::set<std::string> before_;
};

// Goal: whatever a URI names is an object of its store or nothing. Method: each name is opened,
// written where that works, and attached; then the files are those that were there.
TEST_F(HostileNameTest, InUris) {
  const Connection main(Uri("ns/a"));
  for (const std::string name :
       {"ns/..%2f..%2fvictim", "ns/../../victim", "..%2f..%2fvictim/x", "ns//etc/passwd",
        "%2fetc/passwd", "ns/%00../victim", "ns/a%00b", "ns/%0a%1b[31m", "ns/%ff%fe", "ns/%c0%af",
        "ns/a%3fstore=%2ftmp", "ns/.", "ns/LOCK", "ns/log%2f00000001.seg", "ns/%2e%2e%2f%2e%2e"}) {
    for (const char* const more : {"", "&exact=1", "&at=..%2f..%2fvictim", "&at=now"}) {
      const std::string uri = Uri(name, more);
      SCOPED_TRACE(uri);
      if (const Connection db(uri); db.code() == SQLITE_OK) {
        Try(db.handle(), "CREATE TABLE IF NOT EXISTS t(x); INSERT INTO t VALUES(1)");
        EXPECT_THAT(sqlite3_db_filename(db.handle(), "main"), ::testing::StartsWith(store_ + "//"));
      }
      if (Try(main.handle(), "ATTACH '" + uri + "' AS b") == SQLITE_OK) {
        Exec(main.handle(), "DETACH b");
      }
    }
  }
  ExpectNothingOutside();
}

// Goal: likewise with TIDEMARK_STORE. Method: plain names, those of a real file among them.
TEST_F(HostileNameTest, PlainNames) {
  ::setenv("TIDEMARK_STORE", store_.c_str(), 1);
  for (const std::string& name :
       {parent_ / "victim", std::string("../victim"), std::string("a/../../victim"),
        std::string("/../../victim"), store_ + "/LOCK", store_ + "/../victim",
        store_ + "//../victim", store_ + "///now/../victim", store_ + "//ns/../../victim"}) {
    SCOPED_TRACE(name);
    if (const Connection db("file:" + name + "?vfs=tidemark"); db.code() == SQLITE_OK) {
      Try(db.handle(), "CREATE TABLE IF NOT EXISTS t(x); INSERT INTO t VALUES(1)");
      EXPECT_THAT(sqlite3_db_filename(db.handle(), "main"), ::testing::StartsWith(store_ + "//"));
    }
    sqlite3_vfs* const vfs = sqlite3_vfs_find(kVfsName);
    vfs->xDelete(vfs, name.c_str(), 1);
  }
  ExpectNothingOutside();
}

}  // namespace
}  // namespace tidemark::testing
