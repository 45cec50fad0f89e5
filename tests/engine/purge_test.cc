// Purges: an object goes without a trace, and all else stays as it was.

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/engine/packing_fixture.h"
#include "tests/engine/purge_fixture.h"
#include "tests/support/store_model.h"

namespace tidemark::testing {
namespace {

class PurgeTest : public PackingFixture {
 protected:
  // Random work of other objects.
  void Work(StoreModel& model, int steps) {
    for (int i = 0; i < steps; ++i) ASSERT_NO_FATAL_FAILURE(Step(model, i));
    ASSERT_OK(model.Sync(sim_.store()));
  }
};

// Goal: no byte of a purged object is in any file: not of its pages, patches, batches, name, id,
// labels, reasons of holds; not in the log, packed or not, nor in what is free in the index. All
// others answer every bookmark as before, also with the index made anew; and the name begins from
// nothing. Method: random bytes that are searched for, a model of the others.
TEST_F(PurgeTest, NothingIsLeft) {
  sim_.options().transaction_memory_bytes = 32u << 10;
  StoreModel model(TestSeed(), {.objects = 3, .pages = 100});
  Person person(TestSeed() + 7);
  ASSERT_OK(sim_.Open());
  for (int part = 0; part < 3; ++part) {
    ASSERT_NO_FATAL_FAILURE(Work(model, 50));
    ASSERT_OK(person.Live(sim_.store()));
    if (part == 0) {
      ASSERT_OK(sim_.store().Reclaim(ReclaimWhat::kEverything));
    }
    if (part == 1) {
      ASSERT_OK(sim_.Checkpoint());
    }
  }
  const Bookmark former = person.Open(sim_.store()).value()->CurrentBookmark().value();
  const size_t found = Find(person.needles(), sim_).size();
  EXPECT_GT(found, person.needles().size() / 2);

  uint64_t last_done = 0;
  ASSERT_OK_AND_ASSIGN(const PurgeReport report,
                       sim_.store().Purge("people", person.name(), [&](uint64_t done, uint64_t of) {
                         EXPECT_GE(done, last_done);
                         EXPECT_LE(done, of);
                         last_done = done;
                       }));
  EXPECT_FALSE(report.continued);
  EXPECT_GT(report.log.files, 1u);
  EXPECT_GT(report.searched_bytes, report.log.bytes_after);
  EXPECT_EQ(report.id, ObjectIdFactory("people").FromName(person.name()));
  EXPECT_EQ(sim_.store().Stats().purge_count, 0u);
  EXPECT_TRUE(IsGone(person, sim_));
  ASSERT_NO_FATAL_FAILURE(model.Check(sim_.store(), StoreModel::After::kWork));
  ASSERT_NO_FATAL_FAILURE(model.CheckHistory(sim_.store()));
  ASSERT_NO_FATAL_FAILURE(ExpectWhole("purged"));
  EXPECT_ERROR(person.Open(sim_.store(), IfMissing::kDeleted), StatusCode::kNotFound,
               "does not exist");
  EXPECT_ERROR(sim_.store().Purge("people", person.name()), StatusCode::kNotFound,
               "does not exist");
  ASSERT_NO_FATAL_FAILURE(Work(model, 10));
  ASSERT_OK(sim_.Close());
  EXPECT_TRUE(IsGone(person, sim_));
  for (const bool anew : {false, true}) {
    SCOPED_TRACE(anew ? "index made anew" : "reopened");
    if (anew) std::filesystem::remove_all(sim_.options().index_directory);
    ASSERT_OK(sim_.Open());
    ASSERT_NO_FATAL_FAILURE(model.Check(sim_.store(), StoreModel::After::kReopen));
    ASSERT_NO_FATAL_FAILURE(model.CheckHistory(sim_.store()));
    ASSERT_NO_FATAL_FAILURE(ExpectWhole("reopened"));
    EXPECT_TRUE(IsGone(person, sim_));
    ASSERT_OK(sim_.Close());
  }
  ASSERT_OK(sim_.Open());
  ASSERT_OK(person.Write(sim_.store(), 1));
  ASSERT_OK_AND_ASSIGN(const auto object, person.Open(sim_.store(), IfMissing::kFail));
  uint64_t commits = 0;
  ASSERT_OK(object->History([&](const CommitInfo&) { return ++commits > 0; }));
  EXPECT_EQ(commits, 1u);
  ASSERT_OK_AND_ASSIGN(const auto labels, object->ListLabels());
  EXPECT_TRUE(labels.empty());
  ASSERT_OK_AND_ASSIGN(const RetentionInfo retention, object->GetRetention());
  EXPECT_EQ(retention.source, PolicySource::kOptions);
  EXPECT_ERROR(object->Resolve(former), StatusCode::kExpired, "purged");
}

// Goal: a purge is refused, and changes nothing, while the object is in use, is held, or shares its
// history; and says what to do. Method: each of these, and then without it.
TEST_F(PurgeTest, IsRefused) {
  ASSERT_OK(sim_.Open());
  Store& store = sim_.store();
  EXPECT_ERROR(store.Purge("rooms", "lobby"), StatusCode::kNotFound, "rooms");
  ASSERT_OK(Put("hall", 1));
  EXPECT_ERROR(store.Purge("rooms", "lobby"), StatusCode::kNotFound, "rooms/lobby");
  EXPECT_ERROR(store.Purge("rooms", ""), StatusCode::kInvalidArgument, "name");
  ASSERT_OK(Put("lobby", 1));
  const auto refused = [&](StatusCode code, const char* what) {
    EXPECT_ERROR(store.Purge("rooms", "lobby"), code, what);
    EXPECT_EQ(store.Stats().purge_count, 0u);
  };
  {
    ASSERT_OK_AND_ASSIGN(auto object, Open("lobby"));
    refused(StatusCode::kBusy, "in use");
    std::optional<Snapshot> snapshot = object->OpenSnapshot().value();
    std::optional<Transaction> transaction(object);
    object.reset();
    refused(StatusCode::kBusy, "in use");
    transaction.reset();
    refused(StatusCode::kBusy, "in use");
    snapshot.reset();
    ASSERT_OK_AND_ASSIGN(object, Open("lobby"));
    ASSERT_OK(object->SetHold("a court asked for it"));
    object.reset();
    refused(StatusCode::kExists, "a court asked for it");
    ASSERT_OK_AND_ASSIGN(object, Open("lobby"));
    ASSERT_OK(object->ReleaseHold());
    ASSERT_OK_AND_ASSIGN(const Bookmark now, object->CurrentBookmark());
    ASSERT_OK(store.Fork(*object, now, "rooms", "copy"));
    object.reset();
    refused(StatusCode::kExists, "rooms/copy");
  }
  // A deleted fork shares it still.
  {
    ASSERT_OK_AND_ASSIGN(const auto copy, Open("copy"));
    ASSERT_OK(Commit(copy, {{2, RandomPage(2)}}));
    ASSERT_OK(copy->Delete());
  }
  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  EXPECT_ERROR(sim_.store().Purge("rooms", "lobby"), StatusCode::kExists, "rooms/copy");
  ASSERT_TRUE(Holds("lobby", 1));
  ASSERT_OK(sim_.store().Purge("rooms", "copy"));
  ASSERT_TRUE(Holds("lobby", 1));
  ASSERT_OK(sim_.store().Purge("rooms", "lobby"));
  ASSERT_TRUE(Holds("hall", 1));
}

// Goal: what was promoted shares the history of the fork, and the fork goes only with it. Method: a
// fork that its parent was made of; likewise by id.
TEST_F(PurgeTest, WhatWasPromotedNeedsItsFork) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("lobby", 1));
  ObjectId fork;
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby"));
    ASSERT_OK_AND_ASSIGN(const Bookmark now, object->CurrentBookmark());
    ASSERT_OK_AND_ASSIGN(const auto copy, sim_.store().Fork(*object, now, "rooms", "copy"));
    ASSERT_OK(Put("copy", 2));
    ASSERT_OK(object->Promote(*copy));
    fork = copy->id();
  }
  EXPECT_ERROR(sim_.store().Purge("rooms", fork), StatusCode::kExists, "rooms/lobby");
  EXPECT_ERROR(sim_.store().Purge("rooms", "lobby"), StatusCode::kExists, "rooms/copy");
  EXPECT_ERROR(sim_.store().Purge("rooms", ObjectId()), StatusCode::kInvalidArgument, "not valid");
  ASSERT_TRUE(Holds("lobby", 2));
}

