#include "tests/support/sim_store.h"

#include <filesystem>
#include <fstream>
#include <utility>

#include "engine/check.h"
#include "tests/support/dictionaries.h"
#include "tests/support/often_read.h"

namespace tidemark::testing {
namespace {

constexpr char kDirectory[] = "store";
constexpr size_t kMostOlderIndexes = 8;  // a long life has hundreds

}  // namespace

SimStore::SimStore(uint64_t seed) : SimStore(seed, Machine()) {}

SimStore::SimStore(uint64_t seed, const Machine& machine)
    : fs_(seed, machine.disk),
      clock_(machine.time),
      random_(seed + 1),
      older_indexes_(machine.older_indexes) {
  options_.create_if_missing = true;
  options_.segment_size_bytes = 1u << 20;
  options_.transaction_memory_bytes = 64u << 10;
  options_.page_cache_bytes = 0;  // what is read is what stands in the files
  options_.background_work = BackgroundWork::kManual;
  options_.check_index = true;  // whatever the tests do, the index is one that LMDB can have made
  options_.file_system = &fs_;
  options_.clock = &clock_;
  options_.index_directory = index_.path();
  SetIndex(machine.index);
}

Status SimStore::Open() {
  TIDEMARK_ASSIGN_OR_RETURN(store_, Store::Open(kDirectory, options_));
  if (dictionaries_early_) UseDictionariesEarly(*store_);
  if (reads_are_many_) TakeReadsForMany(*store_);
  return OkStatus();
}

Status SimStore::Close() {
  KeepIndex();
  const Status status = store_->Close();
  store_.reset();
  return status;
}

Status SimStore::Checkpoint() {
  TIDEMARK_RETURN_IF_ERROR(store_->Sync());
  KeepIndex();
  bool now = false;
  TIDEMARK_RETURN_IF_ERROR(fs_.CountOutside("commit to the index", &now));
  if (!now) return store_->Checkpoint();
  if (random_.OneIn(2)) TIDEMARK_RETURN_IF_ERROR(store_->Checkpoint());
  fs_.Crash();
  return Status(StatusCode::kIoError, "the power failed during a checkpoint");
}

Status SimStore::Reclaim(ReclaimWhat what) {
  TIDEMARK_RETURN_IF_ERROR(store_->Sync());
  older_indexes_.clear();
  return store_->Reclaim(what).status();
}

Status SimStore::Purge(std::string_view namespace_name, std::string_view name) {
  TIDEMARK_RETURN_IF_ERROR(store_->Sync());
  older_indexes_.clear();
  return store_->Purge(namespace_name, name).status();
}

Status SimStore::RunRetention() {
  TIDEMARK_RETURN_IF_ERROR(store_->Sync());
  const std::string log = std::string(kDirectory) + "/log";
  TIDEMARK_ASSIGN_OR_RETURN(const auto files, fs_.ListDirectory(log));
  auto older_indexes = std::exchange(older_indexes_, {});
  TIDEMARK_RETURN_IF_ERROR(store_->RunRetention());
  TIDEMARK_ASSIGN_OR_RETURN(const auto files_now, fs_.ListDirectory(log));
  if (files_now == files) older_indexes_ = std::move(older_indexes);
  return OkStatus();
}

SimStore::IndexState SimStore::ReadIndex() const {
  std::ifstream in(index_ / "data.mdb", std::ios::binary | std::ios::ate);
  if (!in) return nullptr;
  auto state = std::make_shared<std::string>(static_cast<size_t>(in.tellg()), '\0');
  in.seekg(0);
  in.read(state->data(), static_cast<std::streamsize>(state->size()));
  CHECK(in.good());
  return state;
}

void SimStore::SetIndex(const IndexState& state) {
  std::filesystem::remove(index_ / "lock.mdb");
  std::filesystem::remove(index_ / "WRITTEN");
  std::filesystem::remove(index_ / "data.mdb");
  if (state == nullptr) return;
  std::ofstream out(index_ / "data.mdb", std::ios::binary);
  out.write(state->data(), static_cast<std::streamsize>(state->size()));
  out.close();
  CHECK(out.good());
}

// Safe while the index is open: nothing writes to it between two calls of a manual store.
void SimStore::KeepIndex() {
  if (options_.background_work != BackgroundWork::kManual) return;
  IndexState state = ReadIndex();
  if (state == nullptr) return;
  if (older_indexes_.size() == kMostOlderIndexes) {
    older_indexes_.erase(older_indexes_.begin() +
                         static_cast<ptrdiff_t>(random_.Below(kMostOlderIndexes)));
  }
  older_indexes_.push_back(std::move(state));
}

void SimStore::Crash(PowerLoss loss) {
  fs_.Crash();
  store_.reset();
  fs_.Restart(loss);
  // A store that never reached the disk has no index either.
  if (!fs_.Exists(std::string(kDirectory) + "/log").value()) {
    older_indexes_.clear();
    SetIndex(nullptr);
    return;
  }
  if (loss == PowerLoss::kNothing) return;
  const size_t choice = random_.Below(older_indexes_.size() + 3);
  if (choice < older_indexes_.size()) {
    SetIndex(older_indexes_[choice]);
  } else if (choice == older_indexes_.size()) {
    SetIndex(nullptr);
  }
}

SimStore::Machine SimStore::Save() const {
  CHECK(store_ == nullptr);
  return {.disk = fs_.Save(),
          .index = ReadIndex(),
          .older_indexes = older_indexes_,
          .time = clock_.Now()};
}

}  // namespace tidemark::testing
