// The phases of an install, in the order the plan runs them.
#pragma once

#include <memory>
#include <vector>

#include "installer/context.hpp"
#include "installer/phase.hpp"

namespace kbundle {

std::unique_ptr<Phase> make_host_phase(Context& context);
/// Part of the plan only where firewalld is active.
std::unique_ptr<Phase> make_firewall_phase(Context& context);
std::unique_ptr<Phase> make_programs_phase(Context& context);
/// Whether this Kubernetes sends flannel broken checksums (kubernetes#88986), and what is done.
bool needs_flannel_offload(const Context& context);
std::unique_ptr<Phase> make_flannel_offload_phase(Context& context);
/// One component of it alone: "kubeadm".
std::unique_ptr<Phase> make_program_phase(Context& context, const std::string& component);
std::unique_ptr<Phase> make_runtime_phase(Context& context);
std::unique_ptr<Phase> make_images_phase(Context& context);
/// Writes the one kubeadm configuration, and the resolver file where one is needed.
std::unique_ptr<Phase> make_kubeadm_config_phase(Context& context);
/// What runtime, kubeadm's configuration, kubelet and host agree on, before the kubelet starts.
std::unique_ptr<Phase> make_coherence_phase(Context& context);
/// kubeadm's own checks; part of the plan only where the runtime is Docker.
std::unique_ptr<Phase> make_kubeadm_preflight_phase(Context& context);
/// kubeadm's own phases, one each, as this version orders them.
std::vector<std::unique_ptr<Phase>> make_kubeadm_phases(Context& context);
/// keepalived in a static pod: the address of --vip goes to a master whose API server answers.
std::unique_ptr<Phase> make_virtual_address_phase(Context& context);
/// Takes the forward plugin out of the Corefile; part of the plan only without a nameserver.
std::unique_ptr<Phase> make_coredns_phase(Context& context);
std::unique_ptr<Phase> make_cni_phase(Context& context);
std::unique_ptr<Phase> make_ready_phase(Context& context);
std::unique_ptr<Phase> make_receipt_phase(Context& context);

/// Those before kubeadm: host settings, programs, runtime, images. What repair runs again.
std::vector<std::unique_ptr<Phase>> make_host_phases(Context& context);
/// All of them for this role, without those that do not apply.
std::vector<std::unique_ptr<Phase>> make_plan(Context& context);

}  // namespace kbundle