// Goal: an object that is deleted, and one without any commit of its own but a fork's, can be
// purged. Method: both, reopened in between.
TEST_F(PurgeTest, DeletedOnesAndForks) {
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("lobby", 1));
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby"));
    ASSERT_OK_AND_ASSIGN(const Bookmark now, object->CurrentBookmark());
    ASSERT_OK(sim_.store().Fork(*object, now, "rooms", "copy"));
    ASSERT_OK(Put("hall", 3));
    ASSERT_OK_AND_ASSIGN(const auto hall, Open("hall"));
    ASSERT_OK(hall->Delete());
  }
  ASSERT_OK(sim_.store().Purge("rooms", "copy"));
  ASSERT_OK(sim_.Close());
  ASSERT_OK(sim_.Open());
  ASSERT_OK(sim_.store().Purge("rooms", "hall"));
  uint64_t listed = 0;
  for (const Listed which : {Listed::kExisting, Listed::kDeleted}) {
    ASSERT_OK(sim_.store().ListObjects(
        "", [&](const ObjectSummary& object) { return ++listed, object.name == "lobby"; }, which));
  }
  EXPECT_EQ(listed, 1u);
  ASSERT_TRUE(Holds("lobby", 1));
}

// Goal: a large transaction of another object, of which the log has a part, keeps a purge from its
// end and not from its begin; it goes on afterwards. Method: one that is open meanwhile.
TEST_F(PurgeTest, WaitsForALargeTransaction) {
  ASSERT_OK(sim_.Open());
  Person person(TestSeed());
  ASSERT_OK(person.Live(sim_.store()));
  {
    ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby"));
    Transaction transaction(object);
    ASSERT_OK(transaction.Begin());
    ASSERT_OK(transaction.ResetPageSize(kPageSize));
    for (uint32_t page = 1; page <= 60; ++page) {
      ASSERT_OK(transaction.WritePage(PageNo(page), RandomPage(page)));
    }
    EXPECT_ERROR(sim_.store().Purge("people", person.name()), StatusCode::kBusy,
                 "a large transaction is open");
    EXPECT_EQ(sim_.store().Stats().purge_count, 1u);
    EXPECT_ERROR(person.Open(sim_.store()), StatusCode::kBusy, "being purged");
    ASSERT_OK(transaction.Commit());
  }
  ASSERT_OK_AND_ASSIGN(const PurgeReport report, sim_.store().Purge("people", person.name()));
  EXPECT_TRUE(report.continued);
  EXPECT_TRUE(IsGone(person, sim_));
  ASSERT_OK_AND_ASSIGN(const auto object, Open("lobby", IfMissing::kFail));
  EXPECT_TRUE(Reads(object, 60, RandomPage(60)));
  ExpectWhole("purged");
}

