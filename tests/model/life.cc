#include "tests/model/life.h"

#include <gtest/gtest.h>

#include "engine/internal/retention_worker.h"
#include "tests/support/dictionaries.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {
namespace {

constexpr int kLook = 100;  // for dictionaries, every so many steps

}  // namespace

Life::Life(uint64_t seed, const StoreModel::Limits& limits)
    : model_(seed, limits), sim_(seed), random_(model_.random()) {
  sim_.options().max_chain_length = static_cast<uint32_t>(random_.Between(1, 126));
  sim_.options().packing_backlog_bytes = 4u << 20;
  if (random_.OneIn(3)) sim_.options().page_cache_bytes = 256u << 10;
  if (random_.OneIn(2)) sim_.use_dictionaries_early();
  if (random_.OneIn(2)) sim_.take_reads_for_many();
}

void Life::Live(int steps) {
  ASSERT_OK(sim_.Open());
  for (int step = 0; step < steps; ++step) {
    SCOPED_TRACE(::testing::Message() << "step " << step);
    sim_.clock().Advance(std::chrono::milliseconds(random_.Below(2000)));
    const Status status = Step();
    if (sim_.is_open()) {
      auto& worker = internal::StorePeer::Impl(sim_.store()).retention_worker();
      was_packed_for_reads_ |= worker.report().read_passes > 0;
    }
    if (sim_.fs().crashed()) {
      ASSERT_NO_FATAL_FAILURE(Recover());
    } else {
      ASSERT_OK(status);
    }
    if (::testing::Test::HasFailure()) return;
    if (step % kLook == 0) has_dictionary_ |= !FindDictionaries(sim_.fs()).empty();
  }
  sim_.fs().CrashAt(kNever);
  model_.CheckHeld();
  model_.CheckHistory(sim_.store());
  ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
  for (const Damage& damage : report.damage) ADD_FAILURE() << damage.object << damage.message;
  model_.DropHeld();
  EXPECT_OK(sim_.Close());
}

Status Life::Step() {
  Store& store = sim_.store();
  switch (random_.Below(50)) {
    case 0: return model_.Restore(store);
    case 1: return sim_.Checkpoint();
    case 2: return store.PrepareSegment();
    case 3:
    case 4:
    case 5: return model_.Sync(store);
    case 6: model_.Check(store, StoreModel::After::kWork); return OkStatus();
    case 7: return random_.OneIn(4) ? Reopen() : OkStatus();
    case 8:
      // From here on it is a matter of operations until the power fails, wherever that is.
      if (random_.OneIn(2)) sim_.fs().CrashAt(random_.Between(1, 30));
      return OkStatus();
    case 9: {
      const bool commit = random_.OneIn(2);
      return model_.TransactLarge(
          store, random_.Between(50, 300),
          commit ? StoreModel::Ending::kCommit : StoreModel::Ending::kRollback);
    }
    case 10:
    case 11: model_.LookBack(store); return OkStatus();
    case 12: model_.HoldSnapshot(store); return OkStatus();
    case 13: model_.CheckHeld(); return OkStatus();
    case 14: return model_.Fork(store);
    case 15: return model_.Promote(store);
    case 16: return model_.Delete(store);
    case 17: return model_.Undelete(store);
    case 18:
    case 19: return model_.ChangeLabel(store);
    case 20: return model_.ChangeRetention(store);
    case 25: return model_.Schedule(store);
    case 26: return model_.BeginSession(store);
    case 21: sim_.clock().Advance(std::chrono::minutes(random_.Below(300))); return OkStatus();
    case 22: return sim_.Reclaim(reclaims_);
    case 24: return random_.OneIn(6) ? model_.Purge(store, purge_) : OkStatus();
    case 23: return model_.RunRetention(store, [this] { return sim_.RunRetention(); });
    default: return model_.Transact(store, random_.OneIn(10) ? 300 : 12);
  }
}

Status Life::Reopen() {
  model_.DropHeld();
  TIDEMARK_RETURN_IF_ERROR(sim_.Close());
  TIDEMARK_RETURN_IF_ERROR(sim_.Open());
  model_.Check(sim_.store(), StoreModel::After::kReopen);
  ++reopenings_;
  return OkStatus();
}

void Life::Recover() {
  ++crashes_;
  model_.DropHeld();
  Status status;
  do {
    sim_.Crash(static_cast<PowerLoss>(random_.Below(3)));
    if (random_.OneIn(3)) sim_.fs().CrashAt(random_.Between(1, 12));
    status = sim_.Open();
  } while (sim_.fs().crashed());
  ASSERT_OK(status);
  sim_.fs().CrashAt(kNever);  // not during the check
  ASSERT_OK(model_.EndPurge(sim_.store(), purge_));
  model_.Check(sim_.store(), StoreModel::After::kCrash);
}

}  // namespace tidemark::testing
