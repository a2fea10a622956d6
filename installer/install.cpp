#include "installer/install.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/lock.hpp"
#include "core/text.hpp"
#include "installer/checks/preflight.hpp"
#include "installer/context.hpp"
#include "installer/phases/phases.hpp"
#include "installer/runner.hpp"
#include "installer/runtimes/pod_runtime.hpp"
#include "installer/session.hpp"
#include "installer/snapshot.hpp"
#include "installer/undo.hpp"

namespace kbundle {
namespace {

std::string role_word(const InstallOptions& options) {
  return options.role == InstallOptions::Role::master ? "master" : "worker";
}

PlanRecord make_record(const Context& context, const Bundle& bundle) {
  const InstallOptions& options = context.options;
  PlanRecord record;
  record.bundle = bundle.id();
  record.line = context.inventory.line;
  record.serial = context.inventory.serial;
  record.kubernetes_version = context.inventory.kubernetes_version;
  record.action = "install";
  record.role = role_word(options);
  record.root = options.root.string();
  record.unsigned_bundle = bundle.signers().empty();
  if (!options.kubeadm_config.empty())
    record.config_digest = sha256(Json(context.user_documents).dump()).str();
  Json& overrides = record.overrides;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) overrides[name] = value;
  };
  add("node-ip", options.node_ip);
  add("control-plane-endpoint", options.control_plane_endpoint);
  add("pod-network-cidr", options.pod_network_cidr);
  add("service-cidr", options.service_cidr);
  add("service-dns-domain", options.service_dns_domain);
  add("apiserver-cert-extra-sans", options.apiserver_cert_extra_sans);
  add("node-name", options.node_name);
  add("cri-socket", options.cri_socket);
  add("image-repository", options.image_repository);
  add("runtime", options.runtime);
  add("bin-dir", context.bin_dir);
  add("vip", context.vip);
  if (options.schedulable) add("schedulable", "true");
  if (context.ticket) {  // the token is a secret and may be another one later
    add("join", context.ticket->endpoint);
    add("discovery-token-ca-cert-hash", context.ticket->ca_cert_hash);
  }
  return record;
}

// An older serial of the same line, or another plan over a begun one, stops here.
void compare_plans(const Journal& journal, const PlanRecord& record, bool allow_downgrade) {
  if (journal.resetting())
    throw Error(ExitCode::preflight, "a reset of this host was begun and is not at its end",
                "end it first: kbundle reset");
  if (!journal.has_plan()) return;
  const PlanRecord& before = journal.plan();
  if (before.line == record.line && record.serial < before.serial && !allow_downgrade)
    throw Error(ExitCode::verification,
                "the bundle's serial " + std::to_string(record.serial) + " is older than " +
                    std::to_string(before.serial) + ", which is installed",
                "bring the newer bundle, or allow it with --allow-downgrade");
  if (!journal.started()) return;
  const auto differences = before.differences(record);
  if (differences.empty()) return;
  throw Error(ExitCode::preflight,
              "this host was begun with another plan:\n  " + join(differences, "\n  "),
              "repeat the first command, or start over: kbundle reset");
}

void require_root(const Host& host) {
  if (!host.is_root())
    throw Error(ExitCode::preflight, "install changes the system and needs root",
                "run it with sudo, or look at the plan with --dry-run");
}

void report(const std::vector<Finding>& findings, Progress& progress) {
  if (!findings.empty()) progress.line(findings_text(findings));
}

void throw_if_unfit(const std::vector<Finding>& findings,
                    const std::string& changed = "; nothing was changed") {
  if (!has_errors(findings)) return;
  const auto count = std::count_if(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.severity == Finding::Severity::error;
  });
  throw Error(ExitCode::preflight,
              std::to_string(count) + " check(s) say that this host is not fit yet" + changed,
              "do what stands beside fix, then run the same command again "
              "(--ignore-preflight-errors CHECK,… goes on at your own risk)");
}

// What the host is before the first touch: reset goes back to it.
void keep_what_was(Session& session) {
  if (!session.journal.undo_records().empty() || session.journal.started()) return;
  const Runtime& runtime = *session.context.runtime;
  keep_snapshot(session.host,
                *make_pod_runtime(session.host, runtime.name(), runtime.cri_socket()));
}

// `preflight --fix`: the host phase alone, as install runs it, with swap off.
void fix_host(InstallOptions options, Progress& progress) {
  const Host host(options.root);
  require_root(host);
  const ProcessLock lock(host.at(node_path::lock), true);
  options.swapoff = true;
  Session session(options, progress, false);
  session.journal = Journal::open(session.host.at(node_path::journal));
  keep_what_was(session);
  const UndoLog undo_log(session.host, session.journal);
  const auto phase = make_host_phase(session.context);
  const PhaseCheck before = phase->check();
  if (before.state == PhaseState::done) {
    progress.line("nothing to fix: modules, sysctl and swap are " + before.reason);
    return;
  }
  phase->apply();
  for (const std::string& action : before.actions) progress.line("fixed: " + action);
}

