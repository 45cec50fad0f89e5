// Rot: bytes of the log change behind the store's back. Promise 4: damage is found and named, never
// returned as data; promise 2: it costs the objects whose bytes it hit, and no other.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "engine/clock.h"
#include "engine/format.h"
#include "engine/transaction.h"
#include "tests/crash/rot_damage.h"
#include "tests/crash/rot_work.h"
#include "tests/support/status_matchers.h"

namespace tidemark::testing {
namespace {

enum class Outcome {
  kWhole,    // every read gave what was committed
  kErrors,   // some gave kCorruption instead
  kRefused,  // the store did not open
  kCount,
};

class Trial {
 public:
  Trial(const RotWork& work, uint64_t seed, Rot rot)
      : work_(work), random_(seed), rot_(rot), fs_(seed, work.disk), objects_(work.objects) {
    clock_.Set(work.now);
    options_ = work.options;
    options_.file_system = &fs_;
    options_.clock = &clock_;
    options_.index_directory = index_.path();
    options_.create_if_missing = false;
    with_index_ = !random_.OneIn(3);
    if (with_index_) std::filesystem::copy_file(*work.index / "data.mdb", index_ / "data.mdb");
  }

  Outcome Run() {
    hit_ = Damage(work_, rot_, random_, fs_);
    if (with_index_) hit_.lost_from = std::max(hit_.lost_from, work_.checkpoint_lsn + 1);
    std::string hurt;
    for (const std::string& name : hit_.objects) hurt += " " + name;
    SCOPED_TRACE(::testing::Message()
                 << hit_.what << (with_index_ ? ", with its index, " : ", without index, ")
                 << (work_.stop == RotWork::Stop::kClose ? "closed" : "crashed") << ", checkpoint "
                 << work_.checkpoint_lsn << ", hurt:" << hurt << ", lost from " << hit_.lost_from);
    for (const bool again : {false, true}) {
      SCOPED_TRACE(again ? "opened again" : "opened");
      auto store = Store::Open("store", options_);
      if (!store.ok()) {
        EXPECT_FALSE(again) << store.status().ToString();
        // Of a store without index and of which the only segment is gone nothing is left.
        if (hit_.lost_from == 1 && rot_ == Rot::kMissing) return Outcome::kRefused;
        EXPECT_ERROR(store.status(), StatusCode::kCorruption, "segment ");
        EXPECT_FALSE(hit_.nothing());
        return Outcome::kRefused;
      }
      Check(**store);
      if (::testing::Test::HasFailure()) break;
      if (!again) GoOn(**store);
      EXPECT_OK((*store)->Close());
    }
    return errors_ == 0 ? Outcome::kWhole : Outcome::kErrors;
  }

 private:
  bool IsHurt(const RotObject& object) const {
    return hit_.objects.contains(object.ns + "/" + object.name);
  }

  static bool IsExact(const Snapshot& snapshot, const RotVersion& version, Status* error) {
    EXPECT_EQ(snapshot.page_count(), version.pages.size());
    std::vector<std::byte> bytes(snapshot.page_size());
    bool exact = true;
    for (size_t i = 0; i < version.pages.size(); ++i) {
      const Status read = snapshot.ReadPage(PageNo(static_cast<uint32_t>(i + 1)), bytes);
      if (!read.ok()) {
        *error = read;
        exact = false;
        continue;
      }
      const bool same = version.pages[i] == nullptr ? bytes == std::vector<std::byte>(bytes.size())
                                                    : bytes == *version.pages[i];
      EXPECT_TRUE(same) << "page " << i + 1 << " of LSN " << version.commit.lsn.value
                        << " is given out with wrong bytes";
    }
    return exact;
  }

