#include "registry/reference.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "core/error.hpp"

using kbundle::Digest;
using kbundle::Error;
using kbundle::ExitCode;
using kbundle::Reference;

namespace {
const std::string kHex(64, 'a');
}

TEST_CASE("short Docker names are completed") {
  CHECK(Reference::parse("busybox").str() == "docker.io/library/busybox:latest");
  CHECK(Reference::parse("busybox:1.36").str() == "docker.io/library/busybox:1.36");
  CHECK(Reference::parse("rancher/flannel-cni").str() == "docker.io/rancher/flannel-cni:latest");
  CHECK(Reference::parse("docker.io/busybox").repository() == "library/busybox");
  CHECK(Reference::parse("index.docker.io/a/b").host() == "docker.io");
}

TEST_CASE("hosts, ports, tags and digests are told apart") {
  const Reference a = Reference::parse("k8s.gcr.io/kube-apiserver:v1.18.2");
  CHECK(a.host() == "k8s.gcr.io");
  CHECK(a.repository() == "kube-apiserver");
  CHECK(a.tag() == "v1.18.2");
  CHECK(a.target() == "v1.18.2");

  const Reference b = Reference::parse("localhost:5000/a/b");
  CHECK(b.host() == "localhost:5000");
  CHECK(b.repository() == "a/b");
  CHECK(b.tag() == "latest");
  CHECK(Reference::parse("localhost/a").host() == "localhost");
  CHECK(Reference::parse("[::1]:5000/a:x").host() == "[::1]:5000");

  const Reference c = Reference::parse("registry.k8s.io/pause@sha256:" + kHex);
  CHECK(c.tag().empty());
  CHECK(c.target() == "sha256:" + kHex);
  const Reference d = Reference::parse("registry.k8s.io/pause:3.2@sha256:" + kHex);
  CHECK(d.tag() == "3.2");
  CHECK(d.target() == "sha256:" + kHex);
  CHECK(d.str() == "registry.k8s.io/pause:3.2@sha256:" + kHex);
  CHECK(d.name() == "registry.k8s.io/pause");
}

TEST_CASE("bad references are refused with exit 2") {
  const std::string bad[] = {"",
                             ":",
                             "/",
                             "a/",
                             "/a",
                             "a//b",
                             "Busybox",
                             "a:",
                             "a:-x",
                             "a:.x",
                             "a@sha256:abc",
                             "a@",
                             "a b",
                             "a\nb",
                             "a:b c",
                             "k8s.gcr.io/",
                             "k8s.gcr.io:99999/a",
                             "k8s.gcr.io:/a",
                             "k8s.gcr.io:x/a",
                             "-a.example/b",
                             "a..example/b",
                             "a.example/B",
                             "a.example/../b",
                             "a.example/b/../c",
                             "a.example/b__/c",
                             "a.example/b___c",
                             "a.example/.b",
                             "https://a.example/b",
                             "user@a.example/b",
                             "a.example/b?x",
                             "a.example/b:" + std::string(129, 'x'),
                             "a.example/" + std::string(250, 'x'),
                             std::string(2000, 'x')};
  for (const std::string& text : bad) {
    INFO(text);
    try {
      Reference::parse(text);
      FAIL_CHECK("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::usage);
      CHECK(error.message().find('\n') == std::string::npos);
    }
  }
}

TEST_CASE("path components follow the distribution specification") {
  CHECK_NOTHROW(Reference::parse("a.example/a_b/a__b/a.b/a-b/a--b:x"));
  CHECK_NOTHROW(Reference::parse("m.daocloud.io/docker.io/library/busybox:latest"));
}

TEST_CASE("changed references stay valid") {
  const Reference a = Reference::parse("k8s.gcr.io/pause:3.2");
  CHECK(a.with_host("registry.k8s.io").str() == "registry.k8s.io/pause:3.2");
  CHECK(a.with_repository("x/pause").str() == "k8s.gcr.io/x/pause:3.2");
  CHECK(a.with_digest(Digest::parse("sha256:" + kHex)).target() == "sha256:" + kHex);
  CHECK_THROWS_AS(a.with_host("a b"), Error);
  CHECK_THROWS_AS(a.with_repository("X"), Error);
  CHECK_THROWS_AS(a.with_repository(""), Error);
}
