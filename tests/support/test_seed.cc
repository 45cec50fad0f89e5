#include "tests/support/test_seed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace tidemark::testing {
namespace {

class SeedPrinter final : public ::testing::Environment {
 public:
  void TearDown() override {
    if (!::testing::UnitTest::GetInstance()->Failed()) return;
    std::fprintf(stderr, "to repeat: TIDEMARK_SEED=%llu\n",
                 static_cast<unsigned long long>(TestSeed()));
  }
};

// GoogleTest owns it. In this file, so that it is linked in exactly where TestSeed() is.
[[maybe_unused]] const auto* const kPrinter = ::testing::AddGlobalTestEnvironment(new SeedPrinter);

}  // namespace

uint64_t TestSeed() {
  const char* text = std::getenv("TIDEMARK_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

uint64_t Scaled(uint64_t rounds) {
  const char* text = std::getenv("TIDEMARK_TEST_SCALE");
  const double scale = text == nullptr ? 1.0 : std::strtod(text, nullptr);
  return std::max<uint64_t>(1, static_cast<uint64_t>(static_cast<double>(rounds) * scale));
}

}  // namespace tidemark::testing
