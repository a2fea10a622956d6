#include "registry/mirrors.hpp"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/error.hpp"

using namespace kbundle;

namespace {

std::vector<std::string> places(const std::vector<std::string>& rules, const std::string& name) {
  std::vector<MirrorRule> parsed;
  for (const std::string& rule : rules) parsed.push_back(MirrorRule::parse(rule));
  std::vector<std::string> result;
  for (const Reference& place : Mirrors(parsed).places(Reference::parse(name)))
    result.push_back(place.str());
  return result;
}

std::vector<std::string> urls(const std::vector<std::string>& rules, const std::string& url) {
  std::vector<MirrorRule> parsed;
  for (const std::string& rule : rules) parsed.push_back(MirrorRule::parse(rule));
  return Mirrors(parsed).places(url);
}

using List = std::vector<std::string>;

}  // namespace

TEST_CASE("without rules upstream comes first, then its other name") {
  CHECK(places({}, "k8s.gcr.io/pause:3.2") ==
        List{"k8s.gcr.io/pause:3.2", "registry.k8s.io/pause:3.2"});
  CHECK(places({}, "registry.k8s.io/pause:3.9") ==
        List{"registry.k8s.io/pause:3.9", "k8s.gcr.io/pause:3.9"});
  CHECK(places({}, "quay.io/coreos/flannel:v0.12.0") == List{"quay.io/coreos/flannel:v0.12.0"});
}

TEST_CASE("a rule keeps the path behind its prefix") {
  CHECK(places({"quay.io=mirror.example"}, "quay.io/coreos/flannel:v1")[0] ==
        "mirror.example/coreos/flannel:v1");
  CHECK(places({"quay.io=mirror.example:5000/quay"}, "quay.io/coreos/flannel:v1")[0] ==
        "mirror.example:5000/quay/coreos/flannel:v1");
  CHECK(places({"quay.io/coreos=mirror.example/c"}, "quay.io/coreos/flannel:v1")[0] ==
        "mirror.example/c/flannel:v1");
  CHECK(places({"docker.io=mirror.gcr.io"}, "busybox")[0] ==
        "mirror.gcr.io/library/busybox:latest");
}

TEST_CASE("a rule matches whole components only") {
  CHECK(places({"quay.io/core=mirror.example"}, "quay.io/coreos/flannel:v1").size() == 1);
  CHECK(places({"quay.i=mirror.example"}, "quay.io/coreos/flannel:v1").size() == 1);
}

TEST_CASE("flat mirrors keep the last component only") {
  CHECK(places({"registry.k8s.io=registry.cn-hangzhou.aliyuncs.com/google_containers/*"},
               "registry.k8s.io/coredns/coredns:v1.12.1")[0] ==
        "registry.cn-hangzhou.aliyuncs.com/google_containers/coredns:v1.12.1");
}

TEST_CASE("{ref} appends the whole upstream reference") {
  CHECK(places({"docker.io=m.daocloud.io/{ref}"}, "busybox:1")[0] ==
        "m.daocloud.io/docker.io/library/busybox:1");
  const std::string digest = "sha256:" + std::string(64, 'a');
  CHECK(places({"k8s.gcr.io=m.daocloud.io/{ref}"}, "k8s.gcr.io/pause:3.2@" + digest)[0] ==
        "m.daocloud.io/k8s.gcr.io/pause:3.2@" + digest);
  CHECK_THROWS_AS(places({"localhost:5000=m.daocloud.io/{ref}"}, "localhost:5000/a:b"), Error);
}

TEST_CASE("rules are tried in order, each place once") {
  CHECK(places({"k8s.gcr.io=a.example", "quay.io=q.example", "k8s.gcr.io=b.example",
                "k8s.gcr.io=a.example", "k8s.gcr.io=registry.k8s.io"},
               "k8s.gcr.io/pause:3.2") == List{"a.example/pause:3.2", "b.example/pause:3.2",
                                               "registry.k8s.io/pause:3.2",
                                               "k8s.gcr.io/pause:3.2"});
}

TEST_CASE("a rule that leaves no repository is an error when it is used") {
  CHECK_THROWS_AS(places({"k8s.gcr.io/pause=a.example"}, "k8s.gcr.io/pause:3.2"), Error);
  CHECK(places({"k8s.gcr.io/pause=a.example/p"}, "k8s.gcr.io/pause:3.2")[0] == "a.example/p:3.2");
}

