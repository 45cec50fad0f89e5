// What tests of damage share: where in the log things stand.

#ifndef TIDEMARK_TESTS_ENGINE_LOG_FIXTURE_H_
#define TIDEMARK_TESTS_ENGINE_LOG_FIXTURE_H_

#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/format.h"
#include "tests/engine/store_fixture.h"

namespace tidemark::testing {

inline std::string PathOf(uint32_t segment) {
  return "store/log/0000000" + std::to_string(segment) + ".seg";
}

// A StoreFixture that finds its way in the files of the log.
class LogFixture : public StoreFixture {
 protected:
  struct Group {
    uint32_t segment = 0;
    uint32_t offset = 0;
    uint32_t length = 0;
  };
  struct Place {
    uint32_t segment = 0;
    uint64_t offset = 0;
  };

  // The groups that stand in a segment, from its first one on.
  std::vector<Group> GroupsOf(uint32_t segment) { return GroupsOf(sim_, segment); }
  static std::vector<Group> GroupsOf(SimStore& sim, uint32_t segment) {
    std::vector<Group> groups;
    const auto bytes = sim.fs().Contents(PathOf(segment));
    for (uint32_t at = format::kFirstGroupOffset;
         at + sizeof(format::GroupHeader) < bytes.size();) {
      format::GroupHeader header;
      std::memcpy(&header, bytes.data() + at, sizeof(header));
      if (header.magic != format::kGroupMagic || header.length == 0) break;
      groups.push_back({segment, at, header.length});
      at += header.length;
    }
    return groups;
  }

  // Where the bytes of RandomPage(seed) stand in the log.
  Place PlaceOf(uint64_t seed) { return PlaceOf(RandomPage(seed)); }
  Place PlaceOf(const std::string& text) {
    const auto bytes = std::as_bytes(std::span(text));
    return PlaceOf(PageBytes(bytes.begin(), bytes.end()));
  }
  Place PlaceOf(const PageBytes& page) {
    for (uint32_t segment = 1; sim_.fs().Exists(PathOf(segment)).value(); ++segment) {
      const auto bytes = sim_.fs().Contents(PathOf(segment));
      const auto at = std::search(bytes.begin(), bytes.end(), page.begin(), page.end());
      if (at != bytes.end()) return {segment, static_cast<uint64_t>(at - bytes.begin())};
    }
    ADD_FAILURE() << "it is not in the log";
    return {};
  }

  // The group in which that is.
  Group GroupAround(Place place) {
    for (const Group& group : GroupsOf(place.segment)) {
      if (group.offset <= place.offset && place.offset < group.offset + group.length) return group;
    }
    ADD_FAILURE() << "no group there";
    return {};
  }

  // Opens the store twice, by replaying the log and from the index.
  void ByLogAndByIndex(const std::function<void()>& check) {
    for (const char* const way : {"log", "index"}) {
      SCOPED_TRACE(way);
      ASSERT_OK(sim_.Open());
      check();
      ASSERT_OK(sim_.Close());
    }
  }
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_ENGINE_LOG_FIXTURE_H_
