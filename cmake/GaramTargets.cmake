# garam_library(name SOURCES… DEPS…): one room of the house as a static library.
function(garam_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS})
endfunction()

# garam_mutated(name DEPS…): the library `name` once more as `name`_mutated, with the switches of
# common/mutation.h in it, for the simulator alone.
function(garam_mutated name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  get_target_property(sources ${name} SOURCES)
  get_target_property(folder ${name} SOURCE_DIR)
  list(TRANSFORM sources PREPEND ${folder}/)
  add_library(${name}_mutated STATIC EXCLUDE_FROM_ALL ${sources})
  target_include_directories(${name}_mutated PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_definitions(${name}_mutated PUBLIC GARAM_MUTATIONS)
  target_link_libraries(${name}_mutated PUBLIC ${ARG_DEPS})
endfunction()

# Of a test program: for what hangs, not for what is slow.
set(GARAM_TEST_TIMEOUT_S 1200)

# Builds every unit test and nothing else; `ctest -L unit` runs them.
add_custom_target(unit_tests)
# The same for those with threads, which TSan looks at: `ctest -L threads`.
add_custom_target(threads_tests)

# garam_test(name [THREADS] SOURCES… DEPS…): one gtest program, registered with ctest under its own
# name. THREADS: it starts some.
function(garam_test name)
  cmake_parse_arguments(ARG "THREADS" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  if(TARGET garam_test_headers)
    target_precompile_headers(${name} REUSE_FROM garam_test_headers)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set(labels unit)
  if(ARG_THREADS)
    list(APPEND labels threads)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${GARAM_TEST_TIMEOUT_S} LABELS "${labels}")
  foreach(label ${labels})
    add_dependencies(${label}_tests ${name})
  endforeach()
endfunction()
