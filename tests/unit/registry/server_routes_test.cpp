#include "registry/server_routes.hpp"

#include <catch2/catch.hpp>

using namespace kbundle;
using Kind = RegistryRoute::Kind;
using Outcome = RangeRequest::Outcome;

namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

RegistryRoute route(const std::string& target, const char* method = "GET") {
  const auto parsed = parse_route(method, target);
  INFO(target);
  REQUIRE(std::holds_alternative<RegistryRoute>(parsed));
  return std::get<RegistryRoute>(parsed);
}

std::string refusal(const std::string& target, const char* method = "GET") {
  const auto parsed = parse_route(method, target);
  if (std::holds_alternative<RegistryRoute>(parsed)) return "none";
  const auto& failure = std::get<RegistryFailure>(parsed);
  return std::to_string(failure.status) + " " + failure.code;
}

}  // namespace

TEST_CASE("a registry's endpoints") {
  CHECK(route("/v2/").kind == Kind::base);
  CHECK(route("/v2").kind == Kind::base);
  CHECK(route("http://registry.local:5000/v2/").kind == Kind::base);
  CHECK(route("/v2/_catalog").kind == Kind::catalog);

  const auto manifest = route("/v2/coredns/coredns/manifests/v1.8.0?ns=k8s.gcr.io", "HEAD");
  CHECK(manifest.kind == Kind::manifest);
  CHECK(manifest.repository == "coredns/coredns");
  CHECK(manifest.reference == "v1.8.0");
  CHECK(manifest.digest.empty());
  CHECK(manifest.upstream == "k8s.gcr.io");
  CHECK(route("/v2/pause/manifests/" + kDigest).digest.str() == kDigest);
  CHECK(route("/v2/pause/manifests/sha256%3A" + std::string(64, 'a')).digest.str() == kDigest);

  // names that look like endpoints
  CHECK(route("/v2/manifests/manifests/manifests").repository == "manifests");
  CHECK(route("/v2/tags/list/tags/list").repository == "tags/list");
  CHECK(route("/v2/a/blobs/" + kDigest).kind == Kind::blob);

  const auto tags = route("/v2/pause/tags/list?n=5&last=3.1%2Bx&other");
  CHECK(tags.limit == 5U);
  CHECK(tags.last == "3.1+x");
  const auto referrers = route("/v2/p/referrers/" + kDigest + "?artifactType=application%2Fx");
  CHECK(referrers.kind == Kind::referrers);
  CHECK(referrers.artifact_type == "application/x");
}

TEST_CASE("what a registry refuses by its path alone") {
  CHECK(refusal("/") == "404 UNSUPPORTED");
  CHECK(refusal("") == "404 UNSUPPORTED");
  CHECK(refusal("*") == "404 UNSUPPORTED");
  CHECK(refusal("/v2/pause") == "404 UNSUPPORTED");
  CHECK(refusal("/v2//manifests/x") == "404 UNSUPPORTED");
  CHECK(refusal("/v2/manifests/x") == "404 UNSUPPORTED");
  CHECK(refusal("/v2/pause/manifests/") == "404 UNSUPPORTED");
  CHECK(refusal("/v2/pause/blobs/uploads/") == "404 UNSUPPORTED");
  CHECK(refusal("/v2/../../etc/manifests/passwd") == "400 NAME_INVALID");
  CHECK(refusal("/v2/Pause/manifests/x") == "400 NAME_INVALID");
  CHECK(refusal("/v2/a%00b/manifests/x") == "400 UNSUPPORTED");
  CHECK(refusal("/v2/a%zz/manifests/x") == "400 UNSUPPORTED");
  CHECK(refusal("/v2/a/manifests/x%") == "400 UNSUPPORTED");
  CHECK(refusal("/v2/a/manifests/.hidden") == "404 MANIFEST_UNKNOWN");
  CHECK(refusal("/v2/a/manifests/" + std::string(129, 'x')) == "404 MANIFEST_UNKNOWN");
  CHECK(refusal("/v2/a/manifests/sha256:../../x") == "404 UNSUPPORTED");
  CHECK(refusal("/v2/a/manifests/sha256:short") == "400 DIGEST_INVALID");
  CHECK(refusal("/v2/a/blobs/latest") == "400 DIGEST_INVALID");
  CHECK(refusal("/v2/a/tags/list?n=-1") == "400 PAGINATION_NUMBER_INVALID");
  CHECK(refusal("/v2/a/tags/list?n=99999999999999999999999") == "400 PAGINATION_NUMBER_INVALID");
  CHECK(refusal("/v2/" + std::string(5000, 'a')) == "414 UNSUPPORTED");
  for (const char* method : {"PUT", "POST", "PATCH", "DELETE", "OPTIONS", "get", ""})
    CHECK(refusal("/v2/a/blobs/uploads/", method) == "405 UNSUPPORTED");
}

TEST_CASE("repository names and tags") {
  for (const char* name : {"a", "a/b/c", "a.b_c__d-e--f/0", "k8s.gcr.io/kube-apiserver"})
    CHECK(is_repository_name(name));
  for (const char* name :
       {"", "/", "a/", "/a", "a//b", "a..b", "a___b", "-a", "a-", "a:5000/b", "A"})
    CHECK_FALSE(is_repository_name(name));
  CHECK(is_repository_name(std::string(255, 'a')));
  CHECK_FALSE(is_repository_name(std::string(256, 'a')));
  CHECK(is_tag("v1.18.2_X-y"));
  CHECK_FALSE(is_tag(""));
  CHECK_FALSE(is_tag("-x"));
  CHECK_FALSE(is_tag("a b"));
}

TEST_CASE("ranges") {
  const auto check = [](const char* header, std::uint64_t total, Outcome outcome,
                        std::uint64_t offset = 0, std::uint64_t size = 0) {
    INFO(header);
    const auto found = parse_range(header, total);
    CHECK(found.outcome == outcome);
    CHECK(found.range.offset == offset);
    CHECK(found.range.size == size);
  };
  check("bytes=0-0", 10, Outcome::part, 0, 1);
  check("bytes=2-", 10, Outcome::part, 2, 8);
  check("bytes=2-99", 10, Outcome::part, 2, 8);
  check("bytes=-3", 10, Outcome::part, 7, 3);
  check("bytes=-99", 10, Outcome::part, 0, 10);
  check("Bytes = 1-2", 10, Outcome::part, 1, 2);
  check("bytes=0-18446744073709551615", 10, Outcome::part, 0, 10);
  check("bytes=10-", 10, Outcome::unsatisfiable);
  check("bytes=10-11", 10, Outcome::unsatisfiable);
  check("bytes=-0", 10, Outcome::unsatisfiable);
  check("bytes=0-", 0, Outcome::unsatisfiable);
  for (const char* header :
       {"", "bytes", "bytes=", "bytes=-", "bytes=3-2", "bytes=0-1,4-5", "bytes=a-b", "bytes=1-b",
        "lines=1-2", "bytes=+1-2", "bytes=--1", "bytes=0-99999999999999999999999"})
    check(header, 10, Outcome::whole);
}
