#include "engine/internal/dictionary.h"

#include <zdict.h>
#include <zstd_errors.h>

#include <new>

#include "engine/internal/coding.h"
#include "engine/internal/record.h"
#include "engine/internal/zstd_contexts.h"
#include "engine/internal/zstd_frame.h"

namespace tidemark::internal {
namespace {

// zstd's tables alone take about 200 bytes; what it learns of fewer samples is of these only.
constexpr size_t kLeastBytes = 256;
constexpr size_t kLeastSamples = 8;
// zstd looks for what has eight bytes in common, and (1.5.4) reads beyond the end of samples that
// have less altogether, without those that it keeps to try what it learnt on.
constexpr size_t kLeastSample = 8;

// zstd's. Higher than that of CompressPage, because with a dictionary it wins more by it, and takes
// less time for that: history/append of the benchmarks shows both.
constexpr int kLevel = 3;

constexpr uint64_t kHashSeed = 0;

// Sets what Compress needs, and takes it back: contexts are shared.
class DictionaryScope {
 public:
  explicit DictionaryScope(const ZSTD_CDict* dictionary) : context_(CompressionContext()) {
    ZSTD_CCtx_reset(context_, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_dictIDFlag, 0);
    ZSTD_CCtx_refCDict(context_, dictionary);
  }
  ~DictionaryScope() { ZSTD_CCtx_reset(context_, ZSTD_reset_session_and_parameters); }
  DictionaryScope(const DictionaryScope&) = delete;
  DictionaryScope& operator=(const DictionaryScope&) = delete;

  ZSTD_CCtx* context() const { return context_; }

 private:
  ZSTD_CCtx* const context_;
};

// The samples from `first` on, each second one that is long enough.
BlockSamples EachSecond(const BlockSamples& samples, size_t first) {
  BlockSamples some;
  const ConstBytes all(samples.data);
  size_t at = 0;
  for (size_t i = 0; i < samples.sizes.size(); ++i) {
    if (i % 2 == first && samples.sizes[i] >= kLeastSample) {
      AppendBytes(some.data, all.subspan(at, samples.sizes[i]));
      some.sizes.push_back(samples.sizes[i]);
    }
    at += samples.sizes[i];
  }
  return some;
}

}  // namespace

std::unique_ptr<const CompressionDictionary> CompressionDictionary::Train(
    const BlockSamples& samples, uint64_t total_bytes, const DictionaryRule& rule) {
  const BlockSamples learnt = EachSecond(samples, 0);
  if (learnt.sizes.size() < kLeastSamples) return nullptr;
  Buffer contents(kMostBytes - sizeof(uint64_t));
  const size_t size =
      ZDICT_trainFromBuffer(contents.data(), contents.size(), learnt.data.data(),
                            learnt.sizes.data(), static_cast<unsigned>(learnt.sizes.size()));
  if (ZDICT_isError(size) != 0 || size < kLeastBytes) return nullptr;  // nothing in common
  contents.resize(size);
  auto made = std::make_unique<CompressionDictionary>();
  AppendFixed(made->bytes_, SeededHash(contents, kHashSeed));
  AppendBytes(made->bytes_, contents);
  made->dictionary_.reset(ZSTD_createCDict(contents.data(), contents.size(), kLevel));
  if (made->dictionary_ == nullptr) throw std::bad_alloc();

  // Does it pay, where nothing was learnt?
  const BlockSamples others = EachSecond(samples, 1);
  const ConstBytes all(others.data);
  size_t at = 0;
  size_t with = 0;
  size_t without = 0;
  Buffer out;
  for (const size_t length : others.sizes) {
    const ConstBytes data = all.subspan(at, length);
    out.clear();
    with += made->Compress(data, out) ? out.size() : length;
    out.clear();
    without += CompressPage(data, out) ? out.size() : length;
    at += length;
  }
  if (with >= without) return nullptr;
  const uint64_t gain = (without - with) * total_bytes / others.data.size();
  return gain > rule.least_gain * made->bytes_.size() ? std::move(made) : nullptr;
}

bool CompressionDictionary::Compress(ConstBytes data, Buffer& out) const {
  const DictionaryScope scope(dictionary_.get());
  return AppendFrame(out, MostFrameBytes(data.size()), [&](std::byte* to, size_t room) {
    return ZSTD_compress2(scope.context(), to, room, data.data(), data.size());
  });
}

std::shared_ptr<const Dictionary> Dictionary::Parse(ConstBytes bytes) {
  Reader reader(bytes);
  const auto hash = reader.Fixed<uint64_t>();
  const ConstBytes contents = reader.Span(reader.remaining());
  if (!reader.ok() || hash != SeededHash(contents, kHashSeed)) return nullptr;
  auto made = std::make_shared<Dictionary>();
  made->dictionary_.reset(ZSTD_createDDict(contents.data(), contents.size()));
  if (made->dictionary_ != nullptr) return made;
  // zstd does not say why: its tables are not what zstd writes, or memory ran out.
  const size_t tables = ZDICT_getDictHeaderSize(contents.data(), contents.size());
  if (ZDICT_isError(tables) != 0 && ZSTD_getErrorCode(tables) != ZSTD_error_memory_allocation) {
    return nullptr;
  }
  throw std::bad_alloc();
}

bool Dictionary::Decompress(ConstBytes data, Bytes out) const {
  if (!IsFrameOf(data, out.size())) return false;
  return ZSTD_decompress_usingDDict(DecompressionContext(), out.data(), out.size(), data.data(),
                                    data.size(), dictionary_.get()) == out.size();
}

}  // namespace tidemark::internal
