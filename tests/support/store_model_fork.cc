// StoreModel's work between objects: forks and promotes; and deletions and purges.

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "tests/support/status_matchers.h"
#include "tests/support/store_model.h"

namespace tidemark::testing {
namespace {

// What a call must be refused with, unless the machine stopped.
Status Refused(const Status& status, StatusCode code) {
  if (status.code() == StatusCode::kBroken || status.code() == StatusCode::kIoError) return status;
  EXPECT_EQ(status.code(), code) << status.ToString();
  return OkStatus();
}

}  // namespace

void StoreModel::Done(ObjectModel& model, Version next, const CommitInfo& commit) {
  model.under_way.reset();
  CheckNew(commit.lsn);
  EXPECT_EQ(commit.page_count, next.pages.size());
  EXPECT_EQ(commit.alarm, next.commit.alarm);
  if (commit.kind != CommitKind::kPromote) next.promoted.clear();
  next.commit = commit;
  model.versions.push_back(std::move(next));
  model.most_pages = std::max(model.most_pages, model.versions.back().pages.size());
  confirmed_ = std::max(confirmed_, commit.lsn);
}

Status StoreModel::Fork(Store& store) {
  std::string source_name;
  const ObjectModel& source = RandomObject(&source_name);
  if (source.versions.empty()) return OkStatus();
  const Version version =
      random_.OneIn(2) ? *source.head() : source.versions[random_.Below(source.versions.size())];
  const bool past = version.commit.lsn != source.head()->commit.lsn;
  const bool of_fork = !source.origin.empty();
  TIDEMARK_ASSIGN_OR_RETURN(const auto from, Open(store, source_name, IfMissing::kDeleted));
  const Bookmark at = from->BookmarkOf(version.commit);

  const std::string name = "fork-" + std::to_string(random_.Below(limits_.forks));
  TIDEMARK_ASSIGN_OR_RETURN(const auto handle, Open(store, name, IfMissing::kCreate));
  ObjectModel& target = objects_[name];
  if (target.head() != nullptr ||
      (version.deleted() && IsKept(source_name, source, version.commit.lsn))) {
    const bool exists = target.head() != nullptr;
    return Refused(store.Fork(*from, at, handle->namespace_name(), name).status(),
                   exists ? StatusCode::kExists : StatusCode::kNotFound);
  }
  if (!IsKept(source_name, source, version.commit.lsn)) {
    return Expired(store.Fork(*from, at, handle->namespace_name(), name).status());
  }
  Version next = version;
  const RestoreOptions options = RandomOptions(Alarms::kClear, next);
  target.under_way = next;
  target.origin = source_name;
  target.origin_lsn = version.commit.lsn;
  TIDEMARK_ASSIGN_OR_RETURN(const auto fork,
                            store.Fork(*from, at, handle->namespace_name(), name, options));
  const CommitInfo commit = handle->head();
  EXPECT_EQ(commit.kind, CommitKind::kFork);
  EXPECT_EQ(commit.state_hash, version.commit.state_hash);
  EXPECT_EQ(commit.restored_from, version.commit.lsn);
  Done(target, std::move(next), commit);
  ++counts_.forks;
  counts_.forks_of_forks += of_fork;
  counts_.forks_of_the_past += past;
  return OkStatus();
}

uint64_t StoreModel::CountNewer(const ObjectModel& target, const std::string& fork,
                                Lsn point) const {
  uint64_t newer = 0;
  for (auto it = target.versions.rbegin(); it != target.versions.rend(); ++it) {
    if (it->commit.lsn <= point || it->promoted == fork) break;
    ++newer;
  }
  return newer;
}

Status StoreModel::Promote(Store& store) {
  std::string fork_name;
  const ObjectModel& fork = RandomObject(&fork_name);
  if (fork.versions.empty() || fork.origin.empty()) return OkStatus();
  std::string target_name = fork.origin;
  Lsn point = fork.origin_lsn;
  for (const ObjectModel* at = &objects_[target_name];
       !at->origin.empty() && at->head() != nullptr && random_.OneIn(2);
       at = &objects_[target_name]) {
    target_name = at->origin;
    point = at->origin_lsn;
  }
  ObjectModel& target = objects_[target_name];
  TIDEMARK_ASSIGN_OR_RETURN(const auto from, Open(store, fork_name, IfMissing::kDeleted));
  TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(store, target_name, IfMissing::kDeleted));
  if (fork.head()->deleted()) {
    return Refused(object->Promote(*from).status(), StatusCode::kNotFound);
  }
  const uint64_t newer = CountNewer(target, fork_name, point);
  const bool replace = random_.OneIn(2);
  if (newer > 0 && !replace) {
    ++counts_.refused_promotes;
    return Refused(object->Promote(*from).status(), StatusCode::kExists);
  }
  Version next = *fork.head();
  next.promoted = fork_name;
  const RestoreOptions options = RandomOptions(Alarms::kRestore, next);
  target.under_way = next;
  TIDEMARK_ASSIGN_OR_RETURN(
      const RestoreInfo info,
      object->Promote(*from, replace ? IfNewer::kReplace : IfNewer::kFail, options));
  EXPECT_EQ(info.to, fork.head()->commit);
  EXPECT_EQ(info.from, target.head()->commit);
  EXPECT_EQ(info.result.kind, CommitKind::kPromote);
  Done(target, std::move(next), info.result);
  ++counts_.promotes;
  counts_.promotes_over_newer += newer > 0;
  return OkStatus();
}

