#include "installer/cluster_names.hpp"

#include <algorithm>

#include "installer/context.hpp"

namespace kbundle {
namespace cluster_names {

const std::vector<std::string>& folders() {
  static const std::vector<std::string> kFolders = {
      "/etc/kubernetes",         "/var/lib/kubelet",    "/var/lib/etcd",       "/var/lib/cni",
      "/var/log/pods",           "/run/flannel",        "/var/log/containers", "/run/kubernetes",
      "/usr/libexec/kubernetes", "/var/lib/dockershim", "/var/lib/cri-dockerd"};
  return kFolders;
}

const std::vector<std::string>& files() {
  static const std::vector<std::string> kFiles = {"/etc/cni/net.d/10-flannel.conflist",
                                                  "/etc/cni/net.d/10-flannel.conf", flannel_plugin,
                                                  "/run/cri-dockerd.sock"};
  return kFiles;
}

const std::vector<std::string>& runtime_folders() {
  static const std::vector<std::string> kFolders = {"/var/lib/containerd", "/run/containerd",
                                                    "/opt/containerd"};
  return kFolders;
}

const std::vector<std::string>& shared_folders() {
  static const std::vector<std::string> kFolders = {"/etc/cni/net.d", "/etc/cni", "/opt/cni/bin",
                                                    "/opt/cni", "/run/netns",
                                                    // What kube-proxy and the API server mount.
                                                    "/lib/modules", "/etc/ssl/certs", "/etc/ssl"};
  return kFolders;
}

const std::vector<std::string>& mount_folders() {
  static const std::vector<std::string> kFolders = {
      "/var/lib/kubelet", "/run/containerd/io.containerd.runtime.v2.task/k8s.io",
      "/run/containerd/io.containerd.runtime.v1.linux/k8s.io",
      "/run/containerd/io.containerd.grpc.v1.cri", "/run/netns/cni-"};
  return kFolders;
}

const std::vector<std::string>& interfaces() {
  static const std::vector<std::string> kInterfaces = {"cni0", "flannel.1", "flannel-v6.1",
                                                       "kube-ipvs0"};
  return kInterfaces;
}

bool is_chain(std::string_view chain) {
  return chain.starts_with("KUBE-") || chain.starts_with("CNI-") || chain.starts_with("FLANNEL");
}

const std::vector<std::string>& sysctls() {
  static const std::vector<std::string> kSysctls = {
      "kernel.keys.root_maxbytes",
      "kernel.keys.root_maxkeys",
      "kernel.panic",
      "kernel.panic_on_oops",
      "net.ipv4.conf.all.route_localnet",
      "net.ipv4.ip_forward",
      "net.ipv6.conf.all.forwarding",
      "net.ipv4.vs.conntrack",
      "net.ipv4.vs.expire_nodest_conn",
      "net.ipv4.vs.expire_quiescent_template",
      "net.netfilter.nf_conntrack_max",
      "net.netfilter.nf_conntrack_tcp_timeout_close_wait",
      "net.netfilter.nf_conntrack_tcp_timeout_established",
      "vm.overcommit_memory",
      "vm.panic_on_oom"};
  return kSysctls;
}

const std::vector<std::string>& nft_tables() {
  static const std::vector<std::string> kTables = {"ip kube-proxy", "ip6 kube-proxy",
                                                   "ip flannel-ipv4", "ip6 flannel-ipv6"};
  return kTables;
}

}  // namespace cluster_names

bool is_at_or_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool is_cluster_file(std::string_view path) {
  const auto& folders = cluster_names::folders();
  return std::any_of(folders.begin(), folders.end(),
                     [&](const std::string& folder) { return is_at_or_below(path, folder); });
}

bool is_own_file(std::string_view path) {
  return is_at_or_below(path, node_path::state) || is_at_or_below(path, "/run/kbundle");
}

}  // namespace kbundle
