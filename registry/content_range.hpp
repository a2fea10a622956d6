// https://www.rfc-editor.org/rfc/rfc9110#section-14.4
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kbundle {

/// "bytes 5-9/10" or "bytes 5-9/*".
struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;              ///< inclusive
  std::optional<std::uint64_t> total;  ///< of the whole content; nullopt for "*"
  /// nullopt for anything else, last < first and last >= total included.
  static std::optional<ContentRange> parse(std::string_view value);
  bool operator==(const ContentRange&) const = default;
};

/// Decimal digits only, without overflow; for Content-Length as well.
std::optional<std::uint64_t> parse_length(std::string_view text);

}  // namespace kbundle
