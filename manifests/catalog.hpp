// What kbundle knows about each Kubernetes minor: a data file (manifests/catalog.yaml, compiled
// into the executable) and the code that answers questions from it. Adding a minor is adding data.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/version.hpp"

namespace kbundle {

/// A program's release file: where it is published, and where its sum is.
struct DownloadFacts {
  std::string component;  ///< "kubeadm", "crictl", "cni-plugins", "containerd", "runc"
  std::string version;    ///< "v1.18.2"
  std::string url;        ///< of the file, for one architecture
  std::string sum_url;    ///< empty: no published sum
  std::string sum_name;   ///< the name its line has in a list of sums; empty: bare digest
  bool archive = false;   ///< a .tar.gz whose members are installed
  /// Archive members (or the file itself, "") and where they go on the node. A member "*" is every
  /// regular file of the archive's root, "bin/*" of its folder bin, placed into the path's folder.
  struct Member {
    std::string member;
    std::string path;
    std::uint32_t mode = 0755;
  };
  std::vector<Member> members;
};

struct CniFacts {
  std::string name;     ///< "flannel"
  std::string version;  ///< "v0.12.0"
  std::string manifest_url;
  std::vector<std::string> images;  ///< full references for one architecture
  std::string pod_subnet;           ///< "10.244.0.0/16"
  std::string cni_namespace;        ///< where its pods run, "kube-system"
};

/// One step of kubeadm, as its command line names it: {"certs", "all"}.
struct KubeadmPhase {
  std::vector<std::string> words;        ///< after `kubeadm init phase` or `kubeadm join phase`
  bool takes_config = true;              ///< gets --config
  std::vector<std::string> extra_flags;  ///< e.g. "--upload-certs"
  bool own_wait = false;   ///< hidden in this version: kbundle waits itself (wait-control-plane)
  bool hidden = false;     ///< of join: run as `kubeadm join` with all other phases skipped
  std::string id() const;  ///< "certs/all"
};

/// Facts about one Kubernetes version (its minor's, with the patch's own image tags).
struct KubernetesFacts {
  Version version;
  std::string image_repository;  ///< "k8s.gcr.io"
  /// Full names as kubeadm of this version asks for them, in its order: the seven images.
  std::vector<std::string> images;
  std::string pause_image;                ///< one of `images`
  std::string coredns_custom_path;        ///< below a repository that is not the default
  std::string kubeadm_api;                ///< "kubeadm.k8s.io/v1beta2"
  bool extra_args_as_list = false;        ///< v1beta4: extraArgs are name/value lists
  std::vector<KubeadmPhase> init_phases;  ///< in order, without preflight
  std::vector<KubeadmPhase> join_worker_phases, join_master_phases;
  std::vector<std::string> reset_phases;    ///< take a master out: `kubeadm reset phase …`
  std::string cri_socket_prefix;            ///< "" or "unix://"
  std::vector<std::string> binaries_error;  ///< programs kubeadm's preflight wants
  std::vector<std::string> binaries_warning;
  std::string kernel_min;                       ///< "3.10"; an older one is an error
  std::vector<std::string> kernels_tested;      ///< "5.4", "6+"; empty: all from kernel_min on
  std::vector<std::string> cgroup_controllers;  ///< cgroup v1's names
  std::vector<std::string> kubelet_flags_gone;  ///< "--network-plugin": it does not start with them
  bool swap_is_error = true;
  bool needs_bridge_nf = true;
  bool knows_cgroup_v2 = false;  ///< false: a cgroup v1 hierarchy is needed
  std::string cgroup_v1_host;    ///< "ok", "warning" or "error"
  std::string keepalived_image;  ///< holds the address of --vip
  std::vector<std::string> keepalived_architectures;
  int min_cpu = 2;
  int min_memory_mb = 1700;
  std::vector<int> master_ports;
  std::vector<int> worker_ports;
  std::string control_plane_label;                ///< "node-role.kubernetes.io/master"
  std::vector<std::string> control_plane_taints;  ///< "node-role.kubernetes.io/master:NoSchedule"
  std::string kubelet_configmap;                  ///< "kubelet-config-1.18"
  int kubelet_skew = 1;                           ///< minors a kubelet may be behind at an upgrade
  bool upgrade_needs_crictl = false;              ///< of masters: kubeadm looks for images with it
  std::string eviction_api;                       ///< "policy/v1beta1"
  std::vector<std::string> certs_renew;           ///< after `kubeadm`: {"certs", "renew", "all"}
  std::string min_containerd;                     ///< "1.2", and below
  std::string max_containerd;  ///< "1.7": last line that serves this kubelet; or ""

  /// The images under another repository, as kubeadm asks for them when imageRepository is set to
  /// it (CoreDNS's path differs by version): pairs of (upstream name, name under `repository`).
  std::vector<std::pair<std::string, std::string>> retagged(const std::string& repository) const;
};

class Catalog {
 public:
  /// The one compiled in.
  static const Catalog& builtin();
  static Catalog parse(std::string_view yaml, std::string_view what);

  /// "every minor from 1.18 to 1.36", for people.
  std::string known_minors() const;
  /// The patches of each minor it knows, a line each: "1.18  v1.18.0 to v1.18.20".
  std::string known_versions() const;
  std::vector<std::string> minors() const;
  /// The oldest minor that runs on a host with cgroup v2 alone ("1.19").
  std::string oldest_minor_with_cgroup_v2() const;

  /// Error{usage} naming the versions it knows, or why this patch must not be used (v1.18.7).
  KubernetesFacts facts(std::string_view version) const;
  /// The architectures that every program is published for, but for those left out; sorted.
  std::vector<std::string> architectures(const KubernetesFacts& facts,
                                         const std::vector<std::string>& without) const;
  /// The node's programs for an architecture ("amd64"), with those optional ones that `with` names.
  std::vector<DownloadFacts> downloads(const KubernetesFacts& facts,
                                       const std::string& architecture,
                                       const std::vector<std::string>& with = {}) const;
  /// What `with` may name for this version and architecture.
  std::vector<std::string> optional_programs(const KubernetesFacts& facts,
                                             const std::string& architecture) const;
  std::optional<CniFacts> cni(const KubernetesFacts& facts, const std::string& name,
                              const std::string& architecture) const;

  /// Every image of a version, kubeadm's and the add-on's, as references; no network. `cni` is an
  /// add-on's name or "none"; another word is Error{usage}.
  std::vector<std::string> image_names(std::string_view version, const std::string& architecture,
                                       const std::string& cni) const;

  struct Data;  ///< manifests/catalog_data.hpp

 private:
  std::shared_ptr<const Data> data_;
};

}  // namespace kbundle
