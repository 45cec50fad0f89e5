// A store directory that somebody prepared: whatever stands in the place of a file, nothing outside
// of the directory is read, written or waited for.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/file_system.h"
#include "engine/store.h"
#include "engine/transaction.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"

namespace tidemark::testing {
namespace {

namespace files = std::filesystem;

std::string ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::set<std::string> TreeOf(const std::string& directory) {
  std::set<std::string> paths;
  for (const auto& entry : files::recursive_directory_iterator(directory)) {
    paths.insert(files::relative(entry.path(), directory).generic_string());
  }
  return paths;
}

class HostileDirectoryTest : public ::testing::Test {
 protected:
  static constexpr char kSecret[] = "what is not the store's";

  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(const auto store, Open());
    Commit(*store, "rooms", "lobby");
    ASSERT_OK(store->Close());
    std::ofstream(victim_) << kSecret;
    files::create_directory(elsewhere_);
  }

  Result<std::unique_ptr<Store>> Open() {
    return Store::Open(store_, {.create_if_missing = true,
                                .segment_size_bytes = 1u << 20,
                                .background_work = BackgroundWork::kManual});
  }

  static void Commit(Store& store, const std::string& namespace_name, const std::string& name) {
    ASSERT_OK_AND_ASSIGN(const auto object,
                         store.OpenObject(namespace_name, name, IfMissing::kCreate));
    Transaction transaction(object);
    ASSERT_OK(transaction.Begin());
    ASSERT_OK(transaction.ResetPageSize(512));
    ASSERT_OK(transaction.WritePage(PageNo(1), std::vector<std::byte>(512, std::byte{7})));
    ASSERT_OK(transaction.Commit().status());
  }

  void ExpectNothingOutside() {
    EXPECT_EQ(ReadText(victim_), kSecret);
    EXPECT_TRUE(files::is_empty(elsewhere_));
  }

  TempDirectory parent_;
  const std::string store_ = parent_ / "store";
  const std::string victim_ = parent_ / "victim";
  const std::string elsewhere_ = parent_ / "elsewhere";
};

// Goal: a symbolic link in the place of any file of the store is refused by name, and what it leads
// to is neither read nor written. Method: each file in turn, those that do not exist yet, too.
TEST_F(HostileDirectoryTest, LinksToFilesAreNotFollowed) {
  std::set<std::string> names = {"log/00000002.seg", "log/00000001.pack", "index/lock.mdb",
                                 "index/WRITTEN"};
  for (const std::string& name : TreeOf(store_)) {
    if (!files::is_directory(store_ + "/" + name)) names.insert(name);
  }
  EXPECT_GE(names.size(), 7u);
  const std::string whole = parent_ / "whole";
  files::copy(store_, whole, files::copy_options::recursive);
  for (const std::string& name : names) {
    for (const std::string& target : {victim_, parent_ / "missing", elsewhere_}) {
      SCOPED_TRACE(name + " is a link to " + target);
      files::remove_all(store_);
      files::copy(whole, store_, files::copy_options::recursive);
      files::remove(store_ + "/index/WRITTEN");  // a copy's index would be refused
      files::remove(store_ + "/" + name);
      files::create_symlink(target, store_ + "/" + name);
      const auto store = Open();
      if (store.ok()) {
        Commit(**store, "rooms", "attic");
        EXPECT_OK((*store)->Verify().status());
        EXPECT_OK((*store)->Close());
        // The one is replaced, and not opened, but to be read; the other may be missing.
        EXPECT_TRUE(name == "index/WRITTEN" || name == "HEADROOM");
      } else {
        EXPECT_ERROR(store.status(), StatusCode::kIoError, name);
        EXPECT_ERROR(store.status(), StatusCode::kIoError, "symbolic link");
      }
      EXPECT_FALSE(files::exists(parent_ / "missing"));
      ExpectNothingOutside();
    }
  }
}

// Goal: likewise of its directories.
TEST_F(HostileDirectoryTest, LinksToDirectoriesAreNotFollowed) {
  for (const char* const name : {"log", "index"}) {
    SCOPED_TRACE(name);
    const std::string path = store_ + "/" + name;
    files::rename(path, path + ".away");
    files::create_directory_symlink(elsewhere_, path);
    EXPECT_ERROR(Open(), StatusCode::kIoError, path + " is a symbolic link");
    ExpectNothingOutside();
    files::remove(path);
    files::rename(path + ".away", path);
  }
  ASSERT_OK_AND_ASSIGN(const auto store, Open());
  EXPECT_OK(store->Close());
}

// Goal: nobody waits for a pipe. Method: one in the place of each file; nothing is at its other
// end.
TEST_F(HostileDirectoryTest, PipesAreNotWaitedFor) {
  for (const std::string& name : TreeOf(store_)) {
    const std::string path = store_ + "/" + name;
    if (!files::is_regular_file(path) || name == "index/lock.mdb") continue;
    SCOPED_TRACE(name);
    files::rename(path, parent_ / "away");
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    EXPECT_EQ(Open().ok(), name == "HEADROOM");  // which may be missing
    files::remove(path);
    files::rename(parent_ / "away", path);
  }
}

// Goal: a link to the store's own directory is another name of it. Method: made through the one,
// opened through the other, and owned once.
TEST_F(HostileDirectoryTest, AStoreMayBeALink) {
  const std::string link = parent_ / "link";
  files::create_directory_symlink(store_, link);
  ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(link, {}));
  EXPECT_ERROR(Open(), StatusCode::kInUse, "");
  EXPECT_OK(store->OpenObject("rooms", "lobby", IfMissing::kFail).status());
  EXPECT_OK(store->Close());
}