Status StoreModel::Delete(Store& store) {
  std::string name;
  ObjectModel& model = RandomObject(&name);
  if (model.versions.empty()) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(store, name, IfMissing::kDeleted));
  if (model.head()->deleted()) {
    return Refused(object->Delete().status(), StatusCode::kNotFound);
  }
  model.under_way = Version();
  TIDEMARK_ASSIGN_OR_RETURN(const RestoreInfo info, object->Delete());
  EXPECT_EQ(info.from, model.head()->commit);
  EXPECT_EQ(info.result.kind, CommitKind::kDelete);
  Done(model, Version(), info.result);
  ++counts_.deletions;
  return OkStatus();
}

namespace {

std::string NamespaceOf(const std::string& name) {
  return name.starts_with("fork") && name.back() % 2 != 0 ? "copies" : "rooms";
}

}  // namespace

Status StoreModel::Purge(Store& store, const PurgeCall& run) {
  TIDEMARK_RETURN_IF_ERROR(Sync(store));
  DropHeld();
  std::string name;
  const ObjectModel& model = RandomObject(&name);
  const std::string namespace_name = NamespaceOf(name);
  if (model.head() == nullptr) {
    ++counts_.refused_purges;
    return Refused(run(namespace_name, name), StatusCode::kNotFound);
  }
  const bool shared = std::any_of(objects_.begin(), objects_.end(), [&](const auto& entry) {
    const ObjectModel& other = entry.second;
    return entry.first != name && other.head() != nullptr &&
           (other.origin == name || (other.waiting && other.waiting->source == name) ||
            std::any_of(other.versions.begin(), other.versions.end(),
                        [&](const Version& version) { return version.promoted == name; }));
  });
  if (shared || retention_.IsHeld(namespace_name + "/" + name)) {
    ++counts_.refused_purges;
    return Refused(run(namespace_name, name), StatusCode::kExists);
  }
  purge_under_way_ = name;
  TIDEMARK_RETURN_IF_ERROR(run(namespace_name, name));
  Purged(name);
  return OkStatus();
}

void StoreModel::Purged(const std::string& name) {
  objects_[name] = ObjectModel();
  retention_.Forget(NamespaceOf(name) + "/" + name);
  purge_under_way_.reset();
  ++counts_.purges;
}

Status StoreModel::EndPurge(Store& store, const PurgeCall& run) {
  if (!purge_under_way_) return OkStatus();
  const std::string name = *purge_under_way_;
  const auto object = Open(store, name, IfMissing::kFail);
  if (object.ok() ||
      (object.status().code() == StatusCode::kNotFound && objects_[name].head()->deleted() &&
       Open(store, name, IfMissing::kDeleted).ok())) {
    purge_under_way_.reset();  // it has not begun
    return OkStatus();
  }
  if (object.status().code() == StatusCode::kBusy) {
    TIDEMARK_RETURN_IF_ERROR(run(NamespaceOf(name), name));
    ++counts_.continued_purges;
  } else {
    TIDEMARK_RETURN_IF_ERROR(Refused(object.status(), StatusCode::kNotFound));
  }
  Purged(name);
  return OkStatus();
}

Status StoreModel::Undelete(Store& store) {
  std::string name;
  std::vector<std::string> deleted;
  for (const auto& [candidate, model] : objects_) {
    if (model.head() != nullptr && model.head()->deleted()) deleted.push_back(candidate);
  }
  if (deleted.empty()) {
    RandomObject(&name);
  } else {
    name = deleted[random_.Below(deleted.size())];
  }
  ObjectModel& model = objects_[name];
  if (model.versions.empty()) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(store, name, IfMissing::kDeleted));
  if (!model.head()->deleted()) {
    return Refused(object->Undelete().status(), StatusCode::kExists);
  }
  auto before = model.versions.rbegin();
  while (before->deleted()) ++before;
  if (!IsKept(name, model, before->commit.lsn)) return Expired(object->Undelete().status());
  Version next = *before;
  const RestoreOptions options = RandomOptions(Alarms::kRestore, next);
  model.under_way = next;
  TIDEMARK_ASSIGN_OR_RETURN(const RestoreInfo info, object->Undelete(options));
  EXPECT_EQ(info.to, before->commit);
  EXPECT_EQ(info.result.kind, CommitKind::kUndelete);
  Done(model, std::move(next), info.result);
  ++counts_.undeletions;
  return OkStatus();
}

}  // namespace tidemark::testing
