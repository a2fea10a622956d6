#include "installer/certs.hpp"

#include <algorithm>
#include <charconv>
#include <memory>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/lock.hpp"
#include "core/text.hpp"
#include "installer/admin_copies.hpp"
#include "installer/certificates.hpp"
#include "installer/context.hpp"
#include "installer/installed_node.hpp"
#include "installer/kubeadm_files.hpp"
#include "installer/node_backup.hpp"
#include "installer/runner.hpp"
#include "installer/service_logs.hpp"
#include "installer/static_pods.hpp"
#include "installer/timer.hpp"
#include "installer/undo.hpp"
#include "manifests/catalog.hpp"

namespace kbundle {
namespace {

using SystemClock = std::chrono::system_clock;

constexpr const char* kJournal = "/var/lib/kbundle/certs.journal";
constexpr const char* kBackupTarget = "certs";

constexpr const char* kTimer = "kbundle-certs";

const char* who_renews(NodeCertificate::Kind kind) {
  switch (kind) {
    case NodeCertificate::Kind::leaf:
    case NodeCertificate::Kind::kubeconfig:
      return "kbundle certs --renew";
    case NodeCertificate::Kind::site:
      return "the site";
    case NodeCertificate::Kind::authority:
      return "nobody";
    case NodeCertificate::Kind::kubelet:
      return "the kubelet";
    case NodeCertificate::Kind::serving:
      return "not verified";
  }
  return "";
}

// What `kubeadm certs renew all` makes anew.
bool renewable(const NodeCertificate& certificate) {
  return (certificate.kind == NodeCertificate::Kind::leaf ||
          certificate.kind == NodeCertificate::Kind::kubeconfig) &&
         certificate.name != "kubelet.conf";
}

void show(const Host& host, bool json, std::ostream& out) {
  const auto now = SystemClock::now();
  Json list = Json::array();
  Table table({"CERTIFICATE", "ENDS", "DAYS", "RENEWED BY"});
  for (const NodeCertificate& certificate : node_certificates(host)) {
    const std::string end =
        certificate.facts ? rfc3339(certificate.facts->not_after) : std::string("unreadable");
    const long days = certificate.facts ? days_left(certificate.facts->not_after, now) : 0;
    table.add({certificate.name, end, certificate.facts ? std::to_string(days) : "-",
               who_renews(certificate.kind)});
    Json entry = {{"name", certificate.name},
                  {"file", certificate.file},
                  {"renewed_by", who_renews(certificate.kind)}};
    if (certificate.facts) {
      entry["not_before"] = rfc3339(certificate.facts->not_before);
      entry["not_after"] = end;
      entry["days_left"] = days;
    }
    list.push_back(std::move(entry));
  }
  if (json) {
    out << Json{{"certificates", list}}.dump(2) << "\n";
  } else {
    out << table.str();
  }
}

// What the phases of a renewal share.
struct Renewal {
  Host& host;
  Progress& progress;
  Receipt receipt;
  KubernetesFacts facts;
  const Journal& journal;
  std::string kubeadm, kubectl_program;

  Command kubectl(std::vector<std::string> arguments) const {
    Command command;
    command.argv = {kubectl_program,
                    "--kubeconfig",
                    node_path::admin_config,
                    "--request-timeout=10s",
                    "--cache-dir=/run/kbundle/kubectl",
                    "--server=https://" + in_url(receipt.node_ip) + ":6443"};
    command.environment["HOME"] = "/run/kbundle/kubectl";
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.timeout = std::chrono::seconds(30);
    return command;
  }
  bool api_answers() const {
    const auto result = host.run(kubectl({"get", "--raw", "/healthz"}));
    return result.ok() && trim(result.output) == "ok";
  }
};

class BackupPhase final : public Phase {
 public:
  explicit BackupPhase(Renewal& renewal)
      : Phase("backup", "the certificates as they are", std::chrono::minutes(2)),
        renewal_(renewal) {}

