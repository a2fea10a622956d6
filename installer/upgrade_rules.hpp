// Which step from one Kubernetes version to another is allowed, and kubeadm's command for it.
// https://kubernetes.io/releases/version-skew-policy
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/version.hpp"
#include "installer/checks/preflight.hpp"
#include "manifests/catalog.hpp"

namespace kbundle {

/// What there is, before anything is changed.
struct UpgradeState {
  bool master = false;
  Version from;                             ///< of this node
  Version to;                               ///< of the bundle
  std::optional<Version> api_server;        ///< what answers; absent: nobody did
  std::optional<Version> cluster;           ///< of the ConfigMap kubeadm-config (masters)
  std::map<std::string, Version> kubelets;  ///< by node (masters)
  int kubelet_skew = 1;                     ///< minors that a kubelet may be behind
};

/// Errors, each naming both versions: an older target, more than one minor at once, a worker
/// before its masters, kubelets that would be left too far behind.
std::vector<Finding> skew_findings(const UpgradeState& state);

/// `apply` takes the cluster to the version, once, on the first master; `node` takes a further
/// master or a worker along.
enum class UpgradeCommand { apply, node };

/// `apply_begun`: an earlier run began it here, and a killed one is continued.
UpgradeCommand upgrade_command(const UpgradeState& state, bool apply_begun);

/// "kubeadm upgrade apply v1.18.10 --yes", "kubeadm upgrade node".
std::vector<std::string> upgrade_argv(const std::string& kubeadm, UpgradeCommand command,
                                      const Version& to,
                                      const std::vector<std::string>& ignore_preflight_errors);

}  // namespace kbundle
