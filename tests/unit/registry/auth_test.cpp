#include "registry/auth.hpp"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/error.hpp"
#include "core/text.hpp"
#include "registry/credentials.hpp"

using namespace kbundle;
namespace fs = std::filesystem;

TEST_CASE("Bearer challenges are read") {
  const auto found = parse_challenges(
      {R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",)"
       R"(scope="repository:library/busybox:pull,push")"});
  REQUIRE(found.size() == 1);
  CHECK(found[0].scheme == "bearer");
  CHECK(found[0].find("realm") == "https://auth.docker.io/token");
  CHECK(found[0].find("service") == "registry.docker.io");
  CHECK(found[0].find("scope") == "repository:library/busybox:pull,push");
  CHECK(found[0].find("error").empty());
}

TEST_CASE("several challenges, in one header or more") {
  const auto one =
      parse_challenges({R"(Basic realm="a, b", BEARER Realm = "https://x" , Service=y)"});
  REQUIRE(one.size() == 2);
  CHECK(one[0].scheme == "basic");
  CHECK(one[0].find("realm") == "a, b");
  CHECK(one[1].find("realm") == "https://x");
  CHECK(one[1].find("service") == "y");
  const auto two = parse_challenges({"Negotiate", "Basic realm=\"x\\\"y\""});
  REQUIRE(two.size() == 2);
  CHECK(two[1].find("realm") == "x\"y");
}

TEST_CASE("nonsense in challenges does no harm") {
  CHECK(parse_challenges({}).empty());
  CHECK(parse_challenges({"", ",,,", "=", "\"", "\x01"}).empty());
  CHECK(parse_challenges({R"(realm="x")"}).empty());
  CHECK(parse_challenges({R"(Bearer realm="unterminated)"})[0].find("realm") == "unterminated");
  CHECK(parse_challenges({R"(Bearer realm="a",realm="b")"})[0].find("realm") == "a");
}

TEST_CASE("giant challenges are refused") {
  CHECK_THROWS_AS(parse_challenges({std::string(9000, 'a')}), Error);
  std::string parameters = "Bearer ";
  for (int i = 0; i < 40; ++i) parameters.append("k").append(std::to_string(i)).append("=v,");
  CHECK_THROWS_AS(parse_challenges({parameters}), Error);
  std::string schemes;
  for (int i = 0; i < 40; ++i) schemes += "a,";
  CHECK_THROWS_AS(parse_challenges({schemes}), Error);
}

TEST_CASE("keys of Docker's config name registries in many ways") {
  CHECK(registry_of_key("https://index.docker.io/v1/") == "docker.io");
  CHECK(registry_of_key("registry-1.docker.io") == "docker.io");
  CHECK(registry_of_key("https://Quay.io") == "quay.io");
  CHECK(registry_of_key("http://localhost:5000/v2/") == "localhost:5000");
  CHECK(registry_of_key("quay.io/organisation").empty());
}

TEST_CASE("credentials come from Docker's config") {
  char name[] = "/tmp/kbundle-docker-XXXXXX";
  const fs::path folder = ::mkdtemp(name);
  const auto write = [&](const std::string& text) {
    std::ofstream(folder / "config.json") << text;
  };

  CHECK(Credentials(folder).find("quay.io").empty());  // no file
  write(R"({"auths":{"https://index.docker.io/v1/":{"auth":")" + base64_encode("me:se:cret") +
        R"("},"quay.io":{},"ghcr.io":{"identitytoken":"refresh"}}})");
  const Credentials credentials(folder);
  CHECK(credentials.find("docker.io").user == "me");
  CHECK(credentials.find("docker.io").password == "se:cret");
  CHECK(credentials.find("quay.io").empty());
  CHECK(credentials.find("ghcr.io").identity_token == "refresh");
  CHECK(credentials.find("other.example").empty());
  CHECK(Credentials(folder / "config.json").find("docker.io").user == "me");

  // Helpers with impossible names, or that are not installed, give nothing.
  write(R"({"credsStore":"../../bin/sh","credHelpers":{"quay.io":"is-not-installed"}})");
  CHECK(Credentials(folder).find("quay.io").empty());

  for (const char* broken : {"{", "[]", R"({"auths":{"a.b":{"auth":"***"}}})"}) {
    write(broken);
    CHECK_THROWS_AS(Credentials(folder).find("a.b"), Error);
  }
  fs::remove_all(folder);
}
