// The fields of SQLite's database header, the first 100 bytes of page 1, that the VFS looks at.
//
// The change counter stands twice (at 24, and at 92 as "version valid for"). What SQLite writes
// there is how it recognises its own cache; what is stored and hashed is zero, so that a commit
// that changed nothing else of page 1 does not store page 1. What is served is the connection's own
// count, see main_file.h.

#ifndef TIDEMARK_VFS_INTERNAL_PAGE_ONE_H_
#define TIDEMARK_VFS_INTERNAL_PAGE_ONE_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tidemark::internal {

inline constexpr size_t kHeaderSize = 100;
inline constexpr size_t kPageSizeOffset = 16;
inline constexpr size_t kWriteVersionOffset = 18;  // 2 asks for a write-ahead log
inline constexpr size_t kReadVersionOffset = 19;
inline constexpr size_t kChangeCounterOffset = 24;
inline constexpr size_t kPageCountOffset = 28;
inline constexpr size_t kSchemaCookieOffset = 40;
inline constexpr size_t kVersionValidForOffset = 92;

inline uint32_t LoadBigEndian32(const std::byte* in) {
  uint32_t value;
  std::memcpy(&value, in, sizeof(value));
  return std::endian::native == std::endian::little ? __builtin_bswap32(value) : value;
}

inline void StoreBigEndian32(std::byte* out, uint32_t value) {
  if constexpr (std::endian::native == std::endian::little) value = __builtin_bswap32(value);
  std::memcpy(out, &value, sizeof(value));
}

inline bool IsPageSize(int64_t size) {
  return size >= 512 && size <= 65536 && (size & (size - 1)) == 0;
}

inline uint32_t ChangeCounter(const std::byte* header) {
  return LoadBigEndian32(header + kChangeCounterOffset);
}

inline void SetChangeCounter(std::byte* header, uint32_t counter) {
  StoreBigEndian32(header + kChangeCounterOffset, counter);
  StoreBigEndian32(header + kVersionValidForOffset, counter);
}

inline uint32_t SchemaCookie(const std::byte* header) {
  return LoadBigEndian32(header + kSchemaCookieOffset);
}

inline void SetSchemaCookie(std::byte* header, uint32_t cookie) {
  StoreBigEndian32(header + kSchemaCookieOffset, cookie);
}

// The format versions of a database without a write-ahead log: the backup API copies a 2 from one
// in WAL mode, and SQLite would then look for a log that cannot be here. True if they had to
// change.
inline bool ClearWalVersions(std::byte* header) {
  bool changed = false;
  for (const size_t offset : {kWriteVersionOffset, kReadVersionOffset}) {
    if (header[offset] != std::byte{2}) continue;
    header[offset] = std::byte{1};
    changed = true;
  }
  return changed;
}

// The size of the database in pages that the header names, or 0 if it names none.
inline uint32_t DeclaredPageCount(const std::byte* header) {
  return LoadBigEndian32(header + kPageCountOffset);
}

// The page size that the header names, or 0 if it names none.
inline uint32_t DeclaredPageSize(const std::byte* header) {
  const auto high = std::to_integer<uint32_t>(header[kPageSizeOffset]);
  const auto low = std::to_integer<uint32_t>(header[kPageSizeOffset + 1]);
  const uint32_t size = high == 0 && low == 1 ? 65536 : high << 8 | low;  // 65536 stands as 1
  return IsPageSize(size) ? size : 0;
}

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_PAGE_ONE_H_
