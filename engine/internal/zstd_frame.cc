#include "engine/internal/zstd_frame.h"

namespace tidemark::internal {

bool IsFrameOf(ConstBytes data, size_t size) {
  return ZSTD_getFrameContentSize(data.data(), data.size()) == size &&
         ZSTD_findFrameCompressedSize(data.data(), data.size()) == data.size();
}

}  // namespace tidemark::internal
