// For tests of what records hold: values of fields beside the bytes that format.h gives them.

#ifndef TIDEMARK_TESTS_ENGINE_RECORD_SAMPLES_H_
#define TIDEMARK_TESTS_ENGINE_RECORD_SAMPLES_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/internal/page_codec.h"
#include "engine/object_id.h"
#include "tests/support/golden_bytes.h"

namespace tidemark::testing {

// An id whose bytes count up from a0; in hex.
inline ObjectId SampleId() {
  ObjectId id;
  for (size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<std::byte>(0xa0 + i);
  return id;
}
#define SAMPLE_ID_HEX "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"

template <typename Encode, typename Fields>
internal::Buffer Encoded(Encode encode, const Fields& fields) {
  internal::Buffer out;
  encode(fields, out);
  return out;
}

// The fields of one kind of record: as encoded, the bytes that they must be, and whether bytes
// decode as such.
struct RecordSample {
  const char* name;
  internal::Buffer bytes;
  const char* golden;  // hex, with spaces between fields
  std::function<bool(internal::ConstBytes)> decodes;
};

inline RecordSample Sampled(const std::vector<RecordSample>& samples, std::string_view name) {
  for (const RecordSample& sample : samples) {
    if (sample.name == name) return sample;
  }
  ADD_FAILURE() << "no sample " << name;
  return {};
}

inline void ExpectGolden(const RecordSample& sample) {
  SCOPED_TRACE(sample.name);
  EXPECT_EQ(Hex(sample.bytes), Golden(sample.golden));
  EXPECT_TRUE(sample.decodes(sample.bytes));
}

// Neither part of the bytes decodes, nor do more of them; and none of it reads beyond its end.
inline void ExpectNoOtherSizeDecodes(const RecordSample& sample) {
  SCOPED_TRACE(sample.name);
  for (size_t size = 0; size < sample.bytes.size(); ++size) {
    const GuardedBytes cut(internal::ConstBytes(sample.bytes).first(size));
    EXPECT_FALSE(sample.decodes(cut.bytes())) << size;
  }
  internal::Buffer longer = sample.bytes;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(sample.decodes(longer));
}

}  // namespace tidemark::testing

#endif  // TIDEMARK_TESTS_ENGINE_RECORD_SAMPLES_H_
