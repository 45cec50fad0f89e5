// What tests of the byte budget share.

#ifndef TIDEMARK_TESTS_ENGINE_BUDGET_FIXTURE_H_
#define TIDEMARK_TESTS_ENGINE_BUDGET_FIXTURE_H_

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "engine/internal/retention_worker.h"
#include "tests/engine/log_fixture.h"
#include "tests/support/store_peer.h"

namespace tidemark::testing {

class BudgetFixture : public LogFixture {
 protected:
  static constexpr uint32_t kPages = 40;
  // What a commit of Rewrite() adds to history: its pages do not pack.
  static constexpr uint64_t kDayBytes = uint64_t{kPages} * kPageSize;

  struct Made {
    Timestamp time;
    Bookmark bookmark;
  };

  void SetUp() override {
    sim_.options().retention = std::chrono::days(3650);
    ASSERT_OK(sim_.Open());
  }

  internal::RetentionWorker::Report Report() {
    return internal::StorePeer::Impl(sim_.store()).retention_worker().report();
  }

  void Pass(std::chrono::microseconds span, std::chrono::microseconds step) {
    for (std::chrono::microseconds passed{0}; passed < span; passed += step) {
      sim_.clock().Advance(step);
      ASSERT_OK(sim_.store().RunRetention());
    }
  }

  // All pages of the object anew.
  void Rewrite(const std::string& name) {
    std::map<uint32_t, PageBytes> pages;
    for (uint32_t page = 1; page <= kPages; ++page) pages[page] = RandomPage(++seed_);
    ASSERT_OK(Commit(Open(name).value(), pages));
    ASSERT_OK(sim_.store().Sync());
    commits_[name].push_back({sim_.clock().Now(), Open(name).value()->CurrentBookmark().value()});
  }

  // So many days with one such commit each; nobody lets anything go.
  void Days(const std::string& name, int count) {
    for (int day = 0; day < count; ++day) {
      ASSERT_NO_FATAL_FAILURE(Rewrite(name));
      sim_.clock().Advance(std::chrono::days(1));
    }
  }

  // How many of the latest commits are there, and that none is there before them.
  size_t Kept(const std::string& name) {
    const auto object = Open(name).value();
    size_t kept = 0;
    bool gone = false;
    const auto& commits = commits_[name];
    for (auto it = commits.rbegin(); it != commits.rend(); ++it) {
      const auto found = object->Resolve(it->bookmark);
      if (!found.ok()) {
        EXPECT_EQ(found.status().code(), StatusCode::kExpired) << found.status().ToString();
      }
      EXPECT_FALSE(gone && found.ok());
      gone |= !found.ok();
      kept += found.ok();
    }
    return kept;
  }

  std::string Index() {
    std::ifstream in(sim_.options().index_directory + "/data.mdb", std::ios::binary);
    EXPECT_TRUE(in.good());
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // Opens the store twice, with its index made anew from the log and as that left it.
  void RebuiltAndReopened(const std::function<void()>& check) {
    ASSERT_OK(sim_.Close());
    std::filesystem::remove_all(sim_.options().index_directory);
    ASSERT_NO_FATAL_FAILURE(ByLogAndByIndex(check));
    ASSERT_OK(sim_.Open());
  }

  // The worker does not touch a file of the log, nor the index, while `span` passes.
  void ExpectRest(std::chrono::microseconds span, std::chrono::microseconds step) {
    const uint64_t operations = sim_.fs().operations();
    const std::string index = Index();
    ASSERT_NO_FATAL_FAILURE(Pass(span, step));
    EXPECT_EQ(sim_.fs().operations(), operations);
    EXPECT_TRUE(Index() == index) << "the index was written";
  }

  void ExpectWhole() {
    ASSERT_OK_AND_ASSIGN(const VerifyReport report, sim_.store().Verify());
    for (const Damage& damage : report.damage) ADD_FAILURE() << damage.object << damage.message;
  }

  std::map<std::string, std::vector<Made>> commits_;
  uint64_t seed_ = 0;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_ENGINE_BUDGET_FIXTURE_H_
