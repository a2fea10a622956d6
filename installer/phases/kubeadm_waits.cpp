// Waits that this version of kubeadm hides: kbundle waits itself.
#include <algorithm>

#include "core/text.hpp"
#include "installer/phases/kubeadm_phase.hpp"
#include "installer/service_logs.hpp"

namespace kbundle {
namespace {

// The node's own API server answers; on the first master also through the cluster's endpoint,
// which kubeadm's later phases ask. What a joined master sees through it, others may have said.
class ApiServerWait final : public KubeadmPhaseBase {
 public:
  using KubeadmPhaseBase::KubeadmPhaseBase;

  PhaseCheck check() override {
    const std::string open = what_is_open();
    if (!open.empty()) return PhaseCheck::todo("waits for " + open, {"wait for " + open});
    return PhaseCheck::done("the API server at " + context_.own_api() + " answers");
  }

  void apply() override {
    for (;;) {
      const std::string open = what_is_open();
      if (open.empty()) return;
      host_.pause(std::chrono::seconds(1), open);
    }
  }

  std::string failure_details() override {
    return journal_tail(host_, "kubelet.service", 12) + static_pod_logs(host_, 8);
  }

 private:
  std::string what_is_open() const {
    if (!answers(context_.own_api())) return "the API server at " + context_.own_api();
    const std::string endpoint = context_.api_endpoint();
    if (context_.initializes() && endpoint != context_.own_api() && !answers(endpoint))
      return "the API server behind " + endpoint + " (--control-plane-endpoint or --vip)";
    return {};
  }

  bool answers(const std::string& server) const {
    return kubectl_ok({"get", "--raw", "/healthz", "--server=https://" + server});
  }
};

// The kubelet has its own credentials, and the bootstrap token is gone.
class BootstrapWait final : public KubeadmPhaseBase {
 public:
  using KubeadmPhaseBase::KubeadmPhaseBase;

  PhaseCheck check() override {
    const std::string object = node_path::kubelet_config;
    if (!holds()) return PhaseCheck::todo("waits for " + object, {"wait for " + object});
    if (host_.exists(kBootstrapConfig))
      return PhaseCheck::todo("the bootstrap token is no longer needed",
                              {std::string("remove ") + kBootstrapConfig});
    return PhaseCheck::done(object + " is there");
  }

  void apply() override {
    if (!phase_.own_wait) {
      run_kubeadm();
      return;
    }
    while (!holds()) host_.pause(std::chrono::seconds(1), node_path::kubelet_config);
    host_.remove(kBootstrapConfig);  // its token has done its work
  }

  std::string failure_details() override { return journal_tail(host_, "kubelet.service", 12); }

 private:
  bool holds() const {
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
  if (phase.id() == "wait-control-plane")
    return std::make_unique<ApiServerWait>(context, std::move(phase));
  return std::make_unique<BootstrapWait>(context, std::move(phase));
}

}  // namespace kbundle
