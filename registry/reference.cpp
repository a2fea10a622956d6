#include "registry/reference.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kLongestName = 255;  // host and repository together
constexpr std::size_t kLongestTag = 128;
constexpr std::size_t kLongestReference = 1024;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || is_digit(c);
}
bool is_alphanumeric(char c) {
  return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw Error(
      ExitCode::usage,
      fmt::format("\"{}\" is not an image reference: {}", printable(text.substr(0, 200)), why),
      "write it as HOST[:PORT]/PATH[:TAG][@sha256:DIGEST]");
}

// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_path_component(std::string_view part) {
  std::size_t at = 0;
  while (true) {
    const std::size_t word = at;
    while (at < part.size() && is_lower_or_digit(part[at])) ++at;
    if (at == word) return false;
    if (at == part.size()) return true;
    if (part[at] == '.') {
      ++at;
    } else if (part[at] == '_') {
      at += part.substr(at, 2) == "__" ? 2U : 1U;
    } else if (part[at] == '-') {
      while (at < part.size() && part[at] == '-') ++at;
    } else {
      return false;
    }
  }
}

bool is_port(std::string_view port) {
  if (port.empty() || port.size() > 5 || !std::all_of(port.begin(), port.end(), is_digit))
    return false;
  const int number = std::stoi(std::string(port));
  return number > 0 && number < 65536;
}

bool is_host_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && is_alphanumeric(label.front()) &&
         is_alphanumeric(label.back()) && std::all_of(label.begin(), label.end(), [](char c) {
           return is_alphanumeric(c) || c == '-';
         });
}

bool is_ipv6_literal(std::string_view text) {  // "[fe80::1]"
  return text.size() > 4 && text.front() == '[' && text.back() == ']' &&
         std::all_of(text.begin() + 1, text.end() - 1, [](char c) {
           return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' ||
                  c == '.';
         });
}

bool is_host(std::string_view host) {
  const std::size_t bracket = host.find(']');
  const std::size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    if (!is_port(host.substr(colon + 1))) return false;
    host = host.substr(0, colon);
  }
  if (is_ipv6_literal(host)) return true;
  const std::vector<std::string> labels = split(host, '.');
  return std::all_of(labels.begin(), labels.end(),
                     [](const std::string& label) { return is_host_label(label); });
}

// Docker's rule: the first component is a host when it cannot be a path component of Docker Hub.
bool looks_like_host(std::string_view component) {
  return component == "localhost" || component.find_first_of(".:[") != std::string_view::npos ||
         std::any_of(component.begin(), component.end(),
                     [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= kLongestTag && tag.front() != '.' && tag.front() != '-' &&
         std::all_of(tag.begin(), tag.end(),
                     [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

void check_name(std::string_view text, const std::string& host, const std::string& repository) {
  if (!is_host(host)) refuse(text, fmt::format("\"{}\" is not a host name", printable(host)));
  if (repository.empty()) refuse(text, "there is no repository behind the host");
  for (const std::string& part : split(repository, '/')) {
    if (!is_path_component(part))
      refuse(text, fmt::format("\"{}\" is not a path component (lower-case letters, digits and "
                               "single separators . _ - between them)",
                               printable(part)));
  }
  if (host.size() + 1 + repository.size() > kLongestName)
    refuse(text, fmt::format("host and repository are longer than {} characters", kLongestName));
}

}  // namespace

Reference Reference::parse(std::string_view text) {
  if (text.empty()) refuse(text, "it is empty");
  if (text.size() > kLongestReference)
    refuse(text, fmt::format("it is longer than {} characters", kLongestReference));
  Reference result;
  std::string_view rest = text;

  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    try {
      result.digest_ = Digest::parse(rest.substr(at + 1));
    } catch (const Error& error) {
      refuse(text, error.message());
    }
    rest = rest.substr(0, at);
  }
  // A colon behind the last slash starts the tag; one before it belongs to the host's port.
  const std::size_t slash = rest.rfind('/');
  const std::size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    result.tag_ = std::string(rest.substr(colon + 1));
    if (!is_tag(result.tag_))
      refuse(text, fmt::format("\"{}\" is not a tag", printable(result.tag_)));
    rest = rest.substr(0, colon);
  }

  const std::size_t first = rest.find('/');
  if (first != std::string_view::npos && looks_like_host(rest.substr(0, first))) {
    result.host_ = std::string(rest.substr(0, first));
    result.repository_ = std::string(rest.substr(first + 1));
  } else {
    result.host_ = "docker.io";
    result.repository_ = std::string(rest);
  }
  if (result.host_ == "index.docker.io") result.host_ = "docker.io";
  if (result.host_ == "docker.io" && !result.repository_.empty() &&
      result.repository_.find('/') == std::string::npos)
    result.repository_ = "library/" + result.repository_;
  check_name(text, result.host_, result.repository_);
  if (result.tag_.empty() && result.digest_.empty()) result.tag_ = "latest";
  return result;
}

std::string Reference::target() const {
  return digest_.empty() ? tag_ : digest_.str();
}

std::string Reference::str() const {
  std::string text = name();
  if (!tag_.empty()) text += ":" + tag_;
  if (!digest_.empty()) text += "@" + digest_.str();
  return text;
}

Reference Reference::with_host(std::string host) const {
  Reference result = *this;
  result.host_ = std::move(host);
  check_name(result.str(), result.host_, result.repository_);
  return result;
}

Reference Reference::with_repository(std::string repository) const {
  Reference result = *this;
  result.repository_ = std::move(repository);
  check_name(result.str(), result.host_, result.repository_);
  return result;
}

Reference Reference::with_tag(std::string tag) const {
  Reference changed = *this;
  changed.tag_ = std::move(tag);
  return parse(changed.str());
}

Reference Reference::with_digest(Digest digest) const {
  Reference result = *this;
  result.digest_ = std::move(digest);
  return result;
}

std::string api_host(const std::string& host) {
  return host == "docker.io" ? "registry-1.docker.io" : host;
}

}  // namespace kbundle
