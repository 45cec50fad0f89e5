// Keys and values.

#include "api/json_codec.h"
#include "tests/api/api_fixture.h"
#include "tests/support/test_seed.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <map>
#include <random>
#include <ranges>

namespace tidemark::testing {
namespace {

// A type of an application's own.
struct Point2 {
  int x = 0;
  int y = 0;
  bool operator==(const Point2&) const = default;
};

}  // namespace
}  // namespace tidemark::testing

template <>
struct tidemark::Codec<tidemark::testing::Point2> {
  static std::string Encode(const testing::Point2& point) {
    return std::to_string(point.x) + "," + std::to_string(point.y);
  }
  static testing::Point2 Decode(std::string_view bytes) {
    testing::Point2 point;
    const std::string text(bytes);
    if (std::sscanf(text.c_str(), "%d,%d", &point.x, &point.y) != 2) {
      throw Error(Status(StatusCode::kMalformed, "\"" + text + "\" is not a point"));
    }
    return point;
  }
};

namespace tidemark::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

static_assert(std::ranges::input_range<KvList>);

class KvTest : public ApiTest {
 protected:
  std::string Keys(const ListOptions& options = {}) {
    std::string keys;
    for (const KvEntry& entry : kv().List(options)) {
      keys += (keys.empty() ? "" : " ") + std::string(entry.key);
    }
    return keys;
  }
  void PutFooBarBaz() {
    for (const char* key : {"foo", "bar", "baz"}) kv().Put(key, std::string(key) + "!");
  }
};

// C083, C084, C107.
TEST_F(KvTest, WhatIsPutIsThere) {
  EXPECT_EQ(kv().Get("k"), std::nullopt);
  kv().Put("k", "one");
  EXPECT_EQ(kv().Get("k"), "one");
  kv().Put("k", "two");
  EXPECT_EQ(kv().Get("k"), "two");
  EXPECT_FALSE(kv().Delete("missing"));
  EXPECT_TRUE(kv().Delete("k"));
  EXPECT_FALSE(kv().Delete("k"));
  EXPECT_EQ(kv().Get("k"), std::nullopt);
}

TEST_F(KvTest, ValuesHaveTypesThroughCodecs) {
  kv().Put("int", -5);
  kv().Put("big", std::numeric_limits<uint64_t>::max());
  kv().Put("wide", 300);
  kv().Put("double", 2.5);
  kv().Put("bool", true);
  kv().Put("blob", Blob(3, std::byte{9}));
  kv().Put("empty", "");
  kv().Put("json", nlohmann::json{{"a", {1, 2}}});
  EXPECT_EQ(kv().Get<int>("int"), -5);
  EXPECT_EQ(kv().Get<int64_t>("int"), -5);
  EXPECT_EQ(kv().Get<uint64_t>("big"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(kv().Get<double>("double"), 2.5);
  EXPECT_EQ(kv().Get<bool>("bool"), true);
  EXPECT_EQ(kv().Get<Blob>("blob"), Blob(3, std::byte{9}));
  EXPECT_EQ(kv().Get("empty"), "");
  EXPECT_EQ(kv().Get<nlohmann::json>("json")->at("a").at(1), 2);
  EXPECT_EQ(kv().Get("json"), "{\"a\":[1,2]}");
  EXPECT_FAILS(kv().Get<int>("bool"), "is not an integer");
  EXPECT_FAILS(kv().Get<int8_t>("wide"), "is not an integer of the type asked for");
  EXPECT_FAILS(kv().Get<nlohmann::json>("double"), "is not JSON");
}

TEST_F(KvTest, TypesOfOnesOwnHaveCodecsOfOnesOwn) {
  kv().Put("point", Point2{3, -4});
  EXPECT_EQ(kv().Get<Point2>("point"), (Point2{3, -4}));
  EXPECT_EQ(kv().Get("point"), "3,-4");
  kv().Put("point", "three");
  EXPECT_FAILS(kv().Get<Point2>("point"), "is not a point");
  kv().Put("point", Point2{1, 2});
  for (const KvEntry& entry : kv().List()) EXPECT_EQ(entry.Get<Point2>().y, 2);
}

// C086, and get and put of many.
TEST_F(KvTest, CallsWithManyKeys) {
  kv().PutMany(std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}, {"c", "3"}});
  const std::vector<std::string> keys{"c", "missing", "a"};
  EXPECT_THAT(kv().GetMany(keys), ElementsAre(Pair("a", "1"), Pair("c", "3")));
  EXPECT_EQ(kv().DeleteMany(keys), 2u);
  EXPECT_EQ(kv().DeleteMany(std::vector<std::string>{"b", "b"}), 1u);
  EXPECT_EQ(Keys(), "");
  kv().PutMany(std::vector<std::pair<std::string, int>>{{"x", 1}, {"y", 2}});
  EXPECT_EQ(kv().Get<int>("y"), 2);
  EXPECT_FAILS(kv().GetMany(std::vector<std::string>(129, "k")), "128 are allowed");
}

