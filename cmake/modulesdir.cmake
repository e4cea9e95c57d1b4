# Where `cmake --install` puts usi.so: libcrypto's own MODULESDIR, so that `openssl -provider usi` finds it.
if(NOT DEFINED USI_MODULESDIR)
  find_program(OPENSSL_PROGRAM openssl)
  if(OPENSSL_PROGRAM)
    execute_process(COMMAND ${OPENSSL_PROGRAM} version -m OUTPUT_VARIABLE answer
                    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    string(REGEX MATCH "\"([^\"]+)\"" found "${answer}")
    set(found "${CMAKE_MATCH_1}")
  endif()
  if(NOT found)
    set(found "${CMAKE_INSTALL_FULL_LIBDIR}/ossl-modules")
  endif()
  set(USI_MODULESDIR "${found}" CACHE PATH "Folder of OpenSSL providers (openssl version -m)")
endif()
