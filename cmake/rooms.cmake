# wormhole_room(NAME LINKS...): one library from the sources of src/NAME, its unit tests and
# its fuzz bodies. x.cc is product, x_test.cc a unit test, x_fuzz.cc a fuzz body (also run by the
# unit tests), x_bench.cc a micro-benchmark.
find_package(GTest REQUIRED)
find_package(Threads REQUIRED)
include(GoogleTest)

function(wormhole_room name)
  cmake_parse_arguments(ROOM "" "" "LINKS;PRIVATE_LINKS;TEST_LINKS;EXTRA_SOURCES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  set(fuzzers ${sources})
  set(benches ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_(test|fuzz|bench)|/main)\\.cc$")
  if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
    list(FILTER sources EXCLUDE REGEX "_linux\\.cc$")
  endif()

  if(NOT sources)
    return()
  endif()
  add_library(wormhole_${name} STATIC ${sources} ${ROOM_EXTRA_SOURCES})
  target_include_directories(wormhole_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(wormhole_${name}
    PUBLIC ${ROOM_LINKS} Threads::Threads
    PRIVATE wormhole_options ${ROOM_PRIVATE_LINKS})

  if(tests AND NOT WORMHOLE_FUZZ)
    add_executable(${name}_test ${tests} ${fuzzers})
    target_link_libraries(${name}_test PRIVATE wormhole_${name} wormhole_options
      ${ROOM_PRIVATE_LINKS} ${ROOM_TEST_LINKS} GTest::gmock GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE
      WORMHOLE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    # Half of all building time is tests: their headers once, no optimising of what only asks, and
    # undefined behaviour is looked for in what they ask.
    target_precompile_headers(${name}_test PRIVATE
      <gmock/gmock.h> <gtest/gtest.h> <chrono> <memory> <optional> <string> <thread> <vector>)
    target_compile_options(${name}_test PRIVATE -O0 $<$<CONFIG:Release>:-U_FORTIFY_SOURCE>
      $<$<BOOL:${WORMHOLE_ASAN}>:-fno-sanitize=undefined>)
    add_test(NAME unit.${name} COMMAND ${name}_test)
    set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 1200)
  endif()
  if(WORMHOLE_FUZZ)
    foreach(fuzzer ${fuzzers})
      get_filename_component(target ${fuzzer} NAME_WE)
      add_executable(${target} ${fuzzer})
      target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
      target_link_libraries(${target} PRIVATE wormhole_${name} wormhole_options
        ${ROOM_PRIVATE_LINKS} GTest::gtest)
    endforeach()
  endif()
  if(benches AND NOT WORMHOLE_FUZZ)
    find_package(benchmark REQUIRED)
    add_executable(${name}_bench ${benches})
    target_link_libraries(${name}_bench PRIVATE wormhole_${name} wormhole_options
      ${ROOM_PRIVATE_LINKS} benchmark::benchmark benchmark::benchmark_main)
  endif()
endfunction()

# wormhole_library_inside(VARIABLE NAME): the library to link, as a part of the program where that
# can be, as to load and bind a shared one costs each start (docs/dependencies.md says which).
function(wormhole_library_inside variable name)
  find_library(${variable} NAMES lib${name}.a ${name} REQUIRED)
endfunction()
