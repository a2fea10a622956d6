// The end that counts: the node is Ready, and everything the cluster itself needs runs.
#include <set>
#include <sstream>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/phases/phases.hpp"
#include "installer/service_logs.hpp"

namespace kbundle {
namespace {

constexpr auto kInterval = std::chrono::seconds(2);

class ReadyPhase final : public Phase {
 public:
  explicit ReadyPhase(Context& context)
      : Phase("ready", "node and system pods", std::chrono::minutes(10)),
        context_(context),
        host_(context.host) {}

  PhaseCheck check() override {
    const std::string open = what_is_open();
    if (open.empty()) return PhaseCheck::done(done_text());
    return PhaseCheck::todo(open, {"wait for " + object()});
  }

  void apply() override {
    std::string before;
    for (;;) {
      const std::string open = what_is_open();
      if (open.empty()) return;
      if (open != before) context_.progress.line("  waiting: " + open);
      before = open;
      last_ = open;
      host_.pause(kInterval, object() + " (" + open + ")");
    }
  }

  std::string failure_details() override {
    std::string text = "still open: " + last_ + "\n" + journal_tail(host_, "kubelet.service", 10);
    if (!context_.master()) return text;
    const auto events = host_.run(context_.kubectl(
        {"get", "events", "-A", "--field-selector", "type=Warning", "--sort-by=.lastTimestamp",
         "-o", "custom-columns=OBJECT:.involvedObject.name,REASON:.reason,MESSAGE:.message",
         "--no-headers"}));
    auto lines = split(trim(events.output), '\n');
    if (lines.size() > 10) lines.erase(lines.begin(), lines.end() - 10);
    text += "last warnings of the cluster:\n";
    for (const std::string& line : lines) text += "  | " + printable(line.substr(0, 300)) + "\n";
    return text;
  }

 private:
  bool has_cni() const { return context_.inventory.cni != "none"; }

  std::string object() const {
    return context_.master() ? "node " + context_.node_name + " and the system's pods"
                             : "node " + context_.node_name;
  }
  std::string done_text() const {
    if (!has_cni()) return "the node is there; it gets Ready with a CNI add-on";
    return context_.master() ? "the node is Ready, the system's pods run" : "the node is Ready";
  }

  std::string what_is_open() const {
    const char* credentials =
        context_.master() ? node_path::admin_config : node_path::kubelet_config;
    if (!host_.live() || !host_.exists(credentials) || !context_.has_program("kubectl"))
      return "there is no cluster yet";
    const auto node =
        host_.run(context_.kubectl({"get", "node", context_.node_name, "-o",
                                    "jsonpath={.status.conditions[?(@.type==\"Ready\")].status} "
                                    "{.status.conditions[?(@.type==\"Ready\")].message}"}));
    if (!node.ok()) {
      const auto lines = split(trim(node.errors), '\n');
      return "node " + context_.node_name + ": " + printable(lines.empty() ? "" : lines.back());
    }
    if (has_cni() && !node.output.starts_with("True")) {
      const auto space = node.output.find(' ');
      return "node not Ready: " +
             printable(space == std::string::npos ? "" : node.output.substr(space + 1, 200));
    }
    if (!context_.master()) return {};
    std::set<std::string> spaces = {"kube-system"};
    if (context_.cni && has_cni()) spaces.insert(context_.cni->cni_namespace);
    std::vector<std::string> open;
    for (const std::string& space : spaces) add_open_pods(space, open);
    return join(open, ", ");
  }

  // Of this node's pods and CoreDNS's: what runs, or does not, elsewhere is not this install's.
  void add_open_pods(const std::string& space, std::vector<std::string>& open) const {
    const auto pods =
        host_.run(context_.kubectl({"-n", space, "get", "pods", "--no-headers", "-o",
                                    "custom-columns=NAME:.metadata.name,PHASE:.status.phase,"
                                    "NODE:.spec.nodeName,"
                                    "READY:.status.containerStatuses[*].ready,"
                                    "WAITING:.status.containerStatuses[*].state.waiting.reason,"
                                    "INIT:.status.initContainerStatuses[*].state.waiting.reason"}));
    if (!pods.ok()) {
      open.push_back("pods of " + space + " cannot be listed");
      return;
    }
    std::set<std::string> ours;
    for (const std::string& line : split(pods.output, '\n')) {
      std::istringstream in(line);
      std::string name, phase, node, ready, waiting, init;
      if (!(in >> name >> phase >> node >> ready)) continue;
      in >> waiting >> init;
      const bool coredns = space == "kube-system" && name.starts_with("coredns-");
      if (node != context_.node_name && !coredns) continue;
      // An ended pod comes to nothing any more; its owner makes another one.
      if (phase == "Failed" || phase == "Succeeded") continue;
      ours.insert(name);
      // Without a CNI add-on CoreDNS has no network to run in.
      if (!has_cni() && coredns) continue;
      const bool good = phase == "Running" && ready.find("false") == std::string::npos &&
                        ready.find("true") != std::string::npos;
      if (good) continue;
      const std::string& why = waiting != "<none>" && !waiting.empty() ? waiting
                               : init != "<none>" && !init.empty()     ? init
                                                                       : phase;
      open.push_back(printable(name) + " " + printable(why));
    }
    if (ours.empty()) open.push_back("no pods in " + space + " yet");
    if (space != "kube-system") return;
    for (const char* name : {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"})
      if (!ours.contains(std::string(name) + "-" + context_.node_name))
        open.push_back(std::string(name) + " not there");
  }

  Context& context_;
  Host& host_;
  std::string last_ = "nothing was seen";
};

}  // namespace

std::unique_ptr<Phase> make_ready_phase(Context& context) {
  return std::make_unique<ReadyPhase>(context);
}

}  // namespace kbundle
