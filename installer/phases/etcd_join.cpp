// This master's etcd becomes a member of the cluster's. kubeadm tells the others of the member,
// then writes its static pod. Killed in between, with one other master, the cluster has two members
// of which one runs: no quorum, no API server, and kubeadm can do nothing any more. So the static
// pod is drafted before kubeadm runs, and a later run finishes with the draft.
#include <algorithm>
#include <filesystem>
#include <set>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/etcd_members.hpp"
#include "installer/phases/kubeadm_phase.hpp"
#include "installer/service_logs.hpp"
#include "installer/yaml_json.hpp"

namespace kbundle {
namespace {

constexpr const char* kManifest = "/etc/kubernetes/manifests/etcd.yaml";
constexpr const char* kDraft = "/var/lib/kbundle/etcd-member.yaml";

// What both phases ask.
class EtcdPhase : public KubeadmPhaseBase {
 public:
  using KubeadmPhaseBase::KubeadmPhaseBase;

 protected:
  std::string own_url() const { return etcd_peer_url(context_.network.node_ip); }

  EtcdClient etcd() const { return EtcdClient(host_, EtcdCredentials::of_kubeadm()); }
  std::optional<std::vector<EtcdPeer>> peers(const std::string& address) const {
    return etcd_peers(etcd(), etcd_client_url(address));
  }
  bool is_healthy(const std::string& address) const {
    return etcd_trouble(etcd(), etcd_client_url(address)).empty();
  }

  bool can_ask() const {
    return host_.live() && context_.has_program("kubectl") &&
           host_.exists("/etc/kubernetes/pki/etcd/healthcheck-client.crt");
  }

  /// Addresses of the other masters' etcd: of the API server, or of what was drafted.
  std::vector<std::string> others() const {
    std::set<std::string> found;
    if (const auto pods = host_.run(context_.kubectl(
            {"-n", "kube-system", "get", "pods", "-l", "component=etcd,tier=control-plane", "-o",
             "jsonpath={range .items[*]}{.status.hostIP}{\"\\n\"}{end}"}));
        pods.ok())
      for (const std::string& line : split(pods.output, '\n')) found.emplace(trim(line));
    for (const std::string& url : drafted_urls()) found.insert(etcd_address(url));
    found.erase("");
    found.erase(context_.network.node_ip);
    return {found.begin(), found.end()};
  }

  std::optional<Json> draft() const {
    const auto text = host_.read(kDraft);
    if (!text) return std::nullopt;
    try {
      auto documents = yaml_documents(*text, kDraft);
      if (documents.size() == 1 && text->ends_with("\n") && check_manifests_of(documents[0]))
        return documents[0];
    } catch (const Error&) {  // cut by a power loss
    }
    return std::nullopt;
  }

  const EtcdPeer* own_of(const std::vector<EtcdPeer>& members) const {
    const auto found = std::find_if(members.begin(), members.end(), [&](const EtcdPeer& each) {
      return each.peer_url == own_url();
    });
    return found == members.end() ? nullptr : &*found;
  }

 private:
  static bool check_manifests_of(const Json& pod) {
    return pod.is_object() && pod.contains("/spec/containers/0/command"_json_pointer);
  }

  std::vector<std::string> drafted_urls() const {
    std::vector<std::string> urls;
    const auto pod = draft();
    if (!pod) return urls;
    for (const Json& word : pod->at("/spec/containers/0/command"_json_pointer)) {
      const std::string text = word.is_string() ? word.get<std::string>() : std::string();
      if (!text.starts_with("--initial-cluster=")) continue;
      for (const std::string& pair : split(text.substr(text.find('=') + 1), ','))
        if (const auto at = pair.find('='); at != std::string::npos)
          urls.push_back(pair.substr(at + 1));
    }
    return urls;
  }
};

// A member is added to a healthy cluster only, or one failure more may end it.
class CheckEtcdPhase final : public EtcdPhase {
 public:
  using EtcdPhase::EtcdPhase;

  PhaseCheck check() override {
    const std::string open = what_is_open();
    if (open.empty()) return PhaseCheck::done("every etcd of the cluster answers");
    return PhaseCheck::todo(open, {"wait for the cluster's etcd"});
  }

  void apply() override {
    for (;;) {
      const std::string open = what_is_open();
      if (open.empty()) return;
      host_.pause(std::chrono::seconds(2), "the cluster's etcd (" + open + ")");
    }
  }

 private:
  std::string what_is_open() const {
    if (!can_ask()) return "the certificates to ask etcd with are not there yet";
    const auto addresses = others();
    for (const std::string& address : addresses) {
      const auto members = peers(address);
      if (!members) continue;
      // Added by a run that was killed: the next phase goes on, quorum or not.
      if (own_of(*members) != nullptr) return {};
      for (const EtcdPeer& member : *members)
        if (!is_healthy(etcd_address(member.peer_url)))
          return "the etcd at " + member.peer_url + " is not healthy";
      return {};
    }
    return addresses.empty() ? "the cluster does not say where its etcd is"
                             : "no etcd answers at " + join(addresses, ", ");
  }
};

class EtcdJoinPhase final : public EtcdPhase {
 public:
  using EtcdPhase::EtcdPhase;

  PhaseCheck check() override {
    if (!can_ask()) return PhaseCheck::todo("etcd becomes a member", {action()});
    if (is_member()) return PhaseCheck::done("this node's etcd is a member, and healthy");
    return PhaseCheck::todo("this node's etcd becomes a member",
                            {std::string("write ") + kManifest, action()});
  }

