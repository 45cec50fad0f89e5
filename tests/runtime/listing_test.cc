// Which objects there are, and what they are called.

#include <gtest/gtest.h>

#include <set>

#include "tests/runtime/service_fixture.h"

namespace tidemark::testing {
namespace {

class ListingTest : public ServiceTest {
 protected:
  // Of all pages; none may be longer than `limit`, nor any id come twice.
  std::vector<ListedActor> All(size_t limit) {
    std::vector<ListedActor> all;
    PageOptions options{.limit = limit};
    do {
      const ActorPage page = workers_->List(options);
      EXPECT_LE(page.actors.size(), limit);
      EXPECT_TRUE(!page.actors.empty() || all.empty());
      all.insert(all.end(), page.actors.begin(), page.actors.end());
      options.after = page.cursor;
    } while (options.after);
    return all;
  }
  std::set<std::string> Names() {
    std::set<std::string> names;
    for (const ListedActor& actor : All(1000)) names.insert(actor.id.name.value_or("none"));
    return names;
  }
};

// C308, C309. Goal: pages show every object that has something stored, once, with its name; not one
// that was only addressed. Method: pages of each size; named and unnamed ones, in memory and not.
TEST_F(ListingTest, Objects) {
  EXPECT_TRUE(All(10).empty());
  std::set<std::string> expected;
  for (int i = 0; i < 7; ++i) {
    const std::string name = "n" + std::to_string(i);
    Get(name).CallBlocking(&Worker::Add, 1);
    expected.insert(workers_->IdFromName(name).ToString());
  }
  const ActorId unique = workers_->NewUniqueId();
  workers_->Get(unique).CallBlocking(&Worker::Add, 1);
  expected.insert(unique.ToString());
  Get("never written").CallBlocking(&Worker::Total);
  for (size_t limit = 1; limit <= 9; ++limit) {
    SCOPED_TRACE(limit);
    std::set<std::string> ids;
    for (const ListedActor& actor : All(limit)) {
      EXPECT_TRUE(ids.insert(actor.id.ToString()).second);
      EXPECT_TRUE(actor.has_stored_data);
      EXPECT_EQ(actor.id.name.has_value(), !(actor.id == unique));
      if (actor.id.name) {
        EXPECT_EQ(workers_->IdFromName(*actor.id.name), actor.id);
      }
    }
    EXPECT_EQ(ids, expected);
  }
  Get("never written").CallBlocking(&Worker::Add, 1);
  EXPECT_TRUE(Names().contains("never written"));
}

// C306, C307. Goal: likewise for namespaces, those of the store and those that are only defined.
TEST_F(ListingTest, Namespaces) {
  Get("a").CallBlocking(&Worker::Add, 1);
  ObjectStorage::Open(*store_, "by others", "x")->kv().Put("key", "value");
  for (int i = 0; i < 30; ++i) runtime_->Define<Worker>("CLASS" + std::to_string(i));
  std::set<std::string> names;
  PageOptions options;
  int pages = 0;
  do {
    const NamespacePage page = runtime_->ListNamespaces(options);
    EXPECT_LE(page.namespaces.size(), 20u);
    for (const ListedNamespace& at : page.namespaces) {
      EXPECT_TRUE(names.insert(at.name).second);
      EXPECT_EQ(at.class_name, at.name == "by others" ? "" : at.name);
    }
    options.after = page.cursor;
    ++pages;
  } while (options.after);
  EXPECT_EQ(pages, 2);
  EXPECT_EQ(names.size(), 32u);
}

// Goal: a bad page is refused, with what is wrong with it.
TEST_F(ListingTest, BadPages) {
  const auto expect = [&](auto call, const char* words) {
    try {
      call();
      ADD_FAILURE() << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), StatusCode::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  expect([&] { workers_->List({.limit = 0}); }, "1 to 10000");
  expect([&] { workers_->List({.limit = 10'001}); }, "1 to 10000");
  expect([&] { workers_->List({.after = "x"}); }, "64 hex digits");
  const auto other = runtime_->Define<Worker>("OTHER");
  expect([&] { workers_->List({.after = other.IdFromName("a").ToString()}); },
         "not valid for this namespace");
  expect([&] { runtime_->ListNamespaces({.limit = 101}); }, "1 to 100");
}

// C253. Goal: any bytes are a name, up to the limits that are given for what keeps it. Method:
// names of each kind and length, each with its own storage, in this session and the next.
TEST_F(ListingTest, Names) {
  const struct {
    std::string name;
    bool known;   // to the id and the actor
    bool listed;  // with its name
  } cases[] = {
      {"", true, false},
      {std::string("a\0b", 3), true, false},
      {"\xff", true, false},
      {std::string(1024, 'x'), true, true},
      {std::string(1025, 'x'), false, false},
      {"with/slash", true, true},
  };
  int64_t number = 0;
  for (const auto& at : cases) {
    SCOPED_TRACE(at.name.size());
    const ActorId id = workers_->IdFromName(at.name);
    EXPECT_EQ(id.name.has_value(), at.known);
    EXPECT_EQ(id, workers_->IdFromString(id.ToString())) << "the name is no part of it";
    EXPECT_EQ(Get(at.name).CallBlocking(&Worker::Add, ++number), number);
    EXPECT_EQ(Get(at.name).CallBlocking(&Worker::Name), at.known ? at.name : "none");
  }
  Hibernate();
  number = 0;
  for (const auto& at : cases) EXPECT_EQ(Get(at.name).CallBlocking(&Worker::Total), ++number);
  const std::set<std::string> names = Names();
  for (const auto& at : cases) EXPECT_EQ(names.contains(at.name), at.listed) << at.name;
  EXPECT_EQ(All(1000).size(), std::size(cases));
}

// Goal: an object can be asked for only if it exists: if something is stored of it.
TEST_F(ListingTest, GetExisting) {
  const ActorId id = workers_->IdFromName("a");
  const auto expect_missing = [&] {
    try {
      workers_->GetExisting(id);
      ADD_FAILURE() << "it is there";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), StatusCode::kNotFound);
    }
  };
  expect_missing();
  Get("a").CallBlocking(&Worker::Live);
  expect_missing();
  Get("a").CallBlocking(&Worker::Add, 3);
  EXPECT_EQ(workers_->GetExisting(id).CallBlocking(&Worker::Total), 3);
}

}  // namespace
}  // namespace tidemark::testing
