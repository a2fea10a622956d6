#include "manifests/catalog.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

using Strings = std::vector<std::string>;

Strings phase_ids(const std::vector<KubeadmPhase>& phases) {
  Strings ids;
  for (const KubeadmPhase& phase : phases) ids.push_back((phase.own_wait ? "!" : "") + phase.id());
  return ids;
}

Error refusal(std::string_view version) {
  try {
    Catalog::builtin().facts(version);
  } catch (const Error& error) {
    return error;
  }
  FAIL("no Error for " << version);
  throw;
}

TEST_CASE("v1.18.2 asks for these eight images") {
  const Catalog& catalog = Catalog::builtin();
  const KubernetesFacts facts = catalog.facts("v1.18.2");
  const Strings images = catalog.image_names("v1.18.2", "amd64", "flannel");
  const auto cni = catalog.cni(facts, "flannel", "amd64");
  REQUIRE(cni);
  CHECK(catalog.image_names("v1.18.2", "amd64", "none") == facts.images);
  CHECK_THROWS_AS(catalog.image_names("v1.18.2", "amd64", "calico"), Error);
  CHECK(images == Strings{"k8s.gcr.io/kube-apiserver:v1.18.2",
                          "k8s.gcr.io/kube-controller-manager:v1.18.2",
                          "k8s.gcr.io/kube-scheduler:v1.18.2", "k8s.gcr.io/kube-proxy:v1.18.2",
                          "k8s.gcr.io/pause:3.2", "k8s.gcr.io/etcd:3.4.3-0",
                          "k8s.gcr.io/coredns:1.6.7", "quay.io/coreos/flannel:v0.12.0-amd64"});
  CHECK(facts.pause_image == "k8s.gcr.io/pause:3.2");
  CHECK(cni->cni_namespace == "kube-system");
  CHECK(cni->pod_subnet == "10.244.0.0/16");
}

TEST_CASE("all architectures are those that every program is published for") {
  const Catalog& catalog = Catalog::builtin();
  // containerd 1.6 was not built for the others.
  CHECK(catalog.architectures(catalog.facts("v1.18.2"), {}) == Strings{"amd64", "arm64"});
  const Strings four{"amd64", "arm64", "ppc64le", "s390x"};
  CHECK(catalog.architectures(catalog.facts("v1.18.2"), {"containerd"}) == four);
  CHECK(catalog.architectures(catalog.facts("v1.36.0"), {}) == four);
}

TEST_CASE("v1.34.4 asks for its own images") {
  const KubernetesFacts facts = Catalog::builtin().facts("1.34.4");
  CHECK(facts.images == Strings{"registry.k8s.io/kube-apiserver:v1.34.4",
                                "registry.k8s.io/kube-controller-manager:v1.34.4",
                                "registry.k8s.io/kube-scheduler:v1.34.4",
                                "registry.k8s.io/kube-proxy:v1.34.4",
                                "registry.k8s.io/coredns/coredns:v1.12.1",
                                "registry.k8s.io/pause:3.10.1", "registry.k8s.io/etcd:3.6.5-0"});
  CHECK(facts.kubeadm_api == "kubeadm.k8s.io/v1beta4");
  CHECK(facts.extra_args_as_list);
  CHECK(facts.cri_socket_prefix == "unix://");
  CHECK(facts.kubelet_configmap == "kubelet-config");
  CHECK(facts.cgroup_v1_host == "warning");
  CHECK_FALSE(facts.swap_is_error);
  CHECK(facts.binaries_error == Strings{"losetup", "mount", "cp"});
  CHECK(facts.control_plane_label == "node-role.kubernetes.io/control-plane");
  const auto cni = Catalog::builtin().cni(facts, "flannel", "arm64");
  REQUIRE(cni);
  CHECK(cni->images == Strings{"ghcr.io/flannel-io/flannel-cni-plugin:v1.8.0-flannel1",
                               "ghcr.io/flannel-io/flannel:v0.27.4"});
  CHECK(cni->cni_namespace == "kube-flannel");
}