TEST_CASE("rules hold for the URLs of files as well") {
  const std::string url = "https://dl.k8s.io/release/v1.18.2/bin/linux/amd64/kubeadm";
  CHECK(urls({}, url) == List{url});
  CHECK(
      urls({"dl.k8s.io=https://oss.example/kubernetes-release"}, url) ==
      List{"https://oss.example/kubernetes-release/release/v1.18.2/bin/linux/amd64/kubeadm", url});
  CHECK(urls({"dl.k8s.io=https://files.m.daocloud.io/{ref}"}, url)[0] ==
        "https://files.m.daocloud.io/dl.k8s.io/release/v1.18.2/bin/linux/amd64/kubeadm");
  CHECK(urls({"dl.k8s.io=mirror.example"}, url)[0] ==
        "https://mirror.example/release/v1.18.2/bin/linux/amd64/kubeadm");
  CHECK(urls({"dl.k8s.io=mirror.example/all/*"}, url)[0] == "https://mirror.example/all/kubeadm");
  CHECK(places({"dl.k8s.io=https://x.example"}, "dl.k8s.io/a:b") == List{"dl.k8s.io/a:b"});
}

TEST_CASE("bad rules are refused with exit 2") {
  for (const char* bad :
       {"", "a", "=", "a=", "=b", "k8s.gcr.io=mirror", "k8s.gcr.io=a.b/*/c",
        "k8s.gcr.io=a.b/{ref}/c", "k8s.gcr.io=*", "k8s.gcr.io=/*", "k8s.gcr.io=ftp://x.example",
        "k8s.gcr.io=https://", "http://a=b.example", "k8s.gcr.io=user:pw@b.example",
        "k8s.gcr.io=b.example?x", "a b=c.example", "k8s.gcr.io=b.example/UPPER"}) {
    INFO(bad);
    try {
      MirrorRule::parse(bad);
      FAIL_CHECK("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::usage);
    }
  }
}

TEST_CASE("a mirrors file is read in order") {
  char name[] = "/tmp/kbundle-mirrors-XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(name);
  const std::filesystem::path file = folder / "mirrors.yaml";
  const auto read = [&](const std::string& text) {
    std::ofstream(file) << text;
    return Mirrors::read(file);
  };
  Mirrors mirrors = read(
      "mirrors:\n- {from: k8s.gcr.io, to: a.example}\n- from: k8s.gcr.io\n"
      "  to: b.example/*\n");
  mirrors.append(Mirrors({MirrorRule::parse("k8s.gcr.io=c.example")}));
  const auto found = mirrors.places(Reference::parse("k8s.gcr.io/x/pause:3.2"));
  REQUIRE(found.size() == 5);
  CHECK(found[0].str() == "a.example/x/pause:3.2");
  CHECK(found[1].str() == "b.example/pause:3.2");
  CHECK(found[2].str() == "c.example/x/pause:3.2");
  for (const char* bad :
       {"", "[]", "mirrors: 7", "mirrors: [7]", "mirrors: [{from: a.b}]",
        "mirrors: [{from: a.b, to: c.d, x: y}]", "mirrors: [{from: a.b, to: c}]", "mirrors: ["}) {
    INFO(bad);
    CHECK_THROWS_AS(read(bad), Error);
  }
  CHECK_THROWS_AS(Mirrors::read(folder / "absent"), Error);
  std::filesystem::remove_all(folder);
}

TEST_CASE("upstream's own names are upstream, a mirror is not") {
  const auto is_upstream = [](const char* place, const char* upstream) {
    return Mirrors::is_upstream(Reference::parse(place), Reference::parse(upstream));
  };
  CHECK(is_upstream("k8s.gcr.io/pause:3.2", "k8s.gcr.io/pause:3.2"));
  CHECK(is_upstream("registry.k8s.io/pause:3.2", "k8s.gcr.io/pause:3.2"));
  CHECK(is_upstream("k8s.gcr.io/pause:3.9", "registry.k8s.io/pause:3.9"));
  CHECK_FALSE(is_upstream("registry.k8s.io/x/pause:3.2", "k8s.gcr.io/pause:3.2"));
  CHECK_FALSE(is_upstream("k8s.gcr.io/pause:3.1", "k8s.gcr.io/pause:3.2"));
  CHECK_FALSE(is_upstream("a.example/pause:3.2", "k8s.gcr.io/pause:3.2"));
  CHECK_FALSE(is_upstream("registry.k8s.io/coreos/flannel:v1", "quay.io/coreos/flannel:v1"));
}
