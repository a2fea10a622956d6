// kubeadm gives kube-proxy's DaemonSet the new image, and the cluster changes one node after the
// other. A node is upgraded when its own is; that the cluster takes long is no failure of the
// node's. Before pods are drained from a master all are waited for: one that restarts meanwhile
// goes on sending requests to pods that are gone.
#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/upgrade_plan.hpp"

namespace kbundle {
namespace {

constexpr auto kPatience = std::chrono::minutes(3);

class KubeProxyPhase final : public Phase {
 public:
  explicit KubeProxyPhase(UpgradePlan& plan)
      : Phase("kube-proxy",
              everywhere(plan) ? "kube-proxy is renewed" : "this node's kube-proxy is renewed",
              std::chrono::minutes(5)),
        everywhere_(everywhere(plan)),
        context_(plan.context),
        host_(plan.context.host) {}

  PhaseCheck check() override {
    if (renewed())
      return PhaseCheck::done(everywhere_ ? "kube-proxy is the new one on each node"
                                          : "kube-proxy here is the new one");
    return PhaseCheck::todo("the cluster renews kube-proxy", {"wait for " + wanted()});
  }

  void apply() override {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!renewed()) {
      if (std::chrono::steady_clock::now() >= end) {
        context_.progress.warn("kube-proxy on " +
                               std::string(everywhere_ ? "each node" : "this node") + " is not " +
                               wanted() + " yet; the cluster goes on renewing it");
        return;
      }
      host_.pause(std::chrono::seconds(2), "kube-proxy as " + wanted());
    }
  }

 private:
  static bool everywhere(const UpgradePlan& plan) {
    return plan.options.drain && plan.context.master();
  }

  std::string wanted() const {
    for (const std::string& image : context_.facts.images)
      if (image.find("/kube-proxy:") != std::string::npos) return context_.renamed(image);
    return {};
  }

  bool renewed() const { return everywhere_ ? rolled_out() : renewed_here(); }

  // As `kubectl rollout status` tells it; where a site has another proxy there is nothing to wait
  // for.
  bool rolled_out() const {
    const auto answer = host_.run(context_.kubectl(
        {"-n", "kube-system", "get", "daemonset", "kube-proxy", "--ignore-not-found", "-o",
         "jsonpath={.metadata.generation} {.status.observedGeneration} "
         "{.status.desiredNumberScheduled} {.status.updatedNumberScheduled} "
         "{.status.numberAvailable}"}));
    if (!answer.ok()) return false;
    const std::string text(trim(answer.output));
    if (text.empty()) return true;
    // A number that is 0 is left out.
    const auto numbers = split(text, ' ');
    return numbers.size() == 5 && numbers[0] == numbers[1] && numbers[2] == numbers[3] &&
           numbers[2] == numbers[4];
  }

  // "image ready" of each; a worker's credentials may see no more than its own.
  bool renewed_here() const {
    const auto pods =
        host_.run(context_.kubectl({"-n", "kube-system", "get", "pods", "-l", "k8s-app=kube-proxy",
                                    "--field-selector", "spec.nodeName=" + context_.node_name, "-o",
                                    "jsonpath={range .items[*]}{.spec.containers[0].image} "
                                    "{.status.containerStatuses[0].ready}{\"\\n\"}{end}"}));
    if (!pods.ok()) return false;
    for (const std::string& line : split(pods.output, '\n'))
      if (!trim(line).empty() && trim(line) != wanted() + " true") return false;
    return true;
  }

  bool everywhere_;  // or on this node
  Context& context_;
  Host& host_;
};

}  // namespace

std::unique_ptr<Phase> make_kube_proxy_phase(UpgradePlan& plan) {
  return std::make_unique<KubeProxyPhase>(plan);
}

}  // namespace kbundle
