// kubeadm's own phases, run by the bundle's kubeadm with the one kept configuration. check() asks
// the host: files are parsed, objects are looked up. For phases that leave several objects the
// journal has to know their end as well: a killed one may have left the first of them only.
#include <algorithm>
#include <functional>
#include <map>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/kubeadm_files.hpp"
#include "installer/phases/phases.hpp"
#include "installer/service_logs.hpp"

namespace kbundle {
namespace {

constexpr const char* kCaFiles[] = {"/etc/kubernetes/pki/ca.crt",
                                    "/etc/kubernetes/pki/front-proxy-ca.crt",
                                    "/etc/kubernetes/pki/etcd/ca.crt"};

// Holds the bootstrap token; it has to go once the node has its own credentials.
constexpr const char* kBootstrapConfig = "/etc/kubernetes/bootstrap-kubelet.conf";
constexpr const char* kServiceAccountPublic = "/etc/kubernetes/pki/sa.pub";

std::chrono::seconds timeout_of(const std::string& id, bool worker) {
  if (id == "wait-control-plane" || id == "kubelet-wait-bootstrap") return std::chrono::minutes(6);
  if (id == "kubelet-start" && worker) return std::chrono::minutes(8);
  return std::chrono::minutes(4);
}

std::string title_of(const std::string& id, bool worker) {
  return std::string("kubeadm ") + (worker ? "join " : "init ") + id;
}

class KubeadmPhaseBase : public Phase {
 public:
  KubeadmPhaseBase(Context& context, KubeadmPhase phase)
      : Phase(phase.id(), title_of(phase.id(), !context.master()),
              timeout_of(phase.id(), !context.master())),
        context_(context),
        host_(context.host),
        phase_(std::move(phase)) {}

 protected:
  std::vector<std::string> argv() const {
    std::vector<std::string> result = {context_.program("kubeadm"),
                                       context_.master() ? "init" : "join", "phase"};
    result.insert(result.end(), phase_.words.begin(), phase_.words.end());
    result.insert(result.end(), phase_.extra_flags.begin(), phase_.extra_flags.end());
    if (phase_.takes_config) result.insert(result.end(), {"--config", node_path::kubeadm_config});
    return result;
  }
  std::string action() const { return "run " + to_shell(argv()); }

  void run_kubeadm() const {
    if (!context_.has_program("kubeadm"))
      throw Error(ExitCode::phase, context_.program("kubeadm") + " is not the bundle's kubeadm",
                  "run the same command again without --only-phase or --skip-phases");
    Command command;
    command.argv = argv();
    command.timeout = timeout();
    host_.run_checked(std::move(command));
  }

  bool kubectl_ok(std::vector<std::string> arguments) const {
    if (!host_.live() || !host_.exists(node_path::admin_config) || !context_.has_program("kubectl"))
      return false;
    const auto result = host_.run(context_.kubectl(std::move(arguments)));
    // A list that matches nothing ends well, too, and prints nothing.
    return result.ok() && !trim(result.output).empty();
  }

  Context& context_;
  Host& host_;
  KubeadmPhase phase_;
};

// Phases that leave files: what is cut or does not belong together is removed, so that kubeadm
// makes it again; what is good it keeps.
class FilesPhase final : public KubeadmPhaseBase {
 public:
  using Look = std::function<FilesState(const Host&)>;
  FilesPhase(Context& context, KubeadmPhase phase, Look look)
      : KubeadmPhaseBase(context, std::move(phase)), look_(std::move(look)) {}

  PhaseCheck check() override {
    const FilesState state = look_(host_);
    if (state.good()) return PhaseCheck::done("the files are whole and belong together");
    std::vector<std::string> identity = state.identity_broken;
    // Never made by an install here: the site's own, and not kbundle's to delete.
    if (!identity.empty() && !begun())
      return PhaseCheck::conflict(
          "these files were here before the install, and are damaged or do not belong together: "
          "put them right or take them away",
          identity);
    identity.insert(identity.end(), state.identity_missing.begin(), state.identity_missing.end());
    if (!identity.empty() && cluster_stands())
      return PhaseCheck::conflict(
          "the cluster's CA or service account key is damaged or gone, and everything in the "
          "cluster was signed by it: put it back from a copy, or start over with `kbundle reset`",
          identity);
    std::vector<std::string> actions;
    for (const std::string& file : to_remove(state))
      actions.push_back("remove " + file + " (damaged)");
    for (const std::string& file : state.missing) actions.push_back("write " + file);
    actions.push_back(action());
    return PhaseCheck::todo(state.broken.empty() ? "files are missing" : "files are damaged",
                            actions);
  }

