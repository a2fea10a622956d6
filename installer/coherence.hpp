// The coherence gate: what the runtime, kubeadm's configuration, the kubelet and the host each say
// of the same thing has to agree before kubeadm starts. A node on which they differ comes up
// NotReady, or loses its pods at the first restart, with no word of why.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "installer/context.hpp"

namespace kbundle {

/// One thing, and what each side says of it.
struct Agreement {
  struct Side {
    std::string who;    ///< "containerd", "/var/lib/kbundle/kubeadm.yaml"
    std::string value;  ///< empty: it says nothing, which contradicts nobody
  };
  std::string thing;  ///< "pause image"
  std::vector<Side> sides;

  /// "pause image: containerd has A, kubeadm asks for B"; empty when all agree.
  std::string difference() const;
  /// What they agree on; empty when nobody says anything.
  std::string value() const;
};

/// What is asked of each side. The runtime must answer; the kubeadm configuration and the kubelet's
/// files may not be there yet.
std::vector<Agreement> agreements(const Context& context);

/// What cannot be put as an agreement: a pause image that is not there, a socket that is missing.
std::vector<std::string> incoherences(const Context& context);

/// "amd64" of an ELF file's first bytes, as Go names architectures; empty for what is none or not
/// known.
std::string elf_architecture(std::string_view first_bytes);

/// A flag in KUBELET_KUBEADM_ARGS of kubeadm-flags.env; empty when it is not there.
std::string kubelet_flag(std::string_view flags_env, std::string_view name);

}  // namespace kbundle
