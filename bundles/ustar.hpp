// The one tar header a bundle may hold for a name and a size: POSIX.1-1988 ustar, a regular file,
// mode 0644, owner and group 0 without names, time 0, no prefix.
// https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace kbundle {

inline constexpr std::size_t kUstarBlock = 512;
/// Two zero blocks end an archive.
inline constexpr std::size_t kUstarEndSize = 2 * kUstarBlock;

using UstarHeader = std::array<char, kUstarBlock>;

/// `name` has 1 to 100 bytes, `size` is below 8 GiB; Error{internal} otherwise.
UstarHeader ustar_header(std::string_view name, std::uint64_t size);

/// Zero bytes that follow a content of `size`.
constexpr std::uint64_t ustar_padding(std::uint64_t size) {
  return (kUstarBlock - size % kUstarBlock) % kUstarBlock;
}
/// Header, content and padding.
constexpr std::uint64_t ustar_span(std::uint64_t size) {
  return kUstarBlock + size + ustar_padding(size);
}

}  // namespace kbundle
