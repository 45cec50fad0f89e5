// Plain files, see plain_file.h.

#include "vfs/internal/plain_file.h"

#include <algorithm>
#include <memory>
#include <string>

#include "engine/store.h"
#include "vfs/internal/store_registry.h"
#include "vfs/internal/uri.h"

namespace tidemark::internal {
namespace {

constexpr bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); }

// NAME-mjXXXXXX9XX
bool IsSuperJournalName(std::string_view path) {
  constexpr size_t kSuffix = sizeof("-mjXXXXXX9XX") - 1;
  if (path.size() <= kSuffix) return false;
  const std::string_view suffix = path.substr(path.size() - kSuffix);
  return suffix.starts_with("-mj") && suffix[9] == '9' &&
         std::all_of(suffix.begin() + 3, suffix.end(), IsHex);
}

// A file in its store.
struct PlainFile {
  StoreLease store;
  std::shared_ptr<Object> object;
};

// kNotFound if there is no such store or object.
Result<PlainFile> Find(const char* path) {
  TIDEMARK_ASSIGN_OR_RETURN(const DatabaseName name, DatabaseName::Parse(path, PlainContext()));
  TIDEMARK_ASSIGN_OR_RETURN(StoreLease store,
                            StoreRegistry::Get().Acquire(name.store_directory, IfMissing::kFail));
  TIDEMARK_ASSIGN_OR_RETURN(std::shared_ptr<Object> object,
                            OpenNamed(*store, name, IfMissing::kFail));
  if (object->head().page_count == 0) {
    return Status(StatusCode::kNotFound, "file " + name.name + " does not exist");
  }
  return PlainFile{std::move(store), std::move(object)};
}

}  // namespace

bool IsJournalName(std::string_view path) {
  return path.ends_with("-journal") || path.ends_with("-wal") || IsSuperJournalName(path);
}

Result<bool> FileExists(const char* path) {
  const Status status = Find(path).status();
  if (status.ok()) return true;
  // A name that no file can have is kInvalidArgument.
  if (status.code() == StatusCode::kNotFound || status.code() == StatusCode::kInvalidArgument) {
    return false;
  }
  return status;
}

Status DeleteFile(const char* path) {
  TIDEMARK_ASSIGN_OR_RETURN(const PlainFile file, Find(path));
  return file.object->Delete().status();
}

bool IsMissingFile(const DatabaseName& name, const Object& object) {
  return name.namespace_name == kFilesNamespace && object.head().page_count == 0;
}

}  // namespace tidemark::internal
