#include "tests/support/store_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/transaction.h"
#include "tests/support/status_matchers.h"

namespace tidemark::testing {
namespace {

constexpr char kNamespace[] = "rooms";
constexpr uint32_t kMaxPages = 400;  // of a database, so that a check stays cheap

}  // namespace

StoreModel::StoreModel(uint64_t seed, int object_count) : random_(seed) {
  for (int i = 0; i < object_count; ++i) objects_["object-" + std::to_string(i)];
}

uint64_t StoreModel::commit_count() const {
  uint64_t count = 0;
  for (const auto& [name, object] : objects_) count += object.versions.size();
  return count;
}

StoreModel::ObjectModel& StoreModel::RandomObject(std::string* name) {
  auto it = objects_.begin();
  std::advance(it, static_cast<ptrdiff_t>(random_.Below(objects_.size())));
  *name = it->first;
  return it->second;
}

// Anything from one changed byte to wholly new bytes, compressible or not: all page forms are used.
StoreModel::Page StoreModel::RandomPage(const Page& old, uint32_t size) {
  auto page = std::make_shared<std::vector<std::byte>>(size);
  if (old != nullptr && old->size() == size) *page = *old;
  switch (random_.Below(8)) {
    case 0:
      for (auto& byte : *page) byte = static_cast<std::byte>(random_.Next());
      break;
    case 1: std::fill(page->begin(), page->end(), static_cast<std::byte>(random_.Next())); break;
    case 2: std::fill(page->begin(), page->end(), std::byte{0}); break;
    default: {
      const size_t at = random_.Below(size);
      const size_t length = std::min<size_t>(1 + random_.Below(100), size - at);
      for (size_t i = 0; i < length; ++i) {
        (*page)[at + i] = static_cast<std::byte>(random_.Next());
      }
    }
  }
  return page;
}

Status StoreModel::Transact(Store& store, uint64_t max_pages) {
  std::string name;
  ObjectModel& model = RandomObject(&name);
  TIDEMARK_ASSIGN_OR_RETURN(auto object, store.OpenObject(kNamespace, name, IfMissing::kCreate));
  Transaction transaction(object);
  TIDEMARK_RETURN_IF_ERROR(transaction.Begin());

  Version next;
  if (model.head() != nullptr) next = *model.head();
  if (next.page_size == 0 || random_.OneIn(60)) {
    const uint32_t page_size = 512u << random_.Below(4);
    if (page_size != next.page_size) next.pages.clear();
    next.page_size = page_size;
    TIDEMARK_RETURN_IF_ERROR(transaction.ResetPageSize(page_size));
  }
  const uint64_t writes = 1 + random_.Below(random_.OneIn(3) ? max_pages : 3);
  for (uint64_t i = 0; i < writes; ++i) {
    if (random_.OneIn(25)) {
      const auto count = static_cast<uint32_t>(random_.Below(next.pages.size() + 1));
      next.pages.resize(count);
      TIDEMARK_RETURN_IF_ERROR(transaction.SetPageCount(count));
      continue;
    }
    // Mostly pages that are there; sometimes one beyond the end, with a hole before it.
    const uint64_t reach = next.pages.size() + (random_.OneIn(2) ? 1 : 10);
    const auto page_no =
        static_cast<uint32_t>(1 + random_.Below(std::min<uint64_t>(reach, kMaxPages)));
    if (next.pages.size() < page_no) next.pages.resize(page_no);
    Page& page = next.pages[page_no - 1];
    page = RandomPage(page, next.page_size);
    TIDEMARK_RETURN_IF_ERROR(transaction.WritePage(PageNo(page_no), *page));
  }
  if (random_.OneIn(15)) {
    transaction.Rollback();
    return OkStatus();
  }
  model.under_way = next;
  TIDEMARK_ASSIGN_OR_RETURN(next.commit, transaction.Commit());
  model.under_way.reset();
  if (!next.commit.lsn.valid()) return OkStatus();  // nothing was written to a new object
  if (model.head() != nullptr && next.commit.lsn == model.head()->commit.lsn) {
    CheckContents(object->OpenSnapshot().value(), *model.head(), "a commit without changes");
    return OkStatus();
  }
  model.versions.push_back(std::move(next));
  return OkStatus();
}

Status StoreModel::Restore(Store& store) {
  std::string name;
  ObjectModel& model = RandomObject(&name);
  if (model.versions.empty()) return OkStatus();
  TIDEMARK_ASSIGN_OR_RETURN(auto object, store.OpenObject(kNamespace, name, IfMissing::kFail));
  Version next = model.versions[random_.Below(model.versions.size())];
  model.under_way = next;
  TIDEMARK_ASSIGN_OR_RETURN(const RestoreInfo info,
                            object->Restore(object->BookmarkOf(next.commit)));
  model.under_way.reset();
  EXPECT_EQ(info.to, next.commit);
  EXPECT_EQ(info.from, model.head()->commit);
  next.commit = info.result;
  model.versions.push_back(std::move(next));
  confirmed_ = std::max(confirmed_, info.result.lsn);
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

void StoreModel::CheckContents(const Snapshot& snapshot, const Version& version,
                               const std::string& what) {
  SCOPED_TRACE(what + ", LSN " + std::to_string(snapshot.lsn().value));
  ASSERT_EQ(snapshot.page_count(), version.pages.size());
  if (version.pages.empty()) return;
  ASSERT_EQ(snapshot.page_size(), version.page_size);
  std::vector<std::byte> bytes(version.page_size);
  const std::vector<std::byte> zeros(version.page_size);
  for (size_t i = 0; i < version.pages.size(); ++i) {
    ASSERT_OK(snapshot.ReadPage(PageNo(static_cast<uint32_t>(i + 1)), bytes)) << "page " << i + 1;
    const auto& expected = version.pages[i] == nullptr ? zeros : *version.pages[i];
    ASSERT_TRUE(bytes == expected) << "page " << i + 1 << " differs";
  }
  ASSERT_OK(snapshot.Verify());
}

void StoreModel::Check(Store& store, After after) {
  // What survived is a prefix: up to the last LSN that any object shows, everything is there.
  Lsn last = confirmed_;
  std::map<std::string, CommitInfo> heads;
  for (const auto& [name, model] : objects_) {
    auto object = store.OpenObject(kNamespace, name, IfMissing::kCreate);
    ASSERT_OK(object);
    heads[name] = (*object)->head();
    last = std::max(last, heads[name].lsn);
  }
  for (auto& [name, model] : objects_) {
    SCOPED_TRACE(name);
    const CommitInfo& head = heads[name];
    auto gone = model.versions.end();
    while (gone != model.versions.begin() && std::prev(gone)->commit.lsn > head.lsn) --gone;
    for (auto it = gone; it != model.versions.end(); ++it) {
      ASSERT_EQ(after, After::kCrash) << "lost LSN " << it->commit.lsn.value;
      ASSERT_GT(it->commit.lsn, confirmed_) << "a confirmed commit is lost";
      ASSERT_GT(it->commit.lsn, last) << "what survived is not a prefix";
      ++lost_count_;
    }
    model.versions.erase(gone, model.versions.end());

    auto object = store.OpenObject(kNamespace, name, IfMissing::kCreate);
    ASSERT_OK(object);
    auto snapshot = (*object)->OpenSnapshot();
    ASSERT_OK(snapshot);
    const Lsn known = model.head() == nullptr ? Lsn() : model.head()->commit.lsn;
    if (head.lsn != known) {
      ASSERT_TRUE(model.under_way) << "a commit that nobody made: LSN " << head.lsn.value;
      ASSERT_EQ(after, After::kCrash);
      model.versions.push_back(*model.under_way);
      model.versions.back().commit = head;
    }
    model.under_way.reset();
    if (model.head() == nullptr) {
      ASSERT_FALSE((*object)->exists());
      continue;
    }
    EXPECT_EQ(head, model.head()->commit);
    CheckContents(*snapshot, *model.head(), "head");
  }
  // A close or a recovery made durable whatever is served after it.
  if (after != After::kWork) confirmed_ = std::max(confirmed_, last);
}

void StoreModel::CheckHistory(Store& store) {
  for (const auto& entry : objects_) {
    const auto& name = entry.first;  // clang 14 captures no structured bindings
    const auto& model = entry.second;
    if (model.versions.empty()) continue;
    SCOPED_TRACE(name);
    auto object = store.OpenObject(kNamespace, name, IfMissing::kFail);
    ASSERT_OK(object);
    for (const Version& version : model.versions) {
      auto snapshot = (*object)->OpenSnapshot((*object)->BookmarkOf(version.commit));
      ASSERT_OK(snapshot);
      EXPECT_EQ(snapshot->commit(), version.commit);
      CheckContents(*snapshot, version, "past");
    }
    // Newest first; restores included; nothing else.
    auto expected = model.versions.rbegin();
    ASSERT_OK((*object)->History([&](const CommitInfo& commit) {
      EXPECT_NE(expected, model.versions.rend());
      if (expected == model.versions.rend()) return false;
      EXPECT_EQ(commit, expected->commit);
      ++expected;
      return true;
    }));
    EXPECT_EQ(expected, model.versions.rend());
  }
}

}  // namespace tidemark::testing
