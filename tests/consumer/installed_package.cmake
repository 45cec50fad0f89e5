# cmake -D BUILD=... -D DIRECTORY=... -D SOURCE=... -D CC=... -D CXX=... -D VERSION=...
#       -D SHARED=... -P installed_package.cmake
#
# Installs the build below DIRECTORY and uses it as strangers would: each header by itself, a CMake
# project, pkg-config, the loadable extension. Ends at the first thing that does not work.
cmake_minimum_required(VERSION 3.22)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT code EQUAL 0)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${DIRECTORY}")
# Installed in one place and moved to another: nothing may remember where it was.
run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${DIRECTORY}/first")
file(RENAME "${DIRECTORY}/first" "${DIRECTORY}/prefix")
set(prefix "${DIRECTORY}/prefix")

# The command.
run("${prefix}/bin/tidemark" --version)
if(NOT output STREQUAL "tidemark ${VERSION}\n")
  message(FATAL_ERROR "tidemark --version says ${output}")
endif()

# Headers: none of the internal ones, and each compiles when it is all there is.
file(GLOB_RECURSE headers RELATIVE "${prefix}/include/tidemark" "${prefix}/include/tidemark/*.h")
list(LENGTH headers count)
if(count LESS 15)
  message(FATAL_ERROR "only ${count} headers were installed")
endif()
set(warnings -Wall -Wextra -Wpedantic -Wconversion -Werror)
foreach(header IN LISTS headers)
  if(header MATCHES "internal/")
    message(FATAL_ERROR "${header} was installed")
  endif()
  file(WRITE "${DIRECTORY}/alone.cc" "#include \"${header}\"\n#include \"${header}\"\n")
  run("${CXX}" -std=c++20 ${warnings} -fsyntax-only "-I${prefix}/include/tidemark"
    "${DIRECTORY}/alone.cc")
endforeach()
file(WRITE "${DIRECTORY}/alone.c" "#include \"vfs/tidemark.h\"\n#include \"engine/version.h\"\n")
run("${CC}" -std=c11 ${warnings} -fsyntax-only "-I${prefix}/include/tidemark"
  "${DIRECTORY}/alone.c")

# find_package.
run("${CMAKE_COMMAND}" -S "${SOURCE}/package" -B "${DIRECTORY}/project"
  "-DCMAKE_PREFIX_PATH=${prefix}" "-DCMAKE_C_COMPILER=${CC}" "-DCMAKE_CXX_COMPILER=${CXX}")
run("${CMAKE_COMMAND}" --build "${DIRECTORY}/project")
foreach(program cpp_program control_program c_program)
  set(more "")
  if(program STREQUAL "control_program")
    set(more "${prefix}/bin/tidemark")
  endif()
  run("${DIRECTORY}/project/${program}" "${DIRECTORY}/${program}.store" ${more})
  message(STATUS "find_package: ${output}")
endforeach()

# pkg-config, from C.
find_program(pkg_config pkg-config REQUIRED)
file(GLOB_RECURSE pc "${prefix}/tidemark.pc")
get_filename_component(pc "${pc}" DIRECTORY)
set(ENV{PKG_CONFIG_PATH} "${pc}:$ENV{PKG_CONFIG_PATH}")
run("${pkg_config}" --modversion tidemark)
run("${pkg_config}" --cflags --libs tidemark)
separate_arguments(options UNIX_COMMAND "${output}")
run("${CC}" -std=c11 "${SOURCE}/package/c_program.c" -o "${DIRECTORY}/pc_program"
  ${options} "-Wl,-rpath,${pc}/..")
run("${DIRECTORY}/pc_program" "${DIRECTORY}/pc_program.store")
message(STATUS "pkg-config: ${output}")

# The loadable extension, in a program that has an SQLite of its own: it reads what C wrote.
find_program(sqlite3 sqlite3)
if(sqlite3)
  run("${sqlite3}" :memory: ".load ${pc}/../libtidemark_vfs"
    "ATTACH 'file:rooms/lobby?vfs=tidemark&store=${DIRECTORY}/pc_program.store' AS lobby"
    "SELECT 'rows: ' || count(*) FROM lobby.t")
  if(NOT output STREQUAL "rows: 0\n")
    message(FATAL_ERROR "the installed extension says ${output}")
  endif()
else()
  message(STATUS "there is no sqlite3: the installed extension was not loaded")
endif()

# A shared library exports what its headers promise, and nothing of its inside.
file(GLOB libraries "${pc}/../libtidemark*.so")
set(exported 0)
foreach(library IN LISTS libraries)
  if(library MATCHES "libtidemark_vfs")
    continue()  # the loadable extension, whose exports are a matter of its own
  endif()
  run(nm --dynamic --defined-only --demangle "${library}")
  string(REGEX MATCHALL "[^\n]+" symbols "${output}")
  foreach(symbol IN LISTS symbols)
    string(REGEX REPLACE "^[0-9a-f]+ [A-Za-z] " "" name "${symbol}")
    string(REGEX REPLACE "\\(.*" "" name "${name}")  # private members may well take internal types
    if(name MATCHES "^(std::|(void|bool|typeinfo for|typeinfo name for|vtable for) std::)")
      continue()  # an instance of a template that both sides may have
    elseif(name MATCHES "^tidemark::internal::CheckFailed$")
      continue()  # CHECK is used by the layers above
    elseif(library MATCHES "libtidemark_runtime" AND name MATCHES "boost::")
      continue()  # of Asio's headers: services and what each thread runs are one for a program
    elseif(name MATCHES "internal::|::Impl|::Mac" OR NOT name MATCHES "tidemark(::|_)")
      message(FATAL_ERROR "${library} exports ${symbol}")
    endif()
    math(EXPR exported "${exported} + 1")
  endforeach()
endforeach()
if(SHARED AND exported LESS 50)
  message(FATAL_ERROR "only ${exported} symbols are exported")
endif()
