// DatabaseName: which object, and which point of its past, a SQLite file name means.
//
//   file:rooms/lobby?vfs=tidemark&store=DIR[&at=POINT]
//
// The first '/' ends the namespace; the object's name may contain more of them.
//
// SQLite keys shared caches by the full path name and shows it in sqlite3_db_filename, so that name
// includes store and point, and no two databases have the same:
//
//   DIR//rooms/lobby            the present: a normalized DIR has no "//", a namespace no '/'
//   DIR///POINT/rooms/lobby     the past

#ifndef TIDEMARK_VFS_INTERNAL_DATABASE_NAME_H_
#define TIDEMARK_VFS_INTERNAL_DATABASE_NAME_H_

#include <optional>
#include <string>
#include <string_view>

#include "engine/result.h"

namespace tidemark::internal {

struct DatabaseName {
  std::string store_directory;  // normalized
  std::string namespace_name;
  std::string name;
  std::string at;  // empty: the present

  bool operator==(const DatabaseName&) const = default;

  std::string FullPathname() const;
  // True for those, and for their journals' names; the default VFS makes no path with "//" in it.
  static bool IsFullPathname(std::string_view path) { return path.find("//") != path.npos; }
  // A URI for sqlite3_open_v2.
  std::string Uri() const;

  // `path` is the URI's path, or what FullPathname() gave. `store` and `at` are the query
  // parameters, null if missing. Errors: kInvalidArgument, saying what a name looks like.
  static Result<DatabaseName> Parse(std::string_view path, const char* store, const char* at);
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_DATABASE_NAME_H_
