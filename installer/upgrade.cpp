#include "installer/upgrade.hpp"

#include <algorithm>
#include <memory>

#include "core/error.hpp"
#include "core/lock.hpp"
#include "core/text.hpp"
#include "installer/installed_node.hpp"
#include "installer/phases/phases.hpp"
#include "installer/runner.hpp"
#include "installer/session.hpp"
#include "installer/undo.hpp"
#include "installer/upgrade_checks.hpp"
#include "installer/upgrade_plan.hpp"

namespace kbundle {
namespace {

constexpr const char* kAction = "upgrade";

PlanRecord make_record(const Session& session, const UpgradeOptions& options,
                       const Receipt& before) {
  PlanRecord record;
  record.action = kAction;
  record.bundle = session.bundle.id();
  record.line = session.context.inventory.line;
  record.serial = session.context.inventory.serial;
  record.kubernetes_version = session.context.inventory.kubernetes_version;
  record.role = before.role;
  record.root = "/";
  record.unsigned_bundle = session.bundle.signers().empty();
  // What the install was told stays known.
  record.config_digest = session.journal.plan().config_digest;
  record.overrides = session.journal.plan().overrides;
  record.overrides["drain"] = options.drain;
  return record;
}

// An install must be whole, and an upgrade that was begun is ended with its own bundle.
void compare_plans(const Journal& journal, const PlanRecord& record, const Receipt& before,
                   const UpgradeOptions& options) {
  if (before.line == record.line && record.serial < before.serial && !options.allow_downgrade)
    throw Error(ExitCode::verification,
                "the bundle's serial " + std::to_string(record.serial) + " is older than " +
                    std::to_string(before.serial) + ", which is installed",
                "bring the newer bundle, or allow it with --allow-downgrade");
  if (journal.complete() || !journal.started()) return;
  const PlanRecord& begun = journal.plan();
  if (begun.action != kAction)
    throw Error(ExitCode::preflight, "`kbundle " + begun.action + "` of this host was not finished",
                "run it again, with the same bundle, before an upgrade");
  auto differences = begun.differences(record);
  std::erase_if(differences, [](const std::string& text) { return text.starts_with("drain:"); });
  if (differences.empty()) return;
  throw Error(ExitCode::preflight,
              "an upgrade to " + begun.kubernetes_version +
                  " was begun here and is not finished:\n  " + join(differences, "\n  "),
              "run `kbundle upgrade` with that bundle again: it goes on where it stopped");
}

bool is_resumed(const Journal& journal) {
  return journal.has_plan() && journal.plan().action == kAction && journal.started() &&
         !journal.complete();
}

// kubectl as the install left it, or as this upgrade has placed it already.
void check_kubectl(const Context& context, const Receipt& before) {
  const std::string path = context.program("kubectl");
  if (context.has_program("kubectl") || is_installed_program(context.host, before, path)) return;
  throw Error(ExitCode::preflight, path + " is neither the one that was installed nor the bundle's",
              "put it right with `kbundle repair`, or take it away and run the install's command "
              "again");
}

void throw_on_errors(const std::vector<Finding>& findings, Progress& progress) {
  if (!findings.empty()) progress.line(findings_text(findings));
  if (!has_errors(findings)) return;
  throw Error(ExitCode::preflight, "this node cannot be upgraded yet; nothing was changed",
              "do what stands under FIX, then run the same command again");
}

// Loading images changes nothing that runs, so it needs no plan: it can be repeated at will.
void load_images_only(Context& context, const UpgradeOptions& options, std::ostream& out) {
  const auto phase = make_images_phase(context);
  const PhaseCheck check = phase->check();
  if (options.dry_run) {
    out << "images: " << check.reason << "\n";
    for (const std::string& action : check.actions) out << "  " << action << "\n";
    return;
  }
  if (check.state == PhaseState::done) {
    out << "nothing to do: " << check.reason << "\n";
    return;
  }
  phase->apply();
  out << "the images of " << context.inventory.kubernetes_version
      << " are there; nothing else was changed\n";
}

UpgradeState decide_state(const Context& context, const Receipt& before, bool resumed) {
  UpgradeState state = look_at_versions(context, before);
  // A resumed run was let through before; its API server may be down for a moment.
  for (int tries = 0;
       resumed && context.master() && !state.cluster && tries < 30 &&
       !context.journal->begun("upgrade-apply") && !context.journal->begun("upgrade-node");
       ++tries) {
    context.host.pause(std::chrono::seconds(2), "the API server");
    state = look_at_versions(context, before);
  }
  return state;
}

UpgradeCommand decide_command(const Context& context, const UpgradeState& state) {
  if (context.journal->plan().action == kAction && !context.journal->complete() &&
      context.journal->begun("upgrade-node"))
    return UpgradeCommand::node;
  const bool apply_begun = context.journal->plan().action == kAction &&
                           !context.journal->complete() && context.journal->begun("upgrade-apply");
  return upgrade_command(state, apply_begun);
}

void say_what_next(const UpgradePlan& plan, std::ostream& out) {
  out << "node " << plan.context.node_name << " is " << plan.context.inventory.kubernetes_version
      << " now (it was " << plan.before.kubernetes_version << ")\n";
  if (plan.context.master())
    out << "next: `kbundle upgrade` with this bundle on the other masters, one after the other, "
           "then on the workers\n";
}

}  // namespace

void upgrade(const UpgradeOptions& options, Progress& progress, std::ostream& out) {
  const Host host;
  if (!host.is_root())
    throw Error(ExitCode::preflight, "upgrade reads and changes the system and needs root",
                "run it with sudo");
  std::unique_ptr<ProcessLock> lock;
  if (!options.dry_run) lock = std::make_unique<ProcessLock>(host.at(node_path::lock), true);

  const Journal journal = Journal::look(host.at(node_path::journal));
  const Receipt before = installed_receipt(host, journal, kAction);
  InstallOptions node = installed_options(before, journal);
  node.bundle = find_bundle(options.bundle, "kbundle upgrade BUNDLE");
  node.trust = options.trust;
  node.dry_run = options.dry_run;
  node.restart_runtime = options.restart_runtime;
  Session session(node, progress, true);
  Context& context = session.context;
  // What the install's documents said, which are not asked for again.
  if (!before.resolver.empty()) context.resolver = choose_resolver(session.host, before.resolver);
  check_kubectl(context, before);
  if (options.images_only) {
    load_images_only(context, options, out);
    return;
  }

  const PlanRecord record = make_record(session, options, before);
  compare_plans(session.journal, record, before, options);
  const bool resumed = is_resumed(session.journal);
  const UpgradeState state = decide_state(context, before, resumed);
  // A restored etcd has the cluster's objects of the old version again.
  const bool cluster_behind = state.master && state.cluster && *state.cluster < state.to;
  if (!resumed && before.bundle == record.bundle && session.journal.complete() && !cluster_behind) {
    out << "nothing to do: this node is " << before.kubernetes_version
        << " of this bundle already\n";
    return;
  }
  const UpgradeCommand command = decide_command(context, state);
  if (!resumed) {
    throw_on_errors(upgrade_findings(context, before, state), progress);
    if (command == UpgradeCommand::apply && !options.dry_run)
      check_images_on_nodes(context, options.ignore_missing_images);
  }

  UpgradePlan plan{context, options, before, command};
  if (options.dry_run) {
    auto phases = make_upgrade_phases(plan);
    const Runner runner(phases, session.host, progress, {});
    out << "plan: " << before.role << " " << context.node_name << " from "
        << before.kubernetes_version << " to " << record.kubernetes_version
        << "; nothing is changed\n";
    if (runner.print_plan(out))
      throw Error(ExitCode::preflight, "the plan cannot run: something is in the way",
                  "see the phases marked conflict");
    return;
  }
  session.journal = Journal::open(session.host.at(node_path::journal));
  if (session.journal.was_torn())
    progress.warn("the journal's last record was torn and is cut; the host is checked again");
  if (!resumed) session.journal.write_plan(record);
  const UndoLog undo_log(session.host, session.journal);
  auto phases = make_upgrade_phases(plan);
  Runner runner(phases, session.host, progress, {});
  runner.run(session.journal);
  say_what_next(plan, out);
}

}  // namespace kbundle