  void apply() override {
    for (const std::string& file : to_remove(look_(host_))) host_.remove(file);
    if (id() == "certs/all" && !host_.exists(kServiceAccountPublic))
      if (const auto key = service_account_public_key(host_))
        host_.write(kServiceAccountPublic, *key, 0600);
    run_kubeadm();
    const FilesState after = look_(host_);
    if (after.good()) return;
    std::vector<std::string> wrong = after.broken;
    wrong.insert(wrong.end(), after.missing.begin(), after.missing.end());
    throw Error(ExitCode::phase, "kubeadm ended well, but these files are not as they must be: " +
                                     join(wrong, ", "));
  }

 private:
  bool cluster_stands() const { return context_.journal_ended("wait-control-plane"); }
  bool begun() const { return context_.journal != nullptr && context_.journal->begun(id()); }

  // A CA that is made anew voids every certificate below it.
  std::vector<std::string> to_remove(const FilesState& state) const {
    std::vector<std::string> touched = state.broken;
    touched.insert(touched.end(), state.missing.begin(), state.missing.end());
    std::vector<std::string> files = with_other_halves(touched);
    if (state.ca_broken) {
      for (const std::string& leaf : leaf_certificate_files()) files.push_back(leaf);
      for (const char* authority : kCaFiles) {
        const std::string certificate = authority;
        const std::string key = certificate.substr(0, certificate.size() - 3) + "key";
        const bool broken = std::any_of(
            state.broken.begin(), state.broken.end(),
            [&](const std::string& file) { return file == certificate || file == key; });
        if (broken) files.insert(files.end(), {certificate, key});
      }
    }
    std::sort(files.begin(), files.end());
    files.erase(std::unique(files.begin(), files.end()), files.end());
    std::erase_if(files, [&](const std::string& file) { return !host_.exists(file); });
    return files;
  }

  Look look_;
};

// The kubelet gets its configuration and is started; on a worker it also joins the cluster.
class KubeletStartPhase final : public KubeadmPhaseBase {
 public:
  using KubeadmPhaseBase::KubeadmPhaseBase;

  PhaseCheck check() override {
    FilesState state = look();
    std::vector<std::string> actions;
    for (const std::string& file : state.broken) actions.push_back("remove " + file + " (damaged)");
    for (const std::string& file : state.missing) actions.push_back("write " + file);
    if (state.good() && running() && !bootstrap_left_over())
      return PhaseCheck::done("the kubelet has its configuration and runs");
    if (state.good() && bootstrap_left_over())
      actions.push_back(std::string("remove ") + kBootstrapConfig);
    actions.push_back(state.good() ? "run systemctl start kubelet.service" : action());
    return PhaseCheck::todo(state.good() ? "the kubelet is started" : "the kubelet is set up",
                            actions);
  }

  std::string failure_details() override { return journal_tail(host_, "kubelet.service", 12); }

  void apply() override {
    const FilesState state = look();
    if (state.good()) {
      host_.run_checked({.argv = {"systemctl", "start", "kubelet.service"}});
      if (bootstrap_left_over()) host_.remove(kBootstrapConfig);
      return;
    }
    for (const std::string& file : state.broken) host_.remove(file);
    if (context_.master()) {
      run_kubeadm();
    } else {
      join_cluster();
    }
  }

 private:
  FilesState look() const {
    if (context_.master()) return check_kubelet_files(host_);
    FilesState state =
        check_worker(host_, context_.ticket ? context_.ticket->ca_cert_hash : std::string());
    // Where a later phase waits for the bootstrap, this one is done without the node's own
    // credentials: the kubelet writes their file before it has the certificate.
    if (later_phase_waits() && can_bootstrap()) {
      std::erase(state.missing, node_path::kubelet_config);
      std::erase(state.broken, node_path::kubelet_config);
    }
    return state;
  }

