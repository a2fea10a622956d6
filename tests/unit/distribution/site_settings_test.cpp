#include "distribution/site_settings.hpp"

#include <catch2/catch.hpp>

using namespace kbundle;
using Catch::Contains;

TEST_CASE("the settings of a site") {
  const RegistryPrefix registry{"reg.local:5000", "k8s"};
  const std::set<std::string> upstreams{"docker.io", "k8s.gcr.io"};

  SECTION("HTTPS that every node trusts: a file for each upstream") {
    const auto settings = site_settings(registry, upstreams, false, "");
    CHECK(settings.hosts.size() == 2);
    CHECK_THAT(settings.text(), Contains("imageRepository: reg.local:5000/k8s") &&
                                    Contains("/etc/containerd/certs.d/docker.io/hosts.toml") &&
                                    Contains("[host.\"https://reg.local:5000/v2/k8s\"]") &&
                                    !Contains("copy of"));
  }
  SECTION("a CA of its own, or HTTP: the registry's own name needs a file, too") {
    const auto settings = site_settings(registry, upstreams, false, "/etc/site/ca.pem");
    REQUIRE(settings.hosts.size() == 3);
    CHECK_THAT(settings.text(), Contains("/etc/containerd/certs.d/reg.local:5000/hosts.toml") &&
                                    Contains("Each node needs a copy of /etc/site/ca.pem."));
    const auto plain = site_settings(registry, upstreams, true, "");
    REQUIRE(plain.hosts.size() == 3);
    CHECK(plain.hosts[2].text() ==
          "server = \"http://reg.local:5000\"\n\n[host.\"http://reg.local:5000\"]\n"
          "  capabilities = [\"pull\", \"resolve\"]\n");
  }
}