  // An error must be there for a reason, and say whose data is lost.
  void ExpectExcused(const Status& error, const RotObject& object, const std::string& what) {
    ++errors_;
    EXPECT_EQ(error.code(), StatusCode::kCorruption) << what << ": " << error.ToString();
    EXPECT_TRUE(IsHurt(object)) << what << ": " << error.ToString();
    const bool named = error.message().find(object.ns + "/" + object.name) != std::string::npos ||
                       error.message().find("namespace " + object.ns) != std::string::npos;
    EXPECT_TRUE(named) << what << " of " << object.ns << "/" << object.name << ": "
                       << error.ToString();
  }

  void Check(Store& store) {
    for (RotObject& object : objects_) {
      SCOPED_TRACE(object.ns + "/" + object.name);
      CheckObject(store, object);
      if (::testing::Test::HasFailure()) return;
    }
    auto report = store.Verify();
    ASSERT_OK(report);
    if (hit_.nothing()) {
      EXPECT_TRUE(report->damage.empty()) << report->damage[0].message;
    } else if (hit_.lost_from == UINT64_MAX && !IsHealed()) {
      EXPECT_TRUE(std::any_of(
          report->damage.begin(), report->damage.end(),
          [&](const tidemark::Damage& damage) {
            return std::any_of(hit_.segments.begin(), hit_.segments.end(), [&](uint32_t segment) {
              return damage.segment == segment ||
                     damage.message.find("segment " + std::to_string(segment)) != std::string::npos;
            });
          }))
          << "verify does not name the damage; findings: " << report->damage.size();
    }
  }

  // Recovery writes both headers of a segment anew if it is not sure of its first group.
  bool IsHealed() const {
    if (!hit_.only_segment_headers || hit_.segments.size() != 1) return false;
    const auto bytes = fs_.Contents(RotSegmentPath(*hit_.segments.begin()));
    const auto headers = std::span(bytes).first(format::kFirstGroupOffset);
    constexpr size_t kSize = sizeof(format::SegmentHeader);
    return std::ranges::equal(headers.first(kSize),
                              headers.subspan(format::kSecondHeaderOffset, kSize));
  }

  void CheckObject(Store& store, RotObject& model) {
    auto opened = store.OpenObject(model.ns, model.name, IfMissing::kDeleted);
    const uint64_t created = model.versions.empty() ? 0 : model.versions[0].commit.lsn.value;
    if (created == 0 || (created >= hit_.lost_from && !opened.ok())) {
      // Nobody knows what was in a namespace whose own record is lost.
      const auto ns = work_.namespaces.find(model.ns);
      const bool ns_lost = ns != work_.namespaces.end() && hit_.lsns.contains(ns->second);
      if (ns_lost && opened.status().code() == StatusCode::kCorruption) {
        EXPECT_ERROR(opened, StatusCode::kCorruption, "namespace " + model.ns);
      } else {
        EXPECT_ERROR(opened, StatusCode::kNotFound, model.ns);
      }
      model.versions.clear();
      return;
    }
    if (!opened.ok()) return ExpectExcused(opened.status(), model, "opening");
    const auto& object = *opened;
    // What nothing proves may be gone, as a prefix of it all; from here on it is.
    const CommitInfo head = object->head();
    while (model.versions.back().commit.lsn > head.lsn &&
           model.versions.back().commit.lsn.value >= hit_.lost_from && model.versions.size() > 1) {
      model.versions.pop_back();
    }
    auto snapshot = object->OpenSnapshot();
    if (!snapshot.ok()) {
      ExpectExcused(snapshot.status(), model, "the present");
    } else {
      EXPECT_EQ(snapshot->lsn(), model.versions.back().commit.lsn) << "not the latest state";
      CheckVersion(*snapshot, model, model.versions.back(), "the present");
    }
    for (const RotVersion& version : model.versions) {
      auto past = object->OpenSnapshot(object->BookmarkOf(version.commit));
      if (past.ok()) {
        EXPECT_EQ(past->commit(), version.commit);
        CheckVersion(*past, model, version, "a bookmark");
      } else {
        ExpectExcused(past.status(), model, "a bookmark");
      }
    }
    CheckTimes(*object, model);
    CheckHistory(*object, model);
    CheckLabels(*object, model);
  }

