# Warnings, sanitizers and hardening, for every target of ours.
option(WORMHOLE_ASAN "AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
option(WORMHOLE_TSAN "ThreadSanitizer" OFF)
option(WORMHOLE_FUZZ "libFuzzer targets (clang)" OFF)
if(WORMHOLE_ASAN AND WORMHOLE_TSAN)
  message(FATAL_ERROR "WORMHOLE_ASAN and WORMHOLE_TSAN exclude each other")
endif()
if(WORMHOLE_FUZZ AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "WORMHOLE_FUZZ needs clang (preset 'fuzz')")
endif()

# The build type of the sanitizer presets, which are clang's: it compiles them in three fifths of
# the time that g++ takes. Fast enough for end-to-end tests, lines in reports. Assertions of ours
# do not depend on NDEBUG.
set(CMAKE_C_FLAGS_SANITIZE "-O1 -gline-tables-only")
set(CMAKE_CXX_FLAGS_SANITIZE "${CMAKE_C_FLAGS_SANITIZE}")

add_library(wormhole_options INTERFACE)
target_compile_options(wormhole_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  -Woverloaded-virtual -Wimplicit-fallthrough -Werror=return-type -Werror=unused-result
  -fno-omit-frame-pointer -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12 hides <expected> from compilers that do not claim the final concepts.
  target_compile_options(wormhole_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wno-builtin-macro-redefined -D__cpp_concepts=202002L>)
endif()
if(WORMHOLE_ASAN)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all)
  # What the library takes for granted of its callers: a bound, an order.
  add_compile_definitions($<$<COMPILE_LANGUAGE:CXX>:_GLIBCXX_ASSERTIONS>)
  add_link_options(-fsanitize=address,undefined)
elseif(WORMHOLE_TSAN)
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
else()
  add_compile_definitions($<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
endif()
if(WORMHOLE_FUZZ)
  # Coverage of the product's code, not only of the fuzz body.
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_compile_definitions(WORMHOLE_FUZZ_MAIN)
endif()
add_link_options(-Wl,-z,relro,-z,now)
