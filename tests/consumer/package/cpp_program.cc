// A program in C++ on the installed package: the engine, the VFS, a file system of its own.
//
//   cpp_program DIRECTORY      a directory that does not exist

#include <cstdio>
#include <cstring>
#include <string>

#include "engine/store.h"
#include "engine/version.h"
#include "vfs/database.h"
#include "vfs/vfs.h"

namespace {

// Derives from what the library exports, so that its type information must be there.
class FixedClock final : public tidemark::Clock {
 public:
  tidemark::Timestamp Now() const override { return tidemark::Timestamp(std::chrono::hours(10)); }
};

bool Run(const char* directory) {
  const FixedClock clock;
  tidemark::StoreOptions options{.create_if_missing = true};
  options.clock = &clock;
  auto store = tidemark::Store::Open(directory, options).value();
  bool ok = tidemark::RegisterVfs().ok();
  {
    auto db = tidemark::Database::Open(*store, "rooms", "lobby").value();
    ok = ok && db.Exec("create table t(x)").ok();
    const tidemark::Status wrong = db.Exec("no sql");
    ok = ok && wrong.code() == tidemark::StatusCode::kInvalidArgument;
    const auto bookmark = db.object().CurrentBookmark().value();
    ok = ok && tidemark::Bookmark::Parse(bookmark.ToString()).value() == bookmark;
    ok = ok && db.object().OpenSnapshot().value().Verify().ok();
  }
  return store->Close().ok() && ok;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !Run(argv[1])) return 1;
  std::printf("C++ with Tidemark %s: ok\n", TIDEMARK_VERSION);
  return 0;
}
