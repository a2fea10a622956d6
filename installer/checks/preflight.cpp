#include "installer/checks/preflight.hpp"

#include <algorithm>

#include "core/json.hpp"
#include "core/text.hpp"

namespace kbundle {

bool is_resumed(const Context& context) {
  return context.journal != nullptr && context.journal->has_plan() && context.journal->started();
}

std::vector<Finding> preflight(const Context& context) {
  Findings findings;
  for (const auto& check :
       {check_machine, check_kernel, check_cgroups, check_storage, check_mounts, check_system,
        check_clock, check_runtimes, check_network, check_cidrs, check_virtual_address,
        check_external_etcd, check_firewall, check_security, check_proxies, check_leftovers})
    check(context, findings);
  const auto& ignored = context.options.ignore_preflight_errors;
  for (Finding& finding : findings.list()) {
    const bool ignore = std::any_of(ignored.begin(), ignored.end(), [&](const std::string& id) {
      return to_lower(id) == "all" || to_lower(id) == to_lower(finding.id);
    });
    if (ignore) finding.severity = Finding::Severity::warning;
  }
  std::stable_sort(findings.list().begin(), findings.list().end(),
                   [](const Finding& a, const Finding& b) { return a.severity < b.severity; });
  return std::move(findings.list());
}

bool has_errors(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.severity == Finding::Severity::error;
  });
}

std::string findings_text(const std::vector<Finding>& findings) {
  constexpr std::size_t width = 80, indent = 9;
  std::string text;
  for (const Finding& finding : findings) {
    text += (finding.severity == Finding::Severity::error ? "error    " : "warning  ") +
            finding.id + "\n" + wrap(finding.message, width, indent);
    if (!finding.fix.empty()) text += wrap("fix: " + finding.fix, width, indent);
  }
  return text;
}

std::string findings_json(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings)
    list.push_back(
        {{"id", finding.id},
         {"severity", finding.severity == Finding::Severity::error ? "error" : "warning"},
         {"message", finding.message},
         {"fix", finding.fix}});
  return list.dump(2) + "\n";
}

}  // namespace kbundle
