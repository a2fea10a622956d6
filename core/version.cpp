#include "core/version.hpp"

#include <algorithm>
#include <charconv>

#include "core/text.hpp"

namespace kbundle {
namespace {

bool parse_number(std::string_view text, int& number) {
  if (text.empty() || text.size() > 6 || (text.size() > 1 && text[0] == '0')) return false;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() && number >= 0;
}

// https://semver.org/#spec-item-11: numbers by value and below words, fewer identifiers first.
std::strong_ordering compare_prerelease(const std::string& left, const std::string& right) {
  if (left.empty() || right.empty()) return left.empty() <=> right.empty();
  const auto a = split(left, '.');
  const auto b = split(right, '.');
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    int x = 0;
    int y = 0;
    const bool x_is_number = parse_number(a[i], x);
    const bool y_is_number = parse_number(b[i], y);
    if (x_is_number != y_is_number) return y_is_number <=> x_is_number;
    const auto order = x_is_number ? x <=> y : a[i].compare(b[i]) <=> 0;
    if (order != 0) return order;
  }
  return a.size() <=> b.size();
}

}  // namespace

std::optional<Version> Version::parse(std::string_view text) {
  if (!text.empty() && text.front() == 'v') text.remove_prefix(1);
  Version version;
  if (const auto dash = text.find('-'); dash != std::string_view::npos) {
    version.prerelease = std::string(text.substr(dash + 1));
    text = text.substr(0, dash);
    const bool valid =
        std::all_of(version.prerelease.begin(), version.prerelease.end(), [](unsigned char c) {
          return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                 c == '.' || c == '-';
        });
    if (version.prerelease.empty() || version.prerelease.size() > 64 || !valid) return {};
  }
  const auto parts = split(text, '.');
  if (parts.size() != 3 || !parse_number(parts[0], version.major) ||
      !parse_number(parts[1], version.minor) || !parse_number(parts[2], version.patch)) {
    return {};
  }
  return version;
}

std::string Version::str() const {
  return "v" + std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch) +
         (prerelease.empty() ? "" : "-" + prerelease);
}

std::string Version::minor_str() const {
  return std::to_string(major) + "." + std::to_string(minor);
}

std::strong_ordering Version::operator<=>(const Version& other) const {
  if (const auto order = major <=> other.major; order != 0) return order;
  if (const auto order = minor <=> other.minor; order != 0) return order;
  if (const auto order = patch <=> other.patch; order != 0) return order;
  return compare_prerelease(prerelease, other.prerelease);
}

const char* kbundle_version() {
  return KBUNDLE_VERSION;
}

}  // namespace kbundle
