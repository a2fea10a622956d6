#include "installer/repair.hpp"

#include <algorithm>
#include <memory>

#include "core/disk.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/lock.hpp"
#include "core/text.hpp"
#include "installer/installed_node.hpp"
#include "installer/phases/phases.hpp"
#include "installer/runner.hpp"
#include "installer/runtimes/cri_dockerd.hpp"
#include "installer/session.hpp"
#include "installer/timer.hpp"
#include "installer/undo.hpp"

namespace kbundle {
namespace {

constexpr const char* kKeptBundle = "/var/lib/kbundle/bundle.tar.zst";
constexpr const char* kTimer = "kbundle-repair";

void require_root(const Host& host) {
  if (!host.is_root())
    throw Error(ExitCode::preflight, "repair changes the system and needs root",
                "run it with sudo");
}

// Held by children as well: an orphan of a killed kbundle must have ended before the next run.
ProcessLock take_lock(const Host& host) {
  return ProcessLock(host.at(node_path::lock), true);
}

Receipt receipt_to_repair(const Host& host, const Journal& journal) {
  Receipt receipt = installed_receipt(host, journal, "repair");
  if (journal.has_plan() && !journal.complete() && !journal.was_complete())
    throw Error(ExitCode::preflight,
                "the " + journal.plan().action + " of this host stopped in phase " +
                    journal.last_phase() + "; that comes first",
                install_command(journal.plan()));
  return receipt;
}

Bundle open_same_bundle(const Host& host, const RepairOptions& options, const Receipt& receipt) {
  const auto kept = host.at(kKeptBundle);
  const auto path = options.bundle.empty() && std::filesystem::exists(kept)
                        ? kept
                        : find_bundle(options.bundle, "kbundle repair BUNDLE");
  Bundle bundle = Bundle::open(path, TrustStore::standard(), options.trust);
  if (bundle.id() == receipt.bundle) return bundle;
  throw Error(ExitCode::preflight,
              "this node was installed from another bundle:\n  " + receipt.bundle +
                  " (Kubernetes " + receipt.kubernetes_version + ") is on the node\n  " +
                  bundle.id() + " (Kubernetes " + bundle.inventory().kubernetes_version + ") is " +
                  path.string(),
              "bring the bundle the node was installed from");
}

// Units whose program or unit file differs: they run what lies there no more.
std::vector<std::string> units_to_restart(const Context& context, const PhaseCheck& programs) {
  std::vector<std::string> units;
  const auto differs = [&](const std::string& component) {
    return std::any_of(
        context.inventory.files.begin(), context.inventory.files.end(),
        [&](const FileRecord& file) {
          return file.component == component && context.host.exists(file.path) &&
                 context.host.digest(file.path) != file.digest &&
                 (file.platform.architecture.empty() || context.platform.accepts(file.platform));
        });
  };
  // The host's own containerd is none of the bundle's files.
  if (!context.runtime->host_has_own() && differs("containerd"))
    units.emplace_back("containerd.service");
  if (context.runtime->name() == "docker" && differs(CriDockerd::kComponent))
    units.emplace_back(CriDockerd::kUnit);
  const bool unit_file =
      std::any_of(programs.actions.begin(), programs.actions.end(), [](const std::string& action) {
        return action.starts_with("write ") && action.find("kubelet.service") != std::string::npos;
      });
  if (unit_file || differs("kubelet")) units.emplace_back("kubelet.service");
  return units;
}

void copy_bundle(const Host& host, const Bundle& bundle, const RepairOptions& options,
                 Progress& progress) {
  const auto target = host.at(kKeptBundle);
  std::error_code ignored;
  if (std::filesystem::equivalent(bundle.path(), target, ignored)) return;
  check_room({{target.parent_path(), bundle.size(), "the kept bundle"}});
  {
    auto task = progress.start(std::string("copy the bundle to ") + kKeptBundle, bundle.size());
    FdSource source = FdSource::open(bundle.path());
    AtomicFile file(target, 0644);
    copy(source, file, [&](std::uint64_t bytes) { task->advance(bytes); });
    file.commit();
    task->done();
  }
  Bundle::open(target, TrustStore::standard(), options.trust).verify(progress);
}

}  // namespace

void repair(const RepairOptions& options, Progress& progress, std::ostream& out) {
  Host host;
  require_root(host);
  const ProcessLock lock = take_lock(host);
  Journal journal = Journal::look(host.at(node_path::journal));
  const Receipt receipt = receipt_to_repair(host, journal);
  const Bundle bundle = open_same_bundle(host, options, receipt);
  InstalledNode node(receipt, host, progress, journal, &bundle);
  node.options.swapoff = options.swapoff;
  node.options.restart_runtime = options.restart_runtime;
  node.context.deep_images = true;

  auto plan = make_host_phases(node.context);
  PhaseCheck programs;
  bool all_done = true;
  for (const auto& phase : plan) {
    const PhaseCheck check = phase->check();
    all_done &= check.state == PhaseState::done;
    if (phase->id() == "programs") programs = check;
  }
  if (all_done && journal.complete()) {
    out << "nothing to repair: programs, runtime and images are as the bundle wants them\n";
    return;
  }
  // Read as a whole only now: the timer's usual run finds nothing to do.
  bundle.verify(progress);
  const auto restart = units_to_restart(node.context, programs);
  journal = Journal::open(host.at(node_path::journal));
  const UndoLog undo_log(host, journal);
  Runner runner(plan, host, progress, {});
  runner.run(journal);
  for (const std::string& unit : restart)
    host.run_checked({.argv = {"systemctl", "restart", unit}});
  out << "repaired; `kbundle status` says whether the node is healthy\n";
}

void install_repair_timer(const RepairOptions& options, const std::string& span, Progress& progress,
                          std::ostream& out) {
  const std::string schedule = every(span);
  Host host;
  require_root(host);
  const ProcessLock lock = take_lock(host);
  Journal journal = Journal::look(host.at(node_path::journal));
  const Receipt receipt = receipt_to_repair(host, journal);
  const Bundle bundle = open_same_bundle(host, options, receipt);
  journal = Journal::open(host.at(node_path::journal));
  const UndoLog undo_log(host, journal);
  copy_bundle(host, bundle, options, progress);
  std::vector<std::string> arguments = {"repair", kKeptBundle};
  // The timer has nobody to ask: the key becomes a trusted one of root's.
  const auto store = TrustStore("/etc/kbundle/trusted-keys");
  for (const PublicKey& key : bundle.signers())
    if (!store.find(key.id()))
      host.write((store.folder() / (key.id() + ".pem")).string(), key.pem());
  if (bundle.signers().empty())
    arguments.insert(arguments.end(), {"--allow-unsigned", "--bundle-id", bundle.id()});
  install_timer(host, {kTimer, "bring back what this Kubernetes node lost of its bundle", arguments,
                       schedule});
  out << kTimer << ".timer runs every " << span << "; it repairs from " << kKeptBundle << " ("
      << human_size(bundle.size()) << ")\n";
}

void remove_repair_timer(std::ostream& out) {
  Host host;
  require_root(host);
  const ProcessLock lock = take_lock(host);
  Journal journal = Journal::open(host.at(node_path::journal));
  const UndoLog undo_log(host, journal);
  remove_timer(host, kTimer);
  host.remove(kKeptBundle);
  out << kTimer << ".timer and " << kKeptBundle << " are gone\n";
}

}  // namespace kbundle
