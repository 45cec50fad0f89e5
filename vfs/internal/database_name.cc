// File names of databases, see database_name.h.

#include "vfs/internal/database_name.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "vfs/internal/store_registry.h"
#include "vfs/vfs.h"

namespace tidemark::internal {
namespace {

// RFC 3986's unreserved characters and '/' stand for themselves.
void AppendPercentEncoded(std::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || c == '-' || c == '.' || c == '_' ||
                       c == '~' || c == '/';
    if (plain) {
      *out += c;
    } else {
      *out += '%';
      *out += kHex[byte >> 4];
      *out += kHex[byte & 15];
    }
  }
}

Status Invalid(std::string message) {
  return Status(StatusCode::kInvalidArgument, std::move(message));
}

std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

// Takes the first component off a path.
std::string_view NextComponent(std::string_view* path) {
  const size_t slash = path->find('/');
  const std::string_view component = path->substr(0, slash);
  path->remove_prefix(slash == path->npos ? path->size() : slash + 1);
  return component;
}

bool HasDots(std::string_view path) {
  while (!path.empty()) {
    const std::string_view component = NextComponent(&path);
    if (component == "." || component == "..") return true;
  }
  return false;
}

// A path as the namespace of files knows it, by the look of it only.
Result<std::string> NormalizedFileName(std::string_view path) {
  const std::string_view given = path;
  std::string name;
  if (path.starts_with('/')) name = "/";
  const size_t root = name.size();
  if (path.empty() || path.ends_with('/')) return Invalid(Quoted(given) + " names no file");
  while (!path.empty()) {
    const std::string_view component = NextComponent(&path);
    if (component.empty() || component == ".") continue;
    if (component == "..") {
      if (name.size() == root) {
        if (root > 0) continue;  // "/.." is "/"
        return Invalid(Quoted(given) +
                       " leads out of the store: relative file names begin at the root of its "
                       "namespace \"files\", wherever the process stands");
      }
      const size_t slash = name.rfind('/');
      name.resize(slash == name.npos ? 0 : std::max(slash, root));
      continue;
    }
    if (name.size() > root) name += '/';
    name += component;
  }
  if (name.size() == root) return Invalid(Quoted(given) + " names no file");
  return name;
}

}  // namespace

std::string DatabaseName::FullPathname() const {
  std::string path = store_directory + "//";
  if (!at.empty() || by_id) path += "/" + at + "/";
  return path + namespace_name + "/" + name;
}

std::string DatabaseName::Uri() const {
  std::string uri = "file:";
  AppendPercentEncoded(namespace_name + "/" + name, &uri);
  uri += "?vfs=";
  uri += kVfsName;
  uri += "&store=";
  AppendPercentEncoded(store_directory, &uri);
  if (!at.empty()) {
    uri += "&at=";
    AppendPercentEncoded(at, &uri);
  }
  if (by_id) uri += "&id=1";
  if (HasDots(namespace_name + "/" + name)) uri += "&exact=1";
  return uri;
}

Result<DatabaseName> DatabaseName::Parse(std::string_view path, const Context& context) {
  const bool has_store = context.store != nullptr;
  const char* store = has_store ? context.store : context.files_store;
  if (store == nullptr || store[0] == '\0') {
    return Invalid(
        std::string(has_store ? "store= names no directory" : "no store is named") +
        ": a database is file:NAMESPACE/NAME?vfs=tidemark&store=DIR, or a plain file name if the "
        "environment variable TIDEMARK_STORE names the store");
  }
  DatabaseName result;
  result.store_directory = NormalizedDirectory(store);
  if (context.at != nullptr) {
    result.at = context.at;
    if (result.at.empty() || result.at.find('/') != std::string::npos) {
      return Invalid("at=" + result.at +
                     " is not a point in time: give a bookmark, a time or a label");
    }
  }
  result.by_id = context.id != nullptr && std::string_view(context.id) == "1";
  if (result.by_id && !result.at.empty()) {
    return Invalid("id=1 is for the present: leave at= out");
  }
  // A host that knows no URIs names ids and the past by their full path names.
  const std::string past_prefix = result.store_directory + "///";
  if (!has_store && context.at == nullptr && path.starts_with(past_prefix + "/")) {
    result.by_id = true;
  }
  if (!has_store && context.at == nullptr && !result.by_id && path.starts_with(past_prefix)) {
    std::string_view rest = path.substr(past_prefix.size());
    result.at = NextComponent(&rest);
    if (result.at.empty() || rest.empty()) {
      return Invalid(Quoted(path) + " is not " + past_prefix + "POINT/NAMESPACE/NAME");
    }
  }
  // SQLite opens the full path name with the same parameters, so its prefix is known.
  const std::string prefix =
      DatabaseName{result.store_directory, "", "", result.at, result.by_id}.FullPathname();
  const std::string_view known_prefix = std::string_view(prefix).substr(0, prefix.size() - 1);
  const bool is_full = path.starts_with(known_prefix);
  if (is_full) path.remove_prefix(known_prefix.size());
  if (!has_store && !is_full) {
    result.namespace_name = kFilesNamespace;
    TIDEMARK_ASSIGN_OR_RETURN(result.name, NormalizedFileName(path));
    return result;
  }
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == path.size()) {
    return Invalid(Quoted(path) +
                   " is not NAMESPACE/NAME: a database is "
                   "file:NAMESPACE/NAME?vfs=tidemark&store=DIR");
  }
  result.namespace_name = path.substr(0, slash);
  result.name = path.substr(slash + 1);
  const bool exact = context.exact != nullptr && std::string_view(context.exact) == "1";
  if (!exact && has_store && HasDots(path)) {
    return Invalid(Quoted(path) +
                   " has a \".\" or \"..\" in it, but NAMESPACE/NAME is no path: leave it out, or "
                   "add &exact=1 if the object is really called so");
  }
  return result;
}

Result<std::shared_ptr<Object>> OpenNamed(Store& store, const DatabaseName& name,
                                          IfMissing if_missing) {
  if (!name.by_id) return store.OpenObject(name.namespace_name, name.name, if_missing);
  TIDEMARK_ASSIGN_OR_RETURN(const ObjectId id,
                            ObjectIdFactory(name.namespace_name).FromString(name.name));
  return store.OpenObject(name.namespace_name, id, if_missing);
}

std::string AtOf(const Object& object, const Point& point, const CommitInfo& commit) {
  const auto* label = std::get_if<Label>(&point);
  return label != nullptr ? label->name : object.BookmarkOf(commit).ToString();
}

}  // namespace tidemark::internal
