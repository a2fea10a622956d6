// Whether a host is fit. All checks run, all findings are given; nothing is changed.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "installer/context.hpp"

namespace kbundle {

struct Finding {
  enum class Severity { error, warning };
  std::string id;  ///< kubeadm's name where it has one: "Swap", "Port-6443", "NumCPU"
  Severity severity = Severity::error;
  std::string message;
  std::string fix;  ///< what to do
};

/// What the plan at hand will do itself is no finding. Findings named in
/// options.ignore_preflight_errors are warnings.
std::vector<Finding> preflight(const Context& context);

bool has_errors(const std::vector<Finding>& findings);
std::string findings_text(const std::vector<Finding>& findings);
std::string findings_json(const std::vector<Finding>& findings);

/// A collector, so that each group of checks reads as a list.
class Findings {
 public:
  void error(std::string id, std::string message, std::string fix) {
    list_.push_back({std::move(id), Finding::Severity::error, std::move(message), std::move(fix)});
  }
  void warning(std::string id, std::string message, std::string fix) {
    list_.push_back(
        {std::move(id), Finding::Severity::warning, std::move(message), std::move(fix)});
  }
  std::vector<Finding>& list() { return list_; }

 private:
  std::vector<Finding> list_;
};

// The groups.
void check_machine(const Context& context, Findings& findings);   ///< CPU, memory, architecture
void check_kernel(const Context& context, Findings& findings);    ///< version, modules, sysctl
void check_cgroups(const Context& context, Findings& findings);   ///< v1 or v2, controllers
void check_storage(const Context& context, Findings& findings);   ///< disk against budgets
void check_mounts(const Context& context, Findings& findings);    ///< read-only, noexec
void check_system(const Context& context, Findings& findings);    ///< programs, swap, units
void check_clock(const Context& context, Findings& findings);     ///< against bundle and ticket
void check_runtimes(const Context& context, Findings& findings);  ///< fit, and how many
void check_network(const Context& context, Findings& findings);   ///< addresses, names, ports
void check_cidrs(const Context& context, Findings& findings);     ///< networks that overlap, MTU
void check_firewall(const Context& context, Findings& findings);  ///< what would cut pods off
void check_security(const Context& context, Findings& findings);  ///< SELinux, fapolicyd, AppArmor
void check_proxies(const Context& context, Findings& findings);   ///< in the environment, in units
void check_external_etcd(const Context& context, Findings& findings);    ///< of the site's own
void check_virtual_address(const Context& context, Findings& findings);  ///< --vip
void check_leftovers(const Context& context, Findings& findings);  ///< another cluster's remains

/// Whether the install that the journal tells of is the one at hand, so that its remains are ours.
bool is_resumed(const Context& context);

}  // namespace kbundle
