// Salvage: what is brought out of a damaged log is what was committed, all that was not hit is
// brought, and what is missing is named.

#include "engine/salvage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "engine/clock.h"
#include "tests/crash/rot_damage.h"
#include "tests/crash/rot_work.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"

namespace tidemark::testing {
namespace {

struct Counts {
  int trials = 0;
  int whole = 0;    // reports
  int newest = 0;   // objects at their newest commit
  int older = 0;    // at an older one
  int nothing = 0;  // of which nothing is left
};

class Trial {
 public:
  Trial(const RotWork& work, uint64_t seed, Rot rot, int times)
      : work_(work), random_(seed), rot_(rot), times_(times), fs_(seed, work.disk) {}

  void Run(Counts* counts) {
    RotHit hit;
    for (int i = 0; i < times_; ++i) {
      const RotHit more = Damage(work_, rot_, random_, fs_);
      hit.what += (i == 0 ? "" : "; ") + more.what;
      // Each sees what those before it did, too.
      hit.lsns.insert(more.lsns.begin(), more.lsns.end());
      hit.segments.insert(more.segments.begin(), more.segments.end());
      hit.objects.insert(more.objects.begin(), more.objects.end());
      hit.lost_from = std::min(hit.lost_from, more.lost_from);
      if (rot_ == Rot::kMissing) break;
    }
    SCOPED_TRACE(::testing::Message()
                 << hit.what << ", " << (work_.stop == RotWork::Stop::kClose ? "closed" : "crashed")
                 << ", lost from " << hit.lost_from);
    const auto before = Files();
    StoreOptions options = work_.options;
    options.file_system = &fs_;
    options.index_directory = index_.path();
    const auto salvaged = Salvage("store", "new", options);
    ASSERT_OK(salvaged);
    EXPECT_EQ(Files(), before) << "the damaged store was written to";
    ++counts->trials;
    counts->whole += salvaged->whole() ? 1 : 0;
    if (hit.nothing()) {
      EXPECT_TRUE(salvaged->whole());
    }

    options.create_if_missing = false;
    ManualClock clock;
    clock.Set(work_.now);
    options.clock = &clock;
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open("new", options));
    for (const RotObject& object : work_.objects) {
      SCOPED_TRACE(object.ns + "/" + object.name);
      Check(*store, object, *salvaged, hit, counts);
      if (::testing::Test::HasFailure()) return;
    }
    ASSERT_OK_AND_ASSIGN(const VerifyReport verified, store->Verify());
    EXPECT_TRUE(verified.damage.empty()) << verified.damage[0].message;
    ASSERT_OK(store->Close());
  }

 private:
  std::map<std::string, std::vector<std::byte>> Files() {
    std::map<std::string, std::vector<std::byte>> files;
    const auto names = fs_.ListDirectory("store/log");
    EXPECT_OK(names);
    for (const std::string& name : *names) {
      files[name] = fs_.Contents("store/log/" + name);
    }
    return files;
  }

  static bool IsExact(const Snapshot& snapshot, const RotVersion& version) {
    if (snapshot.page_count() != version.pages.size()) return false;
    std::vector<std::byte> bytes(snapshot.page_size());
    for (size_t i = 0; i < version.pages.size(); ++i) {
      const Status read = snapshot.ReadPage(PageNo(static_cast<uint32_t>(i + 1)), bytes);
      EXPECT_OK(read);
      const bool same = version.pages[i] == nullptr ? bytes == std::vector<std::byte>(bytes.size())
                                                    : bytes == *version.pages[i];
      if (!same) return false;
    }
    return true;
  }

  static std::string Describe(const CommitInfo& commit) {
    return std::string(CommitKindName(commit.kind)) + " " + FormatTime(commit.time).substr(11) +
           " " + std::to_string(commit.state_hash % 10000) + "; ";
  }
  static std::string Describe(const std::vector<CommitInfo>& history) {
    std::string text;
    for (auto commit = history.rbegin(); commit != history.rend(); ++commit) {
      text += Describe(*commit);
    }
    return text;
  }
  static std::string Describe(const RotObject& object) {
    std::string text;
    for (const RotVersion& version : object.versions) {
      text += std::to_string(version.commit.lsn.value) + " " + Describe(version.commit);
    }
    return text;
  }

  static std::string Describe(const SalvageReport& report) {
    std::string text;
    for (const SalvagedObject& object : report.objects) {
      text += object.display_name + ": " + std::to_string(object.commits) +
              " commits, lost newer " + std::to_string(object.lost_newer) + ", older " +
              std::to_string(object.lost_older) + ", records " +
              std::to_string(object.lost_records) + ", labels " +
              std::to_string(object.lost_labels.size()) + ", inexact " +
              std::to_string(object.inexact_times) + "\n";
    }
    for (const tidemark::Damage& damage : report.damage) {
      text += damage.object + " " + std::to_string(damage.segment) + ":" +
              std::to_string(damage.offset) + " " + damage.message + "\n";
    }
    return text;
  }

