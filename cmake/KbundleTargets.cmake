# One place for how kbundle's targets are compiled.

add_library(kbundle_options INTERFACE)
target_compile_features(kbundle_options INTERFACE cxx_std_20)
target_include_directories(kbundle_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(kbundle_options INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wformat=2 -Werror
  # gcc 12 warns of operator+(const char*, std::string&&) itself: gcc bug 105651
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
if(KBUNDLE_SANITIZE)
  target_compile_options(kbundle_options INTERFACE
    # instrumented, libstdc++'s <regex> looks uninitialised to gcc 12
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(kbundle_options INTERFACE -fsanitize=address,undefined)
endif()
if(KBUNDLE_FUZZ)
  target_compile_options(kbundle_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# kbundle_library(NAME SOURCES … LINKS …): a static library of this project.
function(kbundle_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC kbundle_options ${ARG_LINKS})
endfunction()

# kbundle_unit_tests(FOLDER LINKS …): tests/unit/FOLDER/*_test.cpp as the program unit-FOLDER.
function(kbundle_unit_tests folder)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/unit/${folder}/*_test.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(unit-${folder} ${sources})
  target_link_libraries(unit-${folder} PRIVATE kbundle_unit_main ${ARG_LINKS})
  add_test(NAME unit-${folder} COMMAND unit-${folder})
endfunction()