  PhaseCheck check() override {
    if (renewal_.journal.ended(id())) return PhaseCheck::done("kept");
    return PhaseCheck::todo("kept below " + std::string(node_path::backups), {});
  }
  void apply() override {
    const Host& host = renewal_.host;
    NodeBackup::remove_unfinished(host);
    NodeBackup backup;
    backup.created = rfc3339(SystemClock::now());
    std::string time = backup.created;
    std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
    backup.folder = std::string(node_path::backups) + "/certs-" + time;
    backup.kubernetes_version = renewal_.receipt.kubernetes_version;
    backup.target = kBackupTarget;
    make_folders(host.at(backup.folder), 0700);
    backup.add_tree(host, "/etc/kubernetes", "/etc/kubernetes/tmp/");
    backup.finish(host);
  }

 private:
  Renewal& renewal_;
};

class RenewPhase final : public Phase {
 public:
  explicit RenewPhase(Renewal& renewal)
      : Phase("renew", "kubeadm renews all certificates", std::chrono::minutes(5)),
        renewal_(renewal) {}

  PhaseCheck check() override {
    if (renewal_.journal.ended(id()) && files().good()) return PhaseCheck::done("renewed");
    return PhaseCheck::todo("every certificate is made anew", {"run " + to_shell(argv())});
  }
  void apply() override {
    // What a killed run left half written comes back, so that kubeadm can read it.
    if (const auto backup = NodeBackup::newest_for(renewal_.host, kBackupTarget))
      backup->put_back(renewal_.host, files());
    Command command;
    command.argv = argv();
    renewal_.host.run_checked(std::move(command));
    const auto backup = NodeBackup::newest_for(renewal_.host, kBackupTarget);
    const std::string copies =
        backup ? refresh_admin_copies(
                     renewal_.host,
                     backup->content(renewal_.host, node_path::admin_config).value_or(""))
               : std::string();
    if (!copies.empty()) renewal_.progress.line("  renewed as well: " + copies);
  }

 private:
  FilesState files() const {
    FilesState state = check_certificates(renewal_.host);
    const FilesState configs =
        check_kubeconfigs(renewal_.host, renewal_.host.exists("/etc/kubernetes/super-admin.conf"));
    state.broken.insert(state.broken.end(), configs.broken.begin(), configs.broken.end());
    // Keys of an external CA are elsewhere: only what is damaged counts.
    state.missing.clear();
    return state;
  }

  std::vector<std::string> argv() const {
    std::vector<std::string> words = {renewal_.kubeadm};
    words.insert(words.end(), renewal_.facts.certs_renew.begin(), renewal_.facts.certs_renew.end());
    // kubeadm asks the cluster for its configuration; without an answer it would guess.
    const auto config = renewal_.host.read(node_path::kubeadm_config);
    if (config && config->find("ClusterConfiguration") != std::string::npos &&
        !renewal_.api_answers())
      words.insert(words.end(), {"--config", node_path::kubeadm_config});
    return words;
  }

  Renewal& renewal_;
};

// A component reads its certificates when it starts.
class RestartPhase final : public Phase {
 public:
  RestartPhase(Renewal& renewal, std::string component)
      : Phase("restart/" + component, component + " reads the new certificates",
              std::chrono::minutes(6)),
        renewal_(renewal),
        component_(std::move(component)) {}

  PhaseCheck check() override {
    if (renewal_.journal.ended(id())) return PhaseCheck::done("restarted");
    return PhaseCheck::todo("the container is started anew", {"restart " + component_});
  }
  void apply() override {
    restart_static_pod(renewal_.host, component_);
    while (!renewal_.api_answers()) renewal_.host.pause(std::chrono::seconds(1), "the API server");
  }
  std::string failure_details() override {
    return journal_tail(renewal_.host, "kubelet.service", 8) + static_pod_logs(renewal_.host, 6);
  }

