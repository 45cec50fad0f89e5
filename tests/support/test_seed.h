// Where random tests take their seed from, and how long they go on.

#ifndef TIDEMARK_TESTS_SUPPORT_TEST_SEED_H_
#define TIDEMARK_TESTS_SUPPORT_TEST_SEED_H_

#include <cstdint>
#include <random>

namespace tidemark::testing {

// The environment's TIDEMARK_SEED, else 1: a plain run does the same every time, and tests/soak
// goes new ways. Printed, with the scale, as the program begins (a test that hangs is repeated by it), and
// when one of its tests failed.
uint64_t TestSeed();

// How many rounds a random test makes: `rounds` times the environment's TIDEMARK_TEST_SCALE, a
// decimal number (1 if it is not set); at least 1.
uint64_t Scaled(uint64_t rounds);

// Every how manieth of all places a sweep over them tries: `stride` at scale 1, as many more or
// fewer of them as TIDEMARK_TEST_SCALE says; at least 1.
uint64_t ScaledStride(uint64_t stride);

// Random numbers that are the same on every machine (the distributions of <random> are not).
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  uint64_t Next() { return engine_(); }
  // 0 to below - 1.
  uint64_t Below(uint64_t below) { return engine_() % below; }
  // low to high, both included.
  uint64_t Between(uint64_t low, uint64_t high) { return low + Below(high - low + 1); }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_SUPPORT_TEST_SEED_H_
