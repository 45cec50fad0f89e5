#include "tests/support/test_seed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace tidemark::testing {
namespace {

double Scale() {
  const char* text = std::getenv("TIDEMARK_TEST_SCALE");
  return text == nullptr ? 1.0 : std::strtod(text, nullptr);
}

class SeedPrinter final : public ::testing::Environment {
 public:
  void SetUp() override {
    std::fprintf(stderr, "TIDEMARK_SEED=%llu TIDEMARK_TEST_SCALE=%g\n",
                 static_cast<unsigned long long>(TestSeed()), Scale());
    std::fflush(stderr);
  }
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
  return std::max<uint64_t>(1, static_cast<uint64_t>(static_cast<double>(rounds) * Scale()));
}

uint64_t ScaledStride(uint64_t stride) {
  const double scale = std::max(Scale(), 1e-3);
  return std::max<uint64_t>(1, static_cast<uint64_t>(static_cast<double>(stride) / scale));
}

}  // namespace tidemark::testing
