// What the tests of the index share: an index in a directory of its own.

#ifndef TIDEMARK_TESTS_ENGINE_INDEX_FIXTURE_H_
#define TIDEMARK_TESTS_ENGINE_INDEX_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "engine/internal/index.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_directory.h"

namespace tidemark::internal {

// An image: others may have no row.
inline PageVersion VersionOf(uint64_t lsn, uint64_t hash) {
  return {.lsn = Lsn(lsn),
          .location = {.segment = static_cast<uint32_t>(hash % 7 + 1), .offset = 64},
          .length = 100,
          .chain_units = static_cast<uint8_t>(hash % 3),
          .hash = hash};
}

class IndexTest : public ::testing::Test {
 protected:
  void SetUp() override { Reopen({}); }

  void Reopen(const IndexOptions& options) {
    index_.reset();
    auto opened = Index::Open(directory_ / "index", options);
    ASSERT_OK(opened);
    index_ = std::move(opened).value();
  }

  testing::TempDirectory directory_;
  std::unique_ptr<Index> index_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_TESTS_ENGINE_INDEX_FIXTURE_H_
