#include "distribution/names.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

using namespace kbundle;

namespace {

std::vector<std::string> repositories(const char* name, const char* version) {
  return repositories_of(Reference::parse(name), version);
}

}  // namespace

TEST_CASE("a registry with and without a path") {
  CHECK(RegistryPrefix::parse("registry.local:5000").str() == "registry.local:5000");
  CHECK(RegistryPrefix::parse("registry.local/k8s/").path == "k8s");
  CHECK(RegistryPrefix::parse("localhost/a/b").path == "a/b");
  CHECK(RegistryPrefix::parse("[::1]:5000/k8s").host == "[::1]:5000");
  for (const char* bad :
       {"", "registry", "k8s/registry", "registry.local/k8s:v1", "registry.local/K8S",
        "https://registry.local", "registry.local/a@sha256:0", "registry.local//a"})
    CHECK_THROWS_AS(RegistryPrefix::parse(bad), Error);
}

TEST_CASE("below a prefix the path stays and the host goes") {
  const auto flannel = Reference::parse("quay.io/coreos/flannel:v0.12.0-amd64");
  CHECK(RegistryPrefix::parse("registry.local:5000/k8s").name(flannel).str() ==
        "registry.local:5000/k8s/coreos/flannel:v0.12.0-amd64");
  CHECK(RegistryPrefix::parse("registry.local").name(flannel).str() ==
        "registry.local/coreos/flannel:v0.12.0-amd64");
  CHECK(RegistryPrefix::parse("registry.local").name(Reference::parse("busybox")).str() ==
        "registry.local/library/busybox:latest");
}

TEST_CASE("CoreDNS is also under the path that kubeadm asks for") {
  using Names = std::vector<std::string>;
  CHECK(repositories("k8s.gcr.io/coredns:1.6.7", "v1.18.2") == Names{"coredns"});
  CHECK(repositories("registry.k8s.io/coredns/coredns:v1.12.1", "v1.34.4") ==
        Names{"coredns/coredns", "coredns"});
  CHECK(repositories("registry.k8s.io/pause:3.10.1", "v1.34.4") == Names{"pause"});
  CHECK(repositories("quay.io/coredns/coredns:v1.12.1", "v1.34.4") == Names{"coredns/coredns"});
  CHECK(repositories("registry.k8s.io/coredns/coredns:v1.12.1", "") == Names{"coredns/coredns"});
  CHECK(repositories("registry.k8s.io/coredns/coredns:v1.12.1", "v9.9.9") ==
        Names{"coredns/coredns"});
}
