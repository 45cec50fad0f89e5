// zstd's contexts, one of each a thread, made when they are first needed.

#ifndef TIDEMARK_ENGINE_INTERNAL_ZSTD_CONTEXTS_H_
#define TIDEMARK_ENGINE_INTERNAL_ZSTD_CONTEXTS_H_

#include <zstd.h>

namespace tidemark::internal {

// Throw std::bad_alloc. Whoever sets parameters of one resets it.
ZSTD_CCtx* CompressionContext();
ZSTD_DCtx* DecompressionContext();

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_ZSTD_CONTEXTS_H_
