#include "vfs/internal/json.h"

#include <array>
#include <cstdio>

namespace tidemark::internal {
namespace {

std::string Quoted(std::string_view value) {
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escape;
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      quoted += escape.data();
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace

JsonObject& JsonObject::Add(std::string_view name, uint64_t value) {
  return AddRaw(name, std::to_string(value));
}

JsonObject& JsonObject::Add(std::string_view name, std::string_view value) {
  return AddRaw(name, Quoted(value));
}

JsonObject& JsonObject::AddBool(std::string_view name, bool value) {
  return AddRaw(name, value ? "true" : "false");
}

JsonObject& JsonObject::AddNull(std::string_view name) { return AddRaw(name, "null"); }

JsonObject& JsonObject::AddOrNull(std::string_view name, std::string_view value) {
  return value.empty() ? AddNull(name) : Add(name, value);
}

JsonObject& JsonObject::AddRaw(std::string_view name, std::string_view value) {
  if (text_.size() > 1) text_ += ',';
  text_ += Quoted(name);
  text_ += ':';
  text_ += value;
  return *this;
}

void JsonArray::Add(const JsonObject& value) {
  if (text_.size() > 1) text_ += ',';
  text_ += value.text();
}

}  // namespace tidemark::internal
