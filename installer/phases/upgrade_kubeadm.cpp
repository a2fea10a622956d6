// kubeadm's own upgrade, rolled forward after a crash: kubeadm moves manifests away before it moves
// new ones in, writes keys before certificates, and syncs nothing. What a killed run or a power cut
// left missing or broken comes back from the backup first, then kubeadm does it all again.
#include <algorithm>
#include <filesystem>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/admin_copies.hpp"
#include "installer/kubeadm_files.hpp"
#include "installer/node_backup.hpp"
#include "installer/service_logs.hpp"
#include "installer/upgrade_plan.hpp"
#include "installer/yaml_json.hpp"

namespace kbundle {
namespace {

constexpr const char* kManifests = "/etc/kubernetes/manifests/";
constexpr const char* kKubeadmCopies = "/etc/kubernetes/tmp";
constexpr const char* kComponents[] = {"kube-apiserver", "kube-controller-manager",
                                       "kube-scheduler"};
constexpr std::size_t kTailLines = 15;

std::string image_in(const std::string& pod_yaml, const std::string& what) {
  try {
    return yaml_documents(pod_yaml, what)
        .at(0)
        .at("spec")
        .at("containers")
        .at(0)
        .at("image")
        .get<std::string>();
  } catch (const std::exception&) {
    return {};
  }
}

std::string tail(const std::string& text) {
  auto lines = split(trim(text), '\n');
  if (lines.size() > kTailLines) lines.erase(lines.begin(), lines.end() - kTailLines);
  std::string result;
  for (const std::string& line : lines)
    if (!trim(line).empty()) result += "  | " + printable(line) + "\n";
  return result;
}

class UpgradeKubeadmPhase final : public Phase {
 public:
  explicit UpgradeKubeadmPhase(UpgradePlan& plan)
      : Phase(plan.command == UpgradeCommand::apply ? "upgrade-apply" : "upgrade-node",
              plan.command == UpgradeCommand::apply ? "kubeadm upgrade apply"
                                                    : "kubeadm upgrade node",
              std::chrono::minutes(30)),
        plan_(plan),
        context_(plan.context),
        host_(plan.context.host) {}

  PhaseCheck check() override {
    const FilesState state = look();
    const auto old = old_components();
    if (context_.journal_ended(id()) && state.good() && old.empty())
      return PhaseCheck::done(context_.master() ? "the control plane here is " + target()
                                                : "the kubelet's configuration is the cluster's");
    std::vector<std::string> actions;
    const auto kept = backup();
    if (kept && context_.journal != nullptr && context_.journal->begun(id()))
      for (const std::string& file : kept->to_put_back(host_, state))
        actions.push_back("write " + file + " (from the backup)");
    actions.push_back("run " + to_shell(argv()));
    return PhaseCheck::todo(context_.master() ? "the control plane of this node goes to " + target()
                                              : "the kubelet's configuration is brought up to date",
                            actions);
  }

  void apply() override {
    put_back();
    if (context_.master()) wait_for_api();
    run_kubeadm();
    const FilesState after = look();
    std::vector<std::string> wrong = after.broken;
    wrong.insert(wrong.end(), after.missing.begin(), after.missing.end());
    if (!wrong.empty())
      throw Error(ExitCode::phase, "kubeadm ended well, but these files are not as they must be: " +
                                       join(wrong, ", "));
    if (context_.master()) {
      wait_for_components();
      remove_copies();
    }
    renew_kubeadm_config();
    if (const auto kept = backup(); kept && context_.master())
      refresh_admin_copies(host_, kept->content(host_, node_path::admin_config).value_or(""));
  }

  std::string failure_details() override {
    return journal_tail(host_, "kubelet.service", 8) +
           (context_.master() ? static_pod_logs(host_, 6) : std::string());
  }

 private:
  std::string target() const { return context_.facts.version.str(); }

  std::vector<std::string> argv() const {
    return upgrade_argv(context_.program("kubeadm"), plan_.command, context_.facts.version,
                        plan_.options.ignore_preflight_errors);
  }

  FilesState look() const {
    FilesState state = check_kubelet_files(host_);
    if (!context_.master()) return state;
    const auto add = [&](const FilesState& more) {
      state.missing.insert(state.missing.end(), more.missing.begin(), more.missing.end());
      state.broken.insert(state.broken.end(), more.broken.begin(), more.broken.end());
    };
    add(check_certificates(host_));
    add(check_kubeconfigs(host_, host_.exists("/etc/kubernetes/super-admin.conf")));
    std::vector<std::string> names(std::begin(kComponents), std::end(kComponents));
    if (had_etcd()) names.emplace_back("etcd");
    add(check_manifests(host_, names));
    // An external CA keeps its keys elsewhere; that was so before, too.
    std::erase_if(state.missing, [&](const std::string& file) { return !was_there(file); });
    return state;
  }

