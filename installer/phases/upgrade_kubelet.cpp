// The kubelet of the new version takes over; containers go on running meanwhile. Its flags come
// first, so that the coherence gate stands between them and the restart.
#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/service_logs.hpp"
#include "installer/upgrade_plan.hpp"

namespace kbundle {
namespace {

constexpr const char* kFlags = "/var/lib/kubelet/kubeadm-flags.env";
constexpr const char* kPauseFlag = "--pod-infra-container-image=";

class KubeletFlagsPhase final : public Phase {
 public:
  explicit KubeletFlagsPhase(UpgradePlan& plan)
      : Phase("kubelet-flags", "the kubelet's pause image", std::chrono::minutes(1)),
        context_(plan.context),
        host_(plan.context.host) {}

  PhaseCheck check() override {
    if (wanted() == host_.read(kFlags).value_or(""))
      return PhaseCheck::done("the kubelet's flags name no other pause image");
    return PhaseCheck::todo(
        "the kubelet keeps " + context_.pause_image() + " from its garbage collection",
        {std::string("write ") + kFlags + ": " + kPauseFlag + context_.pause_image()});
  }

  void apply() override { host_.write(kFlags, wanted(), host_.mode(kFlags)); }

 private:
  // Newer kubelets have no such flag, and none is added.
  std::string wanted() const {
    std::string text = host_.read(kFlags).value_or("");
    const auto at = text.find(kPauseFlag);
    if (at == std::string::npos) return text;
    const auto start = at + std::string_view(kPauseFlag).size();
    const auto end = text.find_first_of(" \"\n", start);
    return text.replace(start, end == std::string::npos ? end : end - start,
                        context_.pause_image());
  }

  Context& context_;
  Host& host_;
};

class UpgradeKubeletPhase final : public Phase {
 public:
  explicit UpgradeKubeletPhase(UpgradePlan& plan)
      : Phase("kubelet", "the kubelet of the new version", std::chrono::minutes(6)),
        context_(plan.context),
        host_(plan.context.host) {}

  PhaseCheck check() override {
    if (context_.journal_ended(id()) && runs_new_program())
      return PhaseCheck::done("the kubelet runs as " + context_.facts.version.str());
    return PhaseCheck::todo("the kubelet is restarted as " + context_.facts.version.str(),
                            {"run systemctl restart kubelet.service"});
  }

  void apply() override {
    host_.run_checked({.argv = {"systemctl", "daemon-reload"}});
    host_.run_checked({.argv = {"systemctl", "restart", "kubelet.service"}});
    const std::string wanted = context_.facts.version.str() + " True";
    while (!runs_new_program() || seen() != wanted)
      host_.pause(std::chrono::seconds(2), "node " + context_.node_name + " Ready with kubelet " +
                                               context_.facts.version.str());
  }

  std::string failure_details() override { return journal_tail(host_, "kubelet.service", 15); }

 private:
  // The program of a process that was replaced on disk is no longer the file there.
  bool runs_new_program() const {
    const auto shown = host_.run({.argv = {"systemctl", "show", "-p", "MainPID", "kubelet.service"},
                                  .timeout = std::chrono::seconds(20)});
    const std::string text(trim(shown.output));
    if (!shown.ok() || !text.starts_with("MainPID=") || text == "MainPID=0") return false;
    std::error_code error;
    const auto program = std::filesystem::read_symlink(
        host_.at("/proc/" + text.substr(std::string_view("MainPID=").size()) + "/exe"), error);
    return !error && program.string() == context_.program("kubelet") &&
           context_.has_program("kubelet");
  }

  std::string seen() const {
    const auto node =
        host_.run(context_.kubectl({"get", "node", context_.node_name, "-o",
                                    "jsonpath={.status.nodeInfo.kubeletVersion} "
                                    "{.status.conditions[?(@.type==\"Ready\")].status}"}));
    return node.ok() ? std::string(trim(node.output)) : std::string();
  }

  Context& context_;
  Host& host_;
};

}  // namespace

std::unique_ptr<Phase> make_kubelet_flags_phase(UpgradePlan& plan) {
  return std::make_unique<KubeletFlagsPhase>(plan);
}

std::unique_ptr<Phase> make_upgrade_kubelet_phase(UpgradePlan& plan) {
  return std::make_unique<UpgradeKubeletPhase>(plan);
}

}  // namespace kbundle