// Goal: names of objects and namespaces are keys and nothing else: none makes a file, none is taken
// for another, and each comes back. Method: names that mean something to a file system, a shell or
// a terminal; the directory's files are those of any store.
TEST_F(HostileDirectoryTest, NamesAreNoPaths) {
  const std::vector<std::string> names = {".",
                                          "..",
                                          "../../victim",
                                          "/etc/passwd",
                                          "a//b",
                                          "a/./b",
                                          "a/../b",
                                          "a\\b",
                                          "C:\\x",
                                          "-rf",
                                          "$(touch x)",
                                          "a\nb",
                                          "\x1b[31mred",
                                          "\x01",
                                          "\x7f",
                                          " ",
                                          "%2e%2e%2f",
                                          "a?store=/",
                                          "~",
                                          "\u202egpj",
                                          "log",
                                          "LOCK",
                                          "data.mdb",
                                          "rooms/lobby",
                                          "a#b",
                                          "../../victim/",
                                          std::string(512, '/'),
                                          std::string(512, '.')};
  const std::set<std::string> before = TreeOf(store_);
  {
    ASSERT_OK_AND_ASSIGN(const auto store, Open());
    for (const std::string& name : names) {
      SCOPED_TRACE(name);
      Commit(*store, "rooms", name);
      if (name.find('/') == std::string::npos) Commit(*store, name, name);
    }
    EXPECT_OK(store->Close());
  }
  EXPECT_EQ(TreeOf(store_), before);
  EXPECT_EQ(TreeOf(parent_.path()).count("x"), 0u);
  ExpectNothingOutside();
  ASSERT_OK_AND_ASSIGN(const auto store, Open());
  std::set<std::string> listed;
  EXPECT_OK(store->ListObjects("rooms", [&](const ObjectSummary& summary) {
    listed.insert(summary.name);
    return true;
  }));
  std::set<std::string> expected(names.begin(), names.end());
  expected.insert("lobby");
  EXPECT_EQ(listed, expected);
  EXPECT_OK(store->Close());
}

// Goal: what is no name is refused, and nothing is written of it. Method: both parts of a name.
TEST_F(HostileDirectoryTest, WhatIsNoName) {
  ASSERT_OK_AND_ASSIGN(const auto store, Open());
  const Lsn last = store->Stats().last_lsn;
  const std::string wrong[] = {"",
                               std::string("a\0b", 3),
                               std::string(1, '\0'),
                               std::string(1025, 'n'),
                               "\xff",
                               "a\xc3",
                               "\xc0\xaf",           // '/' in two bytes
                               "\xe0\x80\xae",       // '.' in three
                               "\xed\xa0\x80",       // half of a pair of UTF-16
                               "\xf4\x90\x80\x80"};  // behind the last character
  for (const std::string& name : wrong) {
    SCOPED_TRACE(name);
    EXPECT_ERROR(store->OpenObject("rooms", name, IfMissing::kCreate), StatusCode::kInvalidArgument,
                 "object name");
    EXPECT_ERROR(store->OpenObject(name, "lobby", IfMissing::kCreate), StatusCode::kInvalidArgument,
                 "namespace name");
  }
  for (const char* const name : {"/", "a/b", "../rooms", "rooms/"}) {
    EXPECT_ERROR(store->OpenObject(name, "lobby", IfMissing::kCreate), StatusCode::kInvalidArgument,
                 "namespace name");
  }
  EXPECT_EQ(store->Stats().last_lsn, last);
  EXPECT_OK(store->Close());
}

}  // namespace
}  // namespace tidemark::testing
