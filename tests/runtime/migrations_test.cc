// Migrations of classes: applied once, all or none, whatever the power does.

#include <gtest/gtest.h>

#include <iterator>

#include "tests/runtime/service_fixture.h"
#include "tests/support/sim_store.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

class MigrationsTest : public ServiceTest {
 protected:
  // A runtime of an application, whose migrations these are.
  MigrationReport Begin(const std::vector<Migration>& migrations, std::string application = "") {
    runtime_.reset();
    RuntimeOptions options = Options();
    options.application = std::move(application);
    runtime_ = std::make_unique<Runtime>(*store_, options);
    return runtime_->Migrate(migrations);
  }
  ObjectNamespace<Worker> Define(const char* name) { return runtime_->Define<Worker>(name); }

  // Expects that the call throws this, with these words.
  template <typename Call>
  static void ExpectRefused(StatusCode code, const char* words, Call call) {
    try {
      call();
      ADD_FAILURE() << "not refused: " << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  }
};

const Migration kV1{.tag = "v1", .new_classes = {"A", "B"}};

// C297. Goal: with migrations only classes that one of them made can be defined; a class is made
// once.
TEST_F(MigrationsTest, ClassesAreDeclared) {
  EXPECT_EQ(Begin({kV1}).applied_tags, std::vector<std::string>{"v1"});
  EXPECT_EQ(Define("A").GetByName("x").CallBlocking(&Worker::Add, 1), 1);
  ExpectRefused(StatusCode::kNotFound, "C is in no migration", [&] { Define("C"); });
  ExpectRefused(StatusCode::kExists, "migration v2: there is a class A already", [&] {
    Begin({kV1, {.tag = "v2", .new_classes = {"A"}}});
  });
  ExpectRefused(StatusCode::kExists, "class D", [&] {
    Begin({kV1, {.tag = "v2", .new_classes = {"D", "D"}}});
  });
  EXPECT_EQ(Begin({kV1}).applied_tags.size(), 0u) << "and nothing of that was applied";
  ExpectRefused(StatusCode::kNotFound, "D is in no migration", [&] { Define("D"); });
}

// C298. Goal: a tag is applied once; a list that is not a continuation of what was applied is
// refused, as older code is; if one step is wrong none is applied.
TEST_F(MigrationsTest, TagsAreAppliedOnce) {
  const Migration v2{.tag = "v2", .new_classes = {"C"}};
  const Migration v3{.tag = "v3", .deleted_classes = {"B"}};
  EXPECT_EQ(Begin({kV1}).applied_tags, std::vector<std::string>{"v1"});
  EXPECT_TRUE(Begin({kV1}).applied_tags.empty());
  EXPECT_EQ(Begin({kV1, v2, v3}).applied_tags, (std::vector<std::string>{"v2", "v3"}));
  EXPECT_TRUE(Begin({kV1, v2, v3}).applied_tags.empty());
  ExpectRefused(StatusCode::kInvalidArgument, "cannot go back", [&] { Begin({kV1, v2}); });
  ExpectRefused(StatusCode::kInvalidArgument, "another order", [&] { Begin({v2, kV1, v3}); });
  ExpectRefused(StatusCode::kInvalidArgument, "cannot go back", [&] { Begin({}); });
  ExpectRefused(StatusCode::kInvalidArgument, "the tag v1", [&] { Begin({kV1, kV1}); });
  ExpectRefused(StatusCode::kInvalidArgument, "no tag", [&] { Begin({kV1, {.tag = ""}}); });
  const std::vector<Migration> wrong = {
      kV1, v2, v3, {.tag = "v4", .new_classes = {"D"}}, {.tag = "v5", .deleted_classes = {"E"}}};
  ExpectRefused(StatusCode::kNotFound, "migration v5: there is no class E", [&] { Begin(wrong); });
  EXPECT_EQ(Begin({kV1, v2, v3, {.tag = "v4", .new_classes = {"D"}}}).applied_tags.size(), 1u);
  Define("D");
  ExpectRefused(StatusCode::kInvalidArgument, "before classes are defined",
                [&] { runtime_->Migrate({}); });
}

// C299, C301. Goal: a rename takes all objects along, with their ids; the old name is free, and
// leads those who ask for it to the new one. Method: two renames, one after the other.
TEST_F(MigrationsTest, Rename) {
  Begin({kV1});
  const auto a = Define("A");
  a.GetByName("x").CallBlocking(&Worker::Add, 5);
  const std::string id = a.IdFromName("x").ToString();
  const Migration v2{.tag = "v2", .renamed_classes = {{"A", "A2"}}};
  const Migration v3{.tag = "v3", .renamed_classes = {{"A2", "A3"}}};
  Begin({kV1, v2});
  EXPECT_EQ(Define("A2").GetByName("x").CallBlocking(&Worker::Total), 5);
  Begin({kV1, v2, v3});
  ExpectRefused(StatusCode::kNotFound, "A was renamed to A3", [&] { Define("A"); });
  ExpectRefused(StatusCode::kNotFound, "no class A is defined",
                [&] { runtime_->Bind<Worker>("A"); });
  const auto a3 = Define("A3");
  EXPECT_EQ(a3.IdFromName("x").ToString(), id);
  EXPECT_EQ(a3.Get(a3.IdFromString(id)).CallBlocking(&Worker::Total), 5);
  for (const char* name : {"A", "A2", "A3"}) {
    EXPECT_EQ(runtime_->Bind<Worker>(name).GetByName("x").CallBlocking(&Worker::Total), 5) << name;
  }
  ExpectRefused(StatusCode::kInvalidArgument, "another type", [&] { runtime_->Bind<Actor>("A"); });
  // The old name can be a new class, which has nothing.
  const Migration v4{.tag = "v4", .new_classes = {"A"}};
  Begin({kV1, v2, v3, v4});
  EXPECT_EQ(Define("A").GetByName("x").CallBlocking(&Worker::Total), 0);
  EXPECT_EQ(Define("A3").GetByName("x").CallBlocking(&Worker::Total), 5);
  EXPECT_EQ(runtime_->Bind<Worker>("A").GetByName("x").CallBlocking(&Worker::Total), 0);
  ExpectRefused(StatusCode::kExists, "class B", [&] {
    Begin({kV1, v2, v3, v4, {.tag = "v5", .renamed_classes = {{"A3", "B"}}}});
  });
}

// C302. Goal: a deleted class has no objects any more, and a new one of that name begins without;
// within the retention it can be restored, with the objects that it had, and not those that were
// deleted before.
TEST_F(MigrationsTest, DeleteAndRestore) {
  Begin({kV1});
  {
    const auto b = Define("B");
    for (const char* name : {"x", "y", "z"}) b.GetByName(name).CallBlocking(&Worker::Add, 7);
    b.GetByName("z").CallBlocking(&Worker::DeleteAll);
    Hibernate();
    EXPECT_EQ(b.List().actors.size(), 2u);
  }
  const Migration v2{.tag = "v2", .deleted_classes = {"B"}};
  const Migration v3{.tag = "v3", .new_classes = {"B"}};
  const Migration v4{.tag = "v4", .renamed_classes = {{"B", "B2"}}, .restored_classes = {"B"}};
  EXPECT_EQ(Begin({kV1, v2}).deleted_objects, 2u);
  ExpectRefused(StatusCode::kNotFound, "deleted", [&] { Define("B"); });
  uint64_t left = 0;
  EXPECT_OK(store_->ListObjects("B", [&](const ObjectSummary&) { return ++left > 0; }));
  EXPECT_EQ(left, 0u);

  EXPECT_EQ(Begin({kV1, v2, v3}).deleted_objects, 0u);
  EXPECT_EQ(Define("B").GetByName("x").CallBlocking(&Worker::Add, 1), 1);

  ExpectRefused(StatusCode::kExists, "class B", [&] {
    Begin({kV1, v2, v3, {.tag = "v4", .restored_classes = {"B"}}});
  });
  ExpectRefused(StatusCode::kNotFound, "no class C was deleted", [&] {
    Begin({kV1, v2, v3, {.tag = "v4", .restored_classes = {"C"}}});
  });
  const MigrationReport report = Begin({kV1, v2, v3, v4});
  EXPECT_EQ(report.restored_objects, 2u);
  EXPECT_EQ(report.expired_objects, 0u);
  const auto b = Define("B");
  EXPECT_EQ(b.List().actors.size(), 2u);
  EXPECT_EQ(b.GetByName("x").CallBlocking(&Worker::Total), 7);
  EXPECT_EQ(b.GetByName("z").CallBlocking(&Worker::Total), 0);
  EXPECT_EQ(Define("B2").GetByName("x").CallBlocking(&Worker::Total), 1);
}

// C303. Goal: a class moves from one application to another, objects and all, and the first has it
// no more. Two applications may have classes of one name.
TEST_F(MigrationsTest, Transfer) {
  Begin({kV1}, "shop");
  Define("A").GetByName("x").CallBlocking(&Worker::Add, 3);
  const Migration own{.tag = "v1", .new_classes = {"A"}};
  const Migration take{.tag = "v2", .transferred_classes = {{"A", "shop", "CART"}}};
  Begin({own}, "bank");
  EXPECT_EQ(Define("A").GetByName("x").CallBlocking(&Worker::Total), 0);
  ExpectRefused(StatusCode::kNotFound, "no class A of nobody", [&] {
    Begin({own, {.tag = "v2", .transferred_classes = {{"A", "nobody", "CART"}}}}, "bank");
  });
  Begin({own, take}, "bank");
  EXPECT_EQ(Define("CART").GetByName("x").CallBlocking(&Worker::Total), 3);
  Begin({kV1}, "shop");
  ExpectRefused(StatusCode::kNotFound, "A is in no migration", [&] { Define("A"); });
  EXPECT_EQ(Define("B").GetByName("x").CallBlocking(&Worker::Total), 0);
  // One without migrations may not have what is another's.
  Start();
  ExpectRefused(StatusCode::kExists, "another application", [&] { Define("B"); });
}

// Goal: what was there before there were migrations is taken over by the first one; the record is
// no namespace for classes, and in no list.
TEST_F(MigrationsTest, FirstMigration) {
  Get("x").CallBlocking(&Worker::Add, 4);
  Begin({{.tag = "v1", .new_classes = {"WORKER"}}});
  EXPECT_EQ(Define("WORKER").GetByName("x").CallBlocking(&Worker::Total), 4);
  for (const ListedNamespace& at : runtime_->ListNamespaces().namespaces) {
    EXPECT_EQ(at.name, "WORKER");
  }
  const std::string reserved(kMigrationsNamespace);
  ExpectRefused(StatusCode::kInvalidArgument, "reserved", [&] { Define(reserved.c_str()); });
  ExpectRefused(StatusCode::kInvalidArgument, "reserved", [&] {
    Begin({{.tag = "v1", .new_classes = {"WORKER"}}, {.tag = "v2", .new_classes = {reserved}}});
  });
}

// Goal: a class whose objects are in use is gone at once, and its objects as soon as they can be.
TEST_F(MigrationsTest, ObjectsInUse) {
  Begin({kV1});
  Define("B").GetByName("x").CallBlocking(&Worker::Add, 1);
  runtime_.reset();
  {
    const auto used = ObjectStorage::Open(*store_, "B", "x");
    ExpectRefused(StatusCode::kBusy, "", [&] {
      Begin({kV1, {.tag = "v2", .deleted_classes = {"B"}}});
    });
  }
  const MigrationReport report = Begin({kV1, {.tag = "v2", .deleted_classes = {"B"}}});
  EXPECT_TRUE(report.applied_tags.empty());
  EXPECT_EQ(report.deleted_objects, 1u);
}

// Goal: wherever the power fails, all steps of a list are applied or none, no object is lost, and
// the next start completes what was begun. Method: the same migration again and again, crashing one
// operation on files later each time, at all depths of a power loss, until one gets through; the
// record and the objects are looked at by a runtime that only defines, and by one that migrates
// again.
TEST(MigrationsCrashTest, AllOrNothing) {
  const std::vector<Migration> before = {{.tag = "v1", .new_classes = {"A", "B", "C"}},
                                         {.tag = "v2", .deleted_classes = {"C"}}};
  std::vector<Migration> after = before;
  after.push_back({.tag = "v3", .renamed_classes = {{"A", "A2"}}, .deleted_classes = {"B"}});
  after.push_back({.tag = "v4", .new_classes = {"D"}, .restored_classes = {"C"}});
  int applied = 0;
  int not_applied = 0;
  constexpr PowerLoss kLosses[] = {PowerLoss::kNothing, PowerLoss::kAll, PowerLoss::kSeeded};
  for (uint64_t run = 0;; ++run) {
    const uint64_t crash_at = run / std::size(kLosses) + 1;
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", crash at " << crash_at);
    SimStore sim(TestSeed() + crash_at);
    ASSERT_OK(sim.Open());
    const RuntimeOptions options{.threads = 1, .clock = &sim.clock()};
    const auto write = [&](const char* space, const char* name) {
      ObjectStorage::Open(sim.store(), space, name)->kv().Put("total", int64_t{1});
    };
    Runtime(sim.store(), options).Migrate({before[0]});
    for (const char* space : {"A", "B", "C"}) {
      write(space, "x");
      write(space, "y");
    }
    Runtime(sim.store(), options).Migrate(before);

    sim.fs().CrashAt(crash_at);
    try {
      Runtime(sim.store(), options).Migrate(after);
    } catch (const Error&) {
      EXPECT_TRUE(sim.fs().crashed());
    }
    const bool crashed = sim.fs().crashed();
    sim.Crash(kLosses[run % std::size(kLosses)]);
    ASSERT_OK(sim.Open());
    const auto totals = [&](Runtime& runtime, const char* name) {
      const auto workers = runtime.Define<Worker>(name);
      EXPECT_EQ(workers.List().actors.size(), 2u) << name;
      for (const char* object : {"x", "y"}) {
        EXPECT_EQ(workers.GetByName(object).CallBlocking(&Worker::Total), 1) << name;
      }
    };
    const auto is_defined = [&](Runtime& runtime, const char* name) {
      try {
        runtime.Define<Worker>(name);
        return true;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), StatusCode::kNotFound);
        return false;
      }
    };
    {
      Runtime runtime(sim.store(), options);
      const bool is_applied = is_defined(runtime, "D");
      ++(is_applied ? applied : not_applied);
      EXPECT_TRUE(is_applied || crashed);
      EXPECT_NE(is_defined(runtime, "B"), is_applied);
      totals(runtime, is_applied ? "A2" : "A");
      EXPECT_EQ(is_defined(runtime, is_applied ? "A" : "A2"), false);
      if (is_applied) totals(runtime, "C");
    }
    {
      Runtime runtime(sim.store(), options);
      runtime.Migrate(after);
      totals(runtime, "A2");
      totals(runtime, "C");
      EXPECT_FALSE(is_defined(runtime, "B"));
    }
    uint64_t left = 0;
    EXPECT_OK(sim.store().ListObjects("B", [&](const ObjectSummary&) { return ++left > 0; }));
    EXPECT_EQ(left, 0u);
    if (!crashed) break;
  }
  EXPECT_GT(applied, 1) << "no crash came behind the transaction";
  EXPECT_GT(not_applied, 0);
}

}  // namespace
}  // namespace tidemark::testing
