// Two points of an object of 1 GB that differ in 1,000 rows: which rows do, with their values.
//
//   diff/written   as the commits left it, indexed
//   diff/packed    when all of it was packed, and the store opened again
//
// Rows of 200 random bytes; those that change are spread over all of the table, and are changed by
// one commit. Figures, medians of five: `diff_ms` from two points to the last row that differs;
// `pages_ms`, of it, which pages may differ. The system's cache is warm.

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/registry.h"
#include "bench/workload.h"
#include "vfs/row_diff.h"

namespace tidemark::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int64_t kRowBytes = 200;
constexpr int64_t kTimes = 5;
constexpr char kName[] = "large";

// Made when first used, and kept for all rounds.
class DiffObject {
 public:
  enum class Form { kWritten, kPacked };
  DiffObject(const Settings& settings, Form form)
      : settings_(settings),
        form_(form),
        rows_(settings.Scaled(1'000'000'000, 200'000'000, 800'000) / kRowBytes),
        changed_(std::min<int64_t>(1000, rows_ / 4)) {}

  std::shared_ptr<Object> Open() {
    if (bed_ == nullptr) Make();
    return Require(bed_->store()->OpenObject("bench", kName, IfMissing::kFail),
                   "opening the object");
  }

  const Bookmark& before() const { return before_; }
  const Bookmark& after() const { return after_; }
  int64_t rows() const { return rows_; }
  int64_t changed() const { return changed_; }

 private:
  void Make() {
    bed_ = std::make_unique<Bed>(settings_, Mode::kTidemarkNormal);
    {
      Connection connection = bed_->Open(kName);
      connection.Exec("create table t(k integer primary key, v blob)");
      connection.Exec("with recursive n(k) as (select 1 union all select k+1 from n where k<" +
                      std::to_string(rows_) + ") insert into t select k, randomblob(" +
                      std::to_string(kRowBytes) + ") from n");
    }
    before_ = CurrentBookmark();
    bed_->Open(kName).Exec("update t set v=randomblob(" + std::to_string(kRowBytes) +
                           ") where k in (with recursive n(i) as (select 0 union all select i+1 "
                           "from n where i<" +
                           std::to_string(changed_ - 1) + ") select 1+i*" +
                           std::to_string(rows_ / changed_) + " from n)");
    bed_->Sync();
    after_ = CurrentBookmark();
    Require(bed_->store()->Checkpoint(), "checkpoint");
    if (form_ == Form::kWritten) return;
    Require(bed_->store()->Reclaim(ReclaimWhat::kEverything), "packing");
    bed_->Reopen();
  }

  Bookmark CurrentBookmark() {
    const auto object =
        Require(bed_->store()->OpenObject("bench", kName, IfMissing::kFail), "opening the object");
    return Require(object->CurrentBookmark(), "a bookmark");
  }

  const Settings settings_;
  const Form form_;
  const int64_t rows_;
  const int64_t changed_;
  std::unique_ptr<Bed> bed_;
  Bookmark before_{}, after_{};
};

double MillisecondsOf(const std::function<void()>& work) {
  const auto start = SteadyClock::now();
  work();
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count();
}

void Diff(benchmark::State& state, DiffObject& made) {
  const std::shared_ptr<Object> object = made.Open();
  const auto snapshot = [&](const Bookmark& at) {
    return Require(object->OpenSnapshot(at), "opening a snapshot");
  };
  std::vector<double> diff_ms, pages_ms;
  for (auto _ : state) {
    for (int64_t i = 0; i < kTimes; ++i) {
      int64_t pages = 0;
      pages_ms.push_back(MillisecondsOf([&] {
        Require(snapshot(made.before())
                    .VisitChangedPages(snapshot(made.after()), [&](PageNo) { return ++pages > 0; }),
                "comparing pages");
      }));
      int64_t rows = 0;
      diff_ms.push_back(MillisecondsOf([&] {
        RowDiff diff =
            Require(RowDiff::Open(snapshot(made.before()), snapshot(made.after())), "comparing");
        for (const DiffTable& table : diff.tables()) {
          Require(diff.VisitRows(table, [&](const RowChange&) { return ++rows > 0; }),
                  "comparing rows");
        }
      }));
      if (rows != made.changed()) Fail("comparing rows", "it did not find all that differ");
      state.counters["pages"] = static_cast<double>(pages);
    }
  }
  state.counters["diff_ms"] = Percentile(diff_ms, 0.5);
  state.counters["pages_ms"] = Percentile(pages_ms, 0.5);
  state.counters["MB"] = static_cast<double>(made.rows() * kRowBytes) / 1e6;
}

}  // namespace

void RegisterDiffBenchmarks(const Settings& settings) {
  const auto written = std::make_shared<DiffObject>(settings, DiffObject::Form::kWritten);
  const auto packed = std::make_shared<DiffObject>(settings, DiffObject::Form::kPacked);
  Register("diff/written", 1, [=](benchmark::State& state) { Diff(state, *written); });
  Register("diff/packed", 1, [=](benchmark::State& state) { Diff(state, *packed); });
}

}  // namespace tidemark::bench