  bool can_bootstrap() const {
    const auto token = kubeconfig_token(host_, kBootstrapConfig);
    return token && context_.ticket && *token == context_.ticket->token;
  }

  bool later_phase_waits() const {
    const auto& phases = context_.facts.join_worker_phases;
    return std::any_of(phases.begin(), phases.end(), [](const KubeadmPhase& phase) {
      return phase.id() == "kubelet-wait-bootstrap";
    });
  }

  // kubeadm removes it at its end, unless it is killed there.
  bool bootstrap_left_over() const {
    return !context_.master() && !later_phase_waits() && host_.exists(kBootstrapConfig);
  }

  bool running() const {
    if (!host_.live()) return false;
    const auto state = host_.run({.argv = {"systemctl", "is-active", "kubelet.service"},
                                  .timeout = std::chrono::seconds(20)});
    // Before the rest of its files are there it is started again and again ("activating").
    const auto word = trim(state.output);
    return word == "active" || word == "activating";
  }

  // A node that joined, lost its files and joins again is refused while the cluster still takes
  // it for Ready (40 s).
  void join_cluster() const {
    for (;;) {
      try {
        run_kubeadm();
        return;
      } catch (const Error& error) {
        if (error.message().find("already exists in the cluster") == std::string::npos) throw;
        host_.pause(std::chrono::seconds(10), "the cluster to notice that this node was away");
        // Or the kubelet of a killed run has ended the join by itself meanwhile.
        if (look().good()) return;
      }
    }
  }
};

// Waits that this version of kubeadm hides: kbundle waits itself.
class WaitPhase final : public KubeadmPhaseBase {
 public:
  using KubeadmPhaseBase::KubeadmPhaseBase;

  PhaseCheck check() override {
    if (!holds()) return PhaseCheck::todo("waits for " + object(), {"wait for " + object()});
    if (!context_.master() && host_.exists(kBootstrapConfig))
      return PhaseCheck::todo("the bootstrap token is no longer needed",
                              {std::string("remove ") + kBootstrapConfig});
    return PhaseCheck::done(object() + (context_.master() ? " answers" : " is there"));
  }

  void apply() override {
    if (!phase_.own_wait) {
      run_kubeadm();
      return;
    }
    while (!holds()) host_.pause(std::chrono::seconds(1), object());
    // Its token has done its work.
    if (!context_.master()) host_.remove(kBootstrapConfig);
  }

  std::string failure_details() override {
    return journal_tail(host_, "kubelet.service", 12) +
           (context_.master() ? static_pod_logs(host_, 8) : std::string());
  }

 private:
  std::string object() const {
    return context_.master() ? "the API server at " + context_.network.node_ip + ":6443"
                             : std::string(node_path::kubelet_config);
  }

  bool holds() const {
    if (context_.master()) return kubectl_ok({"get", "--raw", "/healthz"});
    const FilesState state = check_worker(host_, "");
    const auto good = [](const std::vector<std::string>& wrong) {
      return std::find(wrong.begin(), wrong.end(), node_path::kubelet_config) == wrong.end();
    };
    return good(state.missing) && good(state.broken) &&
           host_.exists("/var/lib/kubelet/pki/kubelet-client-current.pem");
  }
};

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
  if (id == "kubelet-start") return std::make_unique<KubeletStartPhase>(context, phase);
  if (phase.own_wait || id == "wait-control-plane")
    return std::make_unique<WaitPhase>(context, phase);
  if (id == "certs/all") return std::make_unique<FilesPhase>(context, phase, check_certificates);
  if (id == "kubeconfig/all")
    return std::make_unique<FilesPhase>(context, phase,
                                        [super_admin = has_super_admin(context)](const Host& host) {
                                          return check_kubeconfigs(host, super_admin);
                                        });
  if (id == "control-plane/all")
    return std::make_unique<FilesPhase>(context, phase, [](const Host& host) {
      return check_manifests(host, {"kube-apiserver", "kube-controller-manager", "kube-scheduler"});
    });
  if (id == "etcd/local")
    return std::make_unique<FilesPhase>(
        context, phase, [](const Host& host) { return check_manifests(host, {"etcd"}); });
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
