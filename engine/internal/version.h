// The library's version, for the log's open records.

#ifndef TIDEMARK_ENGINE_INTERNAL_VERSION_H_
#define TIDEMARK_ENGINE_INTERNAL_VERSION_H_

namespace tidemark::internal {
inline constexpr char kVersion[] = TIDEMARK_VERSION;  // from CMakeLists.txt
}  // namespace tidemark::internal

#endif  // TIDEMARK_ENGINE_INTERNAL_VERSION_H_