  // A label names what it was given, or says that this is not known; a damaged record of one costs
  // the object's labels, at most.
  void CheckLabels(const Object& object, const RotObject& model) {
    const bool hurt = IsHurt(model) || std::any_of(model.labels.begin(), model.labels.end(),
                                                   [&](const RotLabelChange& change) {
                                                     return hit_.lsns.contains(change.lsn);
                                                   });
    std::map<std::string, std::set<uint64_t>> allowed = {{"never", {0}}};
    for (const RotLabelChange& change : model.labels) {
      std::set<uint64_t>& commits = allowed[change.name];
      if (commits.empty()) commits.insert(0);
      if (change.lsn < hit_.lost_from) commits.clear();
      commits.insert(change.commit);
    }
    for (const auto& [name, commits] : allowed) {
      const auto found = object.Resolve(Label{name});
      if (found.ok()) {
        EXPECT_TRUE(commits.contains(found->lsn.value)) << name << " names another commit";
      } else if (found.status().code() == StatusCode::kNotFound) {
        EXPECT_TRUE(commits.contains(0)) << name << " is not there";
      } else {
        ++errors_;
        EXPECT_ERROR(found, StatusCode::kCorruption, model.ns + "/" + model.name) << name;
        EXPECT_TRUE(hurt) << found.status().ToString();
      }
    }
    EXPECT_OK(object.ListLabels());
  }

  void CheckVersion(const Snapshot& snapshot, const RotObject& model, const RotVersion& version,
                    const std::string& what) {
    Status error;
    if (!IsExact(snapshot, version, &error)) ExpectExcused(error, model, what);
  }

  void CheckTimes(const Object& object, const RotObject& model) {
    for (size_t i = 0; i < model.versions.size(); ++i) {
      const bool last = i + 1 == model.versions.size();
      const Timestamp from = model.versions[i].commit.time;
      const Timestamp to = last ? from + std::chrono::hours(1) : model.versions[i + 1].commit.time;
      if (from == to) continue;
      for (const Timestamp time :
           {from, from + (to - from) / 2, to - std::chrono::microseconds(1)}) {
        const auto found = object.Resolve(time);
        if (found.ok()) {
          EXPECT_EQ(*found, model.versions[i].commit) << "a time gives another commit";
          EXPECT_NE(found->kind, CommitKind::kDelete);
        } else if (found.status().code() == StatusCode::kNotFound) {
          EXPECT_EQ(model.versions[i].commit.kind, CommitKind::kDelete)
              << found.status().ToString();
        } else {
          ExpectExcused(found.status(), model, "a time");
        }
      }
    }
  }

  void CheckHistory(const Object& object, const RotObject& model) {
    std::vector<CommitInfo> found;
    const Status status = object.History([&](const CommitInfo& commit) {
      found.push_back(commit);
      return true;
    });
    if (!status.ok()) ExpectExcused(status, model, "the history");
    if (status.ok() && !IsHurt(model)) {
      EXPECT_EQ(found.size(), model.versions.size());
    }
    for (const CommitInfo& commit : found) {
      EXPECT_TRUE(std::any_of(model.versions.begin(), model.versions.end(),
                              [&](const RotVersion& version) { return version.commit == commit; }))
          << "nobody made LSN " << commit.lsn.value;
    }
  }

