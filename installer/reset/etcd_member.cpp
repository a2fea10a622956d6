// Out of etcd before anything else: a member that is listed and gone counts against the quorum of
// those that stay.
#include "installer/reset/etcd_member.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/context.hpp"
#include "installer/etcd_members.hpp"
#include "installer/etcd_tool.hpp"
#include "installer/network.hpp"
#include "installer/reset/steps.hpp"
#include "manifests/catalog.hpp"

namespace kbundle {
namespace {

constexpr const char* kDraft = "/var/lib/kbundle/etcd-member.yaml";  // see phases/etcd_join.cpp
constexpr const char* kDone = "etcd-member";
constexpr const char* kForce =
    "; when the whole cluster is to go: kbundle reset --force, which gives up what etcd holds";

std::string shown(const EtcdVoter& voter) {
  return (voter.name.empty() ? "one that never started" : voter.name) + " at " + voter.address;
}

std::string list(const std::vector<EtcdVoter>& voters) {
  std::vector<std::string> names;
  for (const EtcdVoter& voter : voters) names.push_back(shown(voter));
  return join(names, ", ");
}

// "2 answer (m1 at …, m2 at …), 1 does not (m3 at …)"
std::string counted(const std::vector<EtcdVoter>& alive, const std::vector<EtcdVoter>& dead) {
  std::string text = std::to_string(alive.size()) + (alive.size() == 1 ? " answers" : " answer");
  if (!alive.empty()) text += " (" + list(alive) + ")";
  if (!dead.empty())
    text +=
        fmt::format(", {} {} not ({})", dead.size(), dead.size() == 1 ? "does" : "do", list(dead));
  return text;
}

std::string removal_command(const EtcdVoter& at, const EtcdVoter& dead) {
  return fmt::format(
      "kubectl -n kube-system exec etcd-{} -- etcdctl --endpoints https://127.0.0.1:2379 --cacert "
      "/etc/kubernetes/pki/etcd/ca.crt --cert /etc/kubernetes/pki/etcd/server.crt --key "
      "/etc/kubernetes/pki/etcd/server.key member remove {:x}",
      at.name, std::stoull(dead.id));
}

class EtcdMemberStep final : public Phase {
 public:
  explicit EtcdMemberStep(ResetContext& context)
      : Phase("etcd-member", "take this master's member out of etcd", std::chrono::minutes(3)),
        context_(context),
        etcd_(context.host, EtcdCredentials::of_kubeadm()) {}

  PhaseCheck check() override {
    if (context_.journal.reset_did(kDone)) return PhaseCheck::done("it was taken out");
    if (context_.external_etcd) return check_external();
    own_ = own_member();
    if (!context_.master || !own_) return PhaseCheck::done("there is no etcd here");
    if (!ask()) return check_silent();
    const auto own = std::find_if(voters_.begin(), voters_.end(),
                                  [](const EtcdVoter& voter) { return voter.own; });
    // Its leaving costs no vote.
    if (own == voters_.end() && learns_)
      return PhaseCheck::todo("this node's etcd follows the others, and does not vote yet",
                              {"remove the etcd member " + context_.node_name});
    if (own == voters_.end()) return PhaseCheck::done("it is no member any more");
    if (voters_.size() == 1) return PhaseCheck::done("it is the only member");
    std::optional<QuorumTrouble> trouble = quorum_trouble(voters_);
    if (!trouble) trouble = endpoint_trouble();
    if (trouble) return conflict(*trouble);
    return PhaseCheck::todo("etcd has " + std::to_string(voters_.size()) + " members",
                            {"remove the etcd member " + shown(*own)});
  }

  void apply() override {
    tell_kubeadm();
    if (context_.external_etcd) {
      context_.journal.reset_done(kDone);
      return;
    }
    std::vector<EtcdVoter> others;
    for (const EtcdVoter& voter : voters_)
      if (!voter.own && voter.answers) others.push_back(voter);
    if (others.empty())
      throw Error(ExitCode::phase, "no other member of etcd answers any more",
                  "run the same command again");
    for (;;) {
      // kubeadm says "failed to remove etcd member" and ends well: so the others are asked.
      const std::string url = etcd_client_url(others.front().address);
      const auto members = etcd_peers(etcd_, url);
      const auto own = members ? find_own(*members) : std::nullopt;
      if (own) remove_etcd_peer(etcd_, url, *own);
      if (members && !own && etcd_trouble(etcd_, url).empty()) break;
      context_.host.pause(std::chrono::seconds(1), "the other members of etcd to agree");
    }
    for (const EtcdVoter& voter : others) context_.other_masters.push_back(voter.address);
    context_.journal.reset_done(kDone);
  }