// C089, C132.
TEST_F(KvTest, APutOfManyIsAllOrNothing) {
  Open({.commit_mode = CommitMode::kTurn, .limits = {.row_bytes = 1000}});
  kv().Put("before", "stays");
  EXPECT_FAILS(kv().PutMany(std::vector<std::pair<std::string, std::string>>{
                   {"a", "1"}, {"b", std::string(1001, 'x')}}),
               "string or blob too big");
  EXPECT_EQ(Keys(), "before");
  storage_->Commit();
  Open();
  EXPECT_EQ(Keys(), "before");
}

// C091, C092, C093, C094.
TEST_F(KvTest, ListTakesBounds) {
  PutFooBarBaz();
  EXPECT_EQ(Keys(), "bar baz foo");
  EXPECT_EQ(Keys({.prefix = "ba"}), "bar baz");
  EXPECT_EQ(Keys({.limit = 1}), "bar");
  EXPECT_EQ(Keys({.reverse = true, .limit = 1}), "foo");
  EXPECT_EQ(Keys({.start = "bar", .end = "c"}), "bar baz");
  EXPECT_EQ(Keys({.start = "b", .end = "baz"}), "bar");
  EXPECT_EQ(Keys({.start_after = "bar", .end = "c"}), "baz");
  EXPECT_EQ(Keys({.start = "baz", .reverse = true}), "foo baz");
  EXPECT_THAT(kv().List({.prefix = "f"}).ToVector(), ElementsAre(Pair("foo", "foo!")));
}

// C096, and start with startAfter.
TEST_F(KvTest, ListRefusesWhatCannotBe) {
  EXPECT_FAILS(kv().List({.limit = 0}), "must be positive");
  EXPECT_FAILS(kv().List({.limit = -1}), "must be positive");
  EXPECT_FAILS(kv().List({.start = "a", .start_after = "b"}), "both start and startAfter");
}

// C097, C098, C099.
TEST_F(KvTest, ListClampsToItsPrefix) {
  for (const char* key : {"a", "p", "pa", "pz", "q"}) kv().Put(key, 1);
  EXPECT_EQ(Keys({.start = "b", .end = "b"}), "");
  EXPECT_EQ(Keys({.start = "q", .end = "a"}), "");
  EXPECT_EQ(Keys({.start = "a", .prefix = "p"}), "p pa pz");
  EXPECT_EQ(Keys({.start = "pb", .prefix = "p"}), "pz");
  EXPECT_EQ(Keys({.start = "q", .prefix = "p"}), "");
  EXPECT_EQ(Keys({.end = "p", .prefix = "p"}), "");
  EXPECT_EQ(Keys({.end = "a", .prefix = "p"}), "");
  EXPECT_EQ(Keys({.end = "pb", .prefix = "p"}), "p pa");
  EXPECT_EQ(Keys({.end = "z", .prefix = "p"}), "p pa pz");
  kv().Put("\xff\xff", 1);
  kv().Put("\xff\xff\x01", 1);
  EXPECT_EQ(Keys({.prefix = "\xff"}), "\xff\xff \xff\xff\x01");
}

// C101, C102, C103.
TEST_F(KvTest, ListSeesTheTurnsOwnWrites) {
  Open({.commit_mode = CommitMode::kTurn});
  for (const char* key : {"a", "b", "c", "d"}) kv().Put(key, 1);
  storage_->Commit();
  kv().Delete("b");
  kv().Put("bb", 1);
  EXPECT_EQ(Keys({.limit = 2}), "a bb");
  EXPECT_EQ(Keys({.reverse = true, .limit = 3}), "d c bb");
  EXPECT_EQ(Keys({.start = "b"}), "bb c d");
  kv().Delete("a");
  EXPECT_EQ(Keys({.limit = 2}), "bb c");
}

// C104: what was read before a write is what it was.
TEST_F(KvTest, AReadKeepsWhatItRead) {
  kv().Put("k", "old");
  const auto value = kv().Get("k");
  kv().Put("k", "new");
  EXPECT_EQ(value, "old");
}

// C106.
TEST_F(KvTest, AListEndsTheOneBefore) {
  PutFooBarBaz();
  KvList first = kv().List();
  EXPECT_TRUE(first.Next());
  KvList second = kv().List({.reverse = true});
  EXPECT_FAILS(first.Next(), "invalidated");
  EXPECT_FALSE(first.Next());
  EXPECT_TRUE(second.Next());
  EXPECT_EQ(second.entry().key, "foo");
}

