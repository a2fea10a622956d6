// Control groups: which version the host has, against what Kubernetes and the runtime understand.
#include <algorithm>
#include <sstream>

#include "core/text.hpp"
#include "installer/checks/preflight.hpp"

namespace kbundle {
namespace {

constexpr const char* kUnified = "/sys/fs/cgroup/cgroup.controllers";

void check_version(const Context& context, bool unified, Findings& findings) {
  const std::string minor = context.facts.version.minor_str();
  if (unified && !context.facts.knows_cgroup_v2)
    findings.error("CgroupVersion",
                   "the host has cgroup v2 alone, Kubernetes " + minor + " understands v1 only",
                   "boot with systemd.unified_cgroup_hierarchy=0 on the kernel's command line, or "
                   "bring Kubernetes " +
                       Catalog::builtin().oldest_minor_with_cgroup_v2() + " or newer");
  if (!unified && context.facts.cgroup_v1_host == "error")
    findings.error("SystemVerification",
                   "the host has cgroup v1, which the kubelet of " + minor + " refuses",
                   "boot with systemd.unified_cgroup_hierarchy=1, or set failCgroupV1: false in a "
                   "KubeletConfiguration given by --config and ignore this check");
  if (!unified && context.facts.cgroup_v1_host == "warning")
    findings.warning("SystemVerification",
                     "the host has cgroup v1, which Kubernetes " + minor + " gives up",
                     "plan for cgroup v2");
  if (!unified || !context.host.live() || !context.runtime->host_has_own()) return;
  const auto runtime = Version::parse(context.runtime->version());
  if (runtime && context.runtime->name() == "containerd" && *runtime < Version{1, 4, 0, ""})
    findings.error("CgroupVersion",
                   "the host has cgroup v2, and its containerd " + runtime->str() +
                       " is older than 1.4, which brought it",
                   "update containerd, or boot with systemd.unified_cgroup_hierarchy=0");
}

bool enabled_v1(const std::string& proc_cgroups, const std::string& wanted) {
  for (const std::string& line : split(proc_cgroups, '\n')) {
    std::istringstream in(line);
    std::string name, hierarchy, count, flag;
    in >> name >> hierarchy >> count >> flag;
    if (name == wanted && flag == "1") return true;
  }
  return false;
}

void check_controllers(const Context& context, bool unified, Findings& findings) {
  const std::string v1 = context.host.read("/proc/cgroups").value_or("");
  const std::string v2 = " " + std::string(trim(context.host.read(kUnified).value_or(""))) + " ";
  if (!unified && v1.empty()) return;
  for (const std::string& wanted : context.facts.cgroup_controllers) {
    // v2 counts under cpu, and has devices and freezer without a controller.
    if (unified && (wanted == "cpuacct" || wanted == "devices" || wanted == "freezer")) continue;
    if (unified ? v2.find(" " + wanted + " ") != std::string::npos : enabled_v1(v1, wanted))
      continue;
    findings.error("SystemVerification", "the cgroup controller " + wanted + " is missing",
                   "enable it (cgroup_enable=" + wanted + " on the kernel's command line)");
  }
}

}  // namespace

void check_cgroups(const Context& context, Findings& findings) {
  const bool unified = context.host.exists(kUnified);
  check_version(context, unified, findings);
  check_controllers(context, unified, findings);
}

}  // namespace kbundle
