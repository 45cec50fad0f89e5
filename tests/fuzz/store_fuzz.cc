// A store directory with hostile files: opening it, reading all of it, verifying, pruning, packing,
// writing and closing end, with what is there or with errors, whatever the bytes.
//
// An input is a byte for the base (base_stores.h), one of flags (1: without the index, 2: without
// making the hashes right, 4: with the zeros behind the groups, which take long to search), and
// changes: a byte for the file and the change, and what the change takes (log_bytes.h).

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "engine/check.h"
#include "engine/transaction.h"
#include "tests/fuzz/base_stores.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/log_bytes.h"

namespace tidemark::testing {
namespace {

constexpr int kMostChanges = 6;
constexpr int kMostCommits = 300;
constexpr uint32_t kMostPages = 80;

// Memory may not run out for what a few hundred KiB say.
void Ends(const Status& status) { CHECK(status.code() != StatusCode::kOutOfMemory); }

void ReadSnapshot(const Result<Snapshot>& snapshot) {
  Ends(snapshot.status());
  if (!snapshot.ok()) return;
  std::vector<std::byte> page(snapshot->page_size());
  const uint32_t pages = std::min(snapshot->page_count(), kMostPages);
  for (uint32_t number = 1; number <= pages; ++number) {
    Ends(snapshot->ReadPage(PageNo(number), page));
  }
  Ends(snapshot->Verify());
}

void ReadObject(Store& store, const ObjectSummary& summary) {
  const auto opened =
      summary.name.empty()
          ? store.OpenObject(summary.namespace_name, summary.id, IfMissing::kDeleted)
          : store.OpenObject(summary.namespace_name, summary.name, IfMissing::kDeleted);
  Ends(opened.status());
  if (!opened.ok()) return;
  const Object& object = **opened;
  std::vector<CommitInfo> commits;
  Ends(object.History(
      [&](const CommitInfo& commit) {
        commits.push_back(commit);
        return commits.size() < kMostCommits;
      },
      [](const DamagedCommit&) { return true; }));
  for (const CommitInfo& commit : commits) {
    FormatTime(commit.time);
    Ends(object.Resolve(commit.time).status());
    ReadSnapshot(object.OpenSnapshot(object.BookmarkOf(commit)));
    Ends(object.SourceOf(commit).status());
  }
  ReadSnapshot(object.OpenSnapshot());
  const auto labels = object.ListLabels();
  Ends(labels.status());
  if (labels.ok()) {
    for (const LabelInfo& label : *labels) ReadSnapshot(object.OpenSnapshot(Label{label.name}));
  }
  Ends(object.GetRetention().status());
  const auto restores = store.ListRestores(object);
  Ends(restores.status());
  if (!restores.ok()) return;
  for (const RestoreEntry& entry : *restores) Ends(object.PlanRestore(entry.from).status());
}

void ReadAll(Store& store) {
  Ends(store.ListNamespaces().status());
  std::vector<ObjectSummary> objects;
  for (const Listed which : {Listed::kExisting, Listed::kDeleted}) {
    const auto visit = [&](const ObjectSummary& summary) {
      objects.push_back(summary);
      return objects.size() < 100;
    };
    Ends(store.ListObjects("", visit, which));
  }
  for (const ObjectSummary& summary : objects) ReadObject(store, summary);
  Ends(store.ListRetention().status());
  Ends(store.Verify().status());
  store.Stats();
}

void Write(Store& store, const char* name) {
  const auto object = store.OpenObject("rooms", name, IfMissing::kCreate);
  Ends(object.status());
  if (!object.ok()) return;
  Transaction transaction(*object);
  const Status begun = transaction.Begin();
  Ends(begun);
  if (!begun.ok()) return;
  if (transaction.page_size() == 0) Ends(transaction.ResetPageSize(512));
  if (transaction.page_size() == 0) return;
  const std::vector<std::byte> page(transaction.page_size(), std::byte{1});
  Ends(transaction.WritePage(PageNo(1), page));
  Ends(transaction.Commit().status());
}

void Change(SimStore& sim, Store& store) {
  for (const char* name : {"lobby", "attic", "new"}) Write(store, name);
  Ends(store.PlanPrune([](const ExpiringObject&) { return true; }));
  sim.clock().Advance(std::chrono::hours(3));
  Ends(store.Prune());
  Ends(sim.Reclaim(ReclaimWhat::kEverything));
  Ends(sim.RunRetention());
  Ends(sim.Checkpoint());
}

void Use(SimStore& sim) {
  for (int time = 0; time < 2; ++time) {
    const Status opened = sim.Open();
    Ends(opened);
    if (!opened.ok()) return;
    ReadAll(sim.store());
    if (time == 0) Change(sim, sim.store());
    if (time == 0) ReadAll(sim.store());
    Ends(sim.Close());
  }
}

void Run(FuzzInput& input) {
  const auto& bases = BaseStores();
  const BaseStore& base = bases[input.Byte() % bases.size()];
  const uint8_t flags = input.Byte();
  SimStore::Machine machine = base.machine;
  if ((flags & 1) != 0) machine.index = nullptr;
  SimStore sim(1, machine);
  std::map<std::string, LogBytes> files;
  for (const std::string& path : base.paths) files.emplace(path, sim.fs().Contents(path));
  std::map<std::string, bool> changed;
  for (int i = 0; i < kMostChanges && input.remaining() > 0; ++i) {
    const uint8_t what = input.Byte();
    const std::string& path = base.paths[what % base.paths.size()];
    const std::string& other = base.paths[what / 4 % base.paths.size()];
    if (what >= 0xf8) {
      Ends(sim.fs().Remove(path));
      changed.erase(path);
      break;
    }
    if (what >= 0xf0) {
      files.at(path) = files.at(other);
    } else {
      files.at(path).Change(input, files.at(other));
    }
    changed[path] = true;
  }
  for (const auto& [path, is_changed] : changed) {
    LogBytes& file = files.at(path);
    if ((flags & 2) == 0) file.FixHashes();
    const auto opened = sim.fs().Open(path, OpenMode::kReadWrite);
    CHECK(opened.ok());
    const uint64_t size = (*opened)->SizeBytes().value();
    const uint64_t end = file.bytes().size();
    CHECK((*opened)->Truncate(0).ok());
    CHECK((*opened)->WriteAt(0, file.bytes()).ok());
    CHECK((*opened)->Truncate((flags & 4) == 0 ? end : std::max(size, end)).ok());
  }
  Use(sim);
}

}  // namespace
}  // namespace tidemark::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidemark::testing::FuzzInput input(data, size);
  tidemark::testing::Run(input);
  return 0;
}
