#include "bundles/ustar.hpp"

#include <algorithm>
#include <cstdio>
#include <string>

#include "core/error.hpp"

namespace kbundle {
namespace {

void put(UstarHeader& header, std::size_t at, std::string_view text) {
  std::copy(text.begin(), text.end(), header.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

UstarHeader ustar_header(std::string_view name, std::uint64_t size) {
  if (name.empty() || name.size() > 100 || size >= 1ULL << 33U) {
    throw Error(ExitCode::internal, "no tar header for " + std::string(name));
  }
  UstarHeader header{};
  put(header, 0, name);
  put(header, 100, "0000644");  // mode
  put(header, 108, "0000000");  // uid
  put(header, 116, "0000000");  // gid
  char octal[16];
  std::snprintf(octal, sizeof octal, "%011llo", static_cast<unsigned long long>(size));
  put(header, 124, octal);
  put(header, 136, "00000000000");  // mtime
  put(header, 148, "        ");     // checksum: counted as blanks
  put(header, 156, "0");            // a regular file
  put(header, 257,
      std::string_view("ustar\0"
                       "00",
                       8));
  put(header, 329, "0000000");  // device numbers
  put(header, 337, "0000000");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  std::snprintf(octal, sizeof octal, "%06o", sum);
  put(header, 148, std::string_view(octal, 7));  // six digits and a zero byte, then the blank
  return header;
}

}  // namespace kbundle