  // The store works on: a commit on one object that is well, a way back for each that is not.
  void GoOn(Store& store) {
    for (RotObject& model : objects_) {
      if (model.versions.empty()) continue;
      SCOPED_TRACE(model.ns + "/" + model.name + " goes on");
      auto object = store.OpenObject(model.ns, model.name, IfMissing::kDeleted);
      if (!object.ok()) continue;
      RotVersion next = model.versions.back();
      if (auto snapshot = (*object)->OpenSnapshot(); !snapshot.ok()) {
        auto whole = model.versions.rbegin();
        for (; whole != model.versions.rend(); ++whole) {
          const auto past = (*object)->OpenSnapshot((*object)->BookmarkOf(whole->commit));
          Status error;
          if (past.ok() && IsExact(*past, *whole, &error)) break;
        }
        if (whole == model.versions.rend()) continue;
        next = *whole;
        auto info = (*object)->Restore((*object)->BookmarkOf(whole->commit));
        ASSERT_OK(info);
        next.commit = info->result;
        if (!info->label.empty()) {
          model.labels.push_back({.name = info->label,
                                  .lsn = info->result.lsn.value - 1,
                                  .commit = info->from.lsn.value});
        }
      } else if (!IsHurt(model)) {
        Transaction transaction(*object);
        ASSERT_OK(transaction.Begin());
        if (transaction.page_size() == 0) {  // it was deleted
          ASSERT_OK(transaction.ResetPageSize(4096));
        }
        auto page = std::make_shared<std::vector<std::byte>>(transaction.page_size());
        for (auto& byte : *page) byte = static_cast<std::byte>(random_.Next());
        if (next.pages.empty()) next.pages.resize(1);
        next.pages[0] = page;
        ASSERT_OK(transaction.WritePage(PageNo(1), *page));
        auto commit = transaction.Commit();
        ASSERT_OK(commit);
        next.commit = *commit;
      } else {
        continue;
      }
      model.versions.push_back(std::move(next));
    }
  }

  const RotWork& work_;
  Random random_;
  const Rot rot_;
  SimFileSystem fs_;
  ManualClock clock_;
  TempDirectory index_;
  StoreOptions options_;
  bool with_index_ = true;
  RotHit hit_;
  int errors_ = 0;
  std::vector<RotObject> objects_;
};

// Goal: promises 2 and 4, whatever rots. Method: stores with a known past, closed or crashed, with
// and without their index; one damage each; then every object's present, every bookmark and time,
// twice, the second time from the index that the first left. A store that will not open at all must
// be rare, and is never the work of a single bit.
TEST(RotTest, IsFoundAndNamedAndCostsWhatItHits) {
  using Counts = std::array<int, static_cast<size_t>(Outcome::kCount)>;
  std::array<Counts, static_cast<size_t>(Rot::kCount)> counts{};
  const uint64_t works = Scaled(6);
  for (uint64_t w = 0; w < works; ++w) {
    const uint64_t seed = TestSeed() * 1000 + w;
    const RotWork work = MakeRotWork(seed);
    if (HasFailure()) return;
    for (uint64_t i = 0; i < 80; ++i) {
      const auto rot = static_cast<Rot>(i % counts.size());
      SCOPED_TRACE(::testing::Message() << "work " << seed << ", trial " << i);
      const Outcome outcome = Trial(work, seed * 1000 + i, rot).Run();
      if (HasFailure()) return;
      ++counts[i % counts.size()][static_cast<size_t>(outcome)];
    }
  }
  int refused = 0;
  int trials = 0;
  for (size_t rot = 0; rot < counts.size(); ++rot) {
    const auto [whole, errors, refusals] = counts[rot];
    std::printf("%-8s %4d whole, %4d with errors, %4d refused\n", kRotNames[rot], whole, errors,
                refusals);
    // A file that ends early or is gone held the commits of nobody knows whom.
    if (rot == static_cast<size_t>(Rot::kTruncate) || rot == static_cast<size_t>(Rot::kMissing)) {
      continue;
    }
    refused += refusals;
    trials += whole + errors + refusals;
  }
  EXPECT_EQ(counts[static_cast<size_t>(Rot::kBit)][static_cast<size_t>(Outcome::kRefused)], 0);
  EXPECT_LT(refused, trials / 4);
}

}  // namespace
}  // namespace tidemark::testing