void say_what_next(const Context& context, std::ostream& out) {
  if (context.joins()) {
    out << (context.master() ? "master " : "node ") << context.node_name
        << " has joined the cluster at " << context.ticket->endpoint << "\n";
    return;
  }
  out << "the cluster is up: Kubernetes " << context.inventory.kubernetes_version << " on "
      << context.node_name << " (" << context.network.node_ip << ")\n"
      << "join ticket: " << node_path::join_ticket
      << " (a secret; workers may join for 24 hours, masters for 2)\n"
      << "on each other node: kbundle install --role worker|master --join join-ticket.json\n"
      << "a new ticket, on any master: kbundle ticket --masters\n";
}

}  // namespace

void list_phases(const InstallOptions& options, bool json, Progress& progress, std::ostream& out) {
  InstallOptions described = options;
  // A worker's plan may be asked for without a cluster to join: nothing is run.
  described.joined = options.role == InstallOptions::Role::worker && options.join_ticket.empty() &&
                     options.join_endpoint.empty();
  Session session(described, progress, false);
  const auto plan = make_plan(session.context);
  if (json) {
    Json list = Json::array();
    for (const auto& phase : plan)
      list.push_back({{"id", phase->id()},
                      {"title", phase->title()},
                      {"timeout_seconds", phase->timeout().count()}});
    out << list.dump(2) << "\n";
    return;
  }
  out << "phases of install --role " << role_word(options) << ", Kubernetes "
      << session.context.inventory.kubernetes_version
      << " (the names are for --only-phase and --skip-phases)\n";
  std::string group;
  for (const auto& phase : plan) {
    const auto words = split(phase->id(), '/');
    if (words.size() > 1 && words.front() != group) out << words.front() << "\n";
    group = words.size() > 1 ? words.front() : std::string();
    out << fmt::format("{:<25} {:<44} {:>3} min\n", group.empty() ? phase->id() : "  /" + words[1],
                       phase->title(),
                       std::chrono::duration_cast<std::chrono::minutes>(phase->timeout()).count());
  }
}

void preflight_report(const InstallOptions& options, bool json, bool fix, Progress& progress,
                      std::ostream& out) {
  if (fix) fix_host(options, progress);
  Session session(options, progress, false);
  const auto findings = preflight(session.context);
  if (json) {
    out << findings_json(findings);
  } else if (findings.empty()) {
    out << "this host is fit\n";
  } else {
    out << findings_text(findings);
  }
  throw_if_unfit(findings, fix ? "" : "; nothing was changed");
}

void install(const InstallOptions& options, Progress& progress, std::ostream& out) {
  if (!options.dry_run) {
    const Host host(options.root);
    require_root(host);
  }
  // Held by children as well: an orphan of a killed kbundle must have ended before the next run.
  std::unique_ptr<ProcessLock> lock;
  if (!options.dry_run)
    lock = std::make_unique<ProcessLock>(Host(options.root).at(node_path::lock), true);

  Session session(options, progress, true);
  Context& context = session.context;
  const PlanRecord record = make_record(context, session.bundle);
  compare_plans(session.journal, record, options.allow_downgrade);
  const auto findings = preflight(context);
  report(findings, progress);

  if (options.dry_run) {
    auto plan = make_plan(context);
    const Runner runner(plan, session.host, progress, {options.only_phase, options.skip_phases});
    out << "plan for --role " << role_word(options) << " with " << session.bundle.path().string()
        << " (" << session.bundle.id() << "); nothing is changed\n";
    const bool conflict = runner.print_plan(out);
    throw_if_unfit(findings);
    if (conflict)
      throw Error(ExitCode::preflight, "the plan cannot run: something is in the way",
                  "see the phases marked conflict");
    return;
  }
  throw_if_unfit(findings);

  session.journal = Journal::open(session.host.at(node_path::journal));
  if (session.journal.was_torn())
    progress.warn("the journal's last record was torn and is cut; the host is checked again");
  keep_what_was(session);
  if (!session.journal.has_plan() || !session.journal.started()) session.journal.write_plan(record);

  const UndoLog undo_log(session.host, session.journal);
  auto plan = make_plan(context);
  Runner runner(plan, session.host, progress, {options.only_phase, options.skip_phases});
  const std::size_t applied = runner.run(session.journal);
  if (applied == 0) {
    out << "nothing to do: everything is as the bundle wants it\n";
  } else if (options.only_phase.empty() && session.host.live()) {
    say_what_next(context, out);
  }
}

}  // namespace kbundle
