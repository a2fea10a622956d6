// --drain: the node takes no new pods, and those a controller looks after go elsewhere through the
// eviction API, which honours disruption budgets. A worker's own credentials suffice, which
// `kubectl drain` (it reads DaemonSets) cannot say. The journal knows whether it was kbundle that
// cordoned the node: only then it is uncordoned.
#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/upgrade_plan.hpp"

namespace kbundle {
namespace {

constexpr const char* kDrain = "drain";
constexpr const char* kCordonTaint = "node.kubernetes.io/unschedulable";
constexpr auto kPatience = std::chrono::minutes(3);
constexpr const char* kMirror = "kubernetes.io/config.mirror";

struct PodName {
  std::string ns, name;
  std::string str() const { return ns + "/" + name; }
};

class CordonBase : public Phase {
 public:
  CordonBase(UpgradePlan& plan, std::string id, std::string title, std::chrono::seconds timeout)
      : Phase(std::move(id), std::move(title), timeout),
        context_(plan.context),
        host_(plan.context.host) {}

 protected:
  Json query(std::vector<std::string> arguments) const {
    const auto result = host_.run_checked(context_.kubectl(std::move(arguments)));
    return parse_json(result.output, "kubectl's answer", {.size = 64U << 20U, .depth = 64});
  }
  bool cordoned() const {
    const Json node = query({"get", "node", context_.node_name, "-o", "json"});
    return node["spec"].value("unschedulable", false);
  }
  void set_unschedulable(bool value) const {
    host_.run_checked(context_.kubectl({"patch", "node", context_.node_name, "-p",
                                        Json{{"spec", {{"unschedulable", value}}}}.dump()}));
  }
  bool cordoned_by_us() const {
    return context_.journal != nullptr && context_.journal->begun(kDrain);
  }

  Context& context_;
  Host& host_;
};

class DrainPhase final : public CordonBase {
 public:
  explicit DrainPhase(UpgradePlan& plan)
      : CordonBase(plan, kDrain, "pods go to other nodes", std::chrono::minutes(15)) {}

  PhaseCheck check() override {
    if (context_.journal_ended(id())) return PhaseCheck::done("the node was drained");
    if (!cordoned_by_us() && cordoned())
      return PhaseCheck::done("somebody else has cordoned this node: it stays as it is");
    std::vector<std::string> actions = {"cordon node " + context_.node_name};
    for (const PodName& pod : pods()) actions.push_back("evict pod " + pod.str());
    return PhaseCheck::todo("the node's pods go to others", actions);
  }

  void apply() override {
    set_unschedulable(true);
    wait_for_controllers();
    for (const PodName& pod : unmanaged_)
      context_.progress.warn("pod " + pod.str() +
                             " has no controller that would make it again: it stays here");
    for (auto open = pods(); !open.empty(); open = pods()) {
      for (const PodName& pod : open) evict(pod);
      last_ = open.front().str() + ": " + answer_;
      host_.pause(std::chrono::seconds(1), "pod " + last_);
    }
  }

  std::string failure_details() override { return "still here: " + last_ + "\n"; }

 private:
  // The controller manager answers a cordon with a taint. One that was just renewed does nothing
  // until its predecessor's lease is over, and a pod that is evicted meanwhile ends without being
  // taken out of its services' endpoints: every other request would go to it.
  void wait_for_controllers() const {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!tainted()) {
      if (std::chrono::steady_clock::now() >= end) {
        context_.progress.warn(
            "no controller manager has answered the cordon; pods are evicted "
            "all the same, and requests to their services may fail");
        return;
      }
      host_.pause(std::chrono::seconds(1), "the controller manager");
    }
  }

  bool tainted() const {
    const Json node = query({"get", "node", context_.node_name, "-o", "json"});
    for (const Json& taint : node["spec"].value("taints", Json::array()))
      if (taint.value("key", "") == kCordonTaint) return true;
    return false;
  }

  // Pods of this node that a controller makes again elsewhere.
  std::vector<PodName> pods() {
    std::vector<PodName> result;
    unmanaged_.clear();
    const Json list = query({"get", "pods", "-A", "-o", "json", "--field-selector",
                             "spec.nodeName=" + context_.node_name});
    for (const Json& pod : list["items"]) {
      const Json& meta = pod["metadata"];
      const PodName name{meta.value("namespace", ""), meta.value("name", "")};
      if (meta.value("annotations", Json::object()).contains(kMirror)) continue;
      const std::string phase = pod["status"].value("phase", "");
      if (phase == "Succeeded" || phase == "Failed") continue;
      std::string owner;
      for (const Json& reference : meta.value("ownerReferences", Json::array()))
        if (reference.value("controller", false)) owner = reference.value("kind", "");
      if (owner == "DaemonSet") continue;
      if (owner.empty()) {
        unmanaged_.push_back(name);
      } else {
        result.push_back(name);
      }
    }
    return result;
  }

  // 429 is a disruption budget's word: later. Gone meanwhile is fine.
  void evict(const PodName& pod) {
    const Json eviction = {{"apiVersion", context_.facts.eviction_api},
                           {"kind", "Eviction"},
                           {"metadata", {{"name", pod.name}, {"namespace", pod.ns}}}};
    Command command = context_.kubectl(
        {"create", "--raw", "/api/v1/namespaces/" + pod.ns + "/pods/" + pod.name + "/eviction",
         "-f", "-"});
    command.input = eviction.dump();
    const auto result = host_.run(std::move(command));
    answer_ = result.ok() ? "being ended" : printable(trim(result.errors));
  }

  std::vector<PodName> unmanaged_;
  std::string last_ = "nothing was seen", answer_;
};

class UncordonPhase final : public CordonBase {
 public:
  explicit UncordonPhase(UpgradePlan& plan)
      : CordonBase(plan, "uncordon", "the node takes pods again", std::chrono::minutes(3)) {}

  PhaseCheck check() override {
    if (!cordoned_by_us()) return PhaseCheck::done("kbundle did not cordon this node");
    if (context_.journal_ended(id())) return PhaseCheck::done("the node takes pods");
    return PhaseCheck::todo("the node takes pods again", {"uncordon node " + context_.node_name});
  }
  void apply() override { set_unschedulable(false); }
};

}  // namespace

std::unique_ptr<Phase> make_drain_phase(UpgradePlan& plan) {
  return std::make_unique<DrainPhase>(plan);
}

std::unique_ptr<Phase> make_uncordon_phase(UpgradePlan& plan) {
  return std::make_unique<UncordonPhase>(plan);
}

}  // namespace kbundle
