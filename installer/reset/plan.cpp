// The order of a reset, and what its steps share.
#include "core/text.hpp"
#include "installer/context.hpp"
#include "installer/reset/steps.hpp"

namespace kbundle {

void ResetContext::problem(const std::string& id, const std::string& text) {
  std::string& all = problems[id];
  all += (all.empty() ? "" : "\n") + text;
}

std::vector<std::string> ResetContext::kubectl() const {
  const auto program = host.program("kubectl");
  if (!program) return {};
  for (const char* config : {node_path::admin_config, node_path::kubelet_config})
    if (host.exists(config))
      // 1.18 keeps what it discovers under HOME, whatever it is told.
      return {"env",  "HOME=/run/kbundle/kubectl", *program, "--kubeconfig",
              config, "--request-timeout=10s"};
  return {};
}

std::vector<std::unique_ptr<Phase>> make_reset_steps(ResetContext& context) {
  std::vector<std::unique_ptr<Phase>> steps;
  steps.push_back(make_etcd_member_step(context));
  steps.push_back(make_services_step(context));
  steps.push_back(make_virtual_address_step(context));
  steps.push_back(make_node_object_step(context));
  steps.push_back(make_pods_step(context));
  steps.push_back(make_mounts_step(context));
  steps.push_back(make_images_step(context));
  steps.push_back(make_firewall_step(context));
  steps.push_back(make_interfaces_step(context));
  // Before admin.conf itself goes, which it is compared with.
  steps.push_back(make_kubectl_config_step(context));
  steps.push_back(make_cluster_files_step(context));
  steps.push_back(make_undo_step(context));
  steps.push_back(make_runtime_data_step(context));
  return steps;
}

}  // namespace kbundle
