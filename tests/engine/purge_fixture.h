// What tests of purges share: an object with a long history of bytes that can be found again, and a
// search for them in every file of the store.

#ifndef TIDEMARK_TESTS_ENGINE_PURGE_FIXTURE_H_
#define TIDEMARK_TESTS_ENGINE_PURGE_FIXTURE_H_

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/engine/store_fixture.h"

namespace tidemark::testing {

// An object of the namespace "people" whose bytes are random: in its pages, its name, its labels
// and the reason of a hold.
class Person {
 public:
  static constexpr size_t kNeedleBytes = 32;

  // Not the bytes that RandomPage(seed) has.
  explicit Person(uint64_t seed) : random_(~seed), name_("person-" + Letters()) {
    Remember(name_);
    const ObjectId id = ObjectIdFactory("people").FromName(name_);
    needles_.emplace_back(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
  }

  const std::string& name() const { return name_; }
  const std::vector<std::string>& needles() const { return needles_; }

  Result<std::shared_ptr<Object>> Open(Store& store, IfMissing if_missing = IfMissing::kCreate) {
    return store.OpenObject("people", name_, if_missing);
  }

  // A commit that writes so many pages anew, in batches if that is more than a transaction may
  // keep.
  Status Write(Store& store, uint32_t pages) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(store));
    std::map<uint32_t, PageBytes> written;
    for (uint32_t number = 1; number <= pages; ++number) {
      written[number] = RandomPage(random_.Next());
      Remember(written[number]);
      pages_[number] = written[number];
    }
    TIDEMARK_RETURN_IF_ERROR(Commit(object, written).status());
    return store.Sync();
  }

  // Commits that change a few bytes of a page.
  Status Edit(Store& store, int commits) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(store));
    for (; commits > 0; --commits) {
      PageBytes& page = pages_[1];
      const size_t at = random_.Below(page.size() - kNeedleBytes);
      for (size_t i = 0; i < kNeedleBytes; ++i) {
        page[at + i] = static_cast<std::byte>(random_.Next());
      }
      Remember(std::string_view(reinterpret_cast<const char*>(&page[at]), kNeedleBytes));
      TIDEMARK_RETURN_IF_ERROR(Commit(object, {{1, page}}).status());
    }
    return store.Sync();
  }

  Status SetLabel(Store& store) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(store));
    TIDEMARK_ASSIGN_OR_RETURN(const Bookmark now, object->CurrentBookmark());
    const std::string label = "label-" + Letters();
    Remember(label);
    return object->SetLabel(label, now);
  }

  Status HoldForAWhile(Store& store) {
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(store));
    const std::string reason = "reason-" + Letters();
    Remember(reason);
    TIDEMARK_RETURN_IF_ERROR(object->SetHold(reason));
    return object->ReleaseHold();
  }

  // Restores, deletions, labels, a policy, another page size, large transactions.
  Status Live(Store& store) {
    TIDEMARK_RETURN_IF_ERROR(Write(store, 3));
    TIDEMARK_RETURN_IF_ERROR(Edit(store, 20));
    TIDEMARK_ASSIGN_OR_RETURN(const auto object, Open(store));
    TIDEMARK_ASSIGN_OR_RETURN(const Bookmark before, object->CurrentBookmark());
    TIDEMARK_RETURN_IF_ERROR(SetLabel(store));
    TIDEMARK_RETURN_IF_ERROR(Write(store, 20));
    TIDEMARK_RETURN_IF_ERROR(object->Restore(before).status());
    TIDEMARK_RETURN_IF_ERROR(Edit(store, 20));
    TIDEMARK_RETURN_IF_ERROR(HoldForAWhile(store));
    TIDEMARK_RETURN_IF_ERROR(
        store.SetRetention(RetentionScope(*object), {.window = std::chrono::hours(24 * 400)}));
    TIDEMARK_RETURN_IF_ERROR(
        Commit(object, {{1, RandomPage(random_.Next(), 1024)}}, 1024).status());
    TIDEMARK_RETURN_IF_ERROR(object->Restore(before).status());
    TIDEMARK_RETURN_IF_ERROR(object->Delete().status());
    TIDEMARK_RETURN_IF_ERROR(object->Undelete().status());
    TIDEMARK_RETURN_IF_ERROR(SetLabel(store));
    TIDEMARK_RETURN_IF_ERROR(object->SetAutomaticLabel("before-drop").status());
    return Edit(store, 5);
  }

 private:
  std::string Letters() {
    std::string text;
    for (size_t i = 0; i < kNeedleBytes; ++i) {
      text += static_cast<char>('a' + static_cast<char>(random_.Below(26)));
    }
    return text;
  }
  void Remember(std::string_view text) { needles_.emplace_back(text); }
  // Some of its bytes, from all over it.
  void Remember(const PageBytes& page) {
    for (size_t at = 0; at + kNeedleBytes <= page.size(); at += 1000) {
      Remember(std::string_view(reinterpret_cast<const char*>(&page[at]), kNeedleBytes));
    }
  }

  Random random_;
  const std::string name_;
  std::map<uint32_t, PageBytes> pages_;
  std::vector<std::string> needles_;
};

// Every file of a store that is on a SimFileSystem, with its index in real ones.
inline std::map<std::string, std::string> FilesOf(SimStore& sim) {
  std::map<std::string, std::string> files;
  for (const std::string directory : {"store", "store/log"}) {
    const std::vector<std::string> names = sim.fs().ListDirectory(directory).value();
    for (const std::string& name : names) {
      if (name == "log") continue;
      const auto bytes = sim.fs().Contents(directory + "/" + name);
      files[name].assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
  }
  for (const auto& entry : std::filesystem::directory_iterator(sim.options().index_directory)) {
    std::ifstream in(entry.path(), std::ios::binary);
    files[entry.path().filename()].assign(std::istreambuf_iterator<char>(in), {});
  }
  return files;
}

// In which file each of the needles is, for those that are in one.
inline std::map<std::string, std::string> Find(const std::vector<std::string>& needles,
                                               SimStore& sim) {
  const auto word_at = [](const std::string& bytes, size_t at) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof(word));
    return word;
  };
  std::unordered_multimap<uint64_t, const std::string*> by_begin;
  std::vector<bool> may_begin(1u << 16);  // by two bytes: almost all others are passed by
  for (const std::string& needle : needles) {
    by_begin.emplace(word_at(needle, 0), &needle);
    may_begin[word_at(needle, 0) & 0xffff] = true;
  }
  std::map<std::string, std::string> found;
  for (const auto& [name, bytes] : FilesOf(sim)) {
    for (size_t at = 0; at + sizeof(uint64_t) <= bytes.size(); ++at) {
      const uint64_t word = word_at(bytes, at);
      if (!may_begin[word & 0xffff]) continue;
      const auto range = by_begin.equal_range(word);
      for (auto it = range.first; it != range.second; ++it) {
        if (bytes.compare(at, it->second->size(), *it->second) != 0) continue;
        found[*it->second] = name + " at " + std::to_string(at);
      }
    }
  }
  return found;
}

// Nothing of the person is in any file.
inline ::testing::AssertionResult IsGone(const Person& person, SimStore& sim) {
  const auto found = Find(person.needles(), sim);
  if (found.empty()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << found.size() << " of " << person.needles().size()
                                       << " needles are left, one in " << found.begin()->second;
}

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_ENGINE_PURGE_FIXTURE_H_
