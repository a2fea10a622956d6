// The host itself: files, units, kernel parameters and swap as they were, then the data of a
// runtime that came with the bundle.
#include <algorithm>
#include <filesystem>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/cluster_names.hpp"
#include "installer/reset/processes.hpp"
#include "installer/reset/steps.hpp"
#include "installer/reset/trees.hpp"
#include "installer/sysctl.hpp"
#include "installer/undo.hpp"

namespace kbundle {
namespace {

constexpr const char* kRestarted = "restart";

class UndoStep final : public Phase {
 public:
  explicit UndoStep(ResetContext& context)
      : Phase("host", "put the host back as it was", std::chrono::minutes(10)), context_(context) {}

  PhaseCheck check() override {
    std::vector<std::string> actions;
    for (const UndoAction& action : back()) actions.push_back(action.shown);
    for (const auto& [key, value] : changed_sysctls())
      actions.push_back("set " + key + " to " + value);
    if (!context_.journal.reset_did(kRestarted))
      for (const std::string& unit : services_that_ran()) actions.push_back("restart " + unit);
    if (actions.empty()) return PhaseCheck::done("it is as it was");
    return PhaseCheck::todo("the install changed it", actions);
  }

  void apply() override {
    Host& host = context_.host;
    for (const UndoAction& action : back()) {
      context_.attempt(id(), [&] { undo(host, action); });
      host.check_deadline("the host to be put back");
    }
    for (const auto& [key, value] : changed_sysctls())
      context_.attempt(id(), [&, name = key, old = value] { set_sysctl(host, name, old); });
    if (!host.live()) return;
    context_.attempt(id(), [&] {
      host.run_checked({.argv = {"systemctl", "daemon-reload"}});
      host.run({.argv = {"systemctl", "reset-failed"}});
    });
    if (touched_below("/etc/firewalld"))
      context_.attempt(id(), [&] { host.run_checked({.argv = {"firewall-cmd", "--reload"}}); });
    if (touched_below("/etc/fapolicyd"))
      context_.attempt(id(), [&] { host.run_checked({.argv = {"fapolicyd-cli", "--update"}}); });
    if (!context_.journal.reset_did(kRestarted))
      context_.attempt(id(), [&] { restart_services(); });
    for (const std::string& module : modules_loaded(context_.journal))
      context_.notes.insert("the kernel module " + module + " stays loaded until the next start");
  }

 private:
  bool touched_below(const std::string& folder) const {
    const auto& records = context_.journal.undo_records();
    return std::any_of(records.begin(), records.end(), [&](const Json& record) {
      return record.value("touch", "") == "file" &&
             is_at_or_below(record.value("name", ""), folder);
    });
  }

  // The copy of admin.conf has a step of its own: a file that somebody changed stays.
  std::vector<UndoAction> back() const {
    auto actions = undo_actions(context_.host, context_.journal);
    std::erase_if(actions, [&](const UndoAction& action) {
      const std::string name = action.record.value("name", "");
      return name.ends_with("/.kube/config") && context_.host.exists(name);
    });
    return actions;
  }

  std::vector<std::pair<std::string, std::string>> changed_sysctls() const {
    std::vector<std::pair<std::string, std::string>> result;
    for (const auto& [key, value] : context_.snapshot.sysctls) {
      const auto now = context_.host.read(sysctl_file(key));
      if (now && trim(*now) != value) result.emplace_back(key, value);
    }
    return result;
  }

  std::vector<std::string> services_that_ran() const {
    auto units = units_that_ran(context_.journal);
    std::erase_if(units, [](const std::string& unit) { return !unit.ends_with(".service"); });
    return units;
  }

  void restart_services() const {
    const Host& host = context_.host;
    for (const std::string& unit : services_that_ran()) {
      const auto foreign = unit == context_.runtime->unit() && !context_.options.restart_runtime
                               ? context_.runtime->foreign_containers()
                               : std::vector<std::string>();
      if (!foreign.empty()) {
        context_.notes.insert(unit + " has its old files back and was not restarted, as it runs " +
                              join(foreign, ", ") + ": systemctl restart " + unit);
        continue;
      }
      host.run_checked(
          {.argv = {"systemctl", "restart", unit}, .timeout = std::chrono::minutes(2)});
    }
    context_.journal.reset_done(kRestarted);
  }

  ResetContext& context_;
};

class RuntimeDataStep final : public Phase {
 public:
  explicit RuntimeDataStep(ResetContext& context)
      : Phase("runtime-data", "remove the data of the bundle's runtime", std::chrono::minutes(5)),
        context_(context) {}

  PhaseCheck check() override {
    std::vector<std::string> actions;
    for (const PodProcess& process : shims()) actions.push_back("kill " + process.shown);
    for (const std::string& folder : folders()) actions.push_back("remove " + folder);
    for (const std::string& group : pod_cgroups(context_.host))
      actions.push_back("remove the cgroup " + group);
    if (actions.empty()) return PhaseCheck::done("none is here");
    return PhaseCheck::todo("containers' data is here", actions);
  }

  void apply() override {
    const Host& host = context_.host;
    if (const auto running = shims(); !running.empty()) kill_processes(host, running);
    for (const std::string& folder : folders()) {
      std::vector<std::string> mounted;
      for (const std::string& path :
           new_paths(host, context_.snapshot, folder, mounts_in_the_way(context_), mounted))
        context_.attempt(id(), [&] { remove_tree(host, path); });
      for (const std::string& path : mounted)
        context_.problem(id(), path + " has something mounted in it, which is not touched");
    }
    for (const std::string& group : pod_cgroups(host))
      context_.attempt(id(), [&] { remove_if_empty(host, group); });
  }

 private:
  bool gone() const { return context_.runtime_goes() && !context_.runtime->answers(); }

  std::vector<PodProcess> shims() const {
    if (!gone()) return {};
    return pod_processes(context_.host, true);
  }

  std::vector<std::string> folders() const {
    std::vector<std::string> result;
    if (!gone()) return result;
    for (const std::string& folder : cluster_names::runtime_folders())
      if (context_.host.exists(folder) && !context_.snapshot.had(folder)) result.push_back(folder);
    return result;
  }

  ResetContext& context_;
};

}  // namespace

std::unique_ptr<Phase> make_undo_step(ResetContext& context) {
  return std::make_unique<UndoStep>(context);
}

std::unique_ptr<Phase> make_runtime_data_step(ResetContext& context) {
  return std::make_unique<RuntimeDataStep>(context);
}

}  // namespace kbundle
