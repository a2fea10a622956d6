// etcdctl out of the etcd image that the node has: run by the node's runtime in a container of its
// own, so that nothing has to be installed and no running pod is needed.
#pragma once

#include <string>
#include <vector>

#include "installer/host.hpp"
#include "installer/receipt.hpp"

namespace kbundle {

/// What the static pod manifest of the node's etcd says.
struct EtcdMember {
  std::string image;            ///< "k8s.gcr.io/etcd:3.4.3-0"
  std::string name;             ///< --name
  std::string data_dir;         ///< --data-dir, "/var/lib/etcd"
  std::string client_url;       ///< the first of --listen-client-urls, "https://127.0.0.1:2379"
  std::string peer_url;         ///< --initial-advertise-peer-urls
  std::string initial_cluster;  ///< --initial-cluster
};

inline constexpr const char* kEtcdManifest = "/etc/kubernetes/manifests/etcd.yaml";

/// Error{phase} when the text is no etcd pod as kubeadm writes it.
EtcdMember parse_etcd_manifest(const std::string& yaml, const std::string& what);

class EtcdTool {
 public:
  EtcdTool(const Host& host, const Receipt& receipt, EtcdMember member);

  /// Saves a snapshot of the running member to `file` (absolute, on the node). Error{phase}.
  void save_snapshot(const std::string& file) const;
  /// Makes a data folder (with its member/ below) out of a snapshot, at `folder`, which must not
  /// exist. The member becomes the first of a new one-member cluster. Error{phase}.
  void restore_snapshot(const std::string& file, const std::string& folder) const;
  /// Whether the member answers and is healthy.
  bool healthy() const;

 private:
  struct Mount {
    std::string source, target;
    bool writable = false;
  };
  CommandResult run(std::vector<std::string> argv, const std::vector<Mount>& mounts,
                    std::chrono::seconds timeout) const;
  std::vector<std::string> runtime_command() const;
  void remove_container() const;
  std::vector<std::string> client() const;

  const Host& host_;
  const Receipt& receipt_;
  EtcdMember member_;
};

}  // namespace kbundle
