// Texts that go in and out of the command and the JSON of pragmas: statements of SQL by their first
// words, spans of time, and what is printed of names and rows.

#include <nlohmann/json.hpp>
#include <string>

#include "engine/check.h"
#include "tests/fuzz/fuzz_input.h"
#include "tools/failure.h"
#include "tools/span.h"
#include "tools/sql_statement.h"
#include "tools/text.h"
#include "vfs/internal/json.h"

namespace tidemark::testing {
namespace {

void CheckSpan(const std::string& text) {
  try {
    const auto span = tools::ParseSpan(text, "retention", "--keep");
    CHECK(span.count() >= 0);
    CHECK(tools::ParseSpan(tools::FormatSpan(span), "retention", "--keep") == span);
  } catch (const tools::Failure&) {
  }
}

void CheckPrinted(const std::string& text) {
  const std::string line = tools::PrintableLine(text);
  CHECK(tools::IsUtf8(line));
  for (const char c : line) CHECK(static_cast<unsigned char>(c) >= 0x20);
  for (const char c : line) CHECK(c != 0x7f);
  tools::DisplayWidth(text);
  tools::ShellQuote(text);
  const std::string json = tools::DumpJson({{"text", text}});
  CHECK(json.find('\n') == std::string::npos);
  CHECK(nlohmann::json::accept(json));
}

void CheckJson(const std::string& text) {
  if (!tools::IsUtf8(text)) return;
  internal::JsonObject object;
  object.Add("text", text).AddOrNull("or", text).Add("n", uint64_t{7}).AddBool("b", false);
  internal::JsonArray array;
  array.Add(object);
  array.Add(object);
  const auto parsed = nlohmann::json::parse(array.text(), nullptr, false);
  CHECK(!parsed.is_discarded());
  CHECK(parsed[1]["text"] == text);
}

}  // namespace
}  // namespace tidemark::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemark;
  const std::string text(reinterpret_cast<const char*>(data), size);
  tools::FirstWord(text);
  tools::SweepOf(text);
  testing::CheckSpan(text);
  testing::CheckPrinted(text);
  testing::CheckJson(text);
  return 0;
}
