// A work queue: jobs are kept until they are done, and tried again, later each time, when they
// fail.
//
// A job is done at least once: it is taken off the queue behind the answer of whoever did it, and a
// crash in between has it done again. So those who do jobs are given its number. The waiting
// between two tries is a timer, which ends with the process: the queue goes on with the next job.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>

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
  explicit Queue(tidemark::ActorState& ctx) : Actor(ctx) {
    ctx.storage().sql().Exec(
        "CREATE TABLE IF NOT EXISTS job(number INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT, "
        "tries INTEGER DEFAULT 0)");
  }

  // Returns when the job is kept; it is done some time behind that.
  int64_t Add(std::string text, Stub<Mailer> mailer) {
    auto row = ctx().storage().sql().Exec("INSERT INTO job(text) VALUES(?) RETURNING number", text);
    const int64_t number = row.One().Get<int64_t>(0);
    if (!std::exchange(working_, true)) ctx().WaitUntil(Work(std::move(mailer)));
    return number;
  }

  // Returns when all jobs are done.
  Task<> Drain() {
    while (Left() > 0) co_await ctx().Sleep(std::chrono::milliseconds(5));
  }

  int64_t Left() {
    return ctx().storage().sql().Exec("SELECT count(*) FROM job").One().Get<int64_t>(0);
  }

 private:
  static constexpr int64_t kMostTries = 6;

  Task<> Work(Stub<Mailer> mailer) {
    while (Left() > 0) {
      auto row = ctx().storage().sql().Exec("SELECT number, text, tries FROM job ORDER BY number");
      row.Next();
      const auto number = row.Get<int64_t>(0);
      const auto text = row.Get<std::string>(1);
      const auto tries = row.Get<int64_t>(2) + 1;
      bool done = true;
      bool reached = true;
      try {
        co_await mailer.Call(&Mailer::Send, number, text);
      } catch (const tidemark::ActorError& error) {
        done = false;
        reached = error.remote();
      }
      if (!reached) break;  // the runtime shuts down, for one: that is no try
      if (done || tries == kMostTries) {
        ctx().storage().sql().Exec("DELETE FROM job WHERE number = ?", number);
      } else {
        ctx().storage().sql().Exec("UPDATE job SET tries = ? WHERE number = ?", tries, number);
        co_await ctx().Sleep(std::chrono::milliseconds(int64_t{1} << std::min<int64_t>(tries, 10)));
      }
    }
    working_ = false;
  }

  bool working_ = false;
};

int main() {
  const auto store = tidemark::Store::Open("data", {.create_if_missing = true}).value();
  tidemark::Runtime runtime(*store);
  const auto queues = runtime.Define<Queue>("QUEUE");
  const auto mailers = runtime.Define<Mailer>("MAILER");

  auto letters = queues.GetByName("letters");
  letters.CallBlocking(&Queue::Add, "hello", mailers.GetByName("post"));
  letters.CallBlocking(&Queue::Drain);
}
