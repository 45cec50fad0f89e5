#include "tests/crash/rot_work.h"
#include "engine/clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

#include "engine/internal/group.h"
#include "engine/internal/segment_header.h"
#include "engine/internal/segments.h"
#include "engine/transaction.h"
#include "tests/support/status_matchers.h"

namespace tidemark::testing {
namespace {

constexpr char kStore[] = "store";

RotPage RandomBytes(Random& random, const RotPage& old, uint32_t size) {
  auto page = std::make_shared<std::vector<std::byte>>(size);
  if (old != nullptr && old->size() == size && !random.OneIn(4)) {
    *page = *old;  // a small change: a patch
    for (uint64_t i = random.Below(60), at = random.Below(size); i < 60 && at < size; ++i, ++at) {
      (*page)[at] = static_cast<std::byte>(random.Next());
    }
  } else {
    for (auto& byte : *page) byte = static_cast<std::byte>(random.Next());
  }
  return page;
}

class Worker {
 public:
  explicit Worker(uint64_t seed) : random_(seed), fs_(seed) {
    work_.seed = seed;
    work_.options.create_if_missing = true;
    work_.options.segment_size_bytes = 1u << 20;
    work_.options.transaction_memory_bytes = 64u << 10;
    work_.options.background_work = BackgroundWork::kManual;
    for (const char* const name : {"a", "b", "c"}) work_.objects.push_back({"rooms", name, {}, {}});
    for (const char* const name : {"d", "e"}) work_.objects.push_back({"cellars", name, {}, {}});
    for (const char* const name : {"f", "g"})
      work_.objects.push_back({"rooms", name, {}, {}, true});
    work_.objects.push_back({"attics", "h", {}, {}, true});
  }

  RotWork Run() {
    Open();
    const uint64_t rounds = 6 + random_.Below(4);
    for (uint64_t round = 0; round < rounds; ++round) {
      for (uint64_t i = 5 + random_.Below(10); i > 0; --i) Step();
      EXPECT_OK(store_->Sync());
      if (random_.OneIn(3)) {
        EXPECT_OK(store_->Checkpoint());
      }
      if (random_.OneIn(4)) {
        EXPECT_OK(store_->Close());
        Open();
      } else if (random_.OneIn(5)) {
        Open();  // without closing: a crash
      }
      work_.earlier.push_back(fs_.Save());
    }
    Stop();
    return std::move(work_);
  }

 private:
  void Open() {
    store_.reset();
    fs_.Crash();  // gives the lock back; everything is synced
    fs_.Restart(PowerLoss::kAll);
    work_.options.file_system = &fs_;
    work_.options.clock = &clock_;
    work_.options.index_directory = index_.path();
    auto store = Store::Open(kStore, work_.options);
    ASSERT_OK(store);
    store_ = std::move(store).value();
  }

  void Step() {
    clock_.Advance(std::chrono::milliseconds(random_.Below(3) * random_.Below(100000)));
    RotObject& object = work_.objects[random_.Below(work_.objects.size())];
    const uint64_t kind = random_.Below(20);
    if (object.is_fork && object.versions.empty()) {
      Fork(object);
    } else if (kind < 2 && !object.versions.empty()) {
      Restore(object);
    } else if (kind == 4 && !object.versions.empty()) {
      DeleteOrUndelete(object);
    } else if (kind == 5 && object.is_fork) {
      Promote(object);
    } else if (kind >= 17 && !object.versions.empty()) {
      ChangeLabel(object);
    } else {
      Commit(object, kind == 2 ? 60 + random_.Below(80) : 1 + random_.Below(4), kind == 3);
    }
    if (random_.OneIn(3)) {
      EXPECT_OK(store_->Sync());
    }
  }

  void Restore(RotObject& model) {
    const auto object = Open(model);
    RotVersion next = model.versions[random_.Below(model.versions.size())];
    auto info = object->Restore(object->BookmarkOf(next.commit));
    ASSERT_OK(info);
    next.commit = info->result;
    NoteLabel(model, info->label, info->result.lsn.value - 1, info->from.lsn.value);
    model.versions.push_back(std::move(next));
  }

  std::shared_ptr<Object> Open(const RotObject& model) {
    return store_->OpenObject(model.ns, model.name, IfMissing::kDeleted).value();
  }

  // What `model` is from here on depends on everything that `source` was up to `lsn`.
  void Inherit(RotObject& model, const RotObject& source, Lsn lsn) {
    model.records.insert(work_.namespaces.at(source.ns));
    model.records.insert(source.records.begin(), source.records.upper_bound(lsn.value));
    for (const RotVersion& version : source.versions) {
      if (version.commit.lsn <= lsn) model.records.insert(version.commit.lsn.value);
    }
  }

