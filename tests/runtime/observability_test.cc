// What a runtime tells of itself: metrics, log, traces.

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "runtime/internal/prometheus.h"
#include "tests/runtime/service_fixture.h"

namespace tidemark::testing {
namespace {

// Checks text against the exposition format, as its specification has it: HELP and TYPE before the
// samples of a family, which stand together; names, labels and values well formed; histograms whose
// buckets rise to +Inf, which is the count.
void ExpectValid(const std::string& text) {
  const std::regex sample(
      R"re(([a-z_:][a-z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? ([0-9.]+))re");
  ASSERT_FALSE(text.empty());
  EXPECT_EQ(text.back(), '\n');
  std::set<std::string> families;
  std::string helped;
  std::string family;
  std::string type;
  std::map<std::string, double> last_bucket;  // by labels without le
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    SCOPED_TRACE(line);
    std::istringstream words(line);
    std::string hash;
    std::string what;
    if (line.starts_with("# HELP ")) {
      words >> hash >> what >> helped;
      std::string help;
      EXPECT_TRUE(words >> help) << "no help";
    } else if (line.starts_with("# TYPE ")) {
      words >> hash >> what >> family >> type;
      EXPECT_EQ(family, helped);
      EXPECT_TRUE(families.insert(family).second) << "twice";
      EXPECT_TRUE(type == "counter" || type == "gauge" || type == "histogram");
      EXPECT_EQ(type == "counter", family.ends_with("_total"));
      last_bucket.clear();
    } else {
      std::smatch match;
      ASSERT_TRUE(std::regex_match(line, match, sample));
      const std::string name = match[1];
      const std::string labels = match[2];
      if (type != "histogram") {
        EXPECT_EQ(name, family);
      } else if (name == family + "_bucket") {
        const size_t le = labels.rfind(",le=");
        ASSERT_NE(le, std::string::npos);
        double& last = last_bucket[labels.substr(0, le)];
        EXPECT_GE(std::stod(match[3]), last);
        last = std::stod(match[3]);
      } else if (name == family + "_count") {
        EXPECT_EQ(std::stod(match[3]), last_bucket.at(labels));
      } else {
        EXPECT_EQ(name, family + "_sum");
      }
    }
  }
  EXPECT_GT(families.size(), 10u);
}

class ObservabilityTest : public ServiceTest {};

// C326. Goal: what went into the gates came out of them, and each thing is counted once, in valid
// text. Method: calls that write, read, throw and abort; the numbers of it.
TEST_F(ObservabilityTest, Metrics) {
  runtime_->Define<Worker>("a \"quoted\\\nname\"");
  for (int i = 0; i < 5; ++i) Get("a").CallBlocking(&Worker::Add, 1);
  ErrorOf([&] { Get("a").CallBlocking(&Worker::Throw); });
  ErrorOf([&] { Get("b").CallBlocking(&Worker::Abort); });
  Get("b").CallBlocking(&Worker::FailTask);
  ExpectValid(runtime_->Metrics());
  const auto expect = [&](const std::string& name, const std::string& more, const char* value) {
    EXPECT_EQ(Metric(name + "{namespace=\"WORKER\"" + more + "}"), value) << name << more;
  };
  expect("tidemark_actor_events_total", "", "8");
  expect("tidemark_actor_input_wait_seconds_count", "", "8");
  expect("tidemark_actor_event_errors_total", "", "2");
  expect("tidemark_actor_starts_total", "", "3");
  expect("tidemark_actor_resets_total", ",reason=\"abort\"", "1");
  expect("tidemark_actor_resets_total", ",reason=\"storage\"", "0");
  expect("tidemark_actor_task_failures_total", "", "1");
  expect("tidemark_actor_commit_seconds_count", "", "5");
  expect("tidemark_actor_durable_seconds_count", "", "5");
  expect("tidemark_actor_output_wait_seconds_count", "", "5");
  expect("tidemark_actor_resident", "", "2");
  expect("tidemark_actor_waiting_calls", "", "0");
  Hibernate();
  expect("tidemark_actor_hibernations_total", ",reason=\"idle\"", "2");
  expect("tidemark_actor_resident", "", "0");
  EXPECT_EQ(Metric("tidemark_actor_events_total{namespace=\"a \\\"quoted\\\\\\nname\\\"\"}"), "0");
}

// Goal: what the store says of itself is there, and what it does not know yet is not.
TEST_F(ObservabilityTest, MetricsOfTheStore) {
  EXPECT_EQ(Metric("tidemark_store_last_drill_ok"), "");
  EXPECT_EQ(Metric("tidemark_store_oldest_verified_restorable_time_seconds"), "");
  EXPECT_EQ(Metric("tidemark_store_commits_total"), "0");
  clock_.Advance(std::chrono::hours(24));
  Get("a").CallBlocking(&Worker::Add, 1);
  ASSERT_TRUE(store_->Checkpoint().ok());
  ASSERT_EQ(store_->Drill(3).value().failures, 0u);
  ExpectValid(runtime_->Metrics());
  const auto seconds = [](Timestamp time) {
    return std::to_string(
        std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count());
  };
  const StoreStats stats = store_->Stats();
  EXPECT_EQ(Metric("tidemark_store_commits_total"), std::to_string(stats.commits));
  EXPECT_EQ(Metric("tidemark_store_drills_total"), std::to_string(stats.drills));
  EXPECT_EQ(Metric("tidemark_store_last_drill_ok"), "1");
  EXPECT_EQ(Metric("tidemark_store_last_drill_seconds"), seconds(stats.health.last_drill));
  EXPECT_EQ(Metric("tidemark_store_oldest_verified_restorable_time_seconds"),
            seconds(stats.health.oldest_verified));
  EXPECT_EQ(Metric("tidemark_store_clock_alarm"), "0");
}

// Goal: buckets are those that a time falls into, and sums are exact.
TEST(PrometheusTest, Histogram) {
  internal::ActorMetrics metrics;
  for (const int64_t time : {-5, 0, 10, 11, 1'000'000, 40'000'001}) {
    metrics.Observe(internal::Timing::kCommit, std::chrono::microseconds(time));
  }
  std::ostringstream out;
  internal::PrometheusWriter writer(out);
  writer.Family("f", "histogram", "Of a test.");
  const internal::ActorMetrics::Sum sum = metrics.Read();
  writer.Sample({{"namespace", "n"}}, sum.timing(internal::Timing::kCommit));
  const std::string text = out.str();
  EXPECT_NE(text.find("f_bucket{namespace=\"n\",le=\"0.00001\"} 3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("f_bucket{namespace=\"n\",le=\"0.000025\"} 4\n"), std::string::npos) << text;
  EXPECT_NE(text.find("f_bucket{namespace=\"n\",le=\"1\"} 5\n"), std::string::npos) << text;
  EXPECT_NE(text.find("f_bucket{namespace=\"n\",le=\"30\"} 5\n"), std::string::npos) << text;
  EXPECT_NE(text.find("f_bucket{namespace=\"n\",le=\"+Inf\"} 6\n"), std::string::npos) << text;
  EXPECT_NE(text.find("f_sum{namespace=\"n\"} 41.000022\n"), std::string::npos) << text;
  EXPECT_NE(text.find("f_count{namespace=\"n\"} 6\n"), std::string::npos) << text;
}

// Goal: counting from many threads loses nothing.
TEST(PrometheusTest, CountsOfManyThreads) {
  internal::ActorMetrics metrics;
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) {
        metrics.Add(internal::Count::kStarts);
        metrics.Observe(internal::Timing::kDurable, std::chrono::microseconds(n));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(metrics.Read().count(internal::Count::kStarts), 12'000u);
  EXPECT_EQ(metrics.Read().timing(internal::Timing::kDurable).count(), 12'000u);
  EXPECT_EQ(metrics.Read().timing(internal::Timing::kDurable).sum_microseconds, 12u * 999 * 500);
}

// Goal: what nobody else hears of is logged, with the actor and its trace. Method: a task that
// throws, an abort, a hibernation; a hook that throws, too.
TEST_F(ObservabilityTest, Log) {
  const TraceId trace{.high = 1, .low = 2};
  {
    const TraceScope scope(trace);
    Get("home").CallBlocking(&Worker::FailTask);
    ErrorOf([&] { Get("home").CallBlocking(&Worker::Abort); });
  }
  const std::vector<Logged> failed = LoggedAs("task_failed");
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0].level, LogLevel::kError);
  EXPECT_EQ(failed[0].namespace_name, "WORKER");
  EXPECT_EQ(failed[0].object_id, workers_->IdFromName("home").object);
  EXPECT_EQ(failed[0].object_name, "home");
  EXPECT_EQ(failed[0].trace, trace);
  EXPECT_EQ(failed[0].message, "nobody waits for this");
  const std::vector<Logged> reset = LoggedAs("reset");
  ASSERT_EQ(reset.size(), 1u);
  EXPECT_EQ(reset[0].message, "enough");
  EXPECT_EQ(reset[0].fields, "reason=abort ");
  EXPECT_EQ(reset[0].trace, trace);
  Get("home").CallBlocking(&Worker::Live);
  Hibernate();
  ASSERT_EQ(LoggedAs("hibernated").size(), 1u);
  EXPECT_EQ(LoggedAs("hibernated")[0].fields, "reason=idle ");

  RuntimeOptions options = Options();
  options.log = [](const LogRecord&) { throw std::runtime_error("the log is full"); };
  Start(options);
  ErrorOf([&] { Get("home").CallBlocking(&Worker::Abort); });
  EXPECT_EQ(Get("home").CallBlocking(&Worker::Live), 1);
}

// C329. Goal: what is no exception that can be shown comes to the caller as an internal error with
// a reference, by which the log tells more.
TEST_F(ObservabilityTest, InternalErrorsHaveAReference) {
  const ActorError error = ErrorOf([&] { Get("home").CallBlocking(&Worker::ThrowNumber); });
  const std::vector<Logged> logged = LoggedAs("unknown_exception");
  ASSERT_EQ(logged.size(), 1u);
  EXPECT_FALSE(logged[0].trace.none());
  EXPECT_EQ(error.what(), "internal error; reference = " + logged[0].trace.ToString());
}

class Stillborn : public Actor {
 public:
  explicit Stillborn(ActorState& ctx) : Actor(ctx) {
    if (ctx.id().name == "number") throw 7;
    throw std::runtime_error("not today");
  }
  void Nothing() {}
};

// Goal: a constructor that throws is logged and counted, whatever it throws, and nothing else is
// reset for it.
TEST_F(ObservabilityTest, ConstructorsThatThrow) {
  const auto stillborn = runtime_->Define<Stillborn>("STILLBORN");
  for (const char* name : {"text", "number", "number"}) {
    EXPECT_TRUE(
        ErrorOf([&] { stillborn.GetByName(name).CallBlocking(&Stillborn::Nothing); }).remote());
  }
  const std::vector<Logged> logged = LoggedAs("constructor_failed");
  ASSERT_EQ(logged.size(), 3u);
  EXPECT_EQ(logged[0].level, LogLevel::kError);
  EXPECT_EQ(logged[0].message, "not today");
  EXPECT_EQ(logged[0].object_name, "text");
  EXPECT_NE(logged[1].message.find("internal error; reference = "), std::string::npos);
  const std::string failures =
      "tidemark_actor_start_failures_total{namespace=\"STILLBORN\",reason=";
  EXPECT_EQ(Metric(failures + "\"constructor\"}"), "3");
  EXPECT_EQ(Metric(failures + "\"open\"}"), "0");
  EXPECT_TRUE(LoggedAs("reset").empty());
}

// Goal: an object that somebody else has open cannot be started, which is logged and counted, and
// may be tried again.
TEST_F(ObservabilityTest, ObjectsThatAreOpenElsewhere) {
  {
    const auto other = ObjectStorage::Open(*store_, "WORKER", "a");
    EXPECT_TRUE(ErrorOf([&] { Get("a").CallBlocking(&Worker::Live); }).retryable());
  }
  EXPECT_EQ(LoggedAs("open_failed").size(), 1u);
  EXPECT_EQ(Metric("tidemark_actor_start_failures_total{namespace=\"WORKER\",reason=\"open\"}"),
            "1");
  EXPECT_EQ(Get("a").CallBlocking(&Worker::Live), 1);
}

// An actor that tells the traces of what it does.
class Tracer : public Actor {
 public:
  using Actor::Actor;
  // Its own, before and behind an await, in a section, in a task, of a callee.
  Task<std::vector<std::string>> Traces(Stub<Worker> other) {
    seen_.push_back(Here());
    seen_.push_back(co_await other.Call(&Worker::Trace));
    seen_.push_back(Here());
    co_await ctx().BlockConcurrencyWhile([&]() -> Task<> {
      seen_.push_back(Here());
      co_return;
    });
    ctx().WaitUntil(Later(other));
    co_return seen_;
  }
  std::vector<std::string> Seen() { return seen_; }

 private:
  std::string Here() { return ctx().trace_id().ToString(); }
  Task<> Later(Stub<Worker> other) {
    seen_.push_back(co_await other.Call(&Worker::Trace));
    seen_.push_back(Here());
  }
  std::vector<std::string> seen_;
};

// Goal: every event has a trace: its caller's, through everything that it awaits, starts and calls;
// one of its own if the caller has none.
TEST_F(ObservabilityTest, Traces) {
  const auto tracers = runtime_->Define<Tracer>("TRACER");
  const auto other = Get("other");
  const TraceId mine = TraceId::New();
  EXPECT_EQ(mine.ToString().size(), 32u);
  Stub<Tracer> stub = tracers.GetByName("a");
  {
    const TraceScope scope(mine);
    stub.CallBlocking(&Tracer::Traces, other);
  }
  EXPECT_TRUE(TraceScope::Current().none());
  std::vector<std::string> seen;
  while (seen.size() < 6) seen = stub.CallBlocking(&Tracer::Seen);
  EXPECT_EQ(seen, std::vector<std::string>(6, mine.ToString()));

  const std::string first = Get("b").CallBlocking(&Worker::Trace);
  const std::string second = Get("b").CallBlocking(&Worker::Trace);
  EXPECT_NE(first, TraceId().ToString());
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace tidemark::testing
