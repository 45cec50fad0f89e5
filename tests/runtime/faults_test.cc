// What happens to machines: power that fails while an empty object vanishes, a disk that is full.
// And two runtimes that meet in one store. The rest is the simulation's.

#include <gtest/gtest.h>

#include <map>

#include "tests/runtime/alarm_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::seconds;

class FaultsTest : public AlarmFixture {
 protected:
  using Value = std::optional<std::string>;

  void Put(const std::string& name, const std::string& value) {
    Do(name, [&](Waker& waker) { waker.storage().kv().Put("value", value); });
  }
  Value ValueOf(const std::string& name) {
    Value value;
    Do(name, [&](Waker& waker) { value = waker.storage().kv().Get<std::string>("value"); });
    return value;
  }
  bool Exists(const std::string& name) {
    return sim_.store().OpenObject("WAKER", name, IfMissing::kFail).ok();
  }
  // What a call fails with.
  template <typename Call>
  std::optional<ActorError> ErrorOf(Call call) {
    try {
      call();
    } catch (const ActorError& error) {
      return error;
    }
    return std::nullopt;
  }
};

class VanishingTest : public FaultsTest, public ::testing::WithParamInterface<PowerLoss> {};

// Goal: wherever a crash strikes an object that is emptied and vanishes, it is there with what it
// had, or empty, or gone; empty or gone if that was acknowledged; and it goes on from there: it can
// be written, and vanishes again. Method: the machine or the process dies one operation later each
// time, until a run gets through.
TEST_P(VanishingTest, AtEachPointOfACrash) {
  std::map<std::string, int> outcomes;
  bool crashed = true;
  for (uint64_t crash_at = 1; crashed; ++crash_at) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", crash at " << crash_at);
    const std::string name = "object-" + std::to_string(crash_at);
    Put(name, "old");
    sim_.fs().CrashAt(crash_at);
    const bool emptied =
        !ErrorOf([&] { Do(name, [](Waker& waker) { waker.storage().DeleteAll(); }); });
    Hibernate();
    WaitForStore();
    crashed = sim_.fs().crashed();
    StopRuntime();
    sim_.Crash(GetParam());
    ASSERT_OK(sim_.Open());
    StartRuntime();

    const bool exists = Exists(name);
    const Value value = ValueOf(name);
    EXPECT_TRUE(value == std::nullopt || (value == "old" && exists && !emptied));
    ++outcomes[!exists ? "gone" : value ? "as it was" : "empty"];
    Put(name, "new");
    EXPECT_EQ(ValueOf(name), "new");
    Do(name, [](Waker& waker) { waker.storage().DeleteAll(); });
    Hibernate();
    EXPECT_FALSE(Exists(name));
    EXPECT_EQ(ValueOf(name), std::nullopt);
    Hibernate();
  }
  EXPECT_GT(outcomes["gone"], 0);
  EXPECT_GE(outcomes.size(), 2u) << "the crashes all came at one point";
}

INSTANTIATE_TEST_SUITE_P(All, VanishingTest,
                         ::testing::Values(PowerLoss::kNothing, PowerLoss::kAll,
                                           PowerLoss::kSeeded));

