// Waits that this version of kubeadm hides: kbundle waits itself.
#include <algorithm>

#include "core/text.hpp"
#include "installer/phases/kubeadm_phase.hpp"
#include "installer/service_logs.hpp"

namespace kbundle {
namespace {

class WaitPhase final : public KubeadmPhaseBase {
 public:
  using KubeadmPhaseBase::KubeadmPhaseBase;

  PhaseCheck check() override {
    if (!holds()) return PhaseCheck::todo("waits for " + object(), {"wait for " + object()});
    if (!context_.master() && host_.exists(kBootstrapConfig))
      return PhaseCheck::todo("the bootstrap token is no longer needed",
                              {std::string("remove ") + kBootstrapConfig});
    return PhaseCheck::done(object() + (context_.master() ? " answers" : " is there"));
  }

  void apply() override {
    if (!phase_.own_wait) {
      run_kubeadm();
      return;
    }
    while (!holds()) host_.pause(std::chrono::seconds(1), object());
    // Its token has done its work.
    if (!context_.master()) host_.remove(kBootstrapConfig);
  }

  std::string failure_details() override {
    return journal_tail(host_, "kubelet.service", 12) +
           (context_.master() ? static_pod_logs(host_, 8) : std::string());
  }

 private:
  std::string object() const {
    return context_.master() ? "the API server at " + context_.network.node_ip + ":6443"
                             : std::string(node_path::kubelet_config);
  }

  bool holds() const {
    if (context_.master()) return kubectl_ok({"get", "--raw", "/healthz"});
    const FilesState state = check_worker(host_, "");
    const auto good = [](const std::vector<std::string>& wrong) {
      return std::find(wrong.begin(), wrong.end(), node_path::kubelet_config) == wrong.end();
    };
    return good(state.missing) && good(state.broken) &&
           host_.exists("/var/lib/kubelet/pki/kubelet-client-current.pem");
  }
};

}  // namespace

std::unique_ptr<Phase> make_wait_phase(Context& context, KubeadmPhase phase) {
  return std::make_unique<WaitPhase>(context, std::move(phase));
}

}  // namespace kbundle
