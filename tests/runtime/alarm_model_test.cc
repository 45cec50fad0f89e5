// Alarms against a plain map.

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <tuple>

#include "tests/runtime/alarm_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::seconds;

class AlarmModelTest : public AlarmFixture {};

// Goal: whatever is set, changed, deleted, restored and forked, by whom ever, and whoever sleeps or
// is opened anew meanwhile, each alarm comes once, when it is due and not before; none is late.
// Method: random work on six objects with three alarms each, second by second, against a map. What
// others than actors do gets a minute, in which nothing is due.
TEST_F(AlarmModelTest, ComeAsAMapSays) {
  Random random(TestSeed());
  std::map<std::pair<std::string, std::string>, Timestamp> model;
  const auto some_actor = [&] { return std::string(1, static_cast<char>('A' + random.Below(6))); };
  const auto some_name = [&] { return std::string(random.Below(3), 'x'); };
  for (int step = 0; step < 1500; ++step) {
    SCOPED_TRACE(::testing::Message() << "seed " << TestSeed() << ", step " << step);
    const std::string actor = some_actor();
    const std::string name = some_name();
    switch (random.Below(12)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const Timestamp due = Now() + seconds(1 + random.Below(step % 7 == 0 ? 1000 : 20));
        Do(actor, [&](Waker& waker) { waker.storage().SetAlarm(name, due); });
        model[{actor, name}] = due;
        break;
      }
      case 4:
        Do(actor, [&](Waker& waker) { waker.storage().DeleteAlarm(name); });
        model.erase({actor, name});
        break;
      case 5:
        Do(actor, [&](Waker& waker) {
          waker.storage().DeleteAll();
          if (name.empty()) waker.storage().SetAlarm(Now() + seconds(7));
        });
        for (const char* each : {"", "x", "xx"}) model.erase({actor, each});
        if (name.empty()) model[{actor, ""}] = Now() + seconds(7);
        break;
      case 6:
        if (random.OneIn(10)) Reopen();
        break;
      case 7: {  // by somebody else, behind an actor that sleeps
        if (!random.OneIn(5)) break;
        const bool any_soon = std::any_of(model.begin(), model.end(), [&](const auto& alarm) {
          return alarm.second <= Now() + seconds(90);
        });
        if (any_soon || sim_.store().OpenObject("WAKER", actor, IfMissing::kFail).ok() == false) {
          break;
        }
        clock().Advance(seconds(11));
        runtime_->RunDue();
        Settle();
        if (runtime_->resident_count() > 0) break;
        const Timestamp due = Now() + seconds(61 + random.Below(20));
        const auto object = sim_.store().OpenObject("WAKER", actor, IfMissing::kFail).value();
        ASSERT_OK(object->Restore(object->CurrentBookmark().value(), {.alarm = due}));
        for (const char* each : {"", "x", "xx"}) model.erase({actor, each});
        model[{actor, ""}] = due;
        clock().Advance(seconds(60));
        runtime_->RunDue();
        Settle();
        break;
      }
      default: break;
    }
    runs().clear();
    Pass(seconds(random.OneIn(20) ? 12 : 1));
    std::set<std::tuple<std::string, std::string, Timestamp>> expected;
    for (auto at = model.begin(); at != model.end();) {
      if (at->second > Now()) {
        ++at;
        continue;
      }
      expected.emplace(at->first.first, at->first.second, at->second);
      at = model.erase(at);
    }
    std::set<std::tuple<std::string, std::string, Timestamp>> came;
    for (const Waker::Run& run : runs()) {
      EXPECT_TRUE(came.emplace(run.actor, run.event.name, run.event.scheduled_time).second);
    }
    ASSERT_EQ(came, expected);
  }
}

}  // namespace
}  // namespace tidemark::testing