 private:
  // The site's etcd is left alone, but 1.18 lists the masters in the cluster's configuration.
  PhaseCheck check_external() {
    context_.notes.insert(
        "etcd is the site's own (" + join(context_.external_etcd->endpoints, ", ") +
        ") and was not touched: it still holds the cluster's data, below /registry");
    if (phases().empty() || !context_.host.exists(node_path::admin_config))
      return PhaseCheck::done("etcd is the site's own, and is left alone");
    return PhaseCheck::todo("etcd is the site's own, and is left alone",
                            {"run kubeadm reset phase " + join(phases(), ", ")});
  }

  // Neither this node's etcd nor another's says who is a member.
  PhaseCheck check_silent() {
    const auto others = other_addresses();
    if (others.empty()) {
      context_.notes.insert(
          "etcd could not be asked. If this cluster has other masters, look there whether the "
          "member " +
          context_.node_name + " is still listed: etcdctl member list");
      return PhaseCheck::done("etcd does not answer here");
    }
    return conflict({"no etcd of this cluster answers, neither here nor at " + join(others, ", ") +
                         ": whether the others go on without this member is not known",
                     "start them, and the kubelet here, then run the same command again" +
                         std::string(kForce)});
  }

  // Stacked masters without a load balancer or --vip: all nodes know the first one's address alone.
  std::optional<QuorumTrouble> endpoint_trouble() const {
    const std::string& endpoint = context_.api_endpoint;
    if (context_.node_ip.empty() || etcd_address("//" + endpoint) != context_.node_ip)
      return std::nullopt;
    return QuorumTrouble{
        "the other nodes reach the API at " + endpoint +
            ", which is this master's own address: without it none of them does any more",
        "give the address to another master first, or, when the nodes are told of another one, "
        "kbundle reset --force"};
  }

  PhaseCheck conflict(const QuorumTrouble& trouble) {
    if (!context_.options.force) return PhaseCheck::conflict(trouble.what, {trouble.next});
    context_.notes.insert("the etcd member was left in (--force): " + trouble.what +
                          ". Without it the other masters' API stands still; what etcd held is "
                          "only in a backup (kbundle restore-etcd)");
    return PhaseCheck::done("left in by --force");
  }

  std::optional<EtcdMember> own_member() const {
    EtcdMember member;
    bool there = false;
    // The draft: killed between the word to the others and the static pod.
    for (const char* file : {kEtcdManifest, kDraft}) {
      const auto text = context_.host.read(file);
      if (!text) continue;
      there = true;
      try {
        member = parse_etcd_manifest(*text, file);
        break;
      } catch (const Error&) {  // cut by a power loss: what is known otherwise will do
      }
    }
    if (!there) return std::nullopt;
    if (member.peer_url.empty() && !context_.node_ip.empty())
      member.peer_url = etcd_peer_url(context_.node_ip);
    if (member.client_url.empty()) member.client_url = "https://127.0.0.1:2379";
    return member;
  }

  std::optional<EtcdPeer> find_own(const std::vector<EtcdPeer>& members) const {
    for (const EtcdPeer& member : members)
      if (is_own(member)) return member;
    return std::nullopt;
  }
  bool is_own(const EtcdPeer& member) const {
    return own_->peer_url.empty() ? member.name == context_.node_name
                                  : member.peer_url == own_->peer_url;
  }

  // Of the list the member began with, and of the API server where that answers.
  std::vector<std::string> other_addresses() const {
    std::set<std::string> found;
    for (const std::string& pair : split(own_->initial_cluster, ','))
      if (const auto at = pair.find('='); at != std::string::npos)
        found.insert(etcd_address(pair.substr(at + 1)));
    auto argv = context_.kubectl();
    if (!argv.empty()) {
      argv.insert(argv.end(), {"-n", "kube-system", "get", "pods", "-l", "component=etcd", "-o",
                               "jsonpath={range .items[*]}{.status.hostIP}{\"\\n\"}{end}"});
      const auto pods = context_.host.run({.argv = argv, .timeout = std::chrono::seconds(40)});
      if (pods.ok())
        for (const std::string& line : split(pods.output, '\n')) found.emplace(trim(line));
    }
    found.erase(etcd_address(own_->peer_url));
    std::erase_if(found, [](const std::string& address) { return !is_ip_address(address); });
    return {found.begin(), found.end()};
  }

