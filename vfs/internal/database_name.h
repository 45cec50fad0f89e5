// DatabaseName: which object, and which point of its past, a SQLite file name means.
//
//   file:rooms/lobby?vfs=tidemark&store=DIR[&at=POINT]     an object of the store DIR
//   data.db, /srv/data.db                                  with TIDEMARK_STORE=DIR: objects of the
//                                                          namespace "files" of the store DIR
//
// In the first form the first '/' ends the namespace, and the object's name may contain more of
// them. It is a key, no path: "." and ".." mean nothing in it and are refused, since whoever wrote
// them meant a path, unless exact=1 says that they are meant.
//
// In the second form the name is a path: "a/./b//c" is "a/b/c", "a/../b" is "b". Its root is the
// namespace, wherever the process stands: no path leads out of it, and a relative path is not the
// same as any absolute one.
//
// SQLite keys shared caches by the full path name and shows it in sqlite3_db_filename, so that name
// includes store and point, and no two databases have the same:
//
//   DIR//rooms/lobby            the present: a normalized DIR has no "//", a namespace no '/'
//   DIR///POINT/rooms/lobby     the past
//   DIR////rooms/ID             with id=1 in the URI: by its id, whether it has a name or not; no
//                               point is empty
//
// With TIDEMARK_STORE=DIR these open without parameters, too: for hosts that know no URIs.

#ifndef TIDEMARK_VFS_INTERNAL_DATABASE_NAME_H_
#define TIDEMARK_VFS_INTERNAL_DATABASE_NAME_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/bookmark.h"
#include "engine/object.h"
#include "engine/result.h"
#include "engine/store.h"

namespace tidemark::internal {

struct DatabaseName {
  std::string store_directory;  // normalized
  std::string namespace_name;
  std::string name;
  std::string at;      // empty: the present
  bool by_id = false;  // `name` is the 64 digits of an id; of the present only

  bool operator==(const DatabaseName&) const = default;

  std::string FullPathname() const;
  // True for those, and for their journals' names; the default VFS makes no path with "//" in it.
  static bool IsFullPathname(std::string_view path) { return path.find("//") != path.npos; }
  // A URI for sqlite3_open_v2.
  std::string Uri() const;

  // What a name is read with; null if missing.
  struct Context {
    const char* store = nullptr;  // these four are query parameters
    const char* at = nullptr;
    const char* id = nullptr;
    const char* exact = nullptr;
    const char* files_store = nullptr;  // TIDEMARK_STORE
  };

  // `path` is the URI's path, a file name, or what FullPathname() gave. Errors: kInvalidArgument,
  // saying what a name looks like.
  static Result<DatabaseName> Parse(std::string_view path, const Context& context);
};

// The object of a name. Errors: as Store::OpenObject; kInvalidArgument for what is no id.
Result<std::shared_ptr<Object>> OpenNamed(Store& store, const DatabaseName& name,
                                          IfMissing if_missing);

// The `at` of a name for `commit`, which `point` stands for: its bookmark, because a time goes on;
// but a label remains, because its commit does not expire.
std::string AtOf(const Object& object, const Point& point, const CommitInfo& commit);

// The namespace of plain file names.
inline constexpr char kFilesNamespace[] = "files";

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_DATABASE_NAME_H_
