#include "tools/report_data.h"

#include <algorithm>
#include <utility>

#include "tools/progress.h"

namespace tidemark::tools {

namespace {

constexpr size_t kObjectsAtATime = 256;
constexpr size_t kShownDamage = 50;
constexpr size_t kShownPolicies = 50;

class Gatherer {
 public:
  Gatherer(Session& session, uint64_t max_commits)
      : session_(session), max_commits_(max_commits == 0 ? UINT64_MAX : max_commits) {}

  ReportData Gather() {
    Store& store = session_.store();
    data_.made = Clock::System()->Now();
    data_.stats = store.Stats();
    const Subject about = session_.AboutStore();
    AddRetention();
    for (const std::string& name : OrThrow(store.ListNamespaces(), about)) {
      NamespaceFacts facts{.name = name};
      AddNamespace(name, Listed::kExisting, &facts);
      AddNamespace(name, Listed::kDeleted, &facts);
      data_.namespaces.Add(std::move(facts));
    }
    for (const Damage& damage : data_.stats.scrub_damage) {
      AddDamage(damage.object, "the last scrub: " + damage.message);
    }
    return std::move(data_);
  }

 private:
  void AddRetention() {
    auto policy = session_.store().GetRetention(RetentionScope());
    if (policy.ok()) data_.policy = *std::move(policy);
    NoteDamage("the store", policy.status());
    auto rules = session_.store().ListRetention();
    if (rules.ok()) data_.retention = *std::move(rules);
    NoteDamage("the store", rules.status());
    data_.retention_total = data_.retention.size();
    if (data_.retention.size() > kShownPolicies) data_.retention.resize(kShownPolicies);
  }

  void AddNamespace(const std::string& name, Listed which, NamespaceFacts* facts) {
    std::optional<ObjectId> after;
    for (;;) {
      // Not while the index is being walked.
      std::vector<ObjectSummary> some;
      NoteDamage(name, session_.store().ListObjects(
                           name,
                           [&some](const ObjectSummary& object) {
                             some.push_back(object);
                             return some.size() < kObjectsAtATime;
                           },
                           which, after));
      for (const ObjectSummary& object : some) AddObject(object, which, facts);
      progress_.Update(data_.objects + data_.deleted, data_.stats.object_count);
      if (some.size() < kObjectsAtATime) return;
      after = some.back().id;
    }
  }

  void AddObject(const ObjectSummary& summary, Listed which, NamespaceFacts* facts) {
    ObjectFacts object{.name = summary.namespace_name + "/" +
                               (summary.name.empty() ? summary.id.ToString() : summary.name),
                       .bytes = DatabaseBytes(summary.head),
                       .commits = summary.commit_count,
                       .last_change = summary.head.time};
    if (!summary.damage.ok()) AddDamage(object.name, summary.damage.message());
    // The listing counts those that have expired and are in the log still.
    if (const auto counted = LookInto(summary, object.name)) object.commits = *counted;
    facts->commits += object.commits;
    data_.commits += object.commits;
    if (which == Listed::kDeleted) {
      ++facts->deleted;
      ++data_.deleted;
    } else {
      ++facts->objects;
      ++data_.objects;
      facts->bytes += object.bytes;
      data_.bytes += object.bytes;
      data_.sizes.Add(object.bytes);
      data_.histories.Add(object.commits);
      data_.by_size.Add(object);
    }
    data_.by_history.Add(std::move(object));
  }

  // Returns how many commits of it can be gone back to, if that was found out.
  std::optional<uint64_t> LookInto(const ObjectSummary& summary, const std::string& name) {
    auto opened =
        session_.store().OpenObject(summary.namespace_name, summary.id, IfMissing::kDeleted);
    if (!opened.ok()) {
      NoteDamage(name, opened.status());
      return std::nullopt;
    }
    const Object& object = **opened;
    AddRestores(object, name);
    AddLabels(object, name);
    return CountCommits(object, name);
  }

  void AddRestores(const Object& object, const std::string& name) {
    auto restores = session_.store().ListRestores(object);
    if (!restores.ok()) return NoteDamage(name, restores.status());
    for (RestoreEntry& entry : *restores) data_.restores.Add({name, std::move(entry)});
  }

  void AddLabels(const Object& object, const std::string& name) {
    auto labels = object.ListLabels();
    if (!labels.ok()) return NoteDamage(name, labels.status());
    for (LabelInfo& label : *labels) {
      if (!label.damage.ok()) AddDamage(name, label.damage.message());
      if (!label.automatic && !label.name.empty()) data_.labels.Add({name, std::move(label)});
    }
  }

  std::optional<uint64_t> CountCommits(const Object& object, const std::string& name) {
    if (data_.commits_cut) return std::nullopt;
    ++data_.objects_looked_at;
    uint64_t commits = 0;
    const Status status = object.History(
        [&](const CommitInfo& commit) {
          data_.commits_cut = data_.commits_looked_at == max_commits_;
          if (data_.commits_cut) return false;
          ++data_.commits_looked_at;
          ++commits;
          data_.times.Add(commit.time, commit.log_bytes);
          progress_.Update(data_.objects + data_.deleted, data_.stats.object_count);
          return true;
        },
        [&](const DamagedCommit& commit) {
          AddDamage(name, commit.why.message());
          return true;
        });
    NoteDamage(name, status);
    if (data_.commits_cut || !status.ok()) return std::nullopt;
    return commits;
  }

  // What is damaged, or the disk cannot read, is told on the page. Throws for other errors.
  void NoteDamage(const std::string& what, const Status& status) {
    if (status.ok()) return;
    if (status.code() != StatusCode::kCorruption && status.code() != StatusCode::kIoError) {
      throw Explain(status, session_.AboutStore());
    }
    AddDamage(what, status.message());
  }

  void AddDamage(const std::string& object, const std::string& message) {
    ++data_.damage_total;
    if (data_.damage.size() < kShownDamage) data_.damage.push_back({object, message});
  }

  Session& session_;
  const uint64_t max_commits_;
  Progress progress_{"reading"};
  ReportData data_;
};

}  // namespace

void Histogram::Add(uint64_t size) {
  size_t step = 0;
  while (step + 1 < kSteps && size >= End(step)) ++step;
  ++counts[step];
}

size_t Histogram::used() const {
  size_t used = kSteps;
  while (used > 0 && counts[used - 1] == 0) --used;
  return used;
}

ReportData GatherReport(Session& session, uint64_t max_commits) {
  return Gatherer(session, max_commits).Gather();
}

}  // namespace tidemark::tools
