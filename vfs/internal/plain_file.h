// Plain file names as a program that works on files by hand sees them: through xAccess and xDelete
// of the VFS, with TIDEMARK_STORE set.
//
// A file is there if its object has pages. Deleting it deletes the object, which can be undone; the
// name is free again at once. Rollback journals and logs live
// inside their connection: nobody else finds one, and there is nothing to delete.

#ifndef TIDEMARK_VFS_INTERNAL_PLAIN_FILE_H_
#define TIDEMARK_VFS_INTERNAL_PLAIN_FILE_H_

#include <string_view>

#include "engine/object.h"
#include "engine/result.h"
#include "engine/status.h"
#include "vfs/internal/database_name.h"

namespace tidemark::internal {

// True for the names that SQLite gives journals, super-journals and logs.
bool IsJournalName(std::string_view path);

// False without TIDEMARK_STORE and for names that can be no file's. Errors: as Store::Open.
Result<bool> FileExists(const char* path);

// Durable when it returns. Errors: kNotFound; kBusy if a connection writes to it; as Store::Open
// and Object::Delete.
Status DeleteFile(const char* path);

// True if `name` is a plain file's that does not exist (any more), though the store may know it.
bool IsMissingFile(const DatabaseName& name, const Object& object);

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_PLAIN_FILE_H_