// C108, with the limit that workerd's code has.
TEST_F(KvTest, KeysMayBeLarge) {
  Open({.limits = {.row_bytes = 4 << 20}});
  const std::string key(4'000'000, 'k');
  kv().Put(key, "v");
  EXPECT_EQ(kv().Get(key), "v");
  EXPECT_FAILS(kv().Put(std::string((4 << 20) + 1, 'k'), "v"), "string or blob too big");
  Open();
  EXPECT_FAILS(kv().Put("k", std::string(2 << 20, 'v')), "2097152 are allowed");
}

// C109.
TEST_F(KvTest, KeysAreBytesInOrder) {
  const std::vector<std::string> keys{
      "",      std::string("\0", 1), std::string("a\0", 2), std::string("a\0b", 3),
      "a\x01", "\xc3\xa4",           "\xf0\x9f\x98\x80"};
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) kv().Put(*key, *key);
  std::vector<std::string> seen;
  for (const KvEntry& entry : kv().List()) {
    EXPECT_EQ(entry.key, entry.value);
    seen.emplace_back(entry.key);
  }
  EXPECT_EQ(seen, keys);
  for (const std::string& key : keys) EXPECT_EQ(kv().Get(key), key);
}

// C111, C112.
TEST_F(KvTest, TheTableComesWithTheFirstWrite) {
  Exec("CREATE TABLE t(v)");
  EXPECT_EQ(kv().Get("k"), std::nullopt);
  EXPECT_FALSE(kv().Delete("k"));
  EXPECT_EQ(Keys(), "");
  EXPECT_EQ(Query("SELECT name FROM pragma_table_list WHERE name LIKE '%KV%'"), "");
  EXPECT_THROW(storage_->TransactionSync([&] {
    kv().Put("k", "v");
    throw std::runtime_error("no");
  }),
               std::runtime_error);
  EXPECT_EQ(kv().Get("k"), std::nullopt);
  kv().Put("k", "v");
  EXPECT_EQ(kv().Get("k"), "v");
  EXPECT_EQ(Query("SELECT name FROM pragma_table_list WHERE name LIKE '%KV%'"), "_cf_KV");
}

// C113.
TEST_F(KvTest, DeleteAllLeavesNothing) {
  for (const CommitMode mode : {CommitMode::kEachCall, CommitMode::kTurn}) {
    Open({.commit_mode = mode});
    kv().Put("k", "v");
    Exec("CREATE TABLE t(v); INSERT INTO t VALUES(zeroblob(100000))");
    if (mode == CommitMode::kTurn) storage_->Commit();
    kv().Put("late", "v");
    storage_->DeleteAll();
    EXPECT_EQ(kv().Get("k"), std::nullopt);
    EXPECT_EQ(Keys(), "");
    EXPECT_FAILS(Exec("SELECT * FROM t"), "no such table");
    EXPECT_LE(sql().DatabaseSize(), 4096);
    if (mode == CommitMode::kTurn) storage_->Commit();
    Open({.commit_mode = mode});
    EXPECT_EQ(Keys(), "");
    EXPECT_EQ(Query("SELECT count(*) FROM sqlite_schema"), "0");
    EXPECT_EQ(Query("PRAGMA quick_check"), "ok");
  }
}

// C114, C116.
TEST_F(KvTest, DeleteAllAndWhatFollowsAreOneCommit) {
  Open({.commit_mode = CommitMode::kTurn});
  kv().Put("old", "v");
  Exec("CREATE TABLE t(v)");
  storage_->Commit();
  const int before = CommitCount();
  storage_->DeleteAll();
  kv().Put("gone", "v");
  storage_->DeleteAll();
  kv().Put("new", "v");
  storage_->Commit();
  EXPECT_EQ(CommitCount(), before + 1);
  EXPECT_EQ(Keys(), "new");
  Open();
  EXPECT_EQ(Keys(), "new");
  EXPECT_EQ(Query("SELECT count(*) FROM sqlite_schema"), "1");
}

TEST_F(KvTest, DeleteAllThatIsNotCommittedIsNothing) {
  kv().Put("old", std::string(100000, 'x'));
  Open({.commit_mode = CommitMode::kTurn});
  storage_->DeleteAll();
  kv().Put("new", "v");
  storage_->Rollback();
  EXPECT_EQ(Keys(), "old");
  kv().Put("another", "v");
  storage_->Commit();
  EXPECT_EQ(Keys(), "another old");
  storage_->DeleteAll();
  kv().Put("new", "v");
  ReopenStore();
  EXPECT_EQ(Keys(), "another old") << "the turn did not end";
}

