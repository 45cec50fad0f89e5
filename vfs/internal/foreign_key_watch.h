// ForeignKeyWatch: which rows refer to a parent that is not there, before and after a change that
// foreign keys took no part in.
//
// Databases have such rows, since SQLite does not enforce foreign keys unless it is told to: so
// those of before, and those of the past that comes back, are counted in a table of the
// connection's own, and only new ones are an error. Only tables that refer to the changed ones, and
// these, are looked at.

#ifndef TIDEMARK_VFS_INTERNAL_FOREIGN_KEY_WATCH_H_
#define TIDEMARK_VFS_INTERNAL_FOREIGN_KEY_WATCH_H_

#include <string>
#include <vector>

#include "engine/result.h"
#include "vfs/database.h"

namespace tidemark::internal {

class ForeignKeyWatch {
 public:
  // Cost: a scan of each table that refers to one of these, and of these if they refer to others.
  static Result<ForeignKeyWatch> Begin(const Database& live, const Database& past,
                                       const std::vector<std::string>& changed);
  // Errors: kInvalidArgument, naming a row that has no parent now, and had one, before and then.
  Status Check();

 private:
  explicit ForeignKeyWatch(const Database& live) : live_(&live) {}
  Status Count(const Database& in, const std::string& into) const;

  const Database* live_;
  std::vector<std::string> children_;
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_FOREIGN_KEY_WATCH_H_
