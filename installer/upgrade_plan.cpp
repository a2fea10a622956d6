#include "installer/upgrade_plan.hpp"

#include "installer/phases/phases.hpp"

namespace kbundle {
namespace {

// A killed run's cordon is taken back though the next one is told nothing of draining.
bool uncordons(const UpgradePlan& plan) {
  const Journal* journal = plan.context.journal;
  return plan.options.drain ||
         (journal != nullptr && !journal->complete() && journal->begun("drain"));
}

}  // namespace

std::vector<std::unique_ptr<Phase>> make_upgrade_phases(UpgradePlan& plan) {
  Context& context = plan.context;
  std::vector<std::unique_ptr<Phase>> phases;
  phases.push_back(make_backup_phase(plan));
  phases.push_back(make_images_phase(context));
  phases.push_back(make_program_phase(context, "kubeadm"));
  phases.push_back(make_upgrade_kubeadm_phase(plan));
  if (plan.options.drain) {
    phases.push_back(make_kube_proxy_phase(plan));
    phases.push_back(make_drain_phase(plan));
  }
  phases.push_back(make_programs_phase(context));
  phases.push_back(make_runtime_phase(context));
  phases.push_back(make_kubelet_flags_phase(plan));
  phases.push_back(make_coherence_phase(context));
  phases.push_back(make_upgrade_kubelet_phase(plan));
  if (uncordons(plan)) phases.push_back(make_uncordon_phase(plan));
  if (context.master()) {
    if (context.resolver.no_nameserver) phases.push_back(make_coredns_phase(context));
    if (context.inventory.find_file("cni-manifest", context.platform) != nullptr) {
      phases.push_back(make_old_cni_phase(plan));
      phases.push_back(make_cni_phase(context));
    }
  }
  if (!plan.options.drain) phases.push_back(make_kube_proxy_phase(plan));
  phases.push_back(make_ready_phase(context));
  phases.push_back(make_receipt_phase(context));
  return phases;
}

}  // namespace kbundle
