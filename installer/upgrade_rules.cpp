#include "installer/upgrade_rules.hpp"

#include <fmt/format.h>

#include "core/text.hpp"

namespace kbundle {
namespace {

std::string minor_after(const Version& version) {
  return fmt::format("v{}.{}", version.major, version.minor + 1);
}

void check_step(const std::string& what, const Version& from, const Version& to,
                Findings& findings) {
  if (to < from)
    findings.error("VersionSkew",
                   what + " is " + from.str() + ", newer than the bundle's " + to.str() +
                       ": Kubernetes cannot be taken back",
                   "bring a bundle of " + from.str() + " or newer");
  if (to.major != from.major || to.minor > from.minor + 1)
    findings.error(
        "VersionSkew",
        what + " is " + from.str() + ", and " + to.str() + " is more than one minor ahead",
        "upgrade to a " + minor_after(from) + " bundle first");
}

}  // namespace

std::vector<Finding> skew_findings(const UpgradeState& state) {
  Findings findings;
  check_step("this node", state.from, state.to, findings);
  if (!state.master) {
    if (!state.api_server) {
      findings.error("APIServer", "the API server does not answer this node",
                     "look at the masters (`kbundle status` there)");
    } else if (*state.api_server < state.to) {
      findings.error("VersionSkew",
                     "the API server is " + state.api_server->str() + ", older than the bundle's " +
                         state.to.str() + ": a kubelet must not be newer than it",
                     "run `kbundle upgrade` on the masters first");
    }
    return findings.list();
  }
  if (!state.cluster) {
    findings.error("APIServer", "the API server does not say which version the cluster has",
                   "get the control plane healthy first (`kbundle status`)");
  } else if (*state.cluster != state.from) {
    check_step("the cluster", *state.cluster, state.to, findings);
  }
  std::vector<std::string> behind;
  for (const auto& [node, version] : state.kubelets)
    if (version.major == state.to.major && state.to.minor - version.minor > state.kubelet_skew)
      behind.push_back(node + " " + version.str());
  if (!behind.empty())
    findings.error("KubeletVersion",
                   fmt::format("these kubelets would be more than {} minor(s) behind {}: {}",
                               state.kubelet_skew, state.to.str(), join(behind, ", ")),
                   "upgrade those nodes first, with the bundle the masters have now");
  return findings.list();
}

UpgradeCommand upgrade_command(const UpgradeState& state, bool apply_begun) {
  if (!state.master) return UpgradeCommand::node;
  if (apply_begun || !state.cluster) return UpgradeCommand::apply;
  // The first master to get there has told the cluster so.
  return *state.cluster < state.to ? UpgradeCommand::apply : UpgradeCommand::node;
}

std::vector<std::string> upgrade_argv(const std::string& kubeadm, UpgradeCommand command,
                                      const Version& to,
                                      const std::vector<std::string>& ignore_preflight_errors) {
  std::vector<std::string> argv = {kubeadm, "upgrade"};
  if (command == UpgradeCommand::apply) {
    argv.insert(argv.end(), {"apply", to.str(), "--yes"});
  } else {
    argv.emplace_back("node");
  }
  // `upgrade node` has no checks of its own in 1.18, and knows no such flag.
  const bool checks = command == UpgradeCommand::apply || to >= Version{1, 19, 0, ""};
  if (checks && !ignore_preflight_errors.empty())
    argv.push_back("--ignore-preflight-errors=" + join(ignore_preflight_errors, ","));
  return argv;
}

}  // namespace kbundle
