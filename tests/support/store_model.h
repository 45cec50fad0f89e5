// StoreModel: what a store must hold, as plain maps in memory, and random work that keeps both.
//
// Every commit that the store returned is a version here, with all its pages. After a crash the
// store is held against it: what survived must be a prefix of what was done, must include
// everything that was confirmed, and each commit must be whole, the one that was under way
// included.

#ifndef TIDEMARK_TESTS_SUPPORT_STORE_MODEL_H_
#define TIDEMARK_TESTS_SUPPORT_STORE_MODEL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/store.h"
#include "tests/support/test_seed.h"

namespace tidemark::testing {

class StoreModel {
 public:
  using Page = std::shared_ptr<const std::vector<std::byte>>;  // null: zeros
  struct Version {
    CommitInfo commit;
    uint32_t page_size = 0;
    std::vector<Page> pages;
  };
  struct ObjectModel {
    std::vector<Version> versions;     // in order of LSNs
    std::optional<Version> under_way;  // its commit failed: there or not, but whole
    const Version* head() const { return versions.empty() ? nullptr : &versions.back(); }
  };

  StoreModel(uint64_t seed, int object_count);

  // One random transaction, of at most `max_pages` pages, on a random object: writes, rewrites,
  // truncation, growth over holes, now and then another page size or a rollback. Not waited for.
  Status Transact(Store& store, uint64_t max_pages);
  // Takes a random object back to a random version of it; and durably, as Restore does.
  Status Restore(Store& store);
  // Waits until everything is durable, and remembers that it is.
  Status Sync(Store& store);

  // Holds the store against the model, and fails the test where they differ. With `after_crash`
  // unconfirmed versions may be gone; they are then forgotten here, too.
  enum class After { kWork, kReopen, kCrash };
  void Check(Store& store, After after);
  // Every version of every object, through bookmarks.
  void CheckHistory(Store& store);

  Lsn confirmed() const { return confirmed_; }
  uint64_t commit_count() const;
  uint64_t lost_count() const { return lost_count_; }
  const std::map<std::string, ObjectModel>& objects() const { return objects_; }
  Random& random() { return random_; }

 private:
  ObjectModel& RandomObject(std::string* name);
  Page RandomPage(const Page& old, uint32_t size);
  void CheckContents(const Snapshot& snapshot, const Version& version, const std::string& what);

  Random random_;
  std::map<std::string, ObjectModel> objects_;
  Lsn confirmed_;
  uint64_t lost_count_ = 0;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_SUPPORT_STORE_MODEL_H_
