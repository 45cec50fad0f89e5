#include "tests/runtime/account.h"

#include <stdexcept>

#include "engine/check.h"

namespace tidemark::testing {

ObjectNamespace<Account>* Account::all = nullptr;
const Clock* Account::clock = nullptr;

Account::Account(ActorState& ctx) : Actor(ctx) {
  sql().Exec(
      "CREATE TABLE IF NOT EXISTS outbox(number INTEGER PRIMARY KEY, target INTEGER, amount "
      "INTEGER);"
      "CREATE TABLE IF NOT EXISTS credit(source INTEGER, number INTEGER, PRIMARY KEY(source, "
      "number));"
      "CREATE TABLE IF NOT EXISTS note(place INTEGER PRIMARY KEY, number INTEGER UNIQUE);"
      "CREATE TABLE IF NOT EXISTS wakeup(number INTEGER PRIMARY KEY, due INTEGER, runs INTEGER)");
  if (!ctx.storage().kv().Get<int64_t>("balance")) SetValue("balance", kInitial);
}

// ---- Money -------------------------------------------------------------------------------------

int64_t Account::Send(int64_t target, int64_t amount) {
  const int64_t balance = Value("balance");
  if (balance < amount) return 0;
  const int64_t sent = Value("sent") + 1;
  SetValue("balance", balance - amount);
  SetValue("sent", sent);
  sql().Exec("INSERT INTO outbox VALUES(?,?,?)", sent, target, amount);
  ctx().WaitUntil(Settle());
  return sent;
}

void Account::Receive(int64_t source, int64_t number, int64_t amount) {
  auto known = sql().Exec("SELECT 1 FROM credit WHERE source=? AND number=?", source, number);
  if (known.Next()) return;
  sql().Exec("INSERT INTO credit VALUES(?,?)", source, number);
  SetValue("balance", Value("balance") + amount);
}

Task<> Account::Settle() {
  if (settling_) co_return;
  settling_ = true;
  bool reached = true;
  while (reached) {
    int64_t transfer = 0;
    Book::Owed owed{};
    {
      auto first = sql().Exec("SELECT number, target, amount FROM outbox ORDER BY number LIMIT 1");
      if (!first.Next()) break;
      transfer = first.Get<int64_t>(0);
      owed = {first.Get<int64_t>(1), first.Get<int64_t>(2)};
    }
    try {
      Stub<Account> target = Get(owed.target);
      co_await target.Call(&Account::Receive, number(), transfer, owed.amount);
    } catch (const ActorError&) {
      reached = false;  // it is told the next time
    }
    if (reached) sql().Exec("DELETE FROM outbox WHERE number=?", transfer);
  }
  settling_ = false;
}

// ---- Notes -------------------------------------------------------------------------------------

int64_t Account::CountNotes() {
  return sql().Exec("SELECT count(*) FROM note").One().Get<int64_t>(0);
}

int64_t Account::Note(int64_t number) {
  const int64_t place = CountNotes() + 1;
  sql().Exec("INSERT INTO note VALUES(?,?)", place, number);
  return place;
}

Task<int64_t> Account::NoteAfter(int64_t number, int64_t seconds) {
  co_await ctx().Sleep(std::chrono::seconds(seconds));
  co_return Note(number);
}

Task<int64_t> Account::NoteAlone(int64_t number, int64_t other) {
  const auto section = [this, number, other]() -> Task<int64_t> {
    const int64_t place = CountNotes() + 1;
    Stub<Account> stub = Get(other);
    co_await stub.Call(&Account::CountNotes);
    CHECK(CountNotes() + 1 == place);  // nobody came in meanwhile
    sql().Exec("INSERT INTO note VALUES(?,?)", place, number);
    co_return place;
  };
  const int64_t place = co_await ctx().BlockConcurrencyWhile(section);
  co_return place;
}

int64_t Account::NoteThenThrow(int64_t number) {
  Note(number);
  throw std::runtime_error("behind a note");
}

int64_t Account::NoteThenAbort(int64_t number) {
  Note(number);
  ctx().Abort("behind a note");
}

// ---- Alarms ------------------------------------------------------------------------------------

void Account::WakeAt(int64_t number, Timestamp due) {
  sql().Exec("INSERT INTO wakeup VALUES(?,?,0)", number, due.time_since_epoch().count());
  SetAlarmForNext();
}

void Account::SetAlarmForNext() {
  auto next = sql().Exec("SELECT due FROM wakeup WHERE runs=0 ORDER BY due LIMIT 1");
  if (!next.Next()) return;
  ctx().storage().SetAlarm(Timestamp(std::chrono::microseconds(next.Get<int64_t>(0))));
}

Task<> Account::OnAlarm(AlarmEvent event) {
  const Timestamp now = clock->Now();
  CHECK(event.scheduled_time <= now);  // never early
  sql().Exec("UPDATE wakeup SET runs=runs+1 WHERE runs=0 AND due<=?",
             now.time_since_epoch().count());
  SetAlarmForNext();
  co_return;
}

// ---- All of it ---------------------------------------------------------------------------------

Book Account::Read() {
  Book book;
  book.balance = Value("balance");
  book.sent = Value("sent");
  auto outbox = sql().Exec("SELECT number, target, amount FROM outbox");
  while (outbox.Next()) {
    book.outbox[outbox.Get<int64_t>(0)] = {outbox.Get<int64_t>(1), outbox.Get<int64_t>(2)};
  }
  auto credit = sql().Exec("SELECT source, number FROM credit");
  while (credit.Next()) book.credited.emplace(credit.Get<int64_t>(0), credit.Get<int64_t>(1));
  auto note = sql().Exec("SELECT place, number FROM note");
  while (note.Next()) book.notes[note.Get<int64_t>(0)] = note.Get<int64_t>(1);
  auto wakeup = sql().Exec("SELECT number, runs FROM wakeup");
  while (wakeup.Next()) book.wakeups[wakeup.Get<int64_t>(0)] = wakeup.Get<int64_t>(1);
  return book;
}

}  // namespace tidemark::testing
