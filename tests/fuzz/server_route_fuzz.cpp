// A request to the registry server: method, target, Range header and a size, each on a line.
#include "fuzz.hpp"
#include "registry/server_routes.hpp"

using namespace kbundle;

namespace {

using Kind = RegistryRoute::Kind;

std::string path_of(const RegistryRoute& route) {
  const std::string base = "/v2/" + route.repository;
  switch (route.kind) {
    case Kind::base:
      return "/v2/";
    case Kind::catalog:
      return "/v2/_catalog";
    case Kind::tags:
      return base + "/tags/list";
    case Kind::manifest:
      return base + "/manifests/" + route.reference;
    case Kind::blob:
      return base + "/blobs/" + route.digest.str();
    case Kind::referrers:
      return base + "/referrers/" + route.digest.str();
  }
  return {};
}

void check(const RegistryRoute& route, std::string_view method) {
  if (route.kind != Kind::base && route.kind != Kind::catalog)
    fuzz::expect(is_repository_name(route.repository), "a repository is one");
  if (route.kind == Kind::manifest)
    fuzz::expect(
        route.digest.empty() ? is_tag(route.reference) : route.digest.str() == route.reference,
        "a manifest is asked for by tag or digest");
  if (route.kind == Kind::blob || route.kind == Kind::referrers)
    fuzz::expect(!route.digest.empty(), "a digest is there");
  const auto again = parse_route(method, path_of(route));
  fuzz::expect(std::holds_alternative<RegistryRoute>(again), "what it says it is, it is");
  const auto& same = std::get<RegistryRoute>(again);
  fuzz::expect(same.kind == route.kind && same.repository == route.repository &&
                   same.reference == route.reference && same.digest == route.digest,
               "a route has one path");
}

void check_range(std::string_view header, std::uint64_t total) {
  const auto range = parse_range(header, total);
  if (range.outcome == RangeRequest::Outcome::part) {
    fuzz::expect(range.range.size > 0 && range.range.offset < total &&
                     range.range.size <= total - range.range.offset,
                 "a part lies in the whole");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = fuzz::text(data, size);
  const auto method = fuzz::take_line(rest);
  const auto target = fuzz::take_line(rest);
  const auto outcome = parse_route(method, target);
  if (const auto* route = std::get_if<RegistryRoute>(&outcome)) {
    fuzz::expect(method == "GET" || method == "HEAD", "it only gives");
    fuzz::expect(target.size() <= kMaxTarget, "targets have a limit");
    check(*route, method);
  } else {
    const auto& failure = std::get<RegistryFailure>(outcome);
    fuzz::expect(failure.status >= 400 && failure.status < 500 && !failure.code.empty(),
                 "a failure is the client's, and has a code");
  }
  const auto header = fuzz::take_line(rest);
  std::uint64_t total = 0;
  for (const char c : rest.substr(0, 8)) total = total << 8U | static_cast<unsigned char>(c);
  check_range(header, total);
  if (const auto decoded = percent_decode(target))
    fuzz::expect(percent_decode(percent_encode(*decoded)) == decoded, "encoded it is the same");
  return 0;
}
