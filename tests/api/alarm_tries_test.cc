// What a host keeps with an alarm of its tries.

#include "tests/api/api_fixture.h"

namespace tidemark::testing {
namespace {

using std::chrono::seconds;

class AlarmTriesTest : public ApiTest {
 protected:
  int64_t Tries(std::string_view name = kDefaultAlarm) {
    const AlarmRun run = storage_->BeginAlarm(clock_.Now(), name);
    EXPECT_EQ(run.outcome, AlarmOutcome::kRun);
    storage_->EndAlarm(AlarmResult::kFailed);
    return run.tries;
  }
};

// Goal: what is kept with an alarm is there until it is set anew or deleted, over restarts and with
// others beside it; a rollback undoes it. An alarm that nobody kept anything with has nothing.
TEST_F(AlarmTriesTest, StayWithTheirAlarm) {
  storage_->KeepAlarmTries(5);
  EXPECT_EQ(storage_->GetAlarm(), std::nullopt) << "there is none to keep it with";
  storage_->SetAlarm(clock_.Now());
  storage_->SetAlarm("other", clock_.Now());
  EXPECT_EQ(Tries(), 0);
  storage_->KeepAlarmTries(5);
  storage_->KeepAlarmTries(-7, "other");
  EXPECT_EQ(Tries(), 5);
  const int commits = CommitCount();
  storage_->KeepAlarmTries(5);
  EXPECT_EQ(CommitCount(), commits) << "it is so already";
  ReopenStore();
  EXPECT_EQ(Tries(), 5);
  EXPECT_EQ(Tries("other"), -7);

  storage_->SetAlarm(clock_.Now());
  EXPECT_EQ(Tries(), 5) << "the same alarm";
  storage_->SetAlarm(clock_.Now() + seconds(1));
  clock_.Advance(seconds(1));
  EXPECT_EQ(Tries(), 0) << "another one";
  storage_->DeleteAlarm("other");
  storage_->SetAlarm("other", clock_.Now());
  EXPECT_EQ(Tries("other"), 0);
}

// Goal: it is a write of the turn, with what else is written; and the handler's run does not end by
// it.
TEST_F(AlarmTriesTest, AreWritesOfTheTurn) {
  storage_->SetAlarm(clock_.Now());
  Open(kTurns);
  storage_->KeepAlarmTries(3);
  EXPECT_FALSE(storage_->NeedsConfirmation());
  EXPECT_EQ(Tries(), 3);
  Open(kTurns);
  EXPECT_EQ(Tries(), 0) << "the turn was dropped";
  storage_->BeginAlarm(clock_.Now());
  storage_->KeepAlarmTries(4);
  EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
  storage_->EndAlarm(AlarmResult::kFailed);
  storage_->Commit();
  EXPECT_EQ(storage_->GetAlarm(), clock_.Now());
  EXPECT_EQ(Tries(), 4);
  storage_->BeginAlarm(clock_.Now());
  storage_->EndAlarm(AlarmResult::kSucceeded);
  storage_->Commit();
  EXPECT_EQ(storage_->GetAlarm(), std::nullopt);
  storage_->DeleteAll();
  storage_->SetAlarm(clock_.Now());
  storage_->KeepAlarmTries(6);
  storage_->Commit();
  EXPECT_EQ(Tries(), 6);
}

}  // namespace
}  // namespace tidemark::testing