  // Sets voters_; false when no member answers.
  bool ask() {
    auto members = etcd_peers(etcd_, own_->client_url);
    const bool own_answers = members.has_value();
    if (!members)
      for (const std::string& address : other_addresses())
        if ((members = etcd_peers(etcd_, etcd_client_url(address)))) break;
    voters_.clear();
    learns_ = false;
    if (!members) return false;
    for (const EtcdPeer& member : *members) {
      learns_ |= member.learner && is_own(member);
      if (member.learner) continue;
      EtcdVoter voter{member.id, member.name, etcd_address(member.peer_url), is_own(member), false};
      voter.answers =
          voter.own ? own_answers : etcd_peers(etcd_, etcd_client_url(voter.address)).has_value();
      voters_.push_back(std::move(voter));
    }
    return true;
  }

  // What kubeadm does for a master that leaves; an etcd of the site's own lets no member go.
  std::vector<std::string> phases() const {
    auto names = Catalog::builtin().facts(context_.journal.plan().kubernetes_version).reset_phases;
    if (context_.external_etcd) std::erase(names, "remove-etcd-member");
    return names;
  }

  void tell_kubeadm() const {
    const auto kubeadm = context_.host.program("kubeadm");
    for (const std::string& phase : phases()) {
      Command command;
      command.argv = {kubeadm.value_or("kubeadm"), "reset", "phase", phase};
      if (phase == "remove-etcd-member")
        command.argv.insert(command.argv.end(), {"--kubeconfig", node_path::admin_config});
      command.timeout = std::chrono::minutes(1);
      const bool told = kubeadm && context_.host.run(std::move(command)).ok();
      if (!told && phase == "update-cluster-status")
        context_.notes.insert(
            "the ClusterStatus in the ConfigMap kubeadm-config may still name this master; on "
            "another one: kubectl -n kube-system edit configmap kubeadm-config");
    }
  }

  ResetContext& context_;
  const EtcdClient etcd_;
  std::optional<EtcdMember> own_;
  std::vector<EtcdVoter> voters_;
  bool learns_ = false;  ///< this node's is listed, and has no vote
};

}  // namespace

std::optional<QuorumTrouble> quorum_trouble(const std::vector<EtcdVoter>& voters) {
  std::vector<EtcdVoter> alive, dead, others_alive, others_dead;
  std::string name = "this node";
  for (const EtcdVoter& voter : voters) {
    (voter.answers ? alive : dead).push_back(voter);
    if (voter.own) {
      if (!voter.name.empty()) name = voter.name;
    } else {
      (voter.answers ? others_alive : others_dead).push_back(voter);
    }
  }
  const std::size_t others = others_alive.size() + others_dead.size();
  if (others == 0) return std::nullopt;
  std::vector<std::string> down;
  for (const EtcdVoter& voter : dead)
    down.push_back(voter.name.empty() ? voter.address : voter.name);
  if (alive.size() < voters.size() / 2 + 1)
    return QuorumTrouble{
        fmt::format("etcd has lost its quorum, and lets no member go: of its {} members {}",
                    voters.size(), counted(alive, dead)),
        "start what is down (" + join(down, ", ") + "), then run the same command again" + kForce};
  const std::size_t needed = others / 2 + 1;
  if (others_alive.size() >= needed) return std::nullopt;
  std::vector<std::string> removals;
  for (const EtcdVoter& voter : others_dead)
    removals.push_back(removal_command(alive.front(), voter));
  return QuorumTrouble{
      fmt::format("without {} etcd would lose its quorum: of the other {} members {}, and {} must",
                  name, others, counted(others_alive, others_dead), needed),
      "start what is down (" + join(down, ", ") +
          "), or, if it never comes back, take it out first: " + join(removals, "; ") + kForce};
}

std::unique_ptr<Phase> make_etcd_member_step(ResetContext& context) {
  return std::make_unique<EtcdMemberStep>(context);
}

}  // namespace kbundle
