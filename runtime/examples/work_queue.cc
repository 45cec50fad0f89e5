// A work queue: jobs are kept until they are done, and tried again, later each time, when they
// fail.
//
// A job is done at least once: it is taken off the queue behind the answer of whoever did it, and a
// crash in between has it done again. So those who do jobs are given its number. Each is done by an
// alarm, so the queue goes on when a process begins anew, without being called.

#include <chrono>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string>

#include "runtime/runtime.h"

using tidemark::Actor;
using tidemark::Stub;
using tidemark::Task;

class Mailer : public Actor {
 public:
  using Actor::Actor;
  // Fails twice, as servers do.
  void Send(int64_t number, const std::string& text) {
    if (++tries_ < 3) throw std::runtime_error("no answer from the server");
    std::printf("sent at the third try: %s\n", text.c_str());
    static_cast<void>(number);  // a real one would not send a number twice
  }

 private:
  int tries_ = 0;
};

class Queue : public Actor {
 public:
  static const tidemark::ObjectNamespace<Mailer>* mailers;  // main's

  explicit Queue(tidemark::ActorState& ctx) : Actor(ctx) {
    ctx.storage().sql().Exec(
        "CREATE TABLE IF NOT EXISTS job(number INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT, "
        "tries INTEGER DEFAULT 0, due INTEGER)");
  }

  // Returns when the job is kept; it is done some time behind that.
  int64_t Add(const std::string& text) {
    auto row = ctx().storage().sql().Exec("INSERT INTO job(text, due) VALUES(?,?) RETURNING number",
                                          text, Now());
    SetAlarmForNext();
    return row.One().Get<int64_t>(0);
  }

  // Returns when all jobs are done.
  Task<> Drain() {
    while (Left() > 0) co_await ctx().Sleep(std::chrono::milliseconds(5));
  }

  // Does a job whose time has come. The next alarm is for the one that comes next.
  Task<> OnAlarm(tidemark::AlarmEvent) override {
    if (const std::optional<Job> job = FirstDue()) {
      const bool done = co_await Try(job->number, job->text);
      if (done || job->tries + 1 == kMostTries) {
        ctx().storage().sql().Exec("DELETE FROM job WHERE number = ?", job->number);
      } else {
        const int64_t later = Now() + (int64_t{1000} << job->tries);
        ctx().storage().sql().Exec("UPDATE job SET tries = tries + 1, due = ? WHERE number = ?",
                                   later, job->number);
      }
    }
    SetAlarmForNext();
  }

 private:
  static constexpr int64_t kMostTries = 6;

  static int64_t Now() { return tidemark::Clock::System()->Now().time_since_epoch().count(); }

  int64_t Left() {
    return ctx().storage().sql().Exec("SELECT count(*) FROM job").One().Get<int64_t>(0);
  }

  struct Job {
    int64_t number;
    std::string text;
    int64_t tries;
  };
  std::optional<Job> FirstDue() {
    auto row = ctx().storage().sql().Exec(
        "SELECT number, text, tries FROM job WHERE due <= ? ORDER BY due, number", Now());
    if (!row.Next()) return std::nullopt;
    return Job{row.Get<int64_t>(0), row.Get<std::string>(1), row.Get<int64_t>(2)};
  }

  static Task<bool> Try(int64_t number, std::string text) {
    Stub<Mailer> mailer = mailers->GetByName("post");
    try {
      co_await mailer.Call(&Mailer::Send, number, text);
    } catch (const tidemark::ActorError& error) {
      if (!error.remote()) throw;  // the runtime shuts down, for one: that is no try
      co_return false;
    }
    co_return true;
  }

  void SetAlarmForNext() {
    auto next = ctx().storage().sql().Exec("SELECT min(due) FROM job WHERE due IS NOT NULL");
    const auto due = next.One().Get<std::optional<int64_t>>(0);
    if (due) ctx().storage().SetAlarm(tidemark::Timestamp(std::chrono::microseconds(*due)));
  }
};

const tidemark::ObjectNamespace<Mailer>* Queue::mailers = nullptr;

int main() {
  const auto store = tidemark::Store::Open("data", {.create_if_missing = true}).value();
  tidemark::Runtime runtime(*store);
  const auto queues = runtime.Define<Queue>("QUEUE");
  const auto mailers = runtime.Define<Mailer>("MAILER");
  Queue::mailers = &mailers;

  auto letters = queues.GetByName("letters");
  letters.CallBlocking(&Queue::Add, "hello");
  letters.CallBlocking(&Queue::Drain);
}
