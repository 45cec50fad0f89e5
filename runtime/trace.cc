#include "runtime/trace.h"

#include <cstdio>
#include <random>
#include <utility>

namespace tidemark {
namespace {

thread_local TraceId current_trace;

uint64_t Random64() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

// SplitMix64: any seed is good, and no two numbers of 2^64 are the same.
uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

TraceId TraceId::New() {
  thread_local const uint64_t thread_part = Random64();
  thread_local uint64_t next = Random64();
  next += 0x9e3779b97f4a7c15;
  return {.high = thread_part, .low = Mix(next)};
}

std::string TraceId::ToString() const {
  char text[33];
  std::snprintf(text, sizeof(text), "%016llx%016llx", static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return text;
}

TraceScope::TraceScope(const TraceId& id) : before_(std::exchange(current_trace, id)) {}

TraceScope::~TraceScope() { current_trace = before_; }

void TraceScope::Set(const TraceId& id) { current_trace = id; }

TraceId TraceScope::Current() { return current_trace; }

}  // namespace tidemark
