#include "tests/support/sim_store.h"

#include <filesystem>

namespace tidemark::testing {
namespace {

constexpr char kDirectory[] = "store";

}  // namespace

SimStore::SimStore(uint64_t seed) : fs_(seed), random_(seed + 1) {
  options_.create_if_missing = true;
  options_.segment_size_bytes = 1u << 20;
  options_.transaction_memory_bytes = 64u << 10;
  options_.background_work = BackgroundWork::kManual;
  options_.file_system = &fs_;
  options_.clock = &clock_;
  options_.index_directory = index_.path();
}

Status SimStore::Open() {
  TIDEMARK_ASSIGN_OR_RETURN(store_, Store::Open(kDirectory, options_));
  return OkStatus();
}

Status SimStore::Close() {
  const Status status = store_->Close();
  store_.reset();
  return status;
}

Status SimStore::Checkpoint() {
  KeepIndex();
  return store_->Checkpoint();
}

// Safe while the index is open: nothing writes to it between two calls of a manual store.
void SimStore::KeepIndex() {
  namespace files = std::filesystem;
  if (!files::exists(index_ / "data.mdb")) return;
  files::copy_file(index_ / "data.mdb", index_before_ / "data.mdb",
                   files::copy_options::overwrite_existing);
}

void SimStore::Crash(PowerLoss loss) {
  namespace files = std::filesystem;
  fs_.Crash();
  store_.reset();
  fs_.Restart(loss);
  // A store that never reached the disk has no index either.
  if (!fs_.Exists(std::string(kDirectory) + "/log").value()) {
    files::remove(index_ / "data.mdb");
    files::remove(index_before_ / "data.mdb");
    return;
  }
  if (loss == PowerLoss::kNothing || !random_.OneIn(2)) return;
  if (!files::exists(index_before_ / "data.mdb")) return;
  files::copy_file(index_before_ / "data.mdb", index_ / "data.mdb",
                   files::copy_options::overwrite_existing);
  files::remove(index_ / "lock.mdb");
}

}  // namespace tidemark::testing
