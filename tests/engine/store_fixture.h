// What tests of whole stores share: commits of random pages, and what an object must read as.

#ifndef TIDEMARK_TESTS_ENGINE_STORE_FIXTURE_H_
#define TIDEMARK_TESTS_ENGINE_STORE_FIXTURE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/transaction.h"
#include "tests/support/sim_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {

using PageBytes = std::vector<std::byte>;

inline constexpr uint32_t kPageSize = 4096;

// A page that no encoding makes smaller, so that its bytes can be found in the log.
inline PageBytes RandomPage(uint64_t seed, size_t size = kPageSize) {
  Random random(seed);
  PageBytes page(size);
  for (size_t at = 0; at < size;) {  // by words: tests make a hundred thousand pages
    const uint64_t word = random.Next();
    const size_t length = std::min(sizeof(word), size - at);
    std::memcpy(page.data() + at, &word, length);
    at += length;
  }
  return page;
}

// One commit of the given pages; not waited for.
inline Result<CommitInfo> Commit(const std::shared_ptr<Object>& object,
                                 const std::map<uint32_t, PageBytes>& pages,
                                 uint32_t page_size = kPageSize) {
  Transaction transaction(object);
  TIDEMARK_RETURN_IF_ERROR(transaction.Begin());
  TIDEMARK_RETURN_IF_ERROR(transaction.ResetPageSize(page_size));
  for (const auto& [number, page] : pages) {
    TIDEMARK_RETURN_IF_ERROR(transaction.WritePage(PageNo(number), page));
  }
  return transaction.Commit();
}

inline Result<PageBytes> ReadPage(const Snapshot& snapshot, uint32_t number) {
  PageBytes page(snapshot.page_size());
  TIDEMARK_RETURN_IF_ERROR(snapshot.ReadPage(PageNo(number), page));
  return page;
}

// Page `number` of the object as it is now.
inline Result<PageBytes> ReadPage(const std::shared_ptr<Object>& object, uint32_t number) {
  TIDEMARK_ASSIGN_OR_RETURN(const Snapshot snapshot, object->OpenSnapshot());
  return ReadPage(snapshot, number);
}

// Page `number` reads as `page`, and the whole database proves by its state hash.
inline ::testing::AssertionResult Reads(const std::shared_ptr<Object>& object, uint32_t number,
                                        const PageBytes& page) {
  const auto snapshot = object->OpenSnapshot();
  if (!snapshot.ok()) return ::testing::AssertionFailure() << snapshot.status().ToString();
  const Status whole = snapshot->Verify();
  if (!whole.ok()) return ::testing::AssertionFailure() << whole.ToString();
  const auto found = ReadPage(*snapshot, number);
  if (!found.ok()) return ::testing::AssertionFailure() << found.status().ToString();
  if (*found == page) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "page " << number << " has other bytes";
}

// A SimStore with one namespace, "rooms".
class StoreFixture : public ::testing::Test {
 protected:
  // Flips a bit of the page RandomPage(seed), in whatever file of the log it stands.
  void FlipBitOf(uint64_t seed) {
    const PageBytes page = RandomPage(seed);
    const std::vector<std::string> names = sim_.fs().ListDirectory("store/log").value();
    for (const std::string& name : names) {
      const std::string path = "store/log/" + name;
      const PageBytes bytes = sim_.fs().Contents(path);
      const auto at = std::search(bytes.begin(), bytes.end(), page.begin() + 100, page.end() - 100);
      if (at == bytes.end()) continue;
      sim_.fs().FlipBit(path, static_cast<uint64_t>(at - bytes.begin()), 5);
      return;
    }
    FAIL() << "the page is nowhere";
  }

  Result<std::shared_ptr<Object>> Open(const std::string& name,
                                       IfMissing if_missing = IfMissing::kCreate) {
    return sim_.store().OpenObject("rooms", name, if_missing);
  }

  // One commit of page 1, RandomPage(seed), durable.
  Result<CommitInfo> Put(const std::string& name, uint64_t seed) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(name));
    TIDEMARK_ASSIGN_OR_RETURN(const CommitInfo commit, Commit(object, {{1, RandomPage(seed)}}));
    TIDEMARK_RETURN_IF_ERROR(sim_.store().WaitDurable(commit.lsn));
    return commit;
  }

  ::testing::AssertionResult Holds(const std::string& name, uint64_t seed) {
    const auto object = Open(name, IfMissing::kFail);
    if (!object.ok()) return ::testing::AssertionFailure() << object.status().ToString();
    return Reads(*object, 1, RandomPage(seed));
  }

  SimStore sim_{TestSeed()};
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_ENGINE_STORE_FIXTURE_H_
