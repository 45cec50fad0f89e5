// File names of databases, see database_name.h.

#include "vfs/internal/database_name.h"

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

}  // namespace

std::string DatabaseName::FullPathname() const {
  std::string path = store_directory + "//";
  if (!at.empty()) path += "/" + at + "/";
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
  return uri;
}

Result<DatabaseName> DatabaseName::Parse(std::string_view path, const char* store, const char* at) {
  if (store == nullptr || store[0] == '\0') {
    return Status(StatusCode::kInvalidArgument,
                  "no store is named: a database is file:NAMESPACE/NAME?vfs=tidemark&store=DIR");
  }
  DatabaseName result;
  result.store_directory = NormalizedDirectory(store);
  if (at != nullptr) {
    result.at = at;
    if (result.at.empty() || result.at.find('/') != std::string::npos) {
      return Status(StatusCode::kInvalidArgument, "at=" + result.at + " is not a point in time");
    }
  }
  // SQLite opens the full path name with the same parameters, so its prefix is known.
  const std::string prefix = DatabaseName{result.store_directory, "", "", result.at}.FullPathname();
  const std::string_view known_prefix = std::string_view(prefix).substr(0, prefix.size() - 1);
  if (path.starts_with(known_prefix)) path.remove_prefix(known_prefix.size());
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == path.size()) {
    return Status(StatusCode::kInvalidArgument,
                  "\"" + std::string(path) + "\" is not NAMESPACE/NAME");
  }
  result.namespace_name = path.substr(0, slash);
  result.name = path.substr(slash + 1);
  return result;
}

}  // namespace tidemark::internal