// C081, C113.
TEST_F(KvTest, DeleteAllCancelsWhatIsOpen) {
  PutFooBarBaz();
  Exec("CREATE TABLE t(v); INSERT INTO t VALUES(1),(2)");
  Cursor cursor = Exec("SELECT v FROM t");
  KvList list = kv().List();
  EXPECT_TRUE(cursor.Next());
  EXPECT_TRUE(list.Next());
  storage_->DeleteAll();
  EXPECT_FAILS(cursor.Next(), "canceled because the database was deleted");
  EXPECT_FAILS(list.Next(), "deleted");
  EXPECT_FAILS(Exec("SELECT v FROM t"), "no such table");
  Exec("CREATE TABLE t(v); INSERT INTO t VALUES(3)");
  EXPECT_THAT(Exec("SELECT v FROM t").ToVector<int>(), ElementsAre(3));
}

// C177: what DeleteAll deleted comes back.
TEST_F(KvTest, DeleteAllCanBeUndone) {
  PutFooBarBaz();
  const Bookmark before = storage_->GetCurrentBookmark();
  storage_->DeleteAll();
  storage_.reset();
  ASSERT_OK_AND_ASSIGN(auto object, store_->OpenObject("ns", "object", IfMissing::kFail));
  ASSERT_OK(object->Restore(before));
  Open();
  EXPECT_EQ(Keys(), "bar baz foo");
}

// C121.
TEST_F(KvTest, DeleteAllIsAlwaysConfirmed) {
  Open({.commit_mode = CommitMode::kTurn});
  kv().Put("k", "v", {.allow_unconfirmed = true});
  EXPECT_FALSE(storage_->NeedsConfirmation());
  storage_->DeleteAll();
  EXPECT_TRUE(storage_->NeedsConfirmation());
}

TEST_F(KvTest, DeleteAllIsNotForTransactions) {
  storage_->Transaction([&] { EXPECT_FAILS(storage_->DeleteAll(), "inside of a transaction"); });
}

// C126.
TEST_F(KvTest, RowsAreCounted) {
  kv().Put("a", 1);
  kv().Put("b", 1);
  const StorageMetrics before = storage_->Metrics();
  EXPECT_EQ(before.rows_written, 2u);
  kv().Get("a");
  kv().Get("missing");
  EXPECT_EQ(storage_->Metrics().rows_read, before.rows_read + 1);
  kv().List().ToVector();
  EXPECT_EQ(storage_->Metrics().rows_read, before.rows_read + 3);
  kv().Delete("a");
  kv().Delete("a");
  EXPECT_EQ(storage_->Metrics().rows_written, before.rows_written + 1);
}

// Goal: List is what a sorted map gives. Method: random keys over few bytes, so that prefixes and
// bounds meet; random puts and deletes; each list against the map.
TEST_F(KvTest, ListsAsASortedMapDoes) {
  Open({.commit_mode = CommitMode::kTurn, .durability = Durability::kPipelined});
  std::mt19937_64 random(TestSeed());
  const auto below = [&](uint64_t n) { return random() % n; };
  const auto key = [&] {
    static constexpr char kBytes[] = {'\0', 'a', 'b', '\x7f', '\xff'};
    std::string bytes;
    for (uint64_t i = below(5); i > 0; --i) bytes += kBytes[below(5)];
    return bytes;
  };
  std::map<std::string, std::string> model;
  for (int step = 0; step < 3000; ++step) {
    SCOPED_TRACE(step);
    const std::string k = key();
    if (below(3) > 0) {
      const std::string value = std::to_string(step);
      kv().Put(k, value);
      model[k] = value;
    } else {
      EXPECT_EQ(kv().Delete(k), model.erase(k) == 1);
    }
    if (below(10) == 0) storage_->Commit();
    ListOptions options;
    if (below(2) == 0) options.start = key();
    if (!options.start && below(2) == 0) options.start_after = key();
    if (below(2) == 0) options.end = key();
    if (below(2) == 0) options.prefix = key();
    options.reverse = below(2) == 0;
    if (below(2) == 0) options.limit = static_cast<int64_t>(below(4)) + 1;
    std::vector<std::pair<std::string, std::string>> expected;
    for (const auto& [name, value] : model) {
      if (options.start && name < *options.start) continue;
      if (options.start_after && name <= *options.start_after) continue;
      if (options.end && name >= *options.end) continue;
      if (options.prefix && !name.starts_with(*options.prefix)) continue;
      expected.emplace_back(name, value);
    }
    if (options.reverse) std::ranges::reverse(expected);
    if (options.limit && expected.size() > static_cast<size_t>(*options.limit)) {
      expected.resize(static_cast<size_t>(*options.limit));
    }
    ASSERT_EQ(kv().List(options).ToVector(), expected);
  }
}

}  // namespace
}  // namespace tidemark::testing