TEST_CASE("tags change at the patch where they changed") {
  const auto has = [](std::string_view version, const std::string& image) {
    const Strings images = Catalog::builtin().facts(version).images;
    return std::find(images.begin(), images.end(), image) != images.end();
  };
  CHECK(has("v1.34.1", "registry.k8s.io/etcd:3.6.4-0"));
  CHECK(has("v1.34.2", "registry.k8s.io/etcd:3.6.5-0"));
  CHECK(has("v1.19.0", "k8s.gcr.io/etcd:3.4.9-1"));
  CHECK(has("v1.19.1", "k8s.gcr.io/etcd:3.4.13-0"));
  CHECK(has("v1.22.16", "k8s.gcr.io/etcd:3.5.0-0"));
  CHECK(has("v1.22.17", "registry.k8s.io/etcd:3.5.6-0"));
  CHECK(has("v1.23.14", "k8s.gcr.io/pause:3.6"));
  CHECK(has("v1.23.15", "registry.k8s.io/pause:3.6"));
  CHECK(has("v1.24.8", "k8s.gcr.io/etcd:3.5.5-0"));
  CHECK(has("v1.24.9", "registry.k8s.io/etcd:3.5.6-0"));
}

TEST_CASE("phases stand in each minor's order") {
  const KubernetesFacts old = Catalog::builtin().facts("v1.18.20");
  CHECK(phase_ids(old.init_phases) ==
        Strings{"kubelet-start", "certs/all", "kubeconfig/all", "control-plane/all", "etcd/local",
                "!wait-control-plane", "upload-config/all", "upload-certs", "mark-control-plane",
                "bootstrap-token", "kubelet-finalize/all", "addon/all"});
  CHECK(old.init_phases[7].extra_flags == Strings{"--upload-certs"});
  CHECK(old.init_phases[7].takes_config);
  CHECK(phase_ids(old.join_worker_phases) == Strings{"kubelet-start"});
  CHECK(old.kubeadm_api == "kubeadm.k8s.io/v1beta2");
  CHECK(old.kubelet_configmap == "kubelet-config-1.18");
  CHECK_FALSE(old.knows_cgroup_v2);
  CHECK(old.swap_is_error);

  CHECK(phase_ids(Catalog::builtin().facts("v1.19.16").init_phases)[2] == "kubelet-start");
  const KubernetesFacts late = Catalog::builtin().facts("v1.34.10");
  CHECK(phase_ids(late.init_phases) ==
        Strings{"certs/all", "kubeconfig/all", "etcd/local", "control-plane/all", "kubelet-start",
                "!wait-control-plane", "upload-config/all", "upload-certs", "mark-control-plane",
                "bootstrap-token", "kubelet-finalize/all", "addon/all"});
  CHECK(phase_ids(late.join_worker_phases) == Strings{"kubelet-start", "!kubelet-wait-bootstrap"});
}

TEST_CASE("a minor takes over what it does not say, and changes nothing before it") {
  const Catalog& catalog = Catalog::builtin();
  CHECK(catalog.oldest_minor_with_cgroup_v2() == "1.19");
  CHECK(catalog.facts("v1.18.0").control_plane_label == "node-role.kubernetes.io/master");
  CHECK(catalog.facts("v1.30.0").cgroup_v1_host == "ok");
  CHECK(catalog.facts("v1.36.0").cgroup_v1_host == "error");
  CHECK(catalog.facts("v1.22.0").max_containerd == "1.7");
  CHECK(catalog.facts("v1.23.0").max_containerd.empty());
  CHECK(catalog.minors().size() == 19);
  for (const std::string& minor : catalog.minors()) {
    const KubernetesFacts facts = catalog.facts("v" + minor + ".0");
    CHECK(facts.images.size() == 7);
    CHECK(facts.master_ports == std::vector<int>{6443, 10259, 10257, 10250, 2379, 2380});
    CHECK(catalog.cni(facts, "flannel", "amd64"));
    CHECK(catalog.downloads(facts, "arm64").size() == 7);
    // cri-dockerd is for those without dockershim.
    const bool dockershim = facts.version < Version{1, 24, 0, ""};
    CHECK(catalog.optional_programs(facts, "arm64").size() == (dockershim ? 0 : 1));
    CHECK(catalog.optional_programs(facts, "s390x").empty());
  }
}

