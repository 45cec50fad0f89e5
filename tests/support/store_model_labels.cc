// StoreModel's labels: random work on them, and the store held against what it must have.

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "tests/support/status_matchers.h"
#include "tests/support/store_model.h"

namespace tidemark::testing {
namespace {

constexpr char kAutomatic[] = "auto";

}  // namespace

bool StoreModel::HasAutomaticLabel(const ObjectModel& model, Lsn commit) {
  return std::any_of(model.labels.begin(), model.labels.end(), [commit](const auto& entry) {
    return entry.second.automatic && entry.second.commit == commit;
  });
}

void StoreModel::AddAutomaticLabel(ObjectModel& model, const std::string& name, Lsn commit,
                                   Lsn record) {
  if (HasAutomaticLabel(model, commit)) {
    EXPECT_EQ(model.labels[name].commit, commit) << "of a commit that has one it makes no other";
    EXPECT_TRUE(model.labels[name].automatic);
    return;
  }
  EXPECT_FALSE(model.labels.contains(name)) << name;
  model.labels[name] = {.commit = commit, .record = record, .automatic = true};
  ++counts_.automatic_labels;
}

Status StoreModel::ChangeLabel(Store& store) {
  std::string object_name;
  ObjectModel& model = RandomObject(&object_name);
  if (model.versions.empty()) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(auto object, Open(store, object_name, IfMissing::kDeleted));
  ForgetPackedLabels(*object, object_name, model);
  if (random_.OneIn(4)) {
    const Lsn head = model.head()->commit.lsn;
    model.label_under_way = {.name = std::string(kAutomatic) + "-",
                             .after = LabelModel{.commit = head, .record = {}, .automatic = true}};
    TIDEMARK_ASSIGN_OR_RETURN(const std::string made, object->SetAutomaticLabel(kAutomatic));
    model.label_under_way.reset();
    AddAutomaticLabel(model, made, head, store.Stats().last_lsn);
    return OkStatus();
  }
  std::string name = "label-" + std::to_string(random_.Below(5));
  if (random_.OneIn(5) && !model.labels.empty()) {  // an automatic one, perhaps
    name =
        std::next(model.labels.begin(), static_cast<ptrdiff_t>(random_.Below(model.labels.size())))
            ->first;
  }
  const auto there = model.labels.find(name);
  if (random_.OneIn(3)) {
    model.label_under_way = {.name = name, .after = std::nullopt};
    const Status removed = object->RemoveLabel(name);
    if (there == model.labels.end() && removed.code() == StatusCode::kNotFound) {
      model.label_under_way.reset();
      return OkStatus();
    }
    TIDEMARK_RETURN_IF_ERROR(removed);
    EXPECT_NE(there, model.labels.end());
    model.labels.erase(name);
    ++counts_.removed_labels;
  } else {
    const CommitInfo& commit = model.versions[random_.Below(model.versions.size())].commit;
    if (!IsKept(object_name, model, commit.lsn)) {
      return Expired(object->SetLabel(name, object->BookmarkOf(commit)));
    }
    const bool move = random_.OneIn(2);
    const LabelModel after{.commit = commit.lsn, .record = {}, .automatic = false};
    const bool taken = there != model.labels.end() && there->second.commit != commit.lsn;
    model.label_under_way = {.name = name, .after = after};
    const Status set = object->SetLabel(name, object->BookmarkOf(commit),
                                        move ? IfLabelExists::kMove : IfLabelExists::kFail);
    if (taken && !move && set.code() == StatusCode::kExists) {
      model.label_under_way.reset();
      return OkStatus();
    }
    TIDEMARK_RETURN_IF_ERROR(set);
    EXPECT_TRUE(move || !taken) << name;
    counts_.moved_labels += taken;
    ++counts_.set_labels;
    model.label_under_way.reset();
    if (there != model.labels.end() && there->second.Names(after)) return OkStatus();
    model.labels[name] = after;
    model.labels[name].record = store.Stats().last_lsn;
  }
  model.label_under_way.reset();
  confirmed_ = std::max(confirmed_, store.Stats().last_lsn);
  EXPECT_GE(store.durable_lsn(), confirmed_);
  return OkStatus();
}

void StoreModel::ForgetPackedLabels(const Object& object, const std::string& name,
                                    ObjectModel& model) {
  std::erase_if(model.labels, [&](const auto& entry) {
    const LabelModel& named = entry.second;
    const bool known = std::any_of(model.versions.begin(), model.versions.end(),
                                   [&](const Version& v) { return v.commit.lsn == named.commit; });
    return known && named.automatic && !IsKept(name, model, named.commit) &&
           object.Resolve(Label{entry.first}).status().code() == StatusCode::kNotFound;
  });
}

std::map<std::string, StoreModel::LabelModel> StoreModel::LabelsOf(const Object& object) {
  std::map<std::string, LabelModel> labels;
  const auto listed = object.ListLabels();
  EXPECT_OK(listed);
  if (!listed.ok()) return labels;
  for (const LabelInfo& label : *listed) {
    EXPECT_OK(label.damage) << label.name;
    EXPECT_EQ(label.bookmark, object.BookmarkOf(label.commit)) << label.name;
    labels[label.name] = {.commit = label.bookmark.lsn, .record = {}, .automatic = label.automatic};
  }
  return labels;
}

Lsn StoreModel::LastLabel(const Object& object, const ObjectModel& model) {
  Lsn last;
  const auto labels = LabelsOf(object);
  for (const auto& [name, label] : model.labels) {
    const auto it = labels.find(name);
    if (it != labels.end() && it->second.Names(label)) last = std::max(last, label.record);
  }
  return last;
}

void StoreModel::CheckLabels(const Object& object, const std::string& object_name,
                             ObjectModel& model, After after, Lsn last) {
  const auto labels = LabelsOf(object);
  const auto under_way = std::exchange(model.label_under_way, std::nullopt);
  if (under_way) {
    ASSERT_EQ(after, After::kCrash);
    // First, because it may have been the last that kept the commit of an automatic one.
    const auto found = labels.find(under_way->name);
    const auto it = model.labels.find(under_way->name);
    if (it != model.labels.end() && found == labels.end() && !under_way->after) {
      model.labels.erase(it);
    } else if (it != model.labels.end() && found != labels.end() && under_way->after &&
               found->second.Names(*under_way->after) && !it->second.Names(found->second)) {
      it->second = found->second;
    }
  }
  for (auto it = model.labels.begin(); it != model.labels.end();) {
    const std::string& name = it->first;
    const auto found = labels.find(name);
    // It has expired with its commit, and is there all the same, unless it is to go.
    const bool known =
        std::any_of(model.versions.begin(), model.versions.end(),
                    [&](const Version& v) { return v.commit.lsn == it->second.commit; });
    if (found == labels.end() && it->second.automatic && known &&
        !IsKept(object_name, model, it->second.commit)) {
      ++it;
      continue;
    }
    if (found == labels.end()) {
      ASSERT_EQ(after, After::kCrash) << "lost label " << name;
      ASSERT_GT(it->second.record, confirmed_) << "a confirmed label is lost: " << name;
      ASSERT_GT(it->second.record, last) << "what survived is not a prefix: " << name;
      ++counts_.lost_labels;
      it = model.labels.erase(it);
      continue;
    }
    ASSERT_TRUE(found->second.Names(it->second)) << name;
    ++it;
  }
  for (const auto& [name, label] : labels) {
    if (model.labels.contains(name)) continue;
    ASSERT_TRUE(under_way && name.starts_with(under_way->name) && under_way->after &&
                label.Names(*under_way->after))
        << "a label that nobody made: " << name;
    model.labels[name] = label;
  }
}

}  // namespace tidemark::testing
