// Semantic versions as Kubernetes writes them: "v1.18.2", "v1.34.0-rc.1". https://semver.org
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace kbundle {

struct Version {
  int major = 0;
  int minor = 0;
  int patch = 0;
  std::string prerelease;  ///< without the dash; empty for a release

  /// With or without the leading v; nullopt when it is not a version.
  static std::optional<Version> parse(std::string_view text);
  std::string str() const;        ///< "v1.18.2"
  std::string minor_str() const;  ///< "1.18"
  std::strong_ordering operator<=>(const Version& other) const;
  bool operator==(const Version&) const = default;
};

/// kbundle's own version, "0.1.0".
const char* kbundle_version();

}  // namespace kbundle
