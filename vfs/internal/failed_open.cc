// Reasons of failed opens, see failed_open.h.

#include "vfs/internal/failed_open.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

#include "vfs/internal/plain_methods.h"
#include "vfs/internal/sqlite_result.h"

namespace tidemark::internal {
namespace {

std::atomic<bool> reports{false};

struct FailedHandle : sqlite3_file {
  Status* reason;
  int code;
  sqlite3* const* connection;  // null until SQLite tells
};

// ---- the database that tells the reason --------------------------------------------------------
//
// SQLite makes one message of ATTACH from bytes of the file: that of a schema which it cannot make
// out, "malformed database schema (NAME)". So the file shows a database of three pages, whose
// schema has one row with no more than a name, which is the reason, and then a page that cannot be
// read, for whose code SQLite ends the ATTACH.
//
//   page 1   header and root of the schema: rows up to 1 are on page 2, all others on page 3
//   page 2   the row (NULL, 'reason', NULL, NULL, NULL)
//   page 3   reading it fails

constexpr int kPageSize = 4096;
constexpr int kPages = 3;
constexpr size_t kMaxReason = 3900;  // with all before it, it fits into a page

using Page = std::array<unsigned char, kPageSize>;

void PutTwo(Page& page, size_t at, size_t value) {
  page[at] = static_cast<unsigned char>(value >> 8);
  page[at + 1] = static_cast<unsigned char>(value);
}

void FillFirstPage(Page& page) {
  constexpr size_t kHeaderSize = 100;
  constexpr size_t kCell = kPageSize - 5;
  std::memcpy(page.data(), "SQLite format 3", 16);
  PutTwo(page, 16, kPageSize);
  page[18] = page[19] = 1;  // a rollback journal
  page[21] = 64;            // as every database has these three
  page[22] = page[23] = 32;
  page[27] = page[95] = 1;  // this count of pages is the right one:
  page[31] = kPages;
  page[47] = 4;  // the schema's format. That of texts (56) is left open: it must be the main one's
  page[kHeaderSize] = 5;  // an inner page of a table, with one cell
  PutTwo(page, kHeaderSize + 3, 1);
  PutTwo(page, kHeaderSize + 5, kCell);
  page[kHeaderSize + 11] = 3;  // the last child
  PutTwo(page, kHeaderSize + 12, kCell);
  page[kCell + 3] = 2;  // the child of rows up to
  page[kCell + 4] = 1;  // this one
}

size_t PutVarint(Page& page, size_t at, size_t value) {
  if (value >= 128) page[at++] = static_cast<unsigned char>(128 | value >> 7);
  page[at++] = static_cast<unsigned char>(value & 127);
  return at;
}

// How the main database has its texts: SQLite takes those of an attached one for the same.
enum class TextEncoding { kUtf8 = 1, kUtf16Little = 2, kUtf16Big = 3 };

TextEncoding EncodingOfMain(sqlite3* connection) {
  constexpr sqlite3_int64 kEncodingOffset = 56;
  sqlite3_file* file = nullptr;
  sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  unsigned char number[4] = {};
  if (file == nullptr || file->pMethods == nullptr ||
      file->pMethods->xRead(file, number, sizeof number, kEncodingOffset) != SQLITE_OK) {
    return TextEncoding::kUtf8;
  }
  return number[3] == 2   ? TextEncoding::kUtf16Little
         : number[3] == 3 ? TextEncoding::kUtf16Big
                          : TextEncoding::kUtf8;
}

// The first code point of a text in UTF-8, which it takes away; U+FFFD for what is none.
char32_t TakeCodePoint(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  const size_t more = first < 0xc0 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
  if ((first >= 0x80 && first < 0xc0) || more >= text.size()) {
    text.remove_prefix(1);
    return 0xfffd;
  }
  char32_t point = more == 0 ? first : first & (0x3fu >> more);
  for (size_t i = 1; i <= more; ++i) {
    point = point << 6 | (static_cast<unsigned char>(text[i]) & 0x3fu);
  }
  text.remove_prefix(more + 1);
  return point;
}

// As much of the text as fits into kMaxReason bytes, in whole characters.
std::string Encoded(std::string_view text, TextEncoding encoding) {
  std::string out;
  const auto put = [&](char32_t unit) {
    const char high = static_cast<char>(unit >> 8);
    const char low = static_cast<char>(unit & 0xff);
    out += encoding == TextEncoding::kUtf16Big ? high : low;
    out += encoding == TextEncoding::kUtf16Big ? low : high;
  };
  while (!text.empty() && out.size() + 4 <= kMaxReason) {
    const std::string_view before = text;
    const char32_t point = TakeCodePoint(text);
    if (encoding == TextEncoding::kUtf8) {
      out += before.substr(0, before.size() - text.size());
    } else if (point < 0x10000) {
      put(point);
    } else {
      put(0xd800 + ((point - 0x10000) >> 10));
      put(0xdc00 + ((point - 0x10000) & 0x3ff));
    }
  }
  return out;
}

void FillSecondPage(Page& page, std::string_view text) {
  const size_t text_type = 13 + 2 * text.size();
  const size_t header_size = text_type < 128 ? 6 : 7;
  constexpr size_t kCell = 16;
  page[0] = 13;  // a leaf of a table, with one cell
  PutTwo(page, 3, 1);
  PutTwo(page, 5, kCell);
  PutTwo(page, 8, kCell);
  size_t at = PutVarint(page, kCell, header_size + text.size());
  at = PutVarint(page, at, 1);  // rowid
  at = PutVarint(page, at, header_size);
  at = PutVarint(page, at, 0);  // NULL
  at = PutVarint(page, at, text_type);
  at += 3;  // NULL
  std::copy(text.begin(), text.end(), page.begin() + static_cast<ptrdiff_t>(at));
}

// Whether SQLite may read it. It would roll back a transaction for some codes, where the statement
// that reads fails with them; and with writable_schema it would go on with a schema that it could
// not make out, and take the ATTACH for done.
bool TellsReason(const FailedHandle& handle) {
  const int primary = handle.code & 0xff;
  if (primary == SQLITE_IOERR || primary == SQLITE_FULL || primary == SQLITE_NOMEM) return false;
  if (handle.connection == nullptr) return false;
  int writable_schema = 1;
  sqlite3_db_config(*handle.connection, SQLITE_DBCONFIG_WRITABLE_SCHEMA, -1, &writable_schema);
  return writable_schema == 0;
}

// ---- the file ----------------------------------------------------------------------------------

FailedHandle* Handle(sqlite3_file* file) { return static_cast<FailedHandle*>(file); }

int Close(sqlite3_file* file) noexcept {
  delete Handle(file)->reason;
  Handle(file)->reason = nullptr;
  return SQLITE_OK;
}

int Read(sqlite3_file* file, void* out, int amount, sqlite3_int64 offset) noexcept try {
  const sqlite3_int64 number = offset / kPageSize + 1;
  const auto at = static_cast<int>(offset % kPageSize);
  if (number >= kPages || at + amount > kPageSize) return Handle(file)->code;
  Page page{};
  if (number == 1) {
    FillFirstPage(page);
  } else {
    // SQLite reads only while it has told the connection.
    const std::string reason = "tidemark: " + Handle(file)->reason->message();
    FillSecondPage(page, Encoded(reason, EncodingOfMain(*Handle(file)->connection)));
  }
  std::memcpy(out, page.data() + at, static_cast<size_t>(amount));
  return SQLITE_OK;
} catch (const std::bad_alloc&) {
  return SQLITE_NOMEM;
}

int Write(sqlite3_file* file, const void*, int, sqlite3_int64) noexcept {
  return Handle(file)->code;
}

int Truncate(sqlite3_file* file, sqlite3_int64) noexcept { return Handle(file)->code; }

int Sync(sqlite3_file* file, int) noexcept { return Handle(file)->code; }

int FileSize(sqlite3_file*, sqlite3_int64* size) noexcept {
  *size = kPages * kPageSize;
  return SQLITE_OK;
}

// The first thing that SQLite does for a statement.
int Lock(sqlite3_file* file, int level) noexcept {
  return level == SQLITE_LOCK_SHARED && TellsReason(*Handle(file)) ? SQLITE_OK : Handle(file)->code;
}

int FileControl(sqlite3_file* file, int operation, void* argument) noexcept {
  if (operation != SQLITE_FCNTL_PDB) return SQLITE_NOTFOUND;
  Handle(file)->connection = static_cast<sqlite3**>(argument);
  return SQLITE_OK;
}

const sqlite3_io_methods kFailedMethods = [] {
  sqlite3_io_methods methods = PlainMethods();
  methods.xClose = Close;
  methods.xRead = Read;
  methods.xWrite = Write;
  methods.xTruncate = Truncate;
  methods.xSync = Sync;
  methods.xFileSize = FileSize;
  methods.xLock = Lock;
  methods.xFileControl = FileControl;
  return methods;
}();

// An automatic extension: SQLite runs it for every connection that is opened, by any VFS.
int ReportFailedOpen(sqlite3* connection, char** message, const void*) noexcept {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (file == nullptr || file->pMethods != &kFailedMethods) return SQLITE_OK;
  *message = sqlite3_mprintf("tidemark: %s", Handle(file)->reason->message().c_str());
  return Handle(file)->code;
}

}  // namespace

Status RegisterOpenReport() {
  const int code = sqlite3_auto_extension(reinterpret_cast<void (*)()>(ReportFailedOpen));
  if (code != SQLITE_OK) return StatusFromSqlite(code).WithContext("sqlite3_auto_extension");
  reports.store(true, std::memory_order_relaxed);
  return OkStatus();
}

int FailOpen(const Status& reason, sqlite3_file* handle) noexcept {
  const int code = SqliteCode(reason, FileOperation::kOpen);
  NoteError(reason);
  LogError(code, reason);
  handle->pMethods = nullptr;
  if (code == SQLITE_NOMEM) return code;  // which says it all, and SQLite would keep no message
  if (!reports.load(std::memory_order_relaxed)) return code;
  Handle(handle)->reason = new (std::nothrow) Status(reason);
  if (Handle(handle)->reason == nullptr) return SQLITE_NOMEM;
  Handle(handle)->code = code;
  Handle(handle)->connection = nullptr;
  handle->pMethods = &kFailedMethods;
  return SQLITE_OK;
}

int FailedHandleSize() noexcept { return static_cast<int>(sizeof(FailedHandle)); }

}  // namespace tidemark::internal
