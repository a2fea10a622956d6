#include "registry/server_routes.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxTag = 128;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_lower_alnum(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z');
}

// The digits of a whole, decimal number; nullopt for anything else or what does not fit.
std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || !is_digit(text.front()) || error != std::errc() || stop != end) return {};
  return value;
}

// A component of a name: [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_component(std::string_view text) {
  std::size_t i = 0;
  for (;;) {
    const std::size_t word = i;
    while (i < text.size() && is_lower_alnum(text[i])) ++i;
    if (i == word) return false;
    if (i == text.size()) return true;
    const std::size_t between = i;
    while (i < text.size() && !is_lower_alnum(text[i])) ++i;
    const std::string_view separator = text.substr(between, i - between);
    if (separator != "." && separator != "_" && separator != "__" &&
        separator.find_first_not_of('-') != std::string_view::npos)
      return false;
  }
}

RegistryFailure unknown_path(std::string_view path) {
  return {404, "UNSUPPORTED", "there is nothing under this path", printable(path)};
}

RegistryFailure bad_request(const char* code, std::string message, std::string_view detail) {
  return {400, code, std::move(message), printable(detail.substr(0, kMaxName))};
}

// "http://host/v2/" (as a proxy is asked) is "/v2/".
std::string_view without_authority(std::string_view target) {
  if (!target.starts_with("http://") && !target.starts_with("https://")) return target;
  const std::size_t path = target.find('/', target.find("//") + 2);
  return path == std::string_view::npos ? "/" : target.substr(path);
}

std::optional<RegistryFailure> read_query(std::string_view query, RegistryRoute& route) {
  for (const std::string& pair : split(query, '&')) {
    const std::size_t equals = pair.find('=');
    const std::string_view key = std::string_view(pair).substr(0, equals);
    const auto value = percent_decode(
        equals == std::string::npos ? "" : std::string_view(pair).substr(equals + 1), true);
    if (!value) return bad_request("UNSUPPORTED", "the query is not percent-encoded", pair);
    if (key == "last") route.last = *value;
    if (key == "artifactType") route.artifact_type = *value;
    if (key == "ns") route.upstream = *value;
    if (key == "n" && !value->empty()) {
      const auto number = parse_number(*value);
      if (!number)
        return bad_request("PAGINATION_NUMBER_INVALID", "n= wants a whole number", *value);
      route.limit = static_cast<std::size_t>(*number);
    }
  }
  return {};
}

std::optional<RegistryFailure> read_digest(const std::string& text, RegistryRoute& route) {
  try {
    route.digest = Digest::parse(text);
    return {};
  } catch (const Error&) {
    return bad_request("DIGEST_INVALID", "this is not a digest", text);
  }
}

// NAME/KIND/LAST, or NAME/tags/list.
std::variant<RegistryRoute, RegistryFailure> read_path(std::string_view path, RegistryRoute route) {
  const auto refuse = unknown_path(path);
  const std::size_t last = path.rfind('/');
  if (last == std::string_view::npos || last == 0) return refuse;
  const std::size_t before = path.rfind('/', last - 1);
  if (before == std::string_view::npos || before == 0) return refuse;
  const std::string_view kind = path.substr(before + 1, last - before - 1);
  route.repository = path.substr(0, before);
  route.reference = path.substr(last + 1);
  if (route.reference.empty()) return refuse;

  if (kind == "manifests") {
    route.kind = RegistryRoute::Kind::manifest;
  } else if (kind == "blobs") {
    route.kind = RegistryRoute::Kind::blob;
  } else if (kind == "referrers") {
    route.kind = RegistryRoute::Kind::referrers;
  } else if (kind == "tags" && route.reference == "list") {
    route.kind = RegistryRoute::Kind::tags;
  } else {
    return refuse;
  }
  if (!is_repository_name(route.repository))
    return bad_request("NAME_INVALID", "this is not a repository's name", route.repository);
  const bool wants_digest = route.kind == RegistryRoute::Kind::blob ||
                            route.kind == RegistryRoute::Kind::referrers ||
                            route.reference.find(':') != std::string::npos;
  if (wants_digest)
    if (auto failure = read_digest(route.reference, route)) return *failure;
  if (route.kind == RegistryRoute::Kind::manifest && !wants_digest && !is_tag(route.reference))
    return RegistryFailure{404, "MANIFEST_UNKNOWN", "this is not a tag",
                           printable(route.reference.substr(0, kMaxName))};
  return route;
}

}  // namespace

bool is_repository_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxName) return false;
  const auto components = split(name, '/');
  return std::all_of(components.begin(), components.end(), is_component);
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > kMaxTag || text.front() == '.' || text.front() == '-')
    return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-';
  });
}

std::variant<RegistryRoute, RegistryFailure> parse_route(std::string_view method,
                                                         std::string_view target) {
  if (method != "GET" && method != "HEAD")
    return RegistryFailure{405, "UNSUPPORTED", "this registry is read-only",
                           printable(method.substr(0, 20))};
  if (target.size() > kMaxTarget)
    return RegistryFailure{414, "UNSUPPORTED", "the request's target is too long", {}};
  target = without_authority(target);
  const std::size_t question = target.find('?');
  const auto path = percent_decode(target.substr(0, question));
  if (!path) return bad_request("UNSUPPORTED", "the path is not percent-encoded", target);
  RegistryRoute route;
  if (*path == "/v2/" || *path == "/v2") return route;
  if (!path->starts_with("/v2/")) return unknown_path(*path);
  if (question != std::string_view::npos)
    if (auto failure = read_query(target.substr(question + 1), route)) return *failure;
  const std::string_view below = std::string_view(*path).substr(4);
  if (below == "_catalog") {
    route.kind = RegistryRoute::Kind::catalog;
    return route;
  }
  return read_path(below, std::move(route));
}

RangeRequest parse_range(std::string_view header, std::uint64_t total) {
  const RangeRequest whole;
  header = trim(header);
  const std::size_t equals = header.find('=');
  if (equals == std::string_view::npos || to_lower(trim(header.substr(0, equals))) != "bytes")
    return whole;
  const std::string_view spec = trim(header.substr(equals + 1));
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return whole;
  const auto first = parse_number(spec.substr(0, dash));
  const auto last = parse_number(spec.substr(dash + 1));
  const RangeRequest unsatisfiable{RangeRequest::Outcome::unsatisfiable, {}};
  if (dash == 0) {  // the last so many
    if (!last) return whole;
    if (*last == 0 || total == 0) return unsatisfiable;
    const auto size = std::min(*last, total);
    return {RangeRequest::Outcome::part, {total - size, size}};
  }
  if (!first || (!last && dash + 1 != spec.size()) || (last && *last < *first)) return whole;
  if (*first >= total) return unsatisfiable;
  const auto end = last ? std::min(*last, total - 1) : total - 1;
  return {RangeRequest::Outcome::part, {*first, end - *first + 1}};
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus_is_space) c = ' ';
    if (c == '%') {
      unsigned value = 0;
      const char* digits = text.data() + i + 1;
      if (text.size() - i < 3 || std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2)
        return {};
      c = static_cast<char>(value);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return {};
    decoded += c;
  }
  return decoded;
}

std::string percent_encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = is_lower_alnum(c) || (c >= 'A' && c <= 'Z') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    encoded += plain ? std::string(1, c) : "%" + to_hex(std::string_view(&c, 1));
  }
  return encoded;
}

}  // namespace kbundle
