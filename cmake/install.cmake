# What `cmake --install` puts where, and how others find it: the CMake package Tidemark with the
# targets Tidemark::engine, Tidemark::vfs, Tidemark::api, Tidemark::runtime and Tidemark::control, and
# pkg-config's tidemark.
#
# Headers keep their paths below include/tidemark, which is what users have on their include path:
# `#include "engine/store.h"` reads the same here and there.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(TIDEMARK_INCLUDE_DIR "${CMAKE_INSTALL_INCLUDEDIR}/tidemark")
set(TIDEMARK_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/Tidemark")

set_target_properties(tidemark_engine PROPERTIES EXPORT_NAME engine)
# Not libtidemark_vfs: so is the loadable extension called.
set_target_properties(tidemark_vfs PROPERTIES EXPORT_NAME vfs OUTPUT_NAME tidemark)
add_library(Tidemark::engine ALIAS tidemark_engine)
set_target_properties(tidemark_api PROPERTIES EXPORT_NAME api)
add_library(Tidemark::vfs ALIAS tidemark_vfs)
add_library(Tidemark::api ALIAS tidemark_api)
set_target_properties(tidemark_runtime PROPERTIES EXPORT_NAME runtime)
add_library(Tidemark::runtime ALIAS tidemark_runtime)
if(TARGET tidemark_tools)
  # All verbs are in it; always static, since nothing but its one header is anybody's interface.
  set_target_properties(tidemark_tools PROPERTIES EXPORT_NAME control OUTPUT_NAME tidemark_control)
  add_library(Tidemark::control ALIAS tidemark_tools)
  target_compile_features(tidemark_tools PUBLIC cxx_std_20)
  target_include_directories(tidemark_tools PUBLIC "$<INSTALL_INTERFACE:${TIDEMARK_INCLUDE_DIR}>")
  install(TARGETS tidemark_tools EXPORT TidemarkTargets)
  install(FILES "${PROJECT_SOURCE_DIR}/tools/control_server.h"
    DESTINATION "${TIDEMARK_INCLUDE_DIR}/tools")
endif()
set(targets tidemark_engine tidemark_vfs tidemark_api tidemark_runtime)
if(TIDEMARK_SQLITE_SOURCE)
  list(APPEND targets tidemark_sqlite)
endif()

foreach(target tidemark_engine tidemark_vfs tidemark_api tidemark_runtime)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PUBLIC "$<INSTALL_INTERFACE:${TIDEMARK_INCLUDE_DIR}>")
  set_target_properties(${target} PROPERTIES
    # Below 1.0 a minor version may break what was built against the one before.
    SOVERSION "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}"
    VERSION "${PROJECT_VERSION}"
    DEFINE_SYMBOL ""  # objects are the same for both kinds of library
    # Nothing is exported but what says TIDEMARK_API (engine/export.h).
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
  if(BUILD_SHARED_LIBS)
    # Neither do the static libraries and templates inside show.
    target_link_options(${target} PRIVATE LINKER:--no-undefined LINKER:--exclude-libs,ALL)
    set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN")
  endif()
endforeach()
if(BUILD_SHARED_LIBS)
  set_target_properties(tidemark PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
endif()

install(TARGETS ${targets} EXPORT TidemarkTargets)
install(EXPORT TidemarkTargets NAMESPACE Tidemark:: DESTINATION "${TIDEMARK_CMAKE_DIR}")
foreach(layer engine vfs api runtime)
  # A header at a folder's root is that layer's interface; those below internal/ stay here.
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/${layer}/" DESTINATION "${TIDEMARK_INCLUDE_DIR}/${layer}"
    FILES_MATCHING PATTERN "*.h" PATTERN internal EXCLUDE)
endforeach()
install(FILES "${PROJECT_BINARY_DIR}/include/engine/version.h"
  DESTINATION "${TIDEMARK_INCLUDE_DIR}/engine")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/TidemarkConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/TidemarkConfig.cmake" INSTALL_DESTINATION "${TIDEMARK_CMAKE_DIR}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/TidemarkConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/TidemarkConfig.cmake"
  "${PROJECT_BINARY_DIR}/TidemarkConfigVersion.cmake"
  DESTINATION "${TIDEMARK_CMAKE_DIR}")

# A static library needs what it is made of; a shared one has found it already.
set(parts "lmdb libzstd libxxhash libcrypto")
set(public "sqlite3")
set(sqlite_library "")
if(TIDEMARK_SQLITE_SOURCE)
  set(public "")
  set(sqlite_library " -ltidemark_sqlite")
endif()
if(BUILD_SHARED_LIBS)
  set(TIDEMARK_PC_REQUIRES "${public}")
  set(TIDEMARK_PC_REQUIRES_PRIVATE "${parts}")
  set(TIDEMARK_PC_LIBS "-ltidemark_runtime -ltidemark_api -ltidemark -ltidemark_engine${sqlite_library}")
else()
  set(TIDEMARK_PC_REQUIRES "${public} ${parts}")
  set(TIDEMARK_PC_REQUIRES_PRIVATE "")
  set(TIDEMARK_PC_LIBS "-ltidemark_runtime -ltidemark_api -ltidemark -ltidemark_engine${sqlite_library} -lstdc++ -lm -ldl -pthread")
endif()
# Relative to the file itself, so that the tree may be installed, and moved, anywhere.
file(RELATIVE_PATH TIDEMARK_PC_UP "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file("${PROJECT_SOURCE_DIR}/cmake/tidemark.pc.in" "${PROJECT_BINARY_DIR}/tidemark.pc"
  @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/tidemark.pc"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
