// What the scheduler remembers.

#include "runtime/internal/due_table.h"

#include <gtest/gtest.h>

#include <map>

#include "runtime/internal/runtime_state.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

using internal::ActorClass;
using internal::AlarmRetry;
using internal::DueTable;
using std::chrono::seconds;

class DueTableTest : public ::testing::Test {
 protected:
  DueTableTest() { table_.set_known_until(Timestamp::max()); }

  ActorId Id(int i) { return {.object = ids_.FromName(std::to_string(i))}; }
  DueTable::Key Key(int i) { return {class_.get(), Id(i).object}; }
  static Timestamp At(int second) { return Timestamp(seconds(second)); }
  void Note(int i, const std::vector<AlarmInfo>& alarms) { table_.Note(class_, Id(i), alarms); }

  ObjectIdFactory ids_{"CLASS"};
  DueTable::ClassPtr class_ = std::make_shared<const ActorClass>(ActorClass{
      .name = "CLASS", .space = "CLASS", .ids = ObjectIdFactory("CLASS"), .make = nullptr});
  DueTable table_;
};

// Goal: what is due comes in order, one of each object at a time, and not before its time.
TEST_F(DueTableTest, InOrder) {
  Note(1, {{"a", At(5)}, {"b", At(6)}});
  Note(2, {{"", At(4)}});
  EXPECT_EQ(table_.earliest(), At(4));
  EXPECT_FALSE(table_.Take(At(3)));
  EXPECT_EQ(table_.Take(At(10))->id, Id(2));
  const auto first = table_.Take(At(10));
  EXPECT_EQ(first->id, Id(1));
  EXPECT_EQ(first->alarm.name, "a");
  EXPECT_FALSE(table_.Take(At(10))) << "one at a time";
  Note(1, {{"b", At(6)}});
  table_.Drop(Key(1));
  EXPECT_EQ(table_.Take(At(10))->alarm.name, "b");
}

// Goal: what is due last is forgotten when there is too much, and asked for again; what waits for a
// retry is not.
TEST_F(DueTableTest, ForgetsWhatIsDueLast) {
  Note(1, {{"", At(1)}});
  table_.Take(At(1));
  EXPECT_NE(table_.Fail(Key(1), AlarmRetry::Counts::kYes, 0).ticket, 0u);
  Note(1, {{"", At(1)}, {"late", At(1000)}});
  for (int i = 2; i <= 101; ++i) Note(i, {{"", At(i)}});
  table_.Trim(100);
  EXPECT_LE(table_.size(), 51u);
  const Timestamp until = table_.known_until();
  EXPECT_LT(until, At(101));
  EXPECT_FALSE(table_.NeedsList());
  Note(200, {{"", until}});
  Note(201, {{"", until - seconds(1)}});
  int taken = 0;
  while (const auto next = table_.Take(until - seconds(1))) {
    table_.Drop({next->actor_class.get(), next->id.object});
    ++taken;
  }
  EXPECT_TRUE(table_.NeedsList());
  EXPECT_EQ(table_.size(), 1u) << "the one that is to be retried";
  EXPECT_GE(taken, 40);
  EXPECT_TRUE(table_.List(class_, Id(101), At(101)));
  EXPECT_FALSE(table_.List(class_, Id(1), At(1)));
}

// Goal: a retry keeps its count whatever is told of the object meanwhile, unless its alarm was
// changed; and a ticket that is old lets nothing go.
TEST_F(DueTableTest, RetriesOutliveWhatIsTold) {
  EXPECT_TRUE(table_.List(class_, Id(1), At(1)));
  EXPECT_FALSE(table_.Take(At(1))->alarm.name);
  Note(1, {{"a", At(1)}, {"b", At(2)}});
  const auto retry = table_.Fail(Key(1), AlarmRetry::Counts::kYes, 0);
  EXPECT_EQ(retry.delay, seconds(2));
  EXPECT_EQ(table_.held(), 1u);
  EXPECT_EQ(table_.Take(At(9))->alarm.name, "b") << "it keeps no other one waiting";
  Note(1, {{"a", At(1)}});
  table_.Drop(Key(1));
  EXPECT_FALSE(table_.Take(At(9)));
  table_.Release(Key(1), retry.ticket + 1);
  EXPECT_FALSE(table_.Take(At(9)));
  table_.Release(Key(1), retry.ticket);
  const auto again = table_.Take(At(9));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->alarm.name, "a");
  EXPECT_EQ(again->alarm.retry.failures(), 1);
  const auto second = table_.Fail(Key(1), AlarmRetry::Counts::kYes, 0);
  EXPECT_EQ(second.delay, seconds(4));
  Note(1, {{"a", At(3)}});
  EXPECT_EQ(table_.held(), 0u);
  EXPECT_EQ(table_.Take(At(9))->alarm.retry.failures(), 0);
  Note(1, {});
  table_.Drop(Key(1));
  EXPECT_EQ(table_.size(), 0u);
}

// Goal: whatever is done to it, what it says is due first is what a plain map says, and nothing is
// left behind. Method: random notes, takes, ends and retries.
TEST_F(DueTableTest, AsAMapDoes) {
  Random random(TestSeed());
  struct Object {
    std::map<std::string, Timestamp> alarms;
    std::map<std::string, uint64_t> held;
    std::optional<std::string> running;
  };
  std::map<int, Object> model;
  const auto tell = [&](int i) {
    std::vector<AlarmInfo> list;
    for (const auto& [name, time] : model[i].alarms) {
      if (name != model[i].running) list.push_back({name, time});
    }
    Note(i, list);
  };
  for (int step = 0; step < 20'000; ++step) {
    const int i = static_cast<int>(random.Below(6));
    Object& object = model[i];
    const std::string name(1, static_cast<char>('a' + random.Below(3)));
    switch (random.Below(5)) {
      case 0:
        if (object.running == name) break;
        object.alarms[name] = At(1 + step);
        object.held.erase(name);
        tell(i);
        break;
      case 1:
        if (object.running == name) break;
        object.alarms.erase(name);
        object.held.erase(name);
        tell(i);
        break;
      case 2: {
        std::optional<Timestamp> first;
        for (const auto& [other, o] : model) {
          if (o.running) continue;
          for (const auto& [n, time] : o.alarms) {
            if (!o.held.contains(n) && (!first || time < *first)) first = time;
          }
        }
        ASSERT_EQ(table_.earliest(), first);
        const auto taken = table_.Take(Timestamp::max());
        ASSERT_EQ(taken.has_value(), first.has_value());
        if (!taken) break;
        ASSERT_EQ(taken->alarm.due, *first);
        for (auto& [other, o] : model) {
          if (Id(other) == taken->id) o.running = *taken->alarm.name;
        }
        break;
      }
      case 3:
        if (!object.running) break;
        if (random.Below(2) == 0) {
          object.alarms.erase(*object.running);
          object.running.reset();
          table_.Drop(Key(i));
        } else {
          const auto retry = table_.Fail(Key(i), AlarmRetry::Counts::kNo, random.Below(1000));
          ASSERT_NE(retry.ticket, 0u);
          object.held[*object.running] = retry.ticket;
          object.running.reset();
        }
        break;
      default:
        if (object.held.empty()) break;
        table_.Release(Key(i), object.held.begin()->second);
        object.held.erase(object.held.begin());
    }
    size_t held = 0;
    for (const auto& [other, o] : model) held += o.held.size();
    ASSERT_EQ(table_.held(), held);
  }
}

}  // namespace
}  // namespace tidemark::testing
