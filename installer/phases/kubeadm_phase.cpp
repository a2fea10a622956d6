#include "installer/phases/kubeadm_phase.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

// `kubeadm join`'s phases; the words that --skip-phases takes.
constexpr const char* kJoinPhases[] = {
    "preflight", "control-plane-prepare",  "check-etcd",         "kubelet-start",
    "etcd-join", "kubelet-wait-bootstrap", "control-plane-join", "wait-control-plane"};

std::chrono::seconds timeout_of(const std::string& id, bool joins) {
  if (id == "wait-control-plane" || id == "kubelet-wait-bootstrap" || id == "etcd-join" ||
      id == "control-plane-join/etcd")
    return std::chrono::minutes(6);
  if (id == "kubelet-start" && joins) return std::chrono::minutes(8);
  return std::chrono::minutes(4);
}

std::string title_of(const std::string& id, bool joins) {
  return std::string("kubeadm ") + (joins ? "join " : "init ") + id;
}

}  // namespace

KubeadmPhaseBase::KubeadmPhaseBase(Context& context, KubeadmPhase phase)
    : Phase(phase.id(), title_of(phase.id(), context.joins()),
            timeout_of(phase.id(), context.joins())),
      context_(context),
      host_(context.host),
      phase_(std::move(phase)) {}

std::vector<std::string> KubeadmPhaseBase::argv() const {
  if (phase_.hidden) {
    std::vector<std::string> others;
    for (const char* name : kJoinPhases)
      if (name != phase_.id()) others.emplace_back(name);
    return {context_.program("kubeadm"), "join", "--config", node_path::kubeadm_config,
            "--skip-phases=" + join(others, ",")};
  }
  std::vector<std::string> result = {context_.program("kubeadm"),
                                     context_.initializes() ? "init" : "join", "phase"};
  result.insert(result.end(), phase_.words.begin(), phase_.words.end());
  result.insert(result.end(), phase_.extra_flags.begin(), phase_.extra_flags.end());
  if (phase_.takes_config) result.insert(result.end(), {"--config", node_path::kubeadm_config});
  return result;
}

std::string KubeadmPhaseBase::action() const {
  return "run " + to_shell(argv());
}

void KubeadmPhaseBase::run_kubeadm() const {
  if (!context_.has_program("kubeadm"))
    throw Error(ExitCode::phase, context_.program("kubeadm") + " is not the bundle's kubeadm",
                "run the same command again without --only-phase or --skip-phases");
  Command command;
  command.argv = argv();
  command.timeout = timeout();
  host_.run_checked(std::move(command));
}

bool KubeadmPhaseBase::kubectl_ok(std::vector<std::string> arguments) const {
  if (!host_.live() || !host_.exists(node_path::admin_config) || !context_.has_program("kubectl"))
    return false;
  const auto result = host_.run(context_.kubectl(std::move(arguments)));
  // A list that matches nothing ends well, too, and prints nothing.
  return result.ok() && !trim(result.output).empty();
}

}  // namespace kbundle
