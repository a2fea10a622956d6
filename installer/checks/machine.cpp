// Processors, memory, architecture.
#include <unistd.h>

#include <algorithm>
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

// "0-3,6" in /sys/devices/system/cpu/online.
long processors_of(const Host& host) {
  long count = 0;
  const std::string online = host.read("/sys/devices/system/cpu/online").value_or("");
  for (const std::string& part : split(trim(online), ',')) {
    const auto dash = part.find('-');
    long first = 0, last = 0;
    std::istringstream(part.substr(0, dash)) >> first;
    last = first;
    if (dash != std::string::npos) std::istringstream(part.substr(dash + 1)) >> last;
    if (!part.empty()) count += last - first + 1;
  }
  return count > 0 ? count : ::sysconf(_SC_NPROCESSORS_ONLN);
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
  const long processors = processors_of(context.host);
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

}  // namespace

void check_machine(const Context& context, Findings& findings) {
  if (!context.host.is_root() && !context.options.dry_run)
    findings.error("IsPrivilegedUser", "kbundle does not run as root", "run it with sudo");
  check_architecture(context, findings);
  check_size(context, findings);
}

}  // namespace kbundle
