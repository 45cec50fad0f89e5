#include "tests/fuzz/base_stores.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "engine/check.h"
#include "engine/transaction.h"
#include "tests/fuzz/log_bytes.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {
namespace {

using ObjectPtr = std::shared_ptr<Object>;

constexpr uint64_t kSeed = 9;
constexpr uint32_t kPageSize = 512;

void Must(const Status& status) {
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  CHECK(status.ok());
}
template <typename T>
T Must(Result<T> result) {
  Must(result.status());
  return *std::move(result);
}

ObjectPtr Open(SimStore& sim, const char* name) {
  return Must(sim.store().OpenObject("rooms", name, IfMissing::kCreate));
}

// A commit of `count` pages from `first` on, which differ in a few bytes from those before.
CommitInfo Commit(SimStore& sim, const ObjectPtr& object, uint32_t first, uint32_t count,
                  uint64_t value, uint32_t page_size = kPageSize) {
  sim.clock().Advance(std::chrono::minutes(10));
  Transaction transaction(object);
  Must(transaction.Begin());
  if (transaction.page_size() != page_size) Must(transaction.ResetPageSize(page_size));
  for (uint32_t number = first; number < first + count; ++number) {
    Random random(number);
    std::vector<std::byte> page(page_size);
    for (size_t i = 0; i < page_size / 2; ++i) page[i] = static_cast<std::byte>(random.Next());
    page[value % page_size] = static_cast<std::byte>(value);
    page[100] = static_cast<std::byte>(value);
    Must(transaction.WritePage(PageNo(number), page));
  }
  if (value % 4 == 1) transaction.SetAlarm(sim.clock().Now());
  return Must(transaction.Commit());
}

// Everything that the log has a record for.
void Live(SimStore& sim) {
  const ObjectPtr lobby = Open(sim, "lobby");
  CommitInfo early;
  for (uint32_t i = 0; i < 12; ++i) {
    const CommitInfo commit = Commit(sim, lobby, 1 + i % 3, 2, i);
    if (i == 3) early = commit;
  }
  Must(lobby->SetLabel("kept", lobby->BookmarkOf(early)));
  Must(lobby->Restore(lobby->BookmarkOf(early)));
  Commit(sim, lobby, 2, 1, 77);
  Commit(sim, Open(sim, "large"), 1, 60, 5);  // in batches
  Must(sim.store().Fork(*lobby, Label{"kept"}, "forks", "twin").status());
  const ObjectPtr twin = Must(sim.store().OpenObject("forks", "twin", IfMissing::kFail));
  Commit(sim, twin, 1, 1, 88);
  Must(lobby->Promote(*twin, IfNewer::kReplace));
  const ObjectPtr attic = Open(sim, "attic");
  Commit(sim, attic, 1, 2, 1);
  Must(attic->Delete());
  Must(attic->Undelete());
  Commit(sim, attic, 1, 1, 2, 2 * kPageSize);  // another page size
  Commit(sim, Open(sim, "gone"), 1, 1, 3);
  Must(Open(sim, "gone")->Delete());
  Must(attic->ScheduleRestore(*lobby, early));
  Must(attic->BeginSession());
  Must(lobby->ScheduleRestore(Label{"kept"}));
  Must(lobby->CancelScheduledRestore());
  Must(twin->ScheduleRestore(twin->BookmarkOf(twin->head())));  // waits
  Must(attic->SetHold("a reason"));
  Must(sim.store().SetRetention(RetentionScope("forks"), {.window = std::chrono::hours(24)}));
  Must(sim.store().SetRetention(RetentionScope(), {.window = std::chrono::hours(1)}));
  Must(lobby->SetLabel("other", lobby->BookmarkOf(lobby->head())));
  Must(lobby->RemoveLabel("other"));
  Must(sim.store().Sync());
}

void LiveOn(SimStore& sim) {
  for (uint32_t i = 0; i < 6; ++i) Commit(sim, Open(sim, "lobby"), 1 + i % 3, 2, 100 + i);
  const ObjectPtr lobby = Open(sim, "lobby");
  Must(lobby->Restore(Label{"kept"}));
  Commit(sim, Open(sim, "large"), 20, 50, 6);
  Must(sim.store().Purge("rooms", "gone").status());
  Commit(sim, Open(sim, "late"), 1, 2, 7);
  Must(sim.store().Sync());
}

void Expire(SimStore& sim) {
  sim.clock().Advance(std::chrono::hours(2));
  Must(sim.store().Prune());
}

BaseStore End(SimStore& sim, bool closed) {
  if (closed) {
    Must(sim.Close());
  } else {
    sim.Crash(PowerLoss::kNothing);
  }
  BaseStore base;
  base.machine = sim.Save();
  base.machine.older_indexes.clear();
  for (const std::string& name : Must(sim.fs().ListDirectory("store/log"))) {
    base.paths.push_back("store/log/" + name);
  }
  std::sort(base.paths.begin(), base.paths.end());
  return base;
}

BaseStore Make(int packed, bool closed) {
  SimStore sim(kSeed);
  sim.options().transaction_memory_bytes = 8u << 10;
  Must(sim.Open());
  Live(sim);
  if (packed > 0) {
    Expire(sim);
    Must(sim.Reclaim(ReclaimWhat::kEverything));
  }
  if (packed > 1) {  // one packed segment, one to be packed behind it
    LiveOn(sim);
    Expire(sim);
    Must(sim.Checkpoint());
    Commit(sim, Open(sim, "lobby"), 1, 3, 99);
    Must(sim.store().Sync());
  }
  return End(sim, closed);
}

}  // namespace

const std::vector<BaseStore>& BaseStores() {
  static const std::vector<BaseStore> stores = [] {
    std::vector<BaseStore> made;
    for (int packed = 0; packed < 3; ++packed) {
      made.push_back(Make(packed, false));
      made.push_back(Make(packed, true));
    }
    return made;
  }();
  return stores;
}

}  // namespace tidemark::testing
