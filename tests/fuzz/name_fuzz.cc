// File names and what comes with them in a URI: any text names one object of one store, under one
// full path name, or is refused; and what is named has a name that an object can have, or the
// engine refuses it.
//
// An input is texts that end with a 0: the path, then the keys and values of the URI, and, if the
// path's first byte is '\1', TIDEMARK_STORE.

#include <sqlite3.h>

#include <string>
#include <vector>

#include "engine/check.h"
#include "engine/object_id.h"
#include "tests/fuzz/fuzz_input.h"
#include "vfs/internal/database_name.h"
#include "vfs/internal/uri.h"

namespace tidemark::testing {
namespace {

using internal::DatabaseName;

void CheckName(const DatabaseName& name, DatabaseName::Context context) {
  // Where the engine goes on, nothing is left that could be taken for another path.
  if (!ValidateNamespaceName(name.namespace_name).ok()) return;
  if (!ValidateName("object name", name.name).ok()) return;
  CHECK(name.namespace_name.find('/') == std::string::npos);
  CHECK(name.at.find('/') == std::string::npos);
  const std::string full = name.FullPathname();
  CHECK(DatabaseName::IsFullPathname(full));
  const auto again = DatabaseName::Parse(full, context);
  CHECK(again.ok());
  CHECK(*again == name);
  CHECK(again->FullPathname() == full);
}

void ParseName(FuzzInput& input) {
  std::string path = input.Text();
  std::string files_store;
  const bool has_files_store = !path.empty() && path[0] == '\1';
  if (has_files_store) {
    path.erase(0, 1);
    files_store = input.Text();
  }
  std::vector<std::string> texts;
  while (input.remaining() > 0 && texts.size() < 32) texts.push_back(input.Text());
  if (texts.size() % 2 == 1) texts.emplace_back();
  std::vector<const char*> parameters;
  for (const std::string& text : texts) parameters.push_back(text.c_str());
  const char* made =
      sqlite3_create_filename(path.c_str(), "", "", static_cast<int>(texts.size() / 2),
                              parameters.empty() ? nullptr : parameters.data());
  CHECK(made != nullptr);
  static_cast<void>(internal::CheckParameters(made));
  DatabaseName::Context context = internal::ContextOf(made);
  context.files_store = has_files_store ? files_store.c_str() : nullptr;
  const auto name = DatabaseName::Parse(path, context);
  if (name.ok()) {
    CheckName(*name, context);
    name->Uri();
  }
  sqlite3_free_filename(const_cast<char*>(made));
}

}  // namespace
}  // namespace tidemark::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tidemark::testing::FuzzInput input(data, size);
  tidemark::testing::ParseName(input);
  return 0;
}
