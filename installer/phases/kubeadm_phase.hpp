// What the phases that kubeadm does have in common: the command line, and kubectl to look at what
// it left. The concrete kinds are in files of their own; kubeadm.cpp picks one for each phase.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "installer/context.hpp"
#include "installer/kubeadm_files.hpp"
#include "installer/phase.hpp"

namespace kbundle {

class KubeadmPhaseBase : public Phase {
 public:
  KubeadmPhaseBase(Context& context, KubeadmPhase phase);

 protected:
  std::vector<std::string> argv() const;
  std::string action() const;  ///< "run kubeadm …", for a plan
  /// Error{phase} with the tail of what it printed.
  void run_kubeadm() const;
  /// Whether kubectl ends well and prints something, with the administrator's credentials.
  bool kubectl_ok(std::vector<std::string> arguments) const;

  Context& context_;
  Host& host_;
  KubeadmPhase phase_;
};

/// Holds the bootstrap token; it has to go once the node has its own credentials.
inline constexpr const char* kBootstrapConfig = "/etc/kubernetes/bootstrap-kubelet.conf";

/// Phases that leave files: what `look` finds cut or not belonging together is removed, so that
/// kubeadm makes it again; what is good it keeps.
std::unique_ptr<Phase> make_files_phase(Context& context, KubeadmPhase phase,
                                        std::function<FilesState(const Host&)> look);
/// The kubelet gets its configuration and is started; on a node that joins it also bootstraps.
std::unique_ptr<Phase> make_kubelet_start_phase(Context& context, KubeadmPhase phase);
/// Waits that kubeadm hides in this version: for the API server ("wait-control-plane"), or for a
/// joining node's credentials ("kubelet-wait-bootstrap").
std::unique_ptr<Phase> make_wait_phase(Context& context, KubeadmPhase phase);
/// Every member of the cluster's etcd answers, before another one is added to it.
std::unique_ptr<Phase> make_check_etcd_phase(Context& context, KubeadmPhase phase);
/// This master's etcd becomes a member of the cluster's; see etcd_join.cpp.
std::unique_ptr<Phase> make_etcd_join_phase(Context& context, KubeadmPhase phase);

}  // namespace kbundle