  void Check(Store& store, const RotObject& model, const SalvageReport& report, const RotHit& hit,
             Counts* counts) {
    const std::string name = model.ns + "/" + model.name;
    SCOPED_TRACE(Describe(report));
    // Its name can be lost, and its id be known.
    const ObjectId id = ObjectIdFactory(model.ns).FromName(model.name);
    const auto said = std::find_if(report.objects.begin(), report.objects.end(),
                                   [&](const SalvagedObject& object) { return object.id == id; });
    const bool is_said = said != report.objects.end();
    // Of what nobody proves nothing can be said.
    const auto exists = std::partition_point(
        model.versions.begin(), model.versions.end(),
        [&](const RotVersion& version) { return version.commit.lsn.value < hit.lost_from; });
    const bool is_hit =
        hit.objects.contains(name) ||
        std::any_of(model.labels.begin(), model.labels.end(),
                    [&](const RotLabelChange& change) { return hit.lsns.contains(change.lsn); });
    std::vector<CommitInfo> history;
    const auto object = store.OpenObject(model.ns, model.name, IfMissing::kDeleted);
    if (object.ok()) {
      ASSERT_OK((*object)->History([&](const CommitInfo& commit) {
        history.push_back(commit);
        return true;
      }));
    } else {
      EXPECT_EQ(object.status().code(), StatusCode::kNotFound) << object.status().ToString();
    }
    // Newest first; each is what the model had at that time.
    auto next = model.versions.rbegin();
    for (const CommitInfo& commit : history) {
      const auto version = std::find_if(next, model.versions.rend(), [&](const RotVersion& one) {
        const bool in_time = (is_said && said->inexact_times > 0) || commit.time == one.commit.time;
        return one.commit.state_hash == commit.state_hash && in_time &&
               (one.commit.kind == CommitKind::kDelete) == (commit.kind == CommitKind::kDelete);
      });
      ASSERT_NE(version, model.versions.rend())
          << "nobody committed this, or in this order: " << Describe(history) << " of "
          << Describe(model);
      next = version + 1;
      if (commit.kind == CommitKind::kDelete) continue;
      ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, (*object)->OpenSnapshot(commit));
      EXPECT_TRUE(IsExact(snapshot, *version)) << "a state is wrong";
    }
    const bool at_newest = exists == model.versions.begin()
                               ? true
                               : is_said && said->newest.lsn >= std::prev(exists)->commit.lsn &&
                                     !history.empty() &&
                                     history.front().state_hash == said->newest.state_hash;
    if (exists == model.versions.begin()) return;
    const RotVersion& last = *std::prev(exists);
    if (!is_hit) {
      ASSERT_TRUE(is_said) << "an object that was not hit is not there";
      EXPECT_TRUE(said->whole()) << "an object that was not hit has lost something";
      EXPECT_GE(said->newest.lsn, last.commit.lsn);
      ASSERT_FALSE(history.empty());
    }
    if (at_newest) {
      ++counts->newest;
    } else {
      ++(is_said && said->commits > 0 ? counts->older : counts->nothing);
      // Under another name, if its own is lost.
      const bool told =
          (is_said && !said->whole()) || !report.lost.empty() || report.unattributed > 0 ||
          std::any_of(report.objects.begin(), report.objects.end(),
                      [](const SalvagedObject& object) { return !object.identified; });
      EXPECT_TRUE(told) << "what was lost is not told";
    }
  }

  const RotWork& work_;
  Random random_;
  const Rot rot_;
  const int times_;
  SimFileSystem fs_;
  TempDirectory index_;
};

// Goal: whatever the damage, salvage ends, brings no state that was not committed, brings every
// object that was not hit at its newest commit, and says who lost something. Method: the stores of
// the rot tests, with one damage each, and with many.
TEST(SalvageTest, BringsWhatIsWhole) {
  Counts counts;
  for (uint64_t w = 0; w < Scaled(4); ++w) {
    const uint64_t seed = TestSeed() * 1000 + w;
    const RotWork work = MakeRotWork(seed);
    if (HasFailure()) return;
    for (uint64_t i = 0; i < 40; ++i) {
      const auto rot = static_cast<Rot>(i % static_cast<uint64_t>(Rot::kCount));
      SCOPED_TRACE(::testing::Message() << "work " << seed << ", trial " << i);
      Trial(work, seed * 1000 + i, rot, i % 3 == 2 ? 8 : 1).Run(&counts);
      if (HasFailure()) return;
    }
  }
  std::printf("%d salvages, %d whole; objects: %d at their newest commit, %d older, %d lost\n",
              counts.trials, counts.whole, counts.newest, counts.older, counts.nothing);
  EXPECT_GT(counts.newest, counts.nothing);
}

}  // namespace
}  // namespace tidemark::testing
