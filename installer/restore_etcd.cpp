#include "installer/restore_etcd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/lock.hpp"
#include "core/text.hpp"
#include "installer/context.hpp"
#include "installer/etcd_tool.hpp"
#include "installer/installed_node.hpp"
#include "installer/node_backup.hpp"
#include "installer/runner.hpp"
#include "installer/service_logs.hpp"
#include "installer/static_pods.hpp"

namespace kbundle {
namespace {

namespace fs = std::filesystem;

constexpr const char* kJournal = "/var/lib/kbundle/restore-etcd.journal";
constexpr const char* kAsideManifests = "/var/lib/kbundle/restore-etcd-manifests";
// Inside the data folder, which may be a disk of its own; etcd looks at member/ alone.
constexpr const char* kRestored = "/restored-by-kbundle";
constexpr const char* kComponents[] = {"etcd", "kube-apiserver", "kube-controller-manager",
                                       "kube-scheduler"};

struct Restore {
  Host& host;
  Progress& progress;
  const Receipt& receipt;
  const NodeBackup& backup;
  EtcdMember member;
  const Journal& journal;

  std::string snapshot() const { return backup.folder + backup.etcd_snapshot->path; }
  std::string restored() const { return member.data_dir + kRestored; }
};

// The one file that all is about, wherever its manifest is at the moment.
std::string etcd_manifest(const Host& host) {
  for (const std::string& file :
       {std::string(kEtcdManifest), std::string(kAsideManifests) + "/etcd.yaml"})
    if (const auto text = host.read(file)) return *text;
  throw Error(ExitCode::preflight,
              "etcd does not run on this node: there is no " + std::string(kEtcdManifest),
              "restore it where it runs");
}

class PreparePhase final : public Phase {
 public:
  explicit PreparePhase(Restore& restore)
      : Phase("prepare", "the snapshot becomes a data folder", std::chrono::minutes(12)),
        restore_(restore) {}

  PhaseCheck check() override {
    if (restore_.journal.ended(id())) return PhaseCheck::done("made from the snapshot");
    return PhaseCheck::todo("etcd's data is made from the snapshot",
                            {"write " + restore_.restored()});
  }
  void apply() override {
    const Host& host = restore_.host;
    if (host.digest(restore_.snapshot()) != restore_.backup.etcd_snapshot->digest)
      throw Error(ExitCode::verification,
                  restore_.snapshot() + " is not the snapshot that was saved: its digest differs",
                  "take another backup's; they are below " + std::string(node_path::backups));
    fs::remove_all(host.at(restore_.restored()));
    EtcdTool(host, restore_.receipt, restore_.member)
        .restore_snapshot(restore_.snapshot(), restore_.restored());
    const UniqueFd fd = open_file(host.at(restore_.restored()), O_RDONLY | O_DIRECTORY);
    if (::syncfs(fd.get()) != 0) throw_errno("sync " + restore_.restored(), errno);
  }

 private:
  Restore& restore_;
};

class StopPhase final : public Phase {
 public:
  explicit StopPhase(Restore& restore)
      : Phase("stop", "the control plane stops", std::chrono::minutes(4)), restore_(restore) {}

  PhaseCheck check() override {
    if (restore_.journal.ended("swap")) return PhaseCheck::done("it was stopped");
    std::vector<std::string> actions;
    for (const std::string& name : static_pods(restore_.host))
      actions.push_back("move " + std::string(kManifestFolder) + "/" + name + ".yaml to " +
                        kAsideManifests);
    return PhaseCheck::todo("the control plane's pods stop", actions);
  }
  // Copied before it is removed: a manifest is always in one place at least.
  void apply() override {
    const Host& host = restore_.host;
    make_folders(host.at(kAsideManifests), 0700);
    for (const std::string& name : static_pods(host)) {
      const std::string file = std::string(kManifestFolder) + "/" + name + ".yaml";
      host.write(std::string(kAsideManifests) + "/" + name + ".yaml", *host.read(file), 0600);
      host.remove(file);
    }
    wait_until_stopped(host, {std::begin(kComponents), std::end(kComponents)});
  }

 private:
  Restore& restore_;
};

class SwapPhase final : public Phase {
 public:
  explicit SwapPhase(Restore& restore)
      : Phase("swap", "the restored data takes the place of the old", std::chrono::minutes(2)),
        restore_(restore) {}

  PhaseCheck check() override {
    if (restore_.journal.ended(id())) return PhaseCheck::done("the data is the snapshot's");
    return PhaseCheck::todo("the old data is kept beside it",
                            {"rename " + old_member(), "rename " + new_member()});
  }
  // Two renames; which of them are still to do, the folders tell.
  void apply() override {
    const Host& host = restore_.host;
    if (host.exists(new_member())) {
      if (host.exists(old_member())) {
        const std::string aside =
            restore_.member.data_dir + "/member.before-restore-" + restore_.journal.plan().line;
        fs::rename(host.at(old_member()), host.at(aside));
        restore_.progress.line("  the old data is kept in " + aside);
      }
      fs::rename(host.at(new_member()), host.at(old_member()));
    }
    fs::remove_all(host.at(restore_.restored()));
    fsync_folder(host.at(restore_.member.data_dir));
  }

 private:
  std::string old_member() const { return restore_.member.data_dir + "/member"; }
  std::string new_member() const { return restore_.restored() + "/member"; }

  Restore& restore_;
};

class StartPhase final : public Phase {
 public:
  explicit StartPhase(Restore& restore)
      : Phase("start", "the control plane starts", std::chrono::minutes(6)), restore_(restore) {}

