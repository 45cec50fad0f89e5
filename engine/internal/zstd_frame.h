// What all that is compressed has in common: it is one zstd frame, and shorter by an eighth at
// least, or it is not worth the time that reading it takes.

#ifndef TIDEMARK_ENGINE_INTERNAL_ZSTD_FRAME_H_
#define TIDEMARK_ENGINE_INTERNAL_ZSTD_FRAME_H_

#include <zstd.h>

#include <cstddef>

#include "engine/internal/page_codec.h"

namespace tidemark::internal {

// The longest frame that `size` bytes are worth to be made into.
constexpr size_t MostFrameBytes(size_t size) { return size - size / 8; }

// Appends to `out` the frame that write(where, room) makes, as zstd's functions do, and returns
// true; false, and `out` as it was, if it would be longer than `room`.
template <typename Write>
bool AppendFrame(Buffer& out, size_t room, const Write& write) {
  const size_t start = out.size();
  out.resize(start + room);
  const size_t written = write(out.data() + start, room);
  const bool fits = ZSTD_isError(written) == 0;  // the usual error is: no room
  out.resize(fits ? start + written : start);
  return fits;
}

// Whether `data` is one zstd frame of `size` bytes: the library would also take several frames, or
// a skippable one, in a row; we wrote just one.
bool IsFrameOf(ConstBytes data, size_t size);

}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_ZSTD_FRAME_H_
