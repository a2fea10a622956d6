// What an upgrade asks the host and the cluster before it changes anything.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "installer/checks/preflight.hpp"
#include "installer/context.hpp"
#include "installer/receipt.hpp"
#include "installer/upgrade_rules.hpp"

namespace kbundle {

/// Versions of the node, the API server, the cluster and (on a master) every kubelet.
UpgradeState look_at_versions(const Context& context, const Receipt& before);

/// Findings about everything but versions: masters Ready, disk, runtime, crictl.
std::vector<Finding> upgrade_findings(const Context& context, const Receipt& before,
                                      const UpgradeState& state);

/// Images of the bundle that other nodes will run and do not have, by node, out of
/// `kubectl get nodes -o json`. A node that reports its maximum of 50 images may have more than it
/// says and is left out.
std::map<std::string, std::set<std::string>> missing_on_nodes(const Context& context,
                                                              const Json& nodes);
/// Waits (kubelets report images every now and then), then Error{preflight} naming the nodes and
/// the command, or a warning when `go_on`.
void check_images_on_nodes(const Context& context, bool go_on);

}  // namespace kbundle