TEST_CASE("versions that are not to be built say why") {
  CHECK(refusal("v1.18.7").message().find("withdrawn") != std::string::npos);
  CHECK(refusal("v1.18.11").message().find("ever released") != std::string::npos);
  for (const char* unknown : {"v1.18.21", "v1.34.11", "v1.17.3", "v9.9.9", "1.18", "",
                              "v1.18.2-rc.1", "v1.18.2; rm -rf /"}) {
    const Error error = refusal(unknown);
    CHECK(error.code() == ExitCode::usage);
    CHECK(error.hint().find("from 1.18 to 1.36") != std::string::npos);
  }
}

TEST_CASE("another repository: CoreDNS's path differs by version") {
  const auto name_in = [](std::string_view version, const std::string& repository) {
    for (const auto& [from, to] : Catalog::builtin().facts(version).retagged(repository)) {
      if (from.find("coredns") != std::string::npos) return to;
    }
    return std::string();
  };
  CHECK(name_in("v1.18.2", "r.example/k8s") == "r.example/k8s/coredns:1.6.7");
  CHECK(name_in("v1.21.1", "r.example/k8s") == "r.example/k8s/coredns/coredns:v1.8.0");
  CHECK(name_in("v1.21.2", "r.example/k8s") == "r.example/k8s/coredns:v1.8.0");
  CHECK(name_in("v1.34.4", "r.example/k8s") == "r.example/k8s/coredns:v1.12.1");
  CHECK(name_in("v1.34.4", "registry.k8s.io") == "registry.k8s.io/coredns/coredns:v1.12.1");
  CHECK(Catalog::builtin().facts("v1.18.2").retagged("r.example/k8s")[0].second ==
        "r.example/k8s/kube-apiserver:v1.18.2");
}

TEST_CASE("release files of v1.18.2 and v1.34.4") {
  const auto find = [](std::string_view version, const std::string& name) {
    const Catalog& catalog = Catalog::builtin();
    for (const DownloadFacts& each : catalog.downloads(catalog.facts(version), "amd64")) {
      if (each.component == name) return each;
    }
    FAIL("no " << name);
    return DownloadFacts{};
  };
  const DownloadFacts kubeadm = find("v1.18.2", "kubeadm");
  CHECK(kubeadm.url == "https://dl.k8s.io/release/v1.18.2/bin/linux/amd64/kubeadm");
  CHECK(kubeadm.sum_url == kubeadm.url + ".sha256");
  CHECK(kubeadm.sum_name.empty());
  CHECK(kubeadm.version == "v1.18.2");
  REQUIRE(kubeadm.members.size() == 1);
  CHECK(kubeadm.members[0].path == "/usr/bin/kubeadm");
  CHECK(kubeadm.members[0].mode == 0755);

  const DownloadFacts crictl = find("v1.18.2", "crictl");
  CHECK(crictl.url ==
        "https://github.com/kubernetes-sigs/cri-tools/releases/download/v1.18.0/"
        "crictl-v1.18.0-linux-amd64.tar.gz");
  CHECK(crictl.sum_url.empty());
  CHECK(find("v1.34.4", "crictl").sum_url == find("v1.34.4", "crictl").url + ".sha256");

  const DownloadFacts cni = find("v1.18.2", "cni-plugins");
  CHECK(cni.url ==
        "https://github.com/containernetworking/plugins/releases/download/v0.8.7/"
        "cni-plugins-linux-amd64-v0.8.7.tgz");
  CHECK(cni.sum_name == "cni-plugins-linux-amd64-v0.8.7.tgz");
  CHECK(cni.members[0].member == "*");
  CHECK(find("v1.34.4", "cni-plugins").version == "v1.7.1");

  const DownloadFacts containerd = find("v1.18.2", "containerd");
  CHECK(containerd.url ==
        "https://github.com/containerd/containerd/releases/download/v1.6.39/"
        "containerd-1.6.39-linux-amd64.tar.gz");
  CHECK(containerd.sum_url == containerd.url + ".sha256sum");
  CHECK(find("v1.34.4", "containerd").version == "v1.7.29");

  const DownloadFacts runc = find("v1.34.4", "runc");
  CHECK(runc.url == "https://github.com/opencontainers/runc/releases/download/v1.3.3/runc.amd64");
  CHECK(runc.sum_name == "runc.amd64");
  CHECK(runc.members[0].path == "/usr/local/sbin/runc");

  const Catalog& catalog = Catalog::builtin();
  CHECK_THROWS_AS(catalog.downloads(catalog.facts("v1.18.2"), "sparc"), Error);
}

}  // namespace
}  // namespace kbundle
