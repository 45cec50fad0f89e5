// Text: how the tools write sizes, times, commands, tables and JSON, the same in every verb.

#ifndef TIDEMARK_TOOLS_TEXT_H_
#define TIDEMARK_TOOLS_TEXT_H_

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clock.h"

namespace tidemark::tools {

// JSON whose fields keep the order in which the help lists them.
using Json = nlohmann::ordered_json;

// One line, without a line end. Text that is not UTF-8 (a name in a message) gets U+FFFD in the
// places that are wrong.
std::string DumpJson(const Json& json);

// "0 B", "512 B", "1.5 KiB", "27 MiB": three digits, powers of 1024.
std::string FormatBytes(uint64_t bytes);
// "1,234,567".
std::string FormatCount(uint64_t count);
// Local time with its zone, to the microsecond, so that it can be pasted as a POINT and names the
// same commit: "2026-11-21 05:05:06.789012+01:00". UTC where local is not the user's (console.h).
std::string FormatLocalTime(Timestamp time);

// Quotes for a POSIX shell where that is needed.
std::string ShellQuote(std::string_view text);

// The name under which this process was started (argv[0]); set once by main.
void SetProgramName(std::string name);
// That; of a client that is served (console.h) its own.
const std::string& ProgramName();
// A command line of this program that can be pasted into a shell.
std::string Command(const std::vector<std::string>& arguments);

// Control characters as \n, \t or \x1b, so that text from a database moves no cursor and breaks no
// line; bytes that are not UTF-8 become U+FFFD.
std::string PrintableLine(std::string_view text);

bool IsUtf8(std::string_view text);
// Columns that PrintableLine's output takes on a terminal.
size_t DisplayWidth(std::string_view text);

// "00ff17".
std::string Hex(const void* bytes, size_t size);

// A string from a number and its noun: "1 page", "2 pages".
std::string Plural(uint64_t count, std::string_view noun);

}  // namespace tidemark::tools

#endif  // TIDEMARK_TOOLS_TEXT_H_