 private:
  Renewal& renewal_;
  std::string component_;
};

void renew(const CertsOptions& options, Progress& progress, std::ostream& out) {
  Host host;
  const ProcessLock lock(host.at(node_path::lock), true);
  const Journal main = Journal::look(host.at(node_path::journal));
  const Receipt receipt = installed_receipt(host, main, "certs --renew");
  if (!receipt.master()) {
    out << "nothing to do: a worker has only the kubelet's certificate, which the kubelet renews "
           "itself\n";
    return;
  }
  if (main.has_plan() && main.started() && !main.complete())
    throw Error(ExitCode::preflight,
                "`kbundle " + main.plan().action + "` of this node was not finished",
                "run it again first; kubeadm renews certificates in an upgrade as well");
  const Journal kept = Journal::look(host.at(kJournal));
  const bool resumed = kept.started() && !kept.complete();
  const auto limit = SystemClock::now() + options.before.value_or(std::chrono::hours(0));
  const auto certificates = node_certificates(host);
  const bool due = std::any_of(
      certificates.begin(), certificates.end(), [&](const NodeCertificate& certificate) {
        return renewable(certificate) &&
               (!certificate.facts || certificate.facts->not_after < limit);
      });
  if (options.before && !due && !resumed) {
    out << "nothing to do: no certificate ends within " << options.before->count() / 24
        << " days\n";
    return;
  }
  // The last one's record is of no more use.
  if (!resumed) host.remove(kJournal);
  Journal journal = Journal::open(host.at(kJournal));
  Renewal run{host,
              progress,
              receipt,
              Catalog::builtin().facts(receipt.kubernetes_version),
              journal,
              installed_program(host, receipt, "kubeadm"),
              installed_program(host, receipt, "kubectl")};
  if (!resumed) {
    PlanRecord record;
    record.action = "certs";
    record.role = receipt.role;
    record.kubernetes_version = receipt.kubernetes_version;
    record.root = "/";
    journal.write_plan(record);
  }
  std::vector<std::unique_ptr<Phase>> phases;
  phases.push_back(std::make_unique<BackupPhase>(run));
  phases.push_back(std::make_unique<RenewPhase>(run));
  for (const std::string& name : static_pods(host))
    phases.push_back(std::make_unique<RestartPhase>(run, name));
  Runner(phases, host, progress, {}).run(journal);
  out << "the certificates are renewed and in use:\n";
  show(host, false, out);
}

void change_timer(Host& host, bool install, std::ostream& out) {
  const ProcessLock lock(host.at(node_path::lock), true);
  if (install)
    (void)installed_receipt(host, Journal::look(host.at(node_path::journal)),
                            "certs --install-timer");
  Journal journal = Journal::open(host.at(node_path::journal));
  const UndoLog undo_log(host, journal);
  if (install) {
    // Six hours: masters are not to restart their API servers all at once.
    const std::string command =
        install_timer(host, {kTimer,
                             "renew Kubernetes' certificates before they end",
                             {"certs", "--renew", "--before", "30d"},
                             daily("6h")});
    out << kTimer << ".timer runs every day: " << command << "\n";
  } else {
    remove_timer(host, kTimer);
    out << kTimer << ".timer is gone\n";
  }
}

void require_root(const Host& host) {
  if (!host.is_root())
    throw Error(ExitCode::preflight, "the keys and certificates are root's", "run it with sudo");
}

}  // namespace

std::chrono::hours parse_lead_time(const std::string& text) {
  long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  if (error != std::errc() || number <= 0 || number > 100000 || (unit != "d" && unit != "h"))
    throw Error(ExitCode::usage, "wanted a time like 30d or 720h, not \"" + printable(text) + "\"");
  return std::chrono::hours(unit == "d" ? number * 24 : number);
}

void certs(const CertsOptions& options, Progress& progress, std::ostream& out) {
  Host host;
  require_root(host);
  if (options.install_timer || options.remove_timer) {
    change_timer(host, options.install_timer, out);
  } else if (options.renew) {
    renew(options, progress, out);
  } else {
    show(host, options.json, out);
  }
}

}  // namespace kbundle
