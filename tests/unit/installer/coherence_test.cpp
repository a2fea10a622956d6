// The gate before kubeadm, and Docker's answers.
#include "installer/coherence.hpp"

#include <catch2/catch.hpp>

#include "installer/runtimes/docker_images.hpp"

using namespace kbundle;

TEST_CASE("sides that say nothing contradict nobody; the others are named with what they say") {
  Agreement agreement{"cgroup driver", {{"containerd", "systemd"}, {"kubeadm.yaml", ""}}};
  CHECK(agreement.difference().empty());
  CHECK(agreement.value() == "systemd");
  agreement.sides.push_back({"kubeadm-flags.env", "cgroupfs"});
  CHECK(agreement.difference() ==
        "cgroup driver: containerd has systemd, kubeadm-flags.env has cgroupfs");
}

TEST_CASE("the kubelet's flags are found in kubeadm's file") {
  const std::string env =
      "KUBELET_KUBEADM_ARGS=\"--cgroup-driver=systemd --network-plugin=cni "
      "--pod-infra-container-image=k8s.gcr.io/pause:3.2\"\n";
  CHECK(kubelet_flag(env, "cgroup-driver") == "systemd");
  CHECK(kubelet_flag(env, "pod-infra-container-image") == "k8s.gcr.io/pause:3.2");
  CHECK(kubelet_flag(env, "cgroup").empty());
  CHECK(kubelet_flag("", "cgroup-driver").empty());
}

TEST_CASE("a program's architecture is read from its first bytes") {
  std::string head(20, '\0');
  head.replace(0, 4,
               "\x7f"
               "ELF");
  head[5] = 1;
  head[18] = 62;
  CHECK(elf_architecture(head) == "amd64");
  head[18] = static_cast<char>(183);
  CHECK(elf_architecture(head) == "arm64");
  head[5] = 2;  // big-endian
  head[18] = 0;
  head[19] = 22;
  CHECK(elf_architecture(head) == "s390x");
  CHECK(elf_architecture("#!/bin/sh\n").empty());
}

TEST_CASE("Docker's images are listed by upstream's names and their configs' digests") {
  const std::string id = "sha256:" + std::string(64, 'a');
  const auto images =
      parse_docker_images("k8s.gcr.io/pause:3.2 " + id + "\n" + "flannel/flannel:v0.14.0 " + id +
                          "\n" + "<none>:<none> " + id + "\n");
  REQUIRE(images.size() == 2);
  CHECK(images[0].name == "k8s.gcr.io/pause:3.2");
  CHECK(images[0].digest.str() == id);
  CHECK(images[1].name == "docker.io/flannel/flannel:v0.14.0");
}