  std::optional<NodeBackup> backup() const {
    return NodeBackup::newest_for(host_, context_.bundle->id());
  }
  bool was_there(const std::string& file) const {
    const auto kept = backup();
    return !kept || kept->content(host_, file).has_value();
  }
  bool had_etcd() const { return was_there(std::string(kManifests) + "etcd.yaml"); }

  void put_back() {
    const auto kept = backup();
    if (!kept) return;
    // etcd's data may be the new version's already, and never goes back.
    const auto files =
        kept->put_back(host_, look(), [&](const std::string& file, std::string text) {
          return file == std::string(kManifests) + "etcd.yaml" ? with_new_etcd(text) : text;
        });
    for (const std::string& file : files)
      context_.progress.line("  put back from the backup: " + file);
  }

  std::string wanted_image(const std::string& component) const {
    for (const std::string& image : context_.facts.images)
      if (image.find("/" + component + ":") != std::string::npos) return context_.renamed(image);
    return {};
  }

  std::string with_new_etcd(std::string manifest) const {
    const std::string before = image_in(manifest, "etcd.yaml");
    const std::string now = wanted_image("etcd");
    const auto at = manifest.find("image: " + before);
    if (before.empty() || now.empty() || at == std::string::npos) return manifest;
    return manifest.replace(at + 7, before.size(), now);
  }

  // Static pods whose manifest is not the new version's.
  std::vector<std::string> old_components() const {
    std::vector<std::string> old;
    if (!context_.master()) return old;
    for (const char* component : kComponents) {
      const std::string file = std::string(kManifests) + component + ".yaml";
      if (image_in(host_.read(file).value_or(""), file) != wanted_image(component))
        old.emplace_back(component);
    }
    return old;
  }

  std::string asked(std::vector<std::string> arguments) const {
    const auto result = host_.run(context_.kubectl(std::move(arguments)));
    return result.ok() ? std::string(trim(result.output)) : std::string();
  }

  void wait_for_api() const {
    bool said = false;
    while (asked({"get", "--raw", "/healthz"}) != "ok") {
      if (!said) context_.progress.line("  waiting for the API server");
      said = true;
      host_.pause(std::chrono::seconds(2), "the API server");
    }
  }

  void run_kubeadm() const {
    if (!context_.has_program("kubeadm"))
      throw Error(ExitCode::phase, context_.program("kubeadm") + " is not the bundle's kubeadm",
                  "run the same command again");
    Command command;
    command.argv = argv();
    command.timeout = timeout();
    command.on_line = [&](std::string_view line) {
      if (line.starts_with("[upgrade")) context_.progress.line("  " + printable(line));
    };
    const auto result = host_.run(command);
    if (result.ok()) return;
    throw Error(ExitCode::phase, "`" + to_shell(command.argv) + "` " +
                                     (result.timed_out ? "did not end in time and was killed"
                                                       : "failed with status " +
                                                             std::to_string(result.exit_status)) +
                                     ":\n" + tail(result.output) + tail(result.errors));
  }

  // The mirror pods tell what the kubelet runs.
  void wait_for_components() const {
    for (const char* component : kComponents) {
      const std::string pod = std::string(component) + "-" + context_.node_name;
      const std::string wanted = wanted_image(component) + " true";
      const std::string what = pod + " as " + wanted_image(component);
      while (asked({"-n", "kube-system", "get", "pod", pod, "-o",
                    "jsonpath={.spec.containers[0].image} {.status.containerStatuses[0].ready}"}) !=
             wanted)
        host_.pause(std::chrono::seconds(2), what);
    }
  }

  // kubeadm copies etcd's data for a fall back of its own, once for every killed run; the backup
  // has a snapshot of it.
  void remove_copies() const {
    for (const std::string& name : host_.list(kKubeadmCopies))
      if (name.starts_with("kubeadm-backup-etcd-") ||
          name.starts_with("kubeadm-upgraded-manifests"))
        std::filesystem::remove_all(host_.at(std::string(kKubeadmCopies) + "/" + name));
  }

  // kbundle's own kept configuration follows: later phases and tickets use it.
  void renew_kubeadm_config() const {
    auto text = host_.read(node_path::kubeadm_config);
    if (!text) return;
    const std::string before = plan_.before.kubernetes_version;
    const auto at = text->find("kubernetesVersion: \"" + before + "\"");
    if (at == std::string::npos) return;
    text->replace(text->find(before, at), before.size(), target());
    host_.write(node_path::kubeadm_config, *text, 0600);
  }

  UpgradePlan& plan_;
  Context& context_;
  Host& host_;
};

}  // namespace

std::unique_ptr<Phase> make_upgrade_kubeadm_phase(UpgradePlan& plan) {
  return std::make_unique<UpgradeKubeadmPhase>(plan);
}

}  // namespace kbundle
