// The output gate by itself. Case numbers are those of the semantics (README.md).

#include "runtime/internal/output_gate.h"

#include <gtest/gtest.h>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tidemark::internal {
namespace {

class OutputGateTest : public ::testing::Test {
 protected:
  // Writes its name when it leaves, and `name: error` when it never does.
  class Named final : public Outgoing {
   public:
    Named(std::vector<std::string>& seen, std::string name) : seen_(seen), name_(std::move(name)) {}
    void Leave() override { seen_.push_back(name_); }
    void Fail(const std::exception_ptr& error) override {
      try {
        std::rethrow_exception(error);
      } catch (const std::runtime_error& thrown) {
        seen_.push_back(name_ + ": " + thrown.what());
      }
    }

   private:
    std::vector<std::string>& seen_;
    const std::string name_;
  };

  void Wait(const std::string& name) { gate_.Wait(std::make_shared<Named>(seen_, name)); }
  static std::exception_ptr ErrorOf(const char* text) {
    return std::make_exception_ptr(std::runtime_error(text));
  }

  std::vector<std::string> seen_;
  OutputGate gate_;
};

using Names = std::vector<std::string>;

// C241. Goal: a wait is over when all locks before it have ended, in whatever order; later ones do
// not matter. Method: three locks, two waits between them, and each order of ending.
TEST_F(OutputGateTest, WaitsForWhatWasBefore) {
  Wait("none");
  EXPECT_EQ(seen_, Names{"none"});
  const auto a = gate_.Lock();
  const auto b = gate_.Lock();
  Wait("behind a and b");
  const auto c = gate_.Lock();
  Wait("behind all");
  gate_.Unlock(b, nullptr);
  EXPECT_EQ(seen_.size(), 1u);
  gate_.Unlock(a, nullptr);
  EXPECT_EQ(seen_, (Names{"none", "behind a and b"}));
  EXPECT_FALSE(gate_.open());
  gate_.Unlock(c, nullptr);
  EXPECT_EQ(seen_, (Names{"none", "behind a and b", "behind all"}));
  EXPECT_TRUE(gate_.open());
}

// C242, C243. Goal: a lock that fails, cancelled or not, fails what came behind it, now and later;
// what came before it goes on. Method: waits on both sides of a lock that fails.
TEST_F(OutputGateTest, AFailedLockBreaksWhatIsBehind) {
  const auto a = gate_.Lock();
  Wait("before");
  const auto b = gate_.Lock();
  Wait("behind");
  const auto c = gate_.Lock();
  Wait("far behind");
  gate_.Unlock(b, ErrorOf("canceled before completion"));
  EXPECT_EQ(seen_, (Names{"behind: canceled before completion",
                          "far behind: canceled before completion"}));
  Wait("later");
  EXPECT_EQ(seen_.back(), "later: canceled before completion");
  gate_.Unlock(c, ErrorOf("another"));
  gate_.Unlock(a, nullptr);
  EXPECT_EQ(seen_.back(), "before");
  Wait("much later");
  EXPECT_EQ(seen_.back(), "much later: canceled before completion");
}

// Goal: a gate that is broken from outside fails all that waits.
TEST_F(OutputGateTest, Break) {
  gate_.Lock();
  Wait("a");
  gate_.Break(ErrorOf("reset"));
  Wait("b");
  EXPECT_EQ(seen_, (Names{"a: reset", "b: reset"}));
}

}  // namespace
}  // namespace tidemark::internal