// Goal: on a full disk what was written is refused to whoever wrote it, as an error that says so,
// and his actor is as it was confirmed last; whoever reads goes on; an alarm whose handler cannot
// commit comes again, however often, and that does not count. When there is room all goes on.
// Method: four actors write until the disk is full, and go on trying.
TEST_F(FaultsTest, AFullDisk) {
  Waker::world.handler = [](Waker& waker, AlarmEvent) -> Task<> {
    waker.storage().kv().Put("woken", std::string(3000, 'w'));
    co_return;
  };
  SetAlarm("alarm", seconds(60));
  Put("reader", "here");
  const std::vector<std::string> names = {"a", "b", "c", "d"};
  std::map<std::string, std::string> confirmed;
  Random random(TestSeed());
  const auto write = [&](const std::string& name) {
    std::string value;
    for (int i = 0; i < 3000; ++i) value += static_cast<char>(random.Below(128));
    const auto error = ErrorOf([&] { Put(name, value); });
    if (!error) confirmed[name] = value;
    return error;
  };
  for (const std::string& name : names) EXPECT_FALSE(write(name));
  sim_.fs().SetCapacity(sim_.fs().UsedBytes());
  int failed = 0;
  for (size_t i = 0; failed < 40 && i < 10'000; ++i) {
    const std::string& name = names[i % names.size()];
    if (const auto error = write(name)) {
      ++failed;
      EXPECT_EQ(error->code(), StatusCode::kFull);
      EXPECT_TRUE(error->reset());
    }
    if (failed == 0) continue;
    EXPECT_EQ(ValueOf(name), confirmed[name]);
    EXPECT_EQ(ValueOf("reader"), "here");
  }
  EXPECT_EQ(failed, 40);
  EXPECT_TRUE(PassUntil([&] { return counters().failed_uncounted >= 8; }, seconds(10), 1000));
  EXPECT_EQ(counters().failed, 0u);

  sim_.fs().SetCapacity(UINT64_MAX);
  for (const std::string& name : names) {
    EXPECT_FALSE(write(name)) << name;
    EXPECT_EQ(ValueOf(name), confirmed[name]);
  }
  EXPECT_TRUE(PassUntil([&] { return counters().succeeded == 1; }, seconds(10), 200));
  EXPECT_TRUE(Stored().empty());
}

// Goal: of two runtimes on one store an object's actor is in one at a time: the other's calls fail
// as ones that may be tried again, until it has left memory; each runs its own objects meanwhile.
// An alarm comes in one of them, one handler at a time. Method: both on one thread.
TEST_F(FaultsTest, TwoRuntimesOnOneStore) {
  std::optional<Runtime> other(std::in_place, sim_.store(), options_);
  auto others = other->Define<Waker>("WAKER");
  const auto put_in_other = [&](const std::string& name, const char* value) {
    Finish(Start(others.GetByName(name).Call(
        &Waker::Do, [value](Waker& waker) { waker.storage().kv().Put("value", value); })));
  };
  const auto pass = [&](seconds time) {
    clock().Advance(time);
    runtime_->RunDue();
    other->RunDue();
    while (Step() > 0) WaitForStore();
  };
  const auto expect_elsewhere = [&](const std::optional<ActorError>& error) {
    ASSERT_TRUE(error);
    EXPECT_TRUE(error->retryable());
    EXPECT_EQ(error->code(), StatusCode::kBusy);
  };
  Put("a", "first");
  put_in_other("b", "second");
  expect_elsewhere(ErrorOf([&] { put_in_other("a", "second"); }));
  expect_elsewhere(ErrorOf([&] { Put("b", "first"); }));
  EXPECT_EQ(ValueOf("a"), "first");
  while (runtime_->resident_count() + other->resident_count() > 0) pass(seconds(11));
  EXPECT_EQ(ValueOf("b"), "second");
  put_in_other("a", "second");

  while (runtime_->resident_count() + other->resident_count() > 0) pass(seconds(11));
  std::map<std::string, int> running;
  Waker::world.handler = [&](Waker& waker, AlarmEvent) -> Task<> {
    EXPECT_EQ(++running[*waker.ctx().id().name], 1);
    co_await waker.ctx().Sleep(seconds(1));
    --running[*waker.ctx().id().name];
  };
  for (const char* name : {"a", "b", "c"}) SetAlarm(name, seconds(90));
  for (int i = 0; i < 40; ++i) pass(seconds(5));
  EXPECT_TRUE(Stored().empty());
  EXPECT_GE(runs().size(), 3u);
  EXPECT_EQ(counters().running + other->alarm_counters().running, 0u);
  EXPECT_EQ(counters().given_up + other->alarm_counters().given_up, 0u);

  auto ended = std::async(std::launch::async, [&] { other.reset(); });
  while (!IsDone(ended)) Step();
  EXPECT_EQ(ValueOf("a"), "second");
}

}  // namespace
}  // namespace tidemark::testing
