# The libraries kbundle stands on, all of them Debian 12's, as targets kb::NAME.
# Each is found twice where the static executable needs the archive as well.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# kbundle_external(NAME MODULE): kb::NAME from pkg-config's MODULE, linked by bare -l names so that
# the same libraries serve the shared and the -static link.
function(kbundle_external name module)
  pkg_check_modules(KB_${name} REQUIRED ${module})
  add_library(kb_${name} INTERFACE)
  target_include_directories(kb_${name} SYSTEM INTERFACE ${KB_${name}_INCLUDE_DIRS})
  target_link_libraries(kb_${name} INTERFACE ${KB_${name}_LIBRARIES})
  add_library(kb::${name} ALIAS kb_${name})
endfunction()

kbundle_external(zstd libzstd)
kbundle_external(zlib zlib)
kbundle_external(crypto libcrypto)
kbundle_external(ssl libssl)
kbundle_external(curl libcurl)
kbundle_external(archive libarchive)
kbundle_external(yaml yaml-cpp)

# Header-only. fmt too: Debian ships no archive of it for the static executable.
foreach(header json toml cli11 fmt)
  add_library(kb_${header} INTERFACE)
  add_library(kb::${header} ALIAS kb_${header})
endforeach()
target_compile_definitions(kb_fmt INTERFACE FMT_HEADER_ONLY)

# Boost.Asio and Boost.Beast: header-only, TLS by OpenSSL.
add_library(kb_asio INTERFACE)
target_link_libraries(kb_asio INTERFACE kb_ssl kb_crypto Threads::Threads)
add_library(kb::asio ALIAS kb_asio)

# What libcurl's archive needs behind it, each as often as it takes. registry/curl_stubs.cpp stands in
# for the rest.
add_library(kb_curl_static INTERFACE)
target_link_libraries(kb_curl_static INTERFACE
  "-Wl,--start-group -lcurl -lnghttp2 -lidn2 -lunistring -lbrotlidec -lbrotlicommon -lssl -lcrypto -lzstd -lz -Wl,--end-group")
add_library(kb::curl_static ALIAS kb_curl_static)
