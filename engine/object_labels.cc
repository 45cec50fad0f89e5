// Object's labels: names for commits, set, moved, removed, listed and resolved.

#include <algorithm>
#include <mutex>
#include <new>

#include "engine/internal/store_impl.h"
#include "engine/object.h"

namespace tidemark {

using internal::LabelRow;
using internal::LabelTable;

namespace {

// How many labels an error names.
constexpr size_t kMostNamed = 5;

}  // namespace

// What a label names, as a bookmark names it.
Bookmark Object::BookmarkOfLabel(const LabelRow& row) const {
  return {.epoch = row.epoch,
          .lsn = row.commit,
          .object_tag = ObjectTag(state_->id),
          .state_hash = row.state_hash};
}

Result<CommitInfo> Object::ResolveLabel(const LabelRow& row) const {
  const std::string name = "label " + row.name + " of object " + DisplayName();
  // Recovery leaves a damaged commit out of the index, where its bookmark finds nothing.
  if (const auto timeline = store_->FindTimeline(row.timeline); timeline.ok()) {
    TIDEMARK_RETURN_IF_ERROR((*timeline)->CheckTrusted(row.commit).WithContext(name));
  }
  auto commit = ResolveBookmark(BookmarkOfLabel(row));
  if (commit.ok()) return commit;
  return commit.status().WithContext(name);
}

Status Object::NoSuchLabel(std::string_view name) const {
  TIDEMARK_ASSIGN_OR_RETURN(const auto rows, store_->labels().List(state_->id));
  std::string message =
      "object " + DisplayName() + " has no label \"" + std::string(name) + "\"; its labels: ";
  if (rows.empty()) message += "none";
  // Those that were set by somebody, who may have mistyped one.
  size_t named = 0;
  for (const bool automatic : {false, true}) {
    for (const LabelRow& row : rows) {
      if (row.automatic != automatic || named == kMostNamed) continue;
      message += (named++ == 0 ? "" : ", ") + row.name;
    }
  }
  if (rows.size() > named) message += " and " + std::to_string(rows.size() - named) + " more";
  return Status(StatusCode::kNotFound, std::move(message));
}

Result<CommitInfo> Object::ResolveLabel(const Label& label) const {
  TIDEMARK_ASSIGN_OR_RETURN(const auto row, store_->FindLabel(*state_, label.name));
  if (!row) return NoSuchLabel(label.name);
  return ResolveLabel(*row);
}

Status Object::SetLabel(std::string_view name, const Point& at, IfLabelExists if_exists) try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  TIDEMARK_RETURN_IF_ERROR(ValidateLabelName(name));
  TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, Resolve(at));
  internal::Pin pin(state_);
  TIDEMARK_RETURN_IF_ERROR(store_->retention().PinKept(commit, &pin));
  Lsn lsn;
  {
    std::lock_guard lock(state_->label_mutex);
    // One that damage may have changed is set anew.
    TIDEMARK_ASSIGN_OR_RETURN(auto there, store_->labels().Find(state_->id, name));
    if (there && !store_->CheckLabel(*state_, name, there->lsn).ok()) there.reset();
    if (there && !there->automatic && there->commit == commit.lsn) {
      lsn = there->lsn;
    } else if (there && there->commit != commit.lsn && if_exists == IfLabelExists::kFail) {
      return Status(StatusCode::kExists, "object " + DisplayName() + " has a label \"" +
                                             std::string(name) + "\" already: it names " +
                                             BookmarkOfLabel(*there).ToString() +
                                             "; move it there, or remove it first");
    } else {
      TIDEMARK_ASSIGN_OR_RETURN(
          lsn, store_->LogLabel(*state_, store_->MakeLabel(*state_, name, commit)));
    }
  }
  return store_->queue().WaitDurable(lsn);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Status Object::RemoveLabel(std::string_view name) try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  TIDEMARK_RETURN_IF_ERROR(ValidateLabelName(name));
  Lsn lsn;
  {
    std::lock_guard lock(state_->label_mutex);
    TIDEMARK_ASSIGN_OR_RETURN(const auto there, store_->labels().Find(state_->id, name));
    if (!there) {
      TIDEMARK_RETURN_IF_ERROR(store_->CheckLabel(*state_, name, Lsn()));
      return NoSuchLabel(name);
    }
    TIDEMARK_ASSIGN_OR_RETURN(lsn,
                              store_->LogLabel(*state_, store_->MakeLabelRemoval(*state_, name)));
  }
  return store_->queue().WaitDurable(lsn);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Result<std::string> Object::SetAutomaticLabel(std::string_view prefix) try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  CommitInfo commit;
  {
    std::lock_guard lock(state_->mutex);
    TIDEMARK_RETURN_IF_ERROR(state_->CheckCurrent());
    commit = state_->head;
  }
  if (commit.kind == CommitKind::kNone) {
    return Status(StatusCode::kNotFound, "object " + DisplayName() + " has no commit yet");
  }
  std::lock_guard lock(state_->label_mutex);
  TIDEMARK_ASSIGN_OR_RETURN(auto label, store_->MakeAutomaticLabel(*state_, prefix, commit));
  if (label.made) {
    TIDEMARK_RETURN_IF_ERROR(store_->LogLabel(*state_, *std::move(label.made)).status());
  }
  return std::move(label.name);
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

Result<std::vector<LabelInfo>> Object::ListLabels() const try {
  TIDEMARK_RETURN_IF_ERROR(store_->queue().broken());
  TIDEMARK_ASSIGN_OR_RETURN(const auto rows, store_->labels().List(state_->id));
  std::vector<LabelInfo> labels;
  if (Status lost = store_->CheckLabel(*state_, "(name lost)", Lsn()); !lost.ok()) {
    labels.emplace_back().damage = std::move(lost);
  }
  for (const LabelRow& row : rows) {
    LabelInfo label{.name = row.name,
                    .automatic = row.automatic,
                    .made = row.time,
                    .bookmark = BookmarkOfLabel(row),
                    .commit = {},
                    .damage = store_->CheckLabel(*state_, row.name, row.lsn)};
    auto commit = ResolveLabel(row);
    if (commit.ok()) {
      label.commit = *commit;
    } else if (commit.status().code() == StatusCode::kExpired) {
      continue;
    } else if (commit.status().code() == StatusCode::kBroken) {
      return commit.status();
    } else if (label.damage.ok()) {
      label.damage = commit.status();
    }
    labels.push_back(std::move(label));
  }
  return labels;
} catch (const std::bad_alloc&) {
  return store_->OutOfMemory();
}

}  // namespace tidemark
