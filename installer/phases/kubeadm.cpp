// kubeadm's own phases, run by the bundle's kubeadm with the one kept configuration. check() asks
// the host: files are parsed, objects are looked up. For phases that leave several objects the
// journal has to know their end as well: a killed one may have left the first of them only.
#include <algorithm>

#include "core/text.hpp"
#include "installer/phases/kubeadm_phase.hpp"
#include "installer/phases/phases.hpp"

namespace kbundle {
namespace {

// Phases that leave objects in the cluster. All of them may be repeated.
class ObjectsPhase final : public KubeadmPhaseBase {
 public:
  using Lookups = std::vector<std::vector<std::string>>;
  ObjectsPhase(Context& context, KubeadmPhase phase, Lookups lookups)
      : KubeadmPhaseBase(context, std::move(phase)), lookups_(std::move(lookups)) {}

  PhaseCheck check() override {
    const bool there = context_.journal_ended(id()) &&
                       std::all_of(lookups_.begin(), lookups_.end(),
                                   [&](const auto& arguments) { return kubectl_ok(arguments); });
    if (there) return PhaseCheck::done("the cluster has it");
    return PhaseCheck::todo("the cluster is told", {action()});
  }

  void apply() override { run_kubeadm(); }

 private:
  Lookups lookups_;
};

// The kubelet's own configuration points to the certificate that it renews.
class KubeletFinalizePhase final : public KubeadmPhaseBase {
 public:
  using KubeadmPhaseBase::KubeadmPhaseBase;

  PhaseCheck check() override {
    const auto text = host_.read(node_path::kubelet_config);
    if (text && text->find("kubelet-client-current.pem") != std::string::npos)
      return PhaseCheck::done("the kubelet renews its certificate");
    return PhaseCheck::todo("the kubelet shall renew its certificate", {action()});
  }
  void apply() override { run_kubeadm(); }
};

bool has_super_admin(const Context& context) {
  return context.facts.version >= Version{1, 29, 0, ""};
}

std::unique_ptr<Phase> make_phase(Context& context, const KubeadmPhase& phase) {
  using Lookups = ObjectsPhase::Lookups;
  const std::string id = phase.id();
  const auto in_system = [](std::initializer_list<std::string> words) {
    std::vector<std::string> arguments = {"-n", "kube-system", "get"};
    arguments.insert(arguments.end(), words);
    return arguments;
  };
  if (id == "kubelet-start") return make_kubelet_start_phase(context, phase);
  if (phase.own_wait || id == "wait-control-plane") return make_wait_phase(context, phase);
  if (id == "certs/all") return make_files_phase(context, phase, check_certificates);
  if (id == "kubeconfig/all")
    return make_files_phase(context, phase,
                            [super_admin = has_super_admin(context)](const Host& host) {
                              return check_kubeconfigs(host, super_admin);
                            });
  if (id == "control-plane/all")
    return make_files_phase(context, phase, [](const Host& host) {
      return check_manifests(host, {"kube-apiserver", "kube-controller-manager", "kube-scheduler"});
    });
  if (id == "etcd/local")
    return make_files_phase(context, phase,
                            [](const Host& host) { return check_manifests(host, {"etcd"}); });
  if (id == "kubelet-finalize/all") return std::make_unique<KubeletFinalizePhase>(context, phase);
  if (id == "upload-config/all")
    return std::make_unique<ObjectsPhase>(
        context, phase,
        Lookups{in_system({"configmap", "kubeadm-config", context.facts.kubelet_configmap})});
  if (id == "mark-control-plane")
    return std::make_unique<ObjectsPhase>(
        context, phase,
        Lookups{{"get", "node", "-o", "name", "-l", context.facts.control_plane_label,
                 "--field-selector", "metadata.name=" + context.node_name}});
  if (id == "bootstrap-token")
    return std::make_unique<ObjectsPhase>(
        context, phase, Lookups{{"-n", "kube-public", "get", "configmap", "cluster-info"}});
  if (id == "addon/all")
    return std::make_unique<ObjectsPhase>(
        context, phase,
        Lookups{in_system({"deployment", "coredns"}), in_system({"daemonset", "kube-proxy"})});
  return std::make_unique<ObjectsPhase>(context, phase, Lookups{});
}

}  // namespace

std::vector<std::unique_ptr<Phase>> make_kubeadm_phases(Context& context) {
  std::vector<std::unique_ptr<Phase>> result;
  const auto& phases =
      context.master() ? context.facts.init_phases : context.facts.join_worker_phases;
  for (const KubeadmPhase& phase : phases) result.push_back(make_phase(context, phase));
  return result;
}

}  // namespace kbundle
