// What is known of an object, as the JSON texts that pragmas and the C interface give. Names of
// members are those of the command line's --json, and stay.

#ifndef TIDEMARK_VFS_INTERNAL_OBJECT_JSON_H_
#define TIDEMARK_VFS_INTERNAL_OBJECT_JSON_H_

#include <string>

#include "engine/commit_info.h"
#include "engine/object.h"
#include "engine/result.h"
#include "engine/store.h"

namespace tidemark::internal {

// An object with the sizes of `object`, at the commit that is seen, and of its store.
std::string StatJson(const Store& store, const Object& object, const CommitInfo& seen);

// An array of the labels, in order of names: name, automatic, made, bookmark, lsn, time (of the
// commit), damage (null, or what is wrong: then time is null, and of a label whose name is lost all
// else). Errors: as Object::ListLabels.
Result<std::string> LabelsJson(const Object& object);

// An array of the restore journal, newest first: lsn, time, kind ("restore", "promote", "delete",
// "undelete"), from (the undo bookmark), to (null of a deletion). Errors: as Store::ListRestores.
Result<std::string> RestoresJson(const Store& store, const Object& object);

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_OBJECT_JSON_H_
