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

// A joining node's kubelet.conf comes from its bootstrap.
std::vector<std::string> kubeconfig_names(const Context& context) {
  std::vector<std::string> names = {"admin", "controller-manager", "scheduler"};
  if (!context.initializes()) return names;
  names.emplace_back("kubelet");
  if (context.facts.version >= Version{1, 29, 0, ""}) names.emplace_back("super-admin");
  return names;
}

// Phases that leave files, of init and of join; nullptr for others.
std::unique_ptr<Phase> make_phase_of_files(Context& context, const KubeadmPhase& phase) {
  const std::string id = phase.id();
  const bool external = context.external_etcd;
  const auto files = [&](std::function<FilesState(const Host&)> look) {
    return make_files_phase(context, phase, std::move(look));
  };
  if (id == "control-plane-prepare/download-certs")
    return files([external, ticket = context.ticket.value_or(JoinTicket())](const Host& host) {
      FilesState state = check_shared_certificates(host, ticket.ca_cert_hash, external);
      for (const std::string& file : ticket.external_etcd_files)
        if (host.read(file).value_or("").empty()) state.missing.push_back(file);
      return state;
    });
  if (id == "certs/all" || id == "control-plane-prepare/certs")
    return files([external](const Host& host) { return check_certificates(host, external); });
  if (id == "kubeconfig/all" || id == "control-plane-prepare/kubeconfig")
    return files([names = kubeconfig_names(context)](const Host& host) {
      return check_kubeconfigs(host, names);
    });
  if (id == "control-plane/all" || id == "control-plane-prepare/control-plane")
    return files([](const Host& host) {
      return check_manifests(host, {"kube-apiserver", "kube-controller-manager", "kube-scheduler"});
    });
  if (id == "etcd/local")
    return files([](const Host& host) { return check_manifests(host, {"etcd"}); });
  return nullptr;
}

std::unique_ptr<Phase> make_phase(Context& context, const KubeadmPhase& phase) {
  using Lookups = ObjectsPhase::Lookups;
  const std::string id = phase.id();
  const auto in_system = [](std::initializer_list<std::string> words) {
    std::vector<std::string> arguments = {"-n", "kube-system", "get"};
    arguments.insert(arguments.end(), words);
    return arguments;
  };
  if (auto files = make_phase_of_files(context, phase)) return files;
  if (id == "kubelet-start") return make_kubelet_start_phase(context, phase);
  if (id == "check-etcd") return make_check_etcd_phase(context, phase);
  if (id == "control-plane-join/etcd" || id == "etcd-join")
    return make_etcd_join_phase(context, phase);
  if (id == "wait-control-plane" || id == "kubelet-wait-bootstrap")
    return make_wait_phase(context, phase);
  if (id == "kubelet-finalize/all") return std::make_unique<KubeletFinalizePhase>(context, phase);
  if (id == "upload-config/all")
    return std::make_unique<ObjectsPhase>(
        context, phase,
        Lookups{in_system({"configmap", "kubeadm-config", context.facts.kubelet_configmap})});
  if (id == "mark-control-plane" || id == "control-plane-join/mark-control-plane")
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
  for (const KubeadmPhase& phase : context.kubeadm_phases()) {
    const std::string id = phase.id();
    const bool of_etcd = id == "etcd/local" || id == "check-etcd" || id == "etcd-join" ||
                         id == "control-plane-join/etcd";
    if (of_etcd && context.external_etcd) continue;
    // What kubeadm does after this wait goes through the cluster's endpoint.
    if (id == "wait-control-plane" && context.initializes() && !context.vip.empty())
      result.push_back(make_virtual_address_phase(context));
    result.push_back(make_phase(context, phase));
  }
  return result;
}

}  // namespace kbundle
