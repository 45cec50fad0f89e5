// StoreModel's restores that wait for a session, and sessions.

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

Status StoreModel::Schedule(Store& store) {
  std::string name;
  ObjectModel& model = RandomObject(&name);
  if (model.versions.empty()) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(store, name, IfMissing::kDeleted));
  if (model.waiting && random_.OneIn(3)) {
    model.waiting_under_way.emplace();
    TIDEMARK_RETURN_IF_ERROR(object->CancelScheduledRestore());
    model.session_ends[model.waiting->undo] = Lsn();
    model.waiting.reset();
    model.waiting_under_way.reset();
    ++counts_.cancelled;
    return OkStatus();
  }
  std::string source_name = name;
  const ObjectModel& source = random_.OneIn(2) ? RandomObject(&source_name) : model;
  if (source.versions.empty()) return OkStatus();
  const size_t chosen = random_.Below(source.versions.size());
  const Version& version = source.versions[chosen];
  TIDEMARK_ASSIGN_OR_RETURN(const auto from, Open(store, source_name, IfMissing::kDeleted));
  const bool own = source_name == name;
  Waiting waiting{.version = version, .source = source_name, .lsn = version.commit.lsn};
  waiting.version.promoted = own ? "" : source_name;
  const RestoreOptions options =
      RandomOptions(own ? Alarms::kRestore : Alarms::kClear, waiting.version);
  const auto schedule = [&] {
    return own ? object->ScheduleRestore(from->BookmarkOf(version.commit), options)
               : object->ScheduleRestore(*from, version.commit, options);
  };
  if (!IsKept(source_name, source, chosen)) return Expired(schedule().status());
  if (version.deleted()) return Refused(schedule().status(), StatusCode::kNotFound);
  model.waiting_under_way = waiting;
  TIDEMARK_ASSIGN_OR_RETURN(waiting.undo, schedule());
  if (model.waiting) {
    EXPECT_EQ(waiting.undo, model.waiting->undo);
  }
  model.waiting_under_way.reset();
  model.waiting = std::move(waiting);
  ++counts_.scheduled;
  return OkStatus();
}

Status StoreModel::BeginSession(Store& store) {
  std::string name;
  std::vector<std::string> waiting;
  for (const auto& [candidate, model] : objects_) {
    if (model.waiting) waiting.push_back(candidate);
  }
  if (waiting.empty() || random_.OneIn(4)) {
    RandomObject(&name);
  } else {
    name = waiting[random_.Below(waiting.size())];
  }
  ObjectModel& model = objects_[name];
  TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(store, name, IfMissing::kCreate));
  if (!model.waiting) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto nothing, object->BeginSession());
    EXPECT_FALSE(nothing);
    return OkStatus();
  }
  const Waiting done = *model.waiting;
  const ObjectModel& source = objects_[done.source];
  const bool own = done.source == name;
  model.waiting_under_way.emplace();
  if (!IsKept(done.source, source, done.lsn)) {
    TIDEMARK_RETURN_IF_ERROR(Expired(object->BeginSession().status()));
    model.session_ends[done.undo] = Lsn();
  } else {
    TIDEMARK_RETURN_IF_ERROR(Refused(object->Resolve(done.undo).status(), StatusCode::kFuture));
    const Lsn from = model.head()->commit.lsn;
    model.under_way = done.version;
    model.label_under_way = {.name = "before-restore-",
                             .after = LabelModel{.commit = from, .record = {}, .automatic = true}};
    TIDEMARK_ASSIGN_OR_RETURN(const auto info, object->BeginSession());
    model.label_under_way.reset();
    EXPECT_TRUE(info);
    if (!info) return OkStatus();
    AddAutomaticLabel(model, info->label, from, Lsn(info->result.lsn.value - 1));
    EXPECT_EQ(info->to.lsn, done.lsn);
    EXPECT_EQ(info->from, model.head()->commit);
    EXPECT_EQ(info->result.kind, own ? CommitKind::kRestore : CommitKind::kPromote);
    model.session_ends[done.undo] = from;
    Done(model, done.version, info->result);
    ++counts_.sessions;
    counts_.sessions_of_another += !own;
  }
  model.waiting.reset();
  model.waiting_under_way.reset();
  return OkStatus();
}

void StoreModel::CheckWaiting(const Object& object, ObjectModel& model, bool survived) {
  const auto found = object.scheduled_restore();
  ASSERT_OK(found);
  if (model.waiting_under_way) {
    // With a restore both happened, or neither; of the others either may be.
    std::optional<Waiting> after = *std::move(model.waiting_under_way);
    model.waiting_under_way.reset();
    const bool made = after ? *found && (*found)->to.lsn == after->lsn : !*found;
    if (made) {
      if (after) after->undo = (*found)->undo;
      if (!after && model.waiting) {
        // What was current before the restore; or none if it was cancelled.
        const size_t count = model.versions.size();
        model.session_ends[model.waiting->undo] =
            survived && count > 1 ? model.versions[count - 2].commit.lsn : Lsn();
      }
      model.waiting = std::move(after);
    }
  }
  ASSERT_EQ(found->has_value(), model.waiting.has_value());
  if (model.waiting) {
    EXPECT_EQ((*found)->to.lsn, model.waiting->lsn);
    EXPECT_EQ((*found)->undo, model.waiting->undo);
  }
  for (const auto& [undo, lsn] : model.session_ends) {
    const auto commit = object.Resolve(undo);
    if (!lsn.valid()) {
      EXPECT_EQ(commit.status().code(), StatusCode::kNotFound) << commit.status().ToString();
    } else if (commit.ok()) {
      EXPECT_EQ(commit->lsn, lsn);
    } else {
      EXPECT_EQ(commit.status().code(), StatusCode::kExpired) << commit.status().ToString();
    }
  }
}

}  // namespace tidemark::testing