  PhaseCheck check() override {
    if (restore_.journal.ended(id())) return PhaseCheck::done("it runs");
    return PhaseCheck::todo("the control plane's pods start on the restored data",
                            {"move the manifests back to " + std::string(kManifestFolder)});
  }
  void apply() override {
    const Host& host = restore_.host;
    for (const char* name : kComponents) {
      const std::string aside = std::string(kAsideManifests) + "/" + name + ".yaml";
      if (const auto text = host.read(aside)) {
        host.write(std::string(kManifestFolder) + "/" + name + ".yaml", *text, 0600);
        host.remove(aside);
      }
    }
    const EtcdTool etcd(host, restore_.receipt, restore_.member);
    while (!etcd.healthy()) host.pause(std::chrono::seconds(2), "etcd");
    while (!api_answers()) host.pause(std::chrono::seconds(2), "the API server");
    // The cluster's time went back: what the kubelet remembers of it is from a future.
    host.run_checked({.argv = {"systemctl", "restart", "kubelet.service"}});
    while (!api_answers()) host.pause(std::chrono::seconds(2), "the API server");
    fs::remove(host.at(kAsideManifests));
  }
  std::string failure_details() override {
    return journal_tail(restore_.host, "kubelet.service", 8) + static_pod_logs(restore_.host, 6);
  }

 private:
  bool api_answers() const {
    Command command;
    command.argv = {installed_program(restore_.host, restore_.receipt, "kubectl"),
                    "--kubeconfig",
                    node_path::admin_config,
                    "--request-timeout=10s",
                    "get",
                    "--raw",
                    "/healthz"};
    command.environment["HOME"] = "/run/kbundle/kubectl";
    command.timeout = std::chrono::seconds(30);
    const auto result = restore_.host.run(std::move(command));
    return result.ok() && trim(result.output) == "ok";
  }

  Restore& restore_;
};

NodeBackup chosen(const Host& host, const std::string& given) {
  const bool is_name = given.find('/') == std::string::npos;
  std::string folder = is_name ? std::string(node_path::backups) + "/" + given
                               : fs::absolute(given).lexically_normal().string();
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  NodeBackup backup = NodeBackup::read(host, folder);
  if (!backup.etcd_snapshot)
    throw Error(ExitCode::usage, folder + " holds no snapshot of etcd",
                "take a backup of a master");
  return backup;
}

void ask(const RestoreEtcdOptions& options, const NodeBackup& backup) {
  if (options.yes) return;
  const std::string question =
      "Everything that the cluster was told since " + backup.created +
      " will be forgotten; the control plane stands still meanwhile.\nThe data as it is now is "
      "kept beside the restored one.";
  if (options.confirm && options.confirm(question)) return;
  throw Error(ExitCode::usage,
              options.confirm ? "not confirmed; nothing was changed"
                              : "restore-etcd asks first, and there is nobody to ask",
              "confirm with --yes");
}

}  // namespace

void restore_etcd(const RestoreEtcdOptions& options, Progress& progress, std::ostream& out) {
  Host host;
  if (!host.is_root())
    throw Error(ExitCode::preflight, "restore-etcd changes the system and needs root",
                "run it with sudo");
  const ProcessLock lock(host.at(node_path::lock), true);
  const Receipt receipt =
      installed_receipt(host, Journal::look(host.at(node_path::journal)), "restore-etcd");
  if (receipt.external_etcd)
    throw Error(ExitCode::preflight,
                "this cluster's etcd is the site's own: kbundle neither saved nor restores it",
                "restore it where it runs (etcdctl snapshot restore), then `systemctl restart "
                "kubelet` on the masters");
  const NodeBackup backup = chosen(host, options.backup);
  const EtcdMember member = parse_etcd_manifest(etcd_manifest(host), "etcd.yaml");
  // One member makes a cluster of its own; others would go on with the old one.
  if (member.initial_cluster.find(',') != std::string::npos && !options.several_masters)
    throw Error(ExitCode::preflight,
                "etcd has several members (" + member.initial_cluster +
                    "): a snapshot restored on one of them makes a cluster of its own",
                "follow \"Several masters\" in docs/upgrade.md, then add --several-masters");
  const Journal kept = Journal::look(host.at(kJournal));
  const bool resumed = kept.started() && !kept.complete();
  if (resumed && kept.plan().bundle != backup.folder)
    throw Error(ExitCode::preflight,
                "restoring " + kept.plan().bundle + " was begun here and is not finished",
                "run `kbundle restore-etcd " + kept.plan().bundle + "` again");
  if (!resumed) {
    ask(options, backup);
    host.remove(kJournal);
  }
  Journal journal = Journal::open(host.at(kJournal));
  if (!resumed) {
    PlanRecord record;
    record.action = "restore-etcd";
    record.bundle = backup.folder;
    record.line = rfc3339(std::chrono::system_clock::now());
    std::erase_if(record.line, [](char c) { return c == '-' || c == ':'; });
    record.kubernetes_version = receipt.kubernetes_version;
    record.role = receipt.role;
    record.root = "/";
    journal.write_plan(record);
  }
  Restore restore{host, progress, receipt, backup, member, journal};
  if (options.several_masters) {
    restore.member.initial_cluster = member.name + "=" + member.peer_url;
  }
  std::vector<std::unique_ptr<Phase>> phases;
  phases.push_back(std::make_unique<PreparePhase>(restore));
  phases.push_back(std::make_unique<StopPhase>(restore));
  phases.push_back(std::make_unique<SwapPhase>(restore));
  phases.push_back(std::make_unique<StartPhase>(restore));
  Runner(phases, host, progress, {}).run(journal);
  out << "etcd is as it was at " << backup.created << "\n"
      << "next: on the other nodes `systemctl restart kubelet`, so that they forget what the "
         "cluster has forgotten\n";
}

}  // namespace kbundle