  void Fork(RotObject& model) {
    const RotObject& source = work_.objects[random_.Below(work_.objects.size())];
    if (source.versions.empty()) return;
    RotVersion next = source.versions[random_.Below(source.versions.size())];
    if (next.commit.kind == CommitKind::kDelete) return;
    const auto from = Open(source);
    const Lsn lsn = next.commit.lsn;
    const auto fork = store_->Fork(*from, from->BookmarkOf(next.commit), model.ns, model.name);
    ASSERT_OK(fork);
    next.commit = (*fork)->head();
    const uint64_t forked = next.commit.lsn.value;
    if (!work_.namespaces.contains(model.ns)) work_.namespaces[model.ns] = forked - 2;
    model.records.insert(forked - 1);
    model.origin = source.name;
    Inherit(model, source, lsn);
    model.versions.push_back(std::move(next));
  }

  void Promote(RotObject& model) {
    const auto target =
        std::find_if(work_.objects.begin(), work_.objects.end(),
                     [&](const RotObject& object) { return object.name == model.origin; });
    if (model.versions.back().commit.kind == CommitKind::kDelete) return;
    RotVersion next = model.versions.back();
    auto info = Open(*target)->Promote(*Open(model), IfNewer::kReplace);
    ASSERT_OK(info);
    Inherit(*target, model, next.commit.lsn);
    next.commit = info->result;
    target->versions.push_back(std::move(next));
  }

  void DeleteOrUndelete(RotObject& model) {
    const bool undelete = model.versions.back().commit.kind == CommitKind::kDelete;
    const auto info = undelete ? Open(model)->Undelete() : Open(model)->Delete();
    ASSERT_OK(info);
    RotVersion next;
    for (const RotVersion& version : model.versions) {
      if (undelete && version.commit.lsn == info->to.lsn) next = version;
    }
    next.commit = info->result;
    model.versions.push_back(std::move(next));
  }

  // Unless it was there already.
  static void NoteLabel(RotObject& model, const std::string& name, uint64_t lsn, uint64_t commit) {
    for (const RotLabelChange& change : model.labels) {
      if (change.name == name && change.commit == commit) return;
    }
    model.labels.push_back({.name = name, .lsn = lsn, .commit = commit});
  }

  void ChangeLabel(RotObject& model) {
    const auto object = Open(model);
    const std::string name = "label-" + std::to_string(random_.Below(4));
    const CommitInfo& commit = model.versions[random_.Below(model.versions.size())].commit;
    const Lsn before = store_->Stats().last_lsn;
    if (random_.OneIn(4)) {
      const auto label = object->SetAutomaticLabel("auto");
      ASSERT_OK(label);
      NoteLabel(model, *label, before.value + 1, model.versions.back().commit.lsn.value);
    } else if (random_.OneIn(3)) {
      const Status removed = object->RemoveLabel(name);
      if (removed.code() == StatusCode::kNotFound) return;
      ASSERT_OK(removed);
      model.labels.push_back({.name = name, .lsn = before.value + 1, .commit = 0});
    } else {
      ASSERT_OK(object->SetLabel(name, object->BookmarkOf(commit), IfLabelExists::kMove));
      if (store_->Stats().last_lsn == before) return;  // it named that
      model.labels.push_back({.name = name, .lsn = before.value + 1, .commit = commit.lsn.value});
    }
  }

