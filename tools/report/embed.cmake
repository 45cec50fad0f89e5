# Makes a C++ source with the bytes of files in it, so that the command needs none of them beside it:
#   cmake -D OUTPUT=FILE.cc -D "FILES=kName=PATH;..." -P embed.cmake
set(source "// Made by tools/report/embed.cmake.\n#include \"tools/report_assets.h\"\n\n")
string(APPEND source "namespace tidemark::tools {\nnamespace {\n")
set(names "")
foreach(file IN LISTS FILES)
  string(REGEX MATCH "^([A-Za-z]+)=(.*)$" matched "${file}")
  set(name "${CMAKE_MATCH_1}")
  file(READ "${CMAKE_MATCH_2}" bytes HEX)
  string(LENGTH "${bytes}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  # The zero is for an empty file: an array has at least one element.
  string(APPEND source "constexpr unsigned char ${name}Bytes[] = {${bytes}0};\n")
  string(APPEND names "const std::string_view ${name}(\n"
    "    reinterpret_cast<const char*>(${name}Bytes), ${size});\n")
endforeach()
string(APPEND source "}  // namespace\n\n${names}\n}  // namespace tidemark::tools\n")
file(WRITE "${OUTPUT}" "${source}")
