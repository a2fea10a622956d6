// The phases of an upgrade, and what they share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "installer/context.hpp"
#include "installer/phase.hpp"
#include "installer/receipt.hpp"
#include "installer/upgrade.hpp"
#include "installer/upgrade_rules.hpp"

namespace kbundle {

/// Decided before the first phase; must outlive the plan.
struct UpgradePlan {
  Context& context;
  const UpgradeOptions& options;
  Receipt before;          ///< the node as it was
  UpgradeCommand command;  ///< kubeadm's part
};

/// etcd's snapshot and the node's configuration, into node_path::backups.
std::unique_ptr<Phase> make_backup_phase(UpgradePlan& plan);
/// kubeadm's own upgrade of the control plane, or of a further node.
std::unique_ptr<Phase> make_upgrade_kubeadm_phase(UpgradePlan& plan);
/// Takes away what the add-on's old manifest has and the new one has not.
std::unique_ptr<Phase> make_old_cni_phase(UpgradePlan& plan);
/// Moves the node's pods elsewhere and keeps new ones away.
std::unique_ptr<Phase> make_drain_phase(UpgradePlan& plan);
std::unique_ptr<Phase> make_uncordon_phase(UpgradePlan& plan);
/// Waits for the kube-proxy that kubeadm renews on every node.
std::unique_ptr<Phase> make_kube_proxy_phase(UpgradePlan& plan);
/// Gives the kubelet's flags the new version's pause image.
std::unique_ptr<Phase> make_kubelet_flags_phase(UpgradePlan& plan);
/// Restarts the kubelet as the new version.
std::unique_ptr<Phase> make_upgrade_kubelet_phase(UpgradePlan& plan);

/// All of them for this node, in order.
std::vector<std::unique_ptr<Phase>> make_upgrade_phases(UpgradePlan& plan);

}  // namespace kbundle
