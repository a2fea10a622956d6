#include "installer/reset/etcd_member.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/context.hpp"
#include "installer/reset/steps.hpp"
#include "manifests/catalog.hpp"

namespace kbundle {
namespace {

constexpr const char* kManifest = "/etc/kubernetes/manifests/etcd.yaml";
constexpr const char* kDone = "etcd-member";

class EtcdMemberStep final : public Phase {
 public:
  explicit EtcdMemberStep(ResetContext& context)
      : Phase("etcd-member", "take this master's member out of etcd", std::chrono::minutes(3)),
        context_(context) {}

  PhaseCheck check() override {
    if (context_.journal.reset_did(kDone)) return PhaseCheck::done("it was taken out");
    if (!context_.master || !context_.host.exists(kManifest))
      return PhaseCheck::done("there is no etcd here");
    const auto members = find_members();
    if (!members) {
      context_.notes.insert(
          "etcd could not be asked. If this cluster has other masters, look there whether the "
          "member " +
          context_.node_name + " is still listed: etcdctl member list");
      return PhaseCheck::done("etcd does not answer here");
    }
    const bool listed = std::any_of(members->begin(), members->end(), [&](const EtcdMember& m) {
      return m.name == context_.node_name;
    });
    if (!listed) return PhaseCheck::done("it is no member any more");
    if (members->size() == 1) return PhaseCheck::done("it is the only member");
    if (const auto trouble = quorum_trouble(*members, context_.node_name); !trouble.empty()) {
      if (context_.options.force) {
        context_.notes.insert("the etcd member was not taken out: " + trouble);
        return PhaseCheck::done("left in by --force");
      }
      return PhaseCheck::conflict(
          trouble +
          ". Bring the others up, or take the dead ones out first (kbundle reset there, or etcdctl "
          "member remove). --force when the whole cluster is to go");
    }
    return PhaseCheck::todo("etcd has " + std::to_string(members->size()) + " members",
                            {"remove the etcd member " + context_.node_name});
  }

  void apply() override {
    Host& host = context_.host;
    const auto kubeadm = host.program("kubeadm");
    if (!kubeadm)
      throw Error(ExitCode::phase, "kubeadm, which takes an etcd member out, is not there",
                  "on another master: etcdctl member remove; then here kbundle reset --force");
    const auto facts = Catalog::builtin().facts(context_.journal.plan().kubernetes_version);
    for (const std::string& phase : facts.reset_phases) {
      Command command;
      command.argv = {*kubeadm, "reset", "phase", phase};
      if (phase == "remove-etcd-member")
        command.argv.insert(command.argv.end(), {"--kubeconfig", node_path::admin_config});
      command.timeout = std::chrono::minutes(2);
      // It says "failed to remove etcd member" and ends well.
      const auto result = host.run_checked(std::move(command));
      const std::string said = result.output + result.errors;
      if (to_lower(said).find("failed to remove etcd member") != std::string::npos)
        throw Error(ExitCode::phase,
                    "kubeadm could not take the member out:\n" + std::string(trim(said)),
                    "look at etcd's log, then run the same command again");
    }
    context_.journal.reset_done(kDone);
  }

 private:
  std::optional<std::vector<EtcdMember>> find_members() const {
    auto argv = context_.kubectl();
    if (argv.empty()) return std::nullopt;
    argv.insert(argv.end(),
                {"-n", "kube-system", "get", "pods", "-l", "component=etcd", "-o", "json"});
    const auto result = context_.host.run({.argv = argv, .timeout = std::chrono::seconds(40)});
    if (!result.ok()) return std::nullopt;
    return etcd_members(result.output);
  }

  ResetContext& context_;
};

}  // namespace

std::vector<EtcdMember> etcd_members(std::string_view pods_json) {
  const std::string what = "the list of etcd's pods";
  std::vector<EtcdMember> result;
  const Json list = parse_json(pods_json, what);
  for (const Json& pod : json_array(list, "items", what)) {
    EtcdMember member;
    member.name = json_string(pod.value("spec", Json::object()), "nodeName", what);
    const Json status = pod.value("status", Json::object());
    for (const Json& condition : status.value("conditions", Json::array()))
      if (condition.value("type", "") == "Ready")
        member.healthy = condition.value("status", "") == "True";
    result.push_back(std::move(member));
  }
  return result;
}

std::string quorum_trouble(const std::vector<EtcdMember>& members, const std::string& name) {
  std::size_t healthy = 0, others = 0;
  std::vector<std::string> dead;
  for (const EtcdMember& member : members) {
    if (member.name == name) continue;
    ++others;
    if (member.healthy) {
      ++healthy;
    } else {
      dead.push_back(member.name);
    }
  }
  const std::size_t needed = others / 2 + 1;
  if (others == 0 || healthy >= needed) return {};
  return "without " + name + " etcd would lose its quorum: of the other " + std::to_string(others) +
         " members " + std::to_string(healthy) + " answer, " + std::to_string(needed) +
         " are needed (" + join(dead, ", ") + " down)";
}

std::unique_ptr<Phase> make_etcd_member_step(ResetContext& context) {
  return std::make_unique<EtcdMemberStep>(context);
}

}  // namespace kbundle
