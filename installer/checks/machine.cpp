// Processors, memory, kernel, control groups, architecture.
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "core/text.hpp"
#include "installer/checks/preflight.hpp"

namespace kbundle {
namespace {

std::uint64_t memory_kib(const Host& host) {
  for (const std::string& line : split(host.read("/proc/meminfo").value_or(""), '\n')) {
    std::istringstream in(line);
    std::string key;
    std::uint64_t value = 0;
    if (in >> key >> value && key == "MemTotal:") return value;
  }
  return 0;
}

void check_architecture(const Context& context, Findings& findings) {
  const auto& platforms = context.inventory.platforms;
  if (std::any_of(platforms.begin(), platforms.end(),
                  [&](const Platform& offered) { return context.platform.accepts(offered); }))
    return;
  std::vector<std::string> names;
  for (const Platform& platform : platforms) names.push_back(platform.str());
  findings.error(
      "Architecture",
      "the host is " + context.platform.str() + ", the bundle is for " + join(names, ", "),
      "bring the bundle for " + context.platform.str());
}

void check_size(const Context& context, Findings& findings) {
  if (!context.master()) return;
  const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
  if (processors < context.facts.min_cpu)
    findings.error("NumCPU",
                   "the host has " + std::to_string(processors) +
                       " processor(s), a control plane needs " +
                       std::to_string(context.facts.min_cpu),
                   "give it more processors");
  const std::uint64_t memory = memory_kib(context.host);
  const auto wanted_mb =
      std::max<std::uint64_t>(static_cast<std::uint64_t>(std::max(context.facts.min_memory_mb, 0)),
                              context.inventory.budgets.memory / 1'000'000);
  if (memory > 0 && memory / 1024 < wanted_mb)
    findings.error("Mem",
                   "the host has " + std::to_string(memory / 1024) +
                       " MB of memory, a control plane "
                       "needs " +
                       std::to_string(wanted_mb),
                   "give it more memory");
}

void check_kernel(Findings& findings) {
  utsname name{};
  ::uname(&name);
  const auto parts = split(name.release, '.');
  int major = 0, minor = 0;
  if (parts.size() >= 2) {
    std::from_chars(parts[0].data(), parts[0].data() + parts[0].size(), major);
    std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), minor);
  }
  if (std::pair(major, minor) < std::pair(3, 10))
    findings.error("SystemVerification",
                   std::string("kernel ") + name.release + " is older than 3.10",
                   "update the host");
}

void check_cgroups(const Context& context, Findings& findings) {
  const Host& host = context.host;
  const bool unified = host.exists("/sys/fs/cgroup/cgroup.controllers");
  const std::string minor = context.facts.version.minor_str();
  if (unified && !context.facts.knows_cgroup_v2)
    findings.error("CgroupVersion",
                   "the host has cgroup v2 alone, Kubernetes " + minor + " understands v1 only",
                   "boot with systemd.unified_cgroup_hierarchy=0 on the kernel's command line, or "
                   "bring Kubernetes " +
                       Catalog::builtin().oldest_minor_with_cgroup_v2() + " or newer");
  if (!unified && context.facts.cgroup_v1_host == "error")
    findings.error("CgroupVersion",
                   "the host has cgroup v1, which the kubelet of " + minor + " refuses",
                   "boot with systemd.unified_cgroup_hierarchy=1, or set failCgroupV1: false in a "
                   "KubeletConfiguration given by --config and ignore this check");
  if (!unified && context.facts.cgroup_v1_host == "warning")
    findings.warning("CgroupVersion",
                     "the host has cgroup v1, which Kubernetes " + minor + " gives up",
                     "plan for cgroup v2");
  if (unified) return;
  const std::string controllers = host.read("/proc/cgroups").value_or("");
  for (const char* wanted : {"cpu", "cpuacct", "cpuset", "devices", "freezer", "memory"}) {
    bool enabled = false;
    for (const std::string& line : split(controllers, '\n')) {
      std::istringstream in(line);
      std::string name, hierarchy, count, flag;
      in >> name >> hierarchy >> count >> flag;
      enabled |= name == wanted && flag == "1";
    }
    if (!enabled && !controllers.empty())
      findings.error(
          "SystemVerification", std::string("the cgroup controller ") + wanted + " is missing",
          std::string("enable it (cgroup_enable=") + wanted + " on the kernel's command line)");
  }
}

}  // namespace

void check_machine(const Context& context, Findings& findings) {
  if (!context.host.is_root() && !context.options.dry_run)
    findings.error("IsPrivilegedUser", "kbundle does not run as root", "run it with sudo");
  check_architecture(context, findings);
  check_size(context, findings);
  check_kernel(findings);
  check_cgroups(context, findings);
}

}  // namespace kbundle
