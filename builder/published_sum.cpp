#include "builder/published_sum.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

bool is_sha256(std::string_view word) {
  return word.size() == 64 && std::all_of(word.begin(), word.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

// "*./dir/NAME", as sha256sum writes it, without what stands before NAME.
std::string_view base_name(std::string_view text) {
  if (text.starts_with('*')) text.remove_prefix(1);
  const auto slash = text.rfind('/');
  return slash == std::string_view::npos ? text : text.substr(slash + 1);
}

}  // namespace

Digest published_sum(std::string_view text, std::string_view name, std::string_view what) {
  std::optional<Digest> named;
  std::optional<Digest> bare;
  std::size_t sums = 0;
  for (const std::string& each : split(text, '\n')) {
    const std::string_view line = trim(each);
    const auto blank = line.find_first_of(" \t");
    const std::string_view word = line.substr(0, blank);
    if (!is_sha256(word)) continue;
    ++sums;
    const Digest digest = Digest::from_hex(to_lower(word));
    if (blank == std::string_view::npos) {
      bare = digest;
    } else if (base_name(trim(line.substr(blank))) == name) {
      if (named && *named != digest) {
        throw Error(ExitCode::verification,
                    fmt::format("{} has two different sums for {}", what, name));
      }
      named = digest;
    }
  }
  if (named) return *named;
  if (bare && sums == 1) return *bare;
  throw Error(ExitCode::verification,
              fmt::format("{} has no SHA-256 sum for {} (it begins \"{}\")", what, name,
                          printable(trim(text).substr(0, 60))),
              "what answered is probably not the project's server; try --mirror, or --ca for a "
              "proxy that opens TLS");
}

}  // namespace kbundle
