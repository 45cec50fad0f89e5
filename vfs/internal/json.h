// JSON texts, for answers of pragmas and of the C interface.
//
//   JsonObject row;
//   row.Add("lsn", 7).Add("time", "now").AddNull("to");
//   row.text()    {"lsn":7,"time":"now","to":null}
//
// Of our own, because a host must outlive memory that runs out: nlohmann::json, which the command
// uses, asks for memory in its destructor, and ends the process where it gets none
// (AllocationFailureTest.EachAllocationFails). All that this asks for can fail.

#ifndef TIDEMARK_VFS_INTERNAL_JSON_H_
#define TIDEMARK_VFS_INTERNAL_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace tidemark::internal {

// Members stand in the order of the calls. Texts are UTF-8.
class JsonObject {
 public:
  JsonObject& Add(std::string_view name, uint64_t value);
  JsonObject& Add(std::string_view name, std::string_view value);
  JsonObject& AddBool(std::string_view name, bool value);
  JsonObject& AddNull(std::string_view name);
  // Null if the text is empty.
  JsonObject& AddOrNull(std::string_view name, std::string_view value);

  std::string text() const { return text_ + "}"; }

 private:
  JsonObject& AddRaw(std::string_view name, std::string_view value);

  std::string text_ = "{";
};

class JsonArray {
 public:
  void Add(const JsonObject& value);
  std::string text() const { return text_ + "]"; }

 private:
  std::string text_ = "[";
};

}  // namespace tidemark::internal

#endif  // TIDEMARK_VFS_INTERNAL_JSON_H_
