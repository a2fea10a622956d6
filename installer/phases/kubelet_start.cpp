// The kubelet gets its configuration and is started; on a node that joins it also bootstraps.
#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/phases/kubeadm_phase.hpp"
#include "installer/service_logs.hpp"

namespace kbundle {
namespace {

class KubeletStartPhase final : public KubeadmPhaseBase {
 public:
  using KubeadmPhaseBase::KubeadmPhaseBase;

  PhaseCheck check() override {
    FilesState state = look();
    std::vector<std::string> actions;
    for (const std::string& file : state.broken) actions.push_back("remove " + file + " (damaged)");
    for (const std::string& file : state.missing) actions.push_back("write " + file);
    if (state.good() && running() && !bootstrap_left_over())
      return PhaseCheck::done("the kubelet has its configuration and runs");
    if (state.good() && bootstrap_left_over())
      actions.push_back(std::string("remove ") + kBootstrapConfig);
    actions.push_back(state.good() ? "run systemctl start kubelet.service" : action());
    return PhaseCheck::todo(state.good() ? "the kubelet is started" : "the kubelet is set up",
                            actions);
  }

  std::string failure_details() override { return journal_tail(host_, "kubelet.service", 12); }

  void apply() override {
    const FilesState state = look();
    if (state.good()) {
      host_.run_checked({.argv = {"systemctl", "start", "kubelet.service"}});
      if (bootstrap_left_over()) host_.remove(kBootstrapConfig);
      return;
    }
    for (const std::string& file : state.broken) host_.remove(file);
    if (context_.initializes()) {
      run_kubeadm();
    } else {
      join_cluster();
    }
  }

 private:
  FilesState look() const {
    if (context_.initializes()) return check_kubelet_files(host_);
    FilesState state =
        check_worker(host_, context_.ticket ? context_.ticket->ca_cert_hash : std::string());
    // Where a later phase waits for the bootstrap, this one is done without the node's own
    // credentials: the kubelet writes their file before it has the certificate.
    if (later_phase_waits() && can_bootstrap()) {
      std::erase(state.missing, node_path::kubelet_config);
      std::erase(state.broken, node_path::kubelet_config);
    }
    return state;
  }

  bool can_bootstrap() const {
    const auto token = kubeconfig_token(host_, kBootstrapConfig);
    return token && context_.ticket && *token == context_.ticket->token;
  }

  bool later_phase_waits() const {
    const auto& phases = context_.kubeadm_phases();
    return std::any_of(phases.begin(), phases.end(), [](const KubeadmPhase& phase) {
      return phase.id() == "kubelet-wait-bootstrap";
    });
  }

  // kubeadm removes it at its end, unless it is killed there.
  bool bootstrap_left_over() const {
    return context_.joins() && !later_phase_waits() && host_.exists(kBootstrapConfig);
  }

  bool running() const {
    if (!host_.live()) return false;
    const auto state = host_.run({.argv = {"systemctl", "is-active", "kubelet.service"},
                                  .timeout = std::chrono::seconds(20)});
    // Before the rest of its files are there it is started again and again ("activating").
    const auto word = trim(state.output);
    return word == "active" || word == "activating";
  }

  // A node that joined, lost its files and joins again is refused while the cluster still takes
  // it for Ready (40 s).
  void join_cluster() const {
    for (;;) {
      try {
        run_kubeadm();
        return;
      } catch (const Error& error) {
        if (error.message().find("already exists in the cluster") == std::string::npos) throw;
        host_.pause(std::chrono::seconds(10), "the cluster to notice that this node was away");
        // Or the kubelet of a killed run has ended the join by itself meanwhile.
        if (look().good()) return;
      }
    }
  }
};

}  // namespace

std::unique_ptr<Phase> make_kubelet_start_phase(Context& context, KubeadmPhase phase) {
  return std::make_unique<KubeletStartPhase>(context, std::move(phase));
}

}  // namespace kbundle
