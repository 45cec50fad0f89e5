#include "tests/crash/kill_work.h"

#include <algorithm>
#include <cstring>

#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

constexpr uint32_t kMaxPages = 100;  // of a database, so that a check stays cheap

// splitmix64: made anew for every page, so it must be cheap to make.
class Bytes {
 public:
  explicit Bytes(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  void Fill(std::span<std::byte> out) {
    while (!out.empty()) {
      const uint64_t word = Next();
      const size_t size = std::min(sizeof word, out.size());
      std::memcpy(out.data(), &word, size);
      out = out.subspan(size);
    }
  }

 private:
  uint64_t state_;
};

}  // namespace

StoreOptions WorkOptions(std::chrono::seconds retention) {
  StoreOptions options;
  options.create_if_missing = true;
  options.segment_size_bytes = 1u << 20;
  options.checkpoint_log_bytes = 256u << 10;
  options.transaction_memory_bytes = 64u << 10;
  options.flush_delay = std::chrono::microseconds(200);
  options.max_chain_length = 8;
  options.retention = retention;
  return options;
}

std::string WorkObjectName(uint32_t object) { return "object-" + std::to_string(object); }
std::string LabelName(uint64_t stamp) { return "label-" + std::to_string(stamp); }
std::string ForkName(uint64_t stamp) { return "fork-" + std::to_string(stamp); }

WorkPlan PlanWork(uint32_t object, const Stamp& stamp, uint32_t page_count) {
  Random random(stamp.Pack() * kObjectCount + object);
  WorkPlan plan;
  if (page_count > 1 && random.OneIn(10)) {
    plan.truncate_to = static_cast<uint32_t>(1 + random.Below(page_count));
    page_count = plan.truncate_to;
  }
  plan.pages.push_back(1);
  // One in 15 is several times as large as transaction_memory_bytes.
  const bool large = random.OneIn(15);
  const uint64_t writes = large ? random.Between(40, 90) : random.Below(5);
  for (uint64_t i = 0; i < writes; ++i) {
    // Pages that are there, or one beyond the end, at times with a hole before it.
    const uint64_t reach = large ? kMaxPages : std::min(kMaxPages, page_count + 3);
    plan.pages.push_back(static_cast<uint32_t>(1 + random.Below(reach)));
    page_count = std::max(page_count, plan.pages.back());
  }
  return plan;
}

PageStamps StampsAfter(const WorkPlan& plan, const Stamp& stamp, PageStamps stamps) {
  if (plan.truncate_to != 0) stamps.resize(plan.truncate_to);
  for (const uint32_t page_no : plan.pages) {
    if (stamps.size() < page_no) stamps.resize(page_no);
    stamps[page_no - 1] = stamp.Pack();
  }
  return stamps;
}

std::vector<std::byte> PageOf(uint32_t object, uint64_t stamp, uint32_t page_no) {
  std::vector<std::byte> page(kWorkPageSize);
  if (stamp == 0) return page;
  // Bytes that stay and a range that changes, for patches; or nothing but new bytes.
  const uint64_t place = uint64_t{object} << 32 | page_no;
  Bytes changing(stamp * 0x2545f4914f6cdd1d ^ place);
  const bool all = changing.Next() % 4 == 0;
  Bytes staying(place);
  staying.Fill(page);
  changing.Fill(std::span(page).subspan(64, all ? page.size() - 64 : 40));
  std::memcpy(page.data(), &stamp, sizeof stamp);
  std::memcpy(page.data() + sizeof stamp, &place, sizeof place);
  return page;
}

Result<CommitInfo> CommitWork(Store& store, uint32_t object, const Stamp& stamp) {
  TIDEMARK_ASSIGN_OR_RETURN(
      auto handle, store.OpenObject(kWorkNamespace, WorkObjectName(object), IfMissing::kCreate));
  Transaction transaction(handle);
  TIDEMARK_RETURN_IF_ERROR(transaction.Begin());
  TIDEMARK_RETURN_IF_ERROR(transaction.ResetPageSize(kWorkPageSize));
  const WorkPlan plan = PlanWork(object, stamp, transaction.page_count());
  if (plan.truncate_to != 0) {
    TIDEMARK_RETURN_IF_ERROR(transaction.SetPageCount(plan.truncate_to));
  }
  for (const uint32_t page_no : plan.pages) {
    TIDEMARK_RETURN_IF_ERROR(
        transaction.WritePage(PageNo(page_no), PageOf(object, stamp.Pack(), page_no)));
  }
  return transaction.Commit();
}

Report ReportOf(Report::Kind kind, uint32_t object, const Stamp& stamp, const CommitInfo& commit) {
  return {.kind = kind,
          .object = object,
          .stamp = stamp.Pack(),
          .lsn = commit.lsn.value,
          .restored_from = commit.restored_from.value,
          .time = commit.time.time_since_epoch().count(),
          .epoch = commit.epoch};
}

Result<ReclaimReport> PruneAndPack(Store& store, Random& random) {
  if (random.OneIn(4)) {
    const std::string name = WorkObjectName(static_cast<uint32_t>(random.Below(kObjectCount)));
    TIDEMARK_ASSIGN_OR_RETURN(const auto object,
                              store.OpenObject(kWorkNamespace, name, IfMissing::kCreate));
    const Status held = random.OneIn(2) ? object->SetHold("at work") : object->ReleaseHold();
    if (held.code() != StatusCode::kNotFound) TIDEMARK_RETURN_IF_ERROR(held);
  }
  TIDEMARK_RETURN_IF_ERROR(store.Prune());
  return store.Reclaim(random.OneIn(3) ? ReclaimWhat::kWhatPays : ReclaimWhat::kEverything);
}

}  // namespace tidemark::testing
