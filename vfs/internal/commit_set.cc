// Transactions over several objects, see commit_set.h.

#include "vfs/internal/commit_set.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "vfs/internal/main_file.h"

namespace tidemark::internal {
namespace {

// The sets of transactions that are being committed, by super-journal.
struct SetTable {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<CommitSet>, std::less<>> sets;
};

SetTable& Sets() {
  static auto* table = new SetTable;
  return *table;
}

}  // namespace

std::shared_ptr<CommitSet> CommitSet::Of(std::string_view super_journal) {
  SetTable& table = Sets();
  std::lock_guard lock(table.mutex);
  if (const auto known = table.sets.find(super_journal); known != table.sets.end()) {
    return known->second;
  }
  auto set = std::make_shared<CommitSet>(super_journal);
  table.sets.emplace(super_journal, set);
  return set;
}

std::shared_ptr<CommitSet> CommitSet::Find(std::string_view super_journal) {
  SetTable& table = Sets();
  std::lock_guard lock(table.mutex);
  const auto it = table.sets.find(super_journal);
  return it == table.sets.end() ? nullptr : it->second;
}

Status CommitSet::Prepare(MainFile* file) {
  const auto of_store = [&](const auto& part) { return part->store == &file->store(); };
  auto it = std::find_if(parts_.begin(), parts_.end(), of_store);
  if (it == parts_.end()) {
    it = parts_.insert(parts_.end(), std::make_unique<Part>());
    (*it)->store = &file->store();
  }
  Part& part = **it;
  if (std::find(part.files.begin(), part.files.end(), file) == part.files.end()) {
    part.files.push_back(file);
    file->Joined(shared_from_this());
  }
  const Status status = part.transactions.Prepare(&file->transaction(), &file->pre_images());
  if (!status.ok()) Clear();
  return status;
}

Status CommitSet::Publish() {
  const std::shared_ptr<CommitSet> self = shared_from_this();
  Status status;
  for (const auto& part : parts_) {
    const Status published = PublishPart(*part);
    for (MainFile* file : part->files) {
      if (!published.ok()) file->errors().Record(published, FileOperation::kPublish, false);
    }
    if (status.ok()) status = published;
  }
  Clear();
  return status;
}

Status CommitSet::PublishPart(Part& part) {
  const bool waits = std::any_of(part.files.begin(), part.files.end(),
                                 [](const MainFile* file) { return file->waits_for_durability(); });
  TIDEMARK_ASSIGN_OR_RETURN(const Lsn last,
                            part.transactions.Publish(waits ? Transaction::AfterPublish::kWait
                                                            : Transaction::AfterPublish::kGoOn));
  for (MainFile* file : part.files) file->NotePublished();
  return waits && last.valid() ? part.store->WaitDurable(last) : OkStatus();
}

void CommitSet::Remove(MainFile* file) noexcept {
  const std::shared_ptr<CommitSet> self = shared_from_this();
  for (const auto& part : parts_) std::erase(part->files, file);
  // The others cannot commit without it: SQLite is rolling back, or prepares them again.
  Clear();
}

void CommitSet::Clear() noexcept {
  for (const auto& part : parts_) {
    part->transactions.Clear();
    for (MainFile* file : part->files) file->Left();
  }
  parts_.clear();
  SetTable& table = Sets();
  std::lock_guard lock(table.mutex);
  const auto it = table.sets.find(super_journal_);
  if (it != table.sets.end() && it->second.get() == this) table.sets.erase(it);
}

}  // namespace tidemark::internal
