# The SQLite that the VFS is linked to: the system's, or with -DTIDEMARK_SQLITE_SOURCE=DIR the
# amalgamation in DIR (sqlite3.c and sqlite3.h), built as a static library with the features that
# Debian's has. Everything else says SQLite::SQLite3 and does not care.
set(TIDEMARK_SQLITE_SOURCE "" CACHE PATH
  "Directory of a SQLite amalgamation to build in, instead of the system's library")
if(NOT TIDEMARK_SQLITE_SOURCE)
  find_package(SQLite3 3.40 REQUIRED)
  return()
endif()

foreach(file sqlite3.c sqlite3.h)
  if(NOT EXISTS "${TIDEMARK_SQLITE_SOURCE}/${file}")
    message(FATAL_ERROR "TIDEMARK_SQLITE_SOURCE=${TIDEMARK_SQLITE_SOURCE} holds no ${file}: name "
      "the directory of a SQLite amalgamation (sqlite-amalgamation-*.zip of sqlite.org, unpacked)")
  endif()
endforeach()
include(GNUInstallDirs)
add_library(tidemark_sqlite STATIC "${TIDEMARK_SQLITE_SOURCE}/sqlite3.c")
set_target_properties(tidemark_sqlite PROPERTIES
  EXPORT_NAME sqlite
  PUBLIC_HEADER "${TIDEMARK_SQLITE_SOURCE}/sqlite3.h")
target_include_directories(tidemark_sqlite PUBLIC
  "$<BUILD_INTERFACE:${TIDEMARK_SQLITE_SOURCE}>"
  "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/tidemark>")
target_compile_definitions(tidemark_sqlite PRIVATE
  SQLITE_THREADSAFE=1 SQLITE_ENABLE_FTS5 SQLITE_ENABLE_RTREE SQLITE_ENABLE_SESSION
  SQLITE_ENABLE_PREUPDATE_HOOK SQLITE_ENABLE_COLUMN_METADATA SQLITE_ENABLE_DBSTAT_VTAB
  SQLITE_ENABLE_MATH_FUNCTIONS)
target_link_libraries(tidemark_sqlite PRIVATE Threads::Threads m ${CMAKE_DL_LIBS})
add_library(SQLite::SQLite3 ALIAS tidemark_sqlite)
