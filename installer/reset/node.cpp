// The kubelet, kbundle's own services, and the node's object in the cluster.
#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/context.hpp"
#include "installer/network.hpp"
#include "installer/reset/steps.hpp"

namespace kbundle {
namespace {

// Stopped first, or pods come back and files are made anew.
class ServicesStep final : public Phase {
 public:
  explicit ServicesStep(ResetContext& context)
      : Phase("services", "stop the kubelet", std::chrono::minutes(3)), context_(context) {}

  PhaseCheck check() override {
    std::vector<std::string> actions;
    for (const std::string& unit : units())
      if (runs(unit)) actions.push_back("stop " + unit);
    if (actions.empty()) return PhaseCheck::done("nothing of it runs");
    return PhaseCheck::todo("services run", actions);
  }

  void apply() override {
    for (const std::string& unit : units())
      if (runs(unit))
        context_.attempt(id(), [&] {
          context_.host.run_checked(
              {.argv = {"systemctl", "stop", unit}, .timeout = std::chrono::minutes(2)});
        });
  }

 private:
  // kbundle's own timers and services, and the kubelet.
  std::vector<std::string> units() const {
    std::vector<std::string> result = {"kubelet.service"};
    for (const Json& record : context_.journal.undo_records()) {
      const std::string name = record.value("name", "");
      if (record.value("touch", "") == "unit" && name.starts_with("kbundle-") &&
          name != "kbundle-service-route.service")
        result.push_back(name);
    }
    return result;
  }

  bool runs(const std::string& unit) const {
    const auto state = context_.host.run(
        {.argv = {"systemctl", "is-active", unit}, .timeout = std::chrono::seconds(20)});
    const auto word = trim(state.output);
    return word == "active" || word == "activating" || word == "reloading";
  }

  ResetContext& context_;
};

// A courtesy to the cluster: that it cannot be paid is no reason to stay.
class NodeObjectStep final : public Phase {
 public:
  explicit NodeObjectStep(ResetContext& context)
      : Phase("node-object", "take the node out of the cluster", std::chrono::minutes(2)),
        context_(context) {}

  PhaseCheck check() override {
    if (tried_) return PhaseCheck::done("tried");
    tried_ = !find_server();
    if (tried_) return PhaseCheck::done("the cluster does not answer, or does not know it");
    return PhaseCheck::todo("the cluster knows this node", {"delete node " + context_.node_name});
  }

  void apply() override {
    tried_ = true;
    if (kubectl({"delete", "node", context_.node_name, "--wait=false"}).ok()) return;
    context_.notes.insert(
        "the cluster still has the node's object; on a master: kubectl delete "
        "node " +
        context_.node_name);
  }

 private:
  // Without its etcd this master's own API server has ended: the others are asked, or the address
  // that moves between them, once one of them has taken it.
  bool find_server() {
    std::vector<std::string> servers;
    for (const std::string& address : context_.other_masters)
      servers.push_back("https://" + in_url(address) + ":6443");
    servers.emplace_back();
    const bool moves = !context_.vip.empty() && context_.journal.reset_did("etcd-member");
    const int rounds = moves ? 5 : 1;
    for (int round = 0; round < rounds; ++round) {
      if (round > 0) context_.host.pause(std::chrono::seconds(2), "another master's API server");
      for (const std::string& server : servers) {
        server_ = server;
        const auto answer =
            kubectl({"get", "node", context_.node_name, "-o", "name", "--ignore-not-found"});
        if (answer.ok()) return !trim(answer.output).empty();
      }
    }
    return false;
  }

  CommandResult kubectl(const std::vector<std::string>& arguments) const {
    auto argv = context_.kubectl();
    if (argv.empty()) return {1, false, "", ""};
    if (!server_.empty()) argv.push_back("--server=" + server_);
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return context_.host.run({.argv = argv, .timeout = std::chrono::seconds(40)});
  }

  ResetContext& context_;
  std::string server_;  ///< empty: as the kubeconfig says
  bool tried_ = false;
};

}  // namespace

std::unique_ptr<Phase> make_services_step(ResetContext& context) {
  return std::make_unique<ServicesStep>(context);
}

std::unique_ptr<Phase> make_node_object_step(ResetContext& context) {
  return std::make_unique<NodeObjectStep>(context);
}

}  // namespace kbundle
