# What every target is compiled and linked with: warnings, hardening, and what the presets ask for.
# Targets link `usi_flags`. tests/house/hardening reads the results back from the binaries.
include(CheckCCompilerFlag)
include(CheckCSourceCompiles)
include(CheckLinkerFlag)
include(CheckPIESupported)
check_pie_supported()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(usi_flags INTERFACE)
target_compile_definitions(usi_flags INTERFACE _GNU_SOURCE USI_VERSION="${PROJECT_VERSION}")
target_include_directories(usi_flags INTERFACE ${PROJECT_SOURCE_DIR}/include)

function(usi_compile_flags)
  foreach(flag ${ARGN})
    string(MAKE_C_IDENTIFIER "HAVE${flag}" known)
    check_c_compiler_flag(${flag} ${known})
    if(${known})
      target_compile_options(usi_flags INTERFACE ${flag})
    endif()
  endforeach()
endfunction()

function(usi_link_flags)
  foreach(flag ${ARGN})
    string(MAKE_C_IDENTIFIER "HAVE${flag}" known)
    check_linker_flag(C ${flag} ${known})
    if(${known})
      target_link_options(usi_flags INTERFACE ${flag})
    endif()
  endforeach()
endfunction()

usi_compile_flags(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
  -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual
  -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough -Wlogical-op
  -Wduplicated-cond -Wduplicated-branches -Wnull-dereference)
if(USI_WERROR AND NOT USI_SANITIZE) # gcc's warnings have false alarms in instrumented code
  target_compile_options(usi_flags INTERFACE -Werror)
endif()

usi_compile_flags(-fvisibility=hidden -fstack-protector-strong -fstack-clash-protection)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|i.86)$")
  usi_compile_flags(-fcf-protection=full) # CET: endbr64 and shadow stack
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  usi_compile_flags(-mbranch-protection=standard) # BTI and PAC
endif()
usi_link_flags(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed)

if(USI_SANITIZE)
  # No -fno-strict-overflow: it would silence the sanitizer's check of signed overflow.
  target_compile_options(usi_flags INTERFACE -fsanitize=${USI_SANITIZE} -fno-sanitize-recover=all
                         -fno-omit-frame-pointer)
  target_link_options(usi_flags INTERFACE -fsanitize=${USI_SANITIZE})
else()
  usi_compile_flags(-fno-strict-overflow)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    # FORTIFY needs optimisation. Level 3 (objects of a size known at run time) is gcc 12 or clang with
    # glibc 2.34; elsewhere glibc warns and falls back to 2.
    set(CMAKE_REQUIRED_FLAGS "-O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
    check_c_source_compiles("#include <string.h>\nint main(void) { return 0; }" HAVE_FORTIFY_3)
    unset(CMAKE_REQUIRED_FLAGS)
    target_compile_options(usi_flags INTERFACE -U_FORTIFY_SOURCE
                           -D_FORTIFY_SOURCE=$<IF:$<BOOL:${HAVE_FORTIFY_3}>,3,2>)
  endif()
endif()

if(USI_COVERAGE)
  # Counters are shared by the threads of the program: atomic, or they go backwards.
  usi_compile_flags(-fprofile-update=atomic)
  target_compile_options(usi_flags INTERFACE --coverage)
  target_link_options(usi_flags INTERFACE --coverage)
endif()
