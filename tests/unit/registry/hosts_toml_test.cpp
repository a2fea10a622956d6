#include "registry/hosts_toml.hpp"

#include <catch2/catch.hpp>

using namespace kbundle;

TEST_CASE("hosts.toml of a registry with a prefix") {
  const HostsToml file{"k8s.gcr.io", "", {HostsToml::endpoint("reg.local:5000", "k8s", false)}};
  CHECK(file.path() == "/etc/containerd/certs.d/k8s.gcr.io/hosts.toml");
  CHECK(file.text() ==
        "server = \"https://k8s.gcr.io\"\n"
        "\n"
        "[host.\"https://reg.local:5000/v2/k8s\"]\n"
        "  capabilities = [\"pull\", \"resolve\"]\n"
        "  override_path = true\n");
}

TEST_CASE("hosts.toml: several places, in order; Docker Hub's API has another name") {
  const HostsToml file{"docker.io",
                       "",
                       {HostsToml::endpoint("reg.local", "", false, "/etc/ssl/reg.pem"),
                        HostsToml::endpoint("10.0.0.1:5000", "", true, "/etc/ssl/reg.pem")}};
  CHECK(file.text() ==
        "server = \"https://registry-1.docker.io\"\n"
        "\n"
        "[host.\"https://reg.local\"]\n"
        "  capabilities = [\"pull\", \"resolve\"]\n"
        "  ca = \"/etc/ssl/reg.pem\"\n"
        "\n"
        "[host.\"http://10.0.0.1:5000\"]\n"
        "  capabilities = [\"pull\", \"resolve\"]\n");
}

TEST_CASE("hosts.toml: nothing in a value can end its string") {
  const HostsToml file{"k8s.gcr.io", "", {{"https://x", false, "a\"b\\c\nd"}}};
  CHECK(file.text().find("ca = \"a\\\"b\\\\c\\u000Ad\"") != std::string::npos);
}
