// The node as it was, on its own disk: etcd's snapshot, /etc/kubernetes, the kubelet's
// configuration, kbundle's own notes. Taken once for an upgrade: a run that continues a killed one
// must not save what that one left half done.
#include <algorithm>
#include <chrono>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/etcd_tool.hpp"
#include "installer/node_backup.hpp"
#include "installer/service_logs.hpp"
#include "installer/upgrade_plan.hpp"

namespace kbundle {
namespace {

constexpr const char* kKubernetes = "/etc/kubernetes";
constexpr const char* kKubeadmCopies = "/etc/kubernetes/tmp/";
constexpr const char* kKubeletFiles[] = {"/var/lib/kubelet/config.yaml",
                                         "/var/lib/kubelet/kubeadm-flags.env"};
constexpr const char* kNotes[] = {node_path::receipt, node_path::kubeadm_config,
                                  node_path::cni_manifest};

class BackupPhase final : public Phase {
 public:
  explicit BackupPhase(UpgradePlan& plan)
      : Phase("backup", "etcd and this node's configuration", std::chrono::minutes(15)),
        plan_(plan),
        context_(plan.context),
        host_(plan.context.host) {}

  PhaseCheck check() override {
    if (context_.journal_ended(id()))
      if (const auto backup = NodeBackup::newest_for(host_, context_.bundle->id()))
        return PhaseCheck::done(backup->folder + " (" + human_size(backup->size()) + ")");
    std::vector<std::string> actions;
    const std::string folder = new_folder();
    if (has_etcd()) actions.push_back("write " + folder + "/etcd-snapshot.db");
    actions.push_back("copy " + std::string(kKubernetes) + " to " + folder);
    for (const char* file : kKubeletFiles)
      actions.push_back("copy " + std::string(file) + " to " + folder);
    return PhaseCheck::todo("the node as it is now is kept", actions);
  }

  void apply() override {
    NodeBackup::remove_unfinished(host_);
    NodeBackup backup;
    backup.folder = new_folder();
    backup.kubernetes_version = plan_.before.kubernetes_version;
    backup.target = context_.bundle->id();
    backup.created = rfc3339(std::chrono::system_clock::now());
    make_folders(host_.at(backup.folder), 0700);
    if (has_etcd()) {
      const auto manifest = host_.read(kEtcdManifest);
      const EtcdTool etcd(host_, plan_.before,
                          parse_etcd_manifest(manifest.value_or(""), kEtcdManifest));
      etcd.save_snapshot(backup.folder + "/etcd-snapshot.db");
      backup.add_snapshot(host_);
    }
    backup.add_tree(host_, kKubernetes, kKubeadmCopies);
    for (const char* file : kKubeletFiles)
      if (host_.exists(file)) backup.add(host_, file);
    for (const char* file : kNotes)
      if (host_.exists(file)) backup.add(host_, file);
    backup.finish(host_);
    context_.progress.line(
        "  kept in " + backup.folder + ": " + std::to_string(backup.files.size()) + " files" +
        (backup.etcd_snapshot ? ", etcd's snapshot " + human_size(backup.etcd_snapshot->size)
                              : std::string()));
  }

  std::string failure_details() override { return static_pod_logs(host_, 4); }

 private:
  bool has_etcd() const { return context_.master() && host_.exists(kEtcdManifest); }

  // "…/v1.18.2-20261121T083000Z"
  std::string new_folder() const {
    std::string time = rfc3339(std::chrono::system_clock::now());
    std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
    return std::string(node_path::backups) + "/" + plan_.before.kubernetes_version + "-" + time;
  }

  UpgradePlan& plan_;
  Context& context_;
  Host& host_;
};

}  // namespace

std::unique_ptr<Phase> make_backup_phase(UpgradePlan& plan) {
  return std::make_unique<BackupPhase>(plan);
}

}  // namespace kbundle