// Goal: purges go on beside commits, reads, looks at the list and checkpoints of others. Method:
// threads that do these while one object after the other is purged, and made again.
TEST_F(PurgeTest, BesideAllElse) {
  sim_.options().background_work = BackgroundWork::kThreads;
  sim_.options().checkpoint_log_bytes = 64u << 10;
  ASSERT_OK(sim_.Open());
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int writer = 0; writer < 2; ++writer) {
    threads.emplace_back([&, writer] {
      const std::string name = "room-" + std::to_string(writer);
      for (uint64_t round = 1; !done && round < 500 && !HasFailure(); ++round) {
        ASSERT_OK(Put(name, round));
        ASSERT_TRUE(Holds(name, round));
        ASSERT_OK(sim_.store().ListObjects("", [](const ObjectSummary& object) {
          EXPECT_OK(object.damage);
          return true;
        }));
      }
    });
  }
  for (uint64_t i = 0; i < 3 && !HasFailure(); ++i) {
    Person person(TestSeed() * 100 + i);
    EXPECT_OK(person.Live(sim_.store()));
    EXPECT_OK(sim_.store().Purge("people", person.name()));
    EXPECT_TRUE(IsGone(person, sim_));
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  ExpectWhole("at the end");
  ASSERT_OK(sim_.Close());
}

// Goal: purges that are asked for at the same time come one after the other: of one object by the
// first, and the others say that there is none; of several each is done. The background may go on
// with any of them. Method: threads that begin together.
TEST_F(PurgeTest, BesideEachOther) {
  sim_.options().background_work = BackgroundWork::kThreads;
  ASSERT_OK(sim_.Open());
  ASSERT_OK(Put("room", 1));
  for (uint64_t round = 0; round < Scaled(4) && !HasFailure(); ++round) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", round " << round);
    std::vector<Person> people;
    for (uint64_t i = 0; i < 2; ++i) {
      people.emplace_back(TestSeed() * 1000 + round * 10 + i);
      ASSERT_OK(people.back().Live(sim_.store()));
    }
    constexpr size_t kThreads = 4;
    std::vector<Status> purged(kThreads);
    std::atomic<size_t> ready{0};
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        for (++ready; ready < kThreads;) std::this_thread::yield();
        purged[i] = sim_.store().Purge("people", people[i % 2].name()).status();
      });
    }
    (void)sim_.store().RunRetention();
    for (std::thread& thread : threads) thread.join();
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_NE(purged[i].ok(), purged[i + 2].ok());
      const Status& other = purged[i].ok() ? purged[i + 2] : purged[i];
      EXPECT_ERROR(other, StatusCode::kNotFound, "does not exist");
      EXPECT_TRUE(IsGone(people[i], sim_));
    }
    EXPECT_EQ(sim_.store().Stats().purge_count, 0u);
  }
  EXPECT_TRUE(Holds("room", 1));
  ExpectWhole("at the end");
  ASSERT_OK(sim_.Close());
}

}  // namespace
}  // namespace tidemark::testing
