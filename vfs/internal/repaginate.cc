// Another page size, see repaginate.h.

#include "vfs/internal/repaginate.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "vfs/internal/memory_file.h"
#include "vfs/internal/sqlite_result.h"

namespace tidemark::internal {

Status Repaginate(Transaction& transaction, uint32_t page_size, int64_t size_bytes) {
  MemoryFile bytes;
  std::vector<std::byte> page(std::max(page_size, transaction.page_size()));

  const uint32_t old_page_size = transaction.page_size();
  for (int64_t offset = 0; offset < size_bytes; offset += old_page_size) {
    const PageNo page_no(static_cast<uint32_t>(offset / old_page_size) + 1);
    TIDEMARK_RETURN_IF_ERROR(transaction.ReadPage(page_no, std::span(page).first(old_page_size)));
    const auto amount = static_cast<int>(std::min<int64_t>(old_page_size, size_bytes - offset));
    if (const int code = bytes.Write(page.data(), amount, offset); code != SQLITE_OK) {
      return StatusFromSqlite(code).WithContext("changing the page size");
    }
  }

  TIDEMARK_RETURN_IF_ERROR(transaction.ResetPageSize(page_size));
  for (int64_t offset = 0; offset < size_bytes; offset += page_size) {
    const int code = bytes.Read(page.data(), static_cast<int>(page_size), offset);
    if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ) {
      return StatusFromSqlite(code).WithContext("changing the page size");
    }
    const PageNo page_no(static_cast<uint32_t>(offset / page_size) + 1);
    TIDEMARK_RETURN_IF_ERROR(transaction.WritePage(page_no, std::span(page).first(page_size)));
  }
  return OkStatus();
}

}  // namespace tidemark::internal
