#include "installer/firewalld.hpp"
#include "installer/phases/phases.hpp"
#include "installer/runtimes/cri_dockerd.hpp"

namespace kbundle {

std::vector<std::unique_ptr<Phase>> make_host_phases(Context& context) {
  std::vector<std::unique_ptr<Phase>> plan;
  plan.push_back(make_host_phase(context));
  plan.push_back(make_programs_phase(context));
  // Another root is prepared with files; what follows needs the running host.
  if (!context.host.live()) return plan;
  if (firewalld_is_active(context.host)) plan.push_back(make_firewall_phase(context));
  if (needs_flannel_offload(context)) plan.push_back(make_flannel_offload_phase(context));
  plan.push_back(make_runtime_phase(context));
  plan.push_back(make_images_phase(context));
  return plan;
}

std::vector<std::unique_ptr<Phase>> make_plan(Context& context) {
  auto plan = make_host_phases(context);
  if (!context.host.live()) return plan;
  plan.push_back(make_kubeadm_config_phase(context));
  plan.push_back(make_coherence_phase(context));
  if (context.runtime->name() == "docker" && has_dockershim(context.facts.version))
    plan.push_back(make_kubeadm_preflight_phase(context));
  for (auto& phase : make_kubeadm_phases(context)) plan.push_back(std::move(phase));
  if (context.initializes()) {
    if (context.resolver.no_nameserver) plan.push_back(make_coredns_phase(context));
    if (context.inventory.find_file("cni-manifest", context.platform) != nullptr)
      plan.push_back(make_cni_phase(context));
  }
  // The first master's is there before anything asks for it (see make_kubeadm_phases).
  if (context.joins() && !context.vip.empty()) plan.push_back(make_virtual_address_phase(context));
  plan.push_back(make_ready_phase(context));
  plan.push_back(make_receipt_phase(context));
  return plan;
}

}  // namespace kbundle
