#include "registry/content_range.hpp"

#include <charconv>

#include "core/text.hpp"

namespace kbundle {

std::optional<std::uint64_t> parse_length(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  if (text.empty() || problem != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<ContentRange> ContentRange::parse(std::string_view value) {
  value = trim(value);
  if (to_lower(value.substr(0, 6)) != "bytes ") return std::nullopt;
  value = trim(value.substr(6));
  const std::size_t dash = value.find('-');
  const std::size_t slash = value.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash)
    return std::nullopt;
  const auto first = parse_length(value.substr(0, dash));
  const auto last = parse_length(value.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *last < *first) return std::nullopt;
  ContentRange range{*first, *last, std::nullopt};
  if (const std::string_view total = value.substr(slash + 1); total != "*") {
    range.total = parse_length(total);
    if (!range.total || *last >= *range.total) return std::nullopt;
  }
  return range;
}

}  // namespace kbundle