  void Commit(RotObject& model, uint64_t writes, bool other_page_size) {
    auto object = store_->OpenObject(model.ns, model.name, IfMissing::kCreate);
    ASSERT_OK(object);
    const Lsn before = store_->Stats().last_lsn;
    Transaction transaction(*object);
    ASSERT_OK(transaction.Begin());
    RotVersion next;
    uint32_t page_size = transaction.page_size();
    if (!model.versions.empty()) next.pages = model.versions.back().pages;
    if (page_size == 0 || other_page_size) {
      page_size = page_size == 4096 ? 1024 : 4096;
      next.pages.clear();
      ASSERT_OK(transaction.ResetPageSize(page_size));
    }
    if (random_.OneIn(8) && !next.pages.empty()) {
      next.pages.resize(1 + random_.Below(next.pages.size()));
      ASSERT_OK(transaction.SetPageCount(static_cast<uint32_t>(next.pages.size())));
    }
    for (uint64_t i = 0; i < writes; ++i) {
      const uint64_t at = writes > 50 ? i : random_.Below(next.pages.size() + 3);
      if (next.pages.size() <= at) next.pages.resize(at + 1);
      next.pages[at] = RandomBytes(random_, next.pages[at], page_size);
      ASSERT_OK(transaction.WritePage(PageNo(static_cast<uint32_t>(at + 1)), *next.pages[at]));
    }
    if (random_.OneIn(12)) return;  // a rollback; its batches stay in the log, for nothing
    auto commit = transaction.Commit();
    ASSERT_OK(commit);
    next.commit = *commit;
    if (!model.versions.empty() && model.versions.back().commit.lsn == commit->lsn) return;
    // Whatever else was logged on the way is this object's, too; of its namespace, by name.
    uint64_t lsn = before.value + 1;
    const bool is_new = model.versions.empty();
    if (is_new && !work_.namespaces.contains(model.ns)) {
      work_.namespaces[model.ns] = commit->timeline.value - 1;
    }
    for (; lsn < commit->lsn.value; ++lsn) {
      if (work_.namespaces[model.ns] != lsn) model.records.insert(lsn);
    }
    model.versions.push_back(std::move(next));
  }

  void Stop() {
    EXPECT_OK(store_->Sync());
    work_.stop = random_.OneIn(3) ? RotWork::Stop::kClose : RotWork::Stop::kCrash;
    if (work_.stop == RotWork::Stop::kClose) {
      work_.checkpoint_lsn = store_->Stats().last_lsn.value;
      EXPECT_OK(store_->Close());
    } else {
      work_.checkpoint_lsn = store_->Stats().checkpoint_lsn.value;
    }
    store_.reset();
    work_.now = clock_.Now();
    work_.disk = fs_.Save();
    work_.index = std::make_shared<TempDirectory>();
    std::filesystem::copy_file(index_ / "data.mdb", *work_.index / "data.mdb");
    work_.options.file_system = nullptr;
    work_.options.clock = nullptr;
    MapLog();
  }

  void MapLog() {
    internal::Segments segments(&fs_, std::string(kStore) + "/log",
                                work_.options.segment_size_bytes);
    fs_.Restart(PowerLoss::kAll);
    ASSERT_OK(segments.Load());
    for (const auto& [number, header] : segments.Headers()) {
      using Kind = RotStretch::Kind;
      for (const uint32_t copy : {0u, format::kSecondHeaderOffset}) {
        work_.map.push_back({number, copy, copy + uint32_t{sizeof(header)}, Kind::kSegmentHeader,
                             work_.group_count, header.first_lsn});
      }
      const auto bytes = fs_.Contents(RotSegmentPath(number));
      uint32_t at = format::kFirstGroupOffset;
      while (at + sizeof(format::GroupHeader) <= bytes.size()) {
        format::GroupHeader group;
        std::memcpy(&group, bytes.data() + at, sizeof(group));
        if (!internal::IsGroupHeader(group, header.incarnation)) break;
        const auto whole = std::span(bytes).subspan(at, group.length);
        const auto directory = internal::ParseDirectory(whole, header.incarnation);
        ASSERT_TRUE(directory);
        const auto footer = internal::ParseFooter(whole, header.incarnation);
        const uint32_t records_end =
            group.length - uint32_t{sizeof(format::GroupFooter)} - footer->directory_length;
        const size_t n = work_.group_count++;
        work_.map.push_back(
            {number, at, at + uint32_t{sizeof(group)}, Kind::kGroupHeader, n, group.first_lsn});
        for (size_t i = 0; i < directory->size(); ++i) {
          const auto& entry = (*directory)[i];
          const uint32_t end = i + 1 < directory->size() ? (*directory)[i + 1].offset : records_end;
          work_.map.push_back(
              {number, at + entry.offset, at + end, Kind::kRecord, n, entry.lsn.value});
        }
        work_.map.push_back(
            {number, at + records_end, at + group.length, Kind::kDirectory, n, group.first_lsn});
        at += group.length;
      }
    }
  }

  RotWork work_;
  Random random_;
  SimFileSystem fs_;
  ManualClock clock_;
  TempDirectory index_;
  std::unique_ptr<Store> store_;
};

}  // namespace

std::string RotSegmentPath(uint32_t segment) {
  return std::string(kStore) + "/log/" + internal::SegmentName(segment);
}

RotWork MakeRotWork(uint64_t seed) { return Worker(seed).Run(); }

}  // namespace tidemark::testing
