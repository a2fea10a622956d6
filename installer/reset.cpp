#include "installer/reset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/lock.hpp"
#include "core/text.hpp"
#include "installer/context.hpp"
#include "installer/kubeadm_config.hpp"
#include "installer/receipt.hpp"
#include "installer/reset/steps.hpp"
#include "installer/yaml_json.hpp"

namespace kbundle {
namespace {

constexpr const char* kDefaultSocket = "/run/containerd/containerd.sock";

std::string override_of(const Journal& journal, const char* name) {
  const Json value = journal.plan().overrides.value(name, Json(""));
  return value.is_string() ? value.get<std::string>() : std::string();
}

// What a partial install decided stands in the kubeadm configuration before there is a receipt.
std::string pod_subnet_of(const Host& host, const Journal& journal) {
  if (const auto receipt = Receipt::read(host)) return receipt->pod_subnet;
  if (const auto text = host.read(node_path::kubeadm_config)) try {
      const Json cluster =
          user_document(yaml_documents(*text, node_path::kubeadm_config), "ClusterConfiguration");
      return cluster.value("networking", Json::object()).value("podSubnet", "");
    } catch (const Error&) {
      // Cut by a power loss.
    }
  return override_of(journal, "pod-network-cidr");
}

std::string node_name_of(const Host& host, const Journal& journal) {
  if (const auto receipt = Receipt::read(host)) return receipt->node_name;
  const std::string given = override_of(journal, "node-name");
  return given.empty() ? host.hostname() : to_lower(given);
}

HostSnapshot snapshot_of(const Host& host, const Journal& journal, bool force) {
  if (auto snapshot = HostSnapshot::read(host)) return *snapshot;
  // Killed before it was written: nothing else was touched then.
  if (!journal.started() || force) return {};
  throw Error(ExitCode::preflight,
              std::string(node_path::snapshot) +
                  " is not there: what was on this host before the install is not known",
              "look at what would go: kbundle reset --dry-run --force; then leave out --dry-run");
}

ResetContext make_context(const ResetOptions& options, Host& host, Progress& progress,
                          Journal& journal) {
  HostSnapshot snapshot = snapshot_of(host, journal, options.force);
  const std::string socket =
      snapshot.runtime_socket.empty() ? kDefaultSocket : snapshot.runtime_socket;
  auto runtime = make_pod_runtime(host, snapshot.runtime, socket);
  std::vector<std::string> networks;
  for (const std::string& network : split(pod_subnet_of(host, journal), ','))
    if (!trim(network).empty()) networks.emplace_back(trim(network));
  const auto receipt = Receipt::read(host);
  return ResetContext{.options = options,
                      .host = host,
                      .progress = progress,
                      .journal = journal,
                      .snapshot = std::move(snapshot),
                      .runtime = std::move(runtime),
                      .master = journal.plan().role == "master",
                      .node_name = node_name_of(host, journal),
                      .pod_networks = std::move(networks),
                      .node_ip = receipt ? receipt->node_ip : override_of(journal, "node-ip"),
                      .api_endpoint = receipt ? receipt->api_endpoint : std::string(),
                      .vip = receipt ? receipt->vip : override_of(journal, "vip"),
                      .external_etcd = external_etcd_of_node(host, receipt),
                      .notes = {}};
}

void confirm(const ResetOptions& options, const ResetContext& context) {
  if (options.yes) return;
  if (!options.ask)
    throw Error(ExitCode::usage, "reset removes this node from its cluster and asks first",
                "run it on a terminal, or say --yes");
  const PlanRecord& plan = context.journal.plan();
  // `preflight --fix` begins a journal without a plan.
  std::string what = "What kbundle changed on this host is put back";
  if (context.journal.has_plan())
    what = "This " + plan.role + " of Kubernetes " + plan.kubernetes_version +
           " leaves its cluster; its pods and their data on this host are removed" +
           (context.master && !context.external_etcd ? ", and etcd's data with them" : "");
  const std::string answer = options.ask(
      what + ".\n`kbundle reset --dry-run` lists all that goes.\nType the node's name (" +
      context.node_name + ") to go on: ");
  if (answer != context.node_name)
    throw Error(ExitCode::usage, "not confirmed; nothing was changed");
}

class Deadline {
 public:
  Deadline(Host& host, std::chrono::seconds time) : host_(host) {
    host_.set_deadline(std::chrono::steady_clock::now() + time);
  }
  ~Deadline() { host_.set_deadline(std::nullopt); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  Host& host_;
};

// Returns the first conflict, which would stop the reset.
std::optional<PhaseCheck> print_plan(const std::vector<std::unique_ptr<Phase>>& steps,
                                     std::ostream& out) {
  std::optional<PhaseCheck> conflict;
  for (const auto& step : steps) {
    const PhaseCheck check = step->check();
    if (check.state == PhaseState::conflict && !conflict) conflict = check;
    const char* word = check.state == PhaseState::done ? "nothing" : "to do";
    if (check.state == PhaseState::conflict) word = "conflict";
    out << fmt::format("{:<16} {:<8} {}\n", step->id(), word, check.reason);
    for (const std::string& action : check.actions) out << "      " << printable(action) << "\n";
  }
  return conflict;
}

// The objects of a conflict are what to do about it.
void refuse(const PhaseCheck& check) {
  if (check.state == PhaseState::conflict)
    throw Error(ExitCode::preflight, check.reason, join(check.actions, "; "));
}

void run_step(Phase& step, bool first, const std::string& number, ResetContext& context) {
  throw_if_interrupted();
  auto task = context.progress.start("[" + number + "] " + step.id() + ": " + step.title());
  const PhaseCheck check = step.check();
  if (check.state == PhaseState::done) {
    task->done(check.reason);
    return;
  }
  refuse(check);
  const Deadline deadline(context.host, step.timeout());
  // What follows the first one, etcd's, cannot be undone; the cluster must not be left with a
  // member that is gone.
  if (first && !context.options.force) {
    step.apply();
  } else {
    context.attempt(step.id(), [&] { step.apply(); });
  }
  if (!context.problems.contains(step.id())) task->done();
}

// What the steps still find, each with the reason.
std::vector<std::string> find_left(const std::vector<std::unique_ptr<Phase>>& steps,
                                   const ResetContext& context) {
  std::vector<std::string> left;
  for (const auto& step : steps) {
    const PhaseCheck check = step->check();
    if (check.state == PhaseState::done) continue;
    const auto found = context.problems.find(step->id());
    left.push_back(step->id() + (found == context.problems.end() ? "" : ": " + found->second));
    for (const std::string& action : check.actions) left.push_back("  not done: " + action);
  }
  return left;
}

}  // namespace

void reset(const ResetOptions& options, Progress& progress, std::ostream& out) {
  Host host;
  if (!host.is_root())
    throw Error(ExitCode::preflight, "reset changes the system and needs root", "run it with sudo");
  std::unique_ptr<ProcessLock> lock;
  if (!options.dry_run) lock = std::make_unique<ProcessLock>(host.at(node_path::lock), true);

  if (!host.exists(node_path::journal)) {
    if (!options.dry_run) remove_own_state(host);
    out << "nothing to reset: kbundle has no record of an install on this host\n";
    if (host.exists("/etc/kubernetes/kubelet.conf"))
      out << "a cluster that kbundle did not make is here: kubeadm reset removes it\n";
    return;
  }
  Journal journal = options.dry_run ? Journal::look(host.at(node_path::journal))
                                    : Journal::open(host.at(node_path::journal));
  ResetContext context = make_context(options, host, progress, journal);
  const auto steps = make_reset_steps(context);
  if (options.dry_run) {
    const auto conflict = print_plan(steps, out);
    out << "at last: remove " << node_path::state << "; nothing is changed now\n";
    if (conflict) refuse(*conflict);
    return;
  }
  refuse(steps.front()->check());
  confirm(options, context);
  journal.begin_reset();

  std::size_t number = 0;
  for (const auto& step : steps)
    run_step(*step, step == steps.front(), fmt::format("{}/{}", ++number, steps.size()), context);
  const auto left = find_left(steps, context);
  for (const std::string& note : context.notes) progress.line("note: " + note);
  if (!left.empty() && !options.force)
    throw Error(ExitCode::phase, "this was left:\n  " + join(left, "\n  "),
                "put right what is in the way, then run the same command again (--force forgets "
                "it)");
  if (!left.empty()) progress.warn("this was left:\n  " + join(left, "\n  "));
  remove_own_state(host);
  out << "this host is out of the cluster; what the install changed is as it was before\n";
}

}  // namespace kbundle
