#include "tests/support/store_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <span>
#include <utility>

#include "tests/support/dictionaries.h"
#include "tests/support/status_matchers.h"

namespace tidemark::testing {
namespace {

void FillWithNew(std::span<std::byte> out, Random& random) {
  while (!out.empty()) {
    const uint64_t word = random.Next();
    const size_t size = std::min(sizeof word, out.size());
    std::memcpy(out.data(), &word, size);
    out = out.subspan(size);
  }
}

}  // namespace

StoreModel::StoreModel(uint64_t seed, const Limits& limits) : limits_(limits), random_(seed) {
  for (int i = 0; i < limits.objects; ++i) objects_["object-" + std::to_string(i)];
}

StoreModel::ObjectModel& StoreModel::RandomObject(std::string* name) {
  auto it = objects_.begin();
  std::advance(it, static_cast<ptrdiff_t>(random_.Below(objects_.size())));
  *name = it->first;
  return it->second;
}

// Half of the forks are in another namespace.
Result<std::shared_ptr<Object>> StoreModel::Open(Store& store, const std::string& name,
                                                 IfMissing if_missing) {
  const bool elsewhere = name.starts_with("fork") && name.back() % 2 != 0;
  return store.OpenObject(elsewhere ? "copies" : "rooms", name, if_missing);
}

// Anything from one changed byte to wholly new bytes, compressible or not, and bytes that moved:
// all page forms are used.
StoreModel::Page StoreModel::RandomPage(const Page& old, uint32_t size) {
  auto page = std::make_shared<std::vector<std::byte>>(size);
  if (old != nullptr && old->size() == size) *page = *old;
  switch (random_.Below(11)) {
    case 0: FillWithNew(*page, random_); break;
    case 1: std::fill(page->begin(), page->end(), static_cast<std::byte>(random_.Next())); break;
    case 2: std::fill(page->begin(), page->end(), std::byte{0}); break;
    case 3:
      std::rotate(page->begin() + static_cast<ptrdiff_t>(random_.Below(size / 2)),
                  page->end() - static_cast<ptrdiff_t>(1 + random_.Below(64)), page->end());
      break;
    case 4: FillWithRows(*page, random_); break;
    case 5: {
      const size_t at = random_.Below(size);
      FillWithRows(std::span(*page).subspan(at, std::min<size_t>(200, size - at)), random_);
      break;
    }
    default: {
      const size_t at = random_.Below(size);
      const size_t length = std::min<size_t>(1 + random_.Below(100), size - at);
      FillWithNew(std::span(*page).subspan(at, length), random_);
    }
  }
  return page;
}

// Few different ones, so that objects share them.
std::optional<Timestamp> StoreModel::RandomAlarm() {
  if (random_.OneIn(4)) return std::nullopt;
  return ManualClock::kStart + std::chrono::minutes(random_.Below(20));
}

RestoreOptions StoreModel::RandomOptions(Alarms otherwise, Version& next) {
  RestoreOptions options{.alarms = otherwise};
  switch (random_.Below(6)) {
    case 0: options.alarms = Alarms::kRestore; break;
    case 1: options.alarms = Alarms::kClear; break;
    case 2: options.alarm = RandomAlarm(); break;
    default: break;
  }
  counts_.other_alarms += options.alarm.has_value() || options.alarms != otherwise;
  if (options.alarms == Alarms::kClear) next.commit.alarm.reset();
  if (options.alarm) next.commit.alarm = options.alarm;
  if (next.deleted()) next.commit.alarm.reset();
  return options;
}

Status StoreModel::SetPageSize(Transaction& transaction, Version& next) {
  if (next.page_size != 0 && !random_.OneIn(60)) return OkStatus();
  const uint32_t page_size = limits_.smallest_page << random_.Below(limits_.page_sizes);
  if (page_size != next.page_size) {
    counts_.page_size_changes += next.page_size != 0;
    next.pages.clear();
  }
  next.page_size = page_size;
  return transaction.ResetPageSize(page_size);
}

Status StoreModel::WritePage(Transaction& transaction, ObjectModel& model, Version& next,
                             uint32_t page_no, Page page) {
  counts_.regrown_pages += page_no > next.pages.size() && page_no <= model.most_pages;
  counts_.first_pages += page_no == 1;
  counts_.last_pages += page_no == next.pages.size();
  if (next.pages.size() < page_no) next.pages.resize(page_no);
  model.most_pages = std::max(model.most_pages, next.pages.size());
  TIDEMARK_RETURN_IF_ERROR(transaction.WritePage(PageNo(page_no), *page));
  next.pages[page_no - 1] = std::move(page);
  return OkStatus();
}

Status StoreModel::Stage(Transaction& transaction, ObjectModel& model, Version& next,
                         uint64_t max_writes) {
  TIDEMARK_RETURN_IF_ERROR(SetPageSize(transaction, next));
  for (uint64_t i = 1 + random_.Below(random_.OneIn(3) ? max_writes : 3); i > 0; --i) {
    if (random_.OneIn(12)) {
      next.commit.alarm = RandomAlarm();
      // What it has beyond milliseconds is not kept.
      transaction.SetAlarm(next.commit.alarm ? *next.commit.alarm + std::chrono::microseconds(1)
                                             : next.commit.alarm);
      ++counts_.alarms;
    }
    if (random_.OneIn(25)) {
      const auto count = static_cast<uint32_t>(random_.Below(next.pages.size() + 1));
      counts_.truncations += count < next.pages.size();
      next.pages.resize(count);
      TIDEMARK_RETURN_IF_ERROR(transaction.SetPageCount(count));
      continue;
    }
    // Mostly pages that are there, the first and the last above all; sometimes one beyond the end,
    // with a hole before it.
    const auto size = static_cast<uint32_t>(next.pages.size());
    const uint64_t reach = std::min<uint64_t>(size + (random_.OneIn(2) ? 1 : 10), limits_.pages);
    auto page_no = static_cast<uint32_t>(1 + random_.Below(reach));
    if (random_.OneIn(6)) page_no = 1;
    if (random_.OneIn(6) && size > 0) page_no = size;
    const Page old = page_no <= size ? next.pages[page_no - 1] : nullptr;
    TIDEMARK_RETURN_IF_ERROR(
        WritePage(transaction, model, next, page_no, RandomPage(old, next.page_size)));
    if (random_.OneIn(40)) TIDEMARK_RETURN_IF_ERROR(transaction.Prepare());
    if (random_.OneIn(30)) CheckStaged(transaction, next);
  }
  return OkStatus();
}

Status StoreModel::Finish(Object& object, Transaction& transaction, ObjectModel& model,
                          Version& next) {
  model.under_way = next;
  const auto alarm = next.commit.alarm;
  const bool schema = random_.OneIn(4);
  transaction.SetSchemaChanged(schema);
  TIDEMARK_ASSIGN_OR_RETURN(next.commit, transaction.Commit());
  model.under_way.reset();
  if (!next.commit.lsn.valid()) return OkStatus();  // nothing was written to a new object
  if (model.head() != nullptr && next.commit.lsn == model.head()->commit.lsn) {
    CheckContents(object.OpenSnapshot().value(), *model.head(), "a commit without changes");
    return OkStatus();
  }
  CheckNew(next.commit.lsn);
  if (model.head() == nullptr) model.origin.clear();
  counts_.begun_anew += model.head() != nullptr && model.head()->deleted();
  next.promoted.clear();
  EXPECT_EQ(next.commit.schema_changed, schema);
  EXPECT_EQ(next.commit.alarm, alarm);
  EXPECT_EQ(next.commit.page_size, next.page_size);
  EXPECT_EQ(next.commit.page_count, next.pages.size());
  model.versions.push_back(std::move(next));
  return OkStatus();
}

Status StoreModel::Transact(Store& store, uint64_t max_writes) {
  std::string name;
  ObjectModel& model = RandomObject(&name);
  TIDEMARK_ASSIGN_OR_RETURN(auto object, Open(store, name, IfMissing::kCreate));
  Transaction transaction(object);
  TIDEMARK_RETURN_IF_ERROR(transaction.Begin());
  for (uint64_t i = random_.OneIn(8) ? random_.Between(2, 3) : 1; i > 0; --i) {
    Version next;
    if (model.head() != nullptr) next = *model.head();
    TIDEMARK_RETURN_IF_ERROR(Stage(transaction, model, next, max_writes));
    if (random_.OneIn(15)) {
      transaction.Rollback();
      ++counts_.rollbacks;
      continue;
    }
    TIDEMARK_RETURN_IF_ERROR(Finish(*object, transaction, model, next));
  }
  return OkStatus();
}

Status StoreModel::TransactLarge(Store& store, uint64_t writes, Ending ending) {
  std::string name;
  ObjectModel& model = RandomObject(&name);
  TIDEMARK_ASSIGN_OR_RETURN(auto object, Open(store, name, IfMissing::kCreate));
  Transaction transaction(object);
  TIDEMARK_RETURN_IF_ERROR(transaction.Begin());
  Version next;
  if (model.head() != nullptr) next = *model.head();
  TIDEMARK_RETURN_IF_ERROR(SetPageSize(transaction, next));
  std::set<uint32_t> written;
  for (; writes > 0; --writes) {
    const auto page_no = static_cast<uint32_t>(1 + random_.Below(limits_.pages));
    auto page = std::make_shared<std::vector<std::byte>>(next.page_size);
    FillWithNew(*page, random_);
    TIDEMARK_RETURN_IF_ERROR(WritePage(transaction, model, next, page_no, std::move(page)));
    written.insert(page_no);
  }
  const bool large = written.size() * next.page_size > store.options().transaction_memory_bytes;
  if (random_.OneIn(2)) CheckStaged(transaction, next);
  if (ending == Ending::kRollback) {
    transaction.Rollback();
    counts_.large_rollbacks += large;
    return OkStatus();
  }
  TIDEMARK_RETURN_IF_ERROR(Finish(*object, transaction, model, next));
  counts_.large_commits += large;
  return OkStatus();
}

Status StoreModel::Restore(Store& store) {
  std::string name;
  ObjectModel& model = RandomObject(&name);
  if (model.versions.empty()) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(auto object, Open(store, name, IfMissing::kDeleted));
  const size_t chosen = random_.Below(model.versions.size());
  Version next = model.versions[chosen];
  const CommitInfo to = next.commit;
  if (!IsKept(name, model, chosen)) {
    return Expired(object->Restore(object->BookmarkOf(next.commit)).status());
  }
  const Lsn from = model.head()->commit.lsn;
  const RestoreOptions options = RandomOptions(Alarms::kRestore, next);
  model.under_way = next;
  model.label_under_way = {.name = "before-restore-",
                           .after = LabelModel{.commit = from, .record = {}, .automatic = true}};
  TIDEMARK_ASSIGN_OR_RETURN(const RestoreInfo info,
                            object->Restore(object->BookmarkOf(to), options));
  model.label_under_way.reset();
  AddAutomaticLabel(model, info.label, from, Lsn(info.result.lsn.value - 1));
  EXPECT_EQ(info.to, to);
  EXPECT_EQ(info.from, model.head()->commit);
  Done(model, std::move(next), info.result);
  ++counts_.restores;
  return OkStatus();
}

Status StoreModel::Sync(Store& store) {
  Lsn last;
  for (const auto& [name, object] : objects_) {
    if (object.head() != nullptr) last = std::max(last, object.head()->commit.lsn);
  }
  TIDEMARK_RETURN_IF_ERROR(store.Sync());
  confirmed_ = std::max(confirmed_, last);
  EXPECT_GE(store.durable_lsn(), confirmed_);
  return OkStatus();
}

void StoreModel::LookBack(Store& store) {
  std::string name;
  ObjectModel& model = RandomObject(&name);
  if (model.versions.empty()) return;
  const auto object = Open(store, name, IfMissing::kDeleted);
  ASSERT_OK(object);
  auto expected =
      model.versions.begin() + static_cast<ptrdiff_t>(random_.Below(model.versions.size()));
  ForgetPackedLabels(**object, name, model);
  Point point = (*object)->BookmarkOf(expected->commit);
  if (random_.OneIn(3) && !model.labels.empty()) {
    const auto label =
        std::next(model.labels.begin(), static_cast<ptrdiff_t>(random_.Below(model.labels.size())));
    expected = std::find_if(model.versions.begin(), model.versions.end(),
                            [&](const Version& v) { return v.commit.lsn == label->second.commit; });
    ASSERT_NE(expected, model.versions.end()) << label->first << " outlived its commit";
    point = Label{label->first};
    ++counts_.looks_by_label;
    if (!IsKept(name, model, label->second.commit)) {
      EXPECT_OK(Expired((*object)->OpenSnapshot(point).status()));
      return;
    }
  } else if (random_.OneIn(2)) {
    // Between this version and the next: what was current then is the last one up to that time.
    const auto later = std::next(expected);
    const Timestamp from = expected->commit.time;
    const Timestamp to =
        later == model.versions.end() ? from + std::chrono::seconds(1) : later->commit.time;
    const auto span = static_cast<uint64_t>((to - from).count());
    const Timestamp at = from + std::chrono::microseconds(random_.Below(span + 1));
    while (std::next(expected) != model.versions.end() && std::next(expected)->commit.time <= at) {
      ++expected;
    }
    point = at;
    ++counts_.looks_by_time;
    const Version* const kept = FindAt(name, model, at);
    if (kept == nullptr) {
      EXPECT_OK(Expired((*object)->OpenSnapshot(point).status()));
      return;
    }
    EXPECT_EQ(kept->commit, expected->commit);
    if (expected->deleted()) {
      EXPECT_ERROR((*object)->OpenSnapshot(point), StatusCode::kNotFound, "deleted");
      return;
    }
  } else {
    ++counts_.looks_by_bookmark;
    if (!IsKept(name, model, expected->commit.lsn)) {
      EXPECT_OK(Expired((*object)->OpenSnapshot(point).status()));
      return;
    }
  }
  const auto snapshot = (*object)->OpenSnapshot(point);
  ASSERT_OK(snapshot);
  EXPECT_EQ(snapshot->commit(), expected->commit) << name;
  CheckContents(*snapshot, *expected, name + " in the past");
}

void StoreModel::HoldSnapshot(Store& store) {
  constexpr size_t kMost = 4;
  std::string name;
  const ObjectModel& model = RandomObject(&name);
  if (model.head() == nullptr) return;
  const auto object = Open(store, name, IfMissing::kDeleted);
  ASSERT_OK(object);
  auto snapshot = (*object)->OpenSnapshot();
  ASSERT_OK(snapshot);
  if (held_.size() == kMost) held_.erase(held_.begin());
  held_.emplace_back(std::make_shared<const Snapshot>(std::move(*snapshot)), *model.head());
  ++counts_.held_snapshots;
}

}  // namespace tidemark::testing