  void apply() override {
    if (is_member()) return;
    auto members = ask_others();
    keep_draft(members);
    const EtcdPeer* own = own_of(members);
    // Its data is gone: it can never start again as this member.
    if (own != nullptr && own->started() && !host_.exists(data())) {
      remove_etcd_peer(etcd(), etcd_client_url(answering_), *own);
      members = ask_others();
      own = own_of(members);
    }
    if (own == nullptr) {
      clear_data();
      run_kubeadm();
    } else if (!check_manifests(host_, {"etcd"}).good()) {
      finish_with_draft(members);
    }
    while (!is_member()) {
      if (learns()) {
        run_kubeadm();  // it goes on where it was: the learner is to vote
      } else {
        host_.pause(std::chrono::seconds(2), "this node's etcd to be a member");
      }
    }
    host_.remove(kDraft);
  }

  std::string failure_details() override {
    return journal_tail(host_, "kubelet.service", 8) + static_pod_logs(host_, 8);
  }

 private:
  bool is_member() const {
    const std::string& address = context_.network.node_ip;
    if (!check_manifests(host_, {"etcd"}).good() || !is_healthy(address)) return false;
    const auto members = peers(address);
    const EtcdPeer* own = members ? own_of(*members) : nullptr;
    return own != nullptr && own->started() && !own->learner;
  }

  // It has come up, and nobody has given it a vote: kubeadm was killed while it waited for that.
  // A learner answers no such question itself.
  bool learns() const {
    const auto members = peers(answering_);
    const EtcdPeer* own = members ? own_of(*members) : nullptr;
    return own != nullptr && own->started() && own->learner;
  }

  // The list of members, of the first that answers.
  std::vector<EtcdPeer> ask_others() {
    const auto addresses = others();
    for (const std::string& address : addresses)
      if (auto members = peers(address)) {
        answering_ = address;
        return *members;
      }
    throw Error(
        ExitCode::phase,
        "no etcd of the other masters answers (" +
            (addresses.empty() ? "none is known" : join(addresses, ", ")) + ")",
        "see that a master runs, and that ports 2379 and 2380 are open between the masters");
  }

  // Where this node's etcd keeps its data ("member" is the folder that etcd itself makes).
  std::string data() const {
    std::string folder = "/var/lib/etcd";
    const auto pod = draft();
    if (pod && pod->contains("/spec/volumes"_json_pointer))
      for (const Json& volume : pod->at("/spec/volumes"_json_pointer))
        if (volume.value("name", "") == "etcd-data")
          folder = volume.value("/hostPath/path"_json_pointer, folder);
    return folder + "/member";
  }

  // Of a member that was taken out meanwhile, or of a run that never came to be one.
  void clear_data() const {
    if (!host_.exists(data())) return;
    if (context_.journal == nullptr || !context_.journal->begun(id()))
      throw Error(ExitCode::phase, data() + " holds the data of another etcd",
                  "move it away, if nothing needs it any more");
    host_.remove(kManifest);
    for (int i = 0; i < 60 && peers(context_.network.node_ip); ++i)
      host_.pause(std::chrono::seconds(1), "the former etcd to end");
    std::filesystem::remove_all(host_.at(data()));
  }

  // The one that is there stays: when it is needed no API server may answer.
  void keep_draft(const std::vector<EtcdPeer>& known) const {
    if (draft()) return;
    std::vector<EtcdPeer> members = known;
    if (own_of(members) == nullptr) members.push_back({"", context_.node_name, own_url(), false});
    const auto answer =
        host_.run(context_.kubectl({"-n", "kube-system", "get", "pods", "-l",
                                    "component=etcd,tier=control-plane", "-o", "json"}));
    if (!answer.ok())
      throw Error(ExitCode::phase,
                  "the other masters' etcd pods cannot be seen: " + printable(trim(answer.errors)));
    const Json pods = parse_json(answer.output, "the list of etcd's pods",
                                 {.size = 4U << 20U, .depth = 64, .values = 200'000});
    for (const Json& pod : pods.value("items", Json::array())) {
      const std::string address = pod.value("/status/hostIP"_json_pointer, "");
      if (address.empty() || address == context_.network.node_ip) continue;
      host_.write(kDraft,
                  to_yaml(joining_etcd_pod(pod, address, context_.network.node_ip,
                                           context_.node_name, members)),
                  0600);
      return;
    }
    throw Error(ExitCode::phase, "the cluster shows no etcd pod of another master",
                "kubectl -n kube-system get pods -l component=etcd");
  }

  void finish_with_draft(const std::vector<EtcdPeer>& members) const {
    context_.progress.line("  the member was added before: its static pod is written now");
    Json pod = draft().value();
    set_initial_cluster(pod, context_.network.node_ip, context_.node_name, members);
    make_folders(host_.at(data()).parent_path(), 0700);
    host_.write(kManifest, to_yaml(pod), 0600);
  }

  std::string answering_;
};

}  // namespace

std::unique_ptr<Phase> make_check_etcd_phase(Context& context, KubeadmPhase phase) {
  return std::make_unique<CheckEtcdPhase>(context, std::move(phase));
}

std::unique_ptr<Phase> make_etcd_join_phase(Context& context, KubeadmPhase phase) {
  return std::make_unique<EtcdJoinPhase>(context, std::move(phase));
}

}  // namespace kbundle
