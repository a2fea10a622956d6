// The kernel: its version, what it was built with, modules that may not be loaded, and settings
// that stay wrong. What the host phase sets itself is no finding.
#include <algorithm>
#include <charconv>
#include <sstream>

#include "core/text.hpp"
#include "installer/checks/preflight.hpp"
#include "manifests/templates.hpp"

namespace kbundle {
namespace {

std::pair<int, int> major_minor(const std::string& text) {
  int major = 0, minor = 0;
  const auto parts = split(text, '.');
  std::from_chars(parts[0].data(), parts[0].data() + parts[0].size(), major);
  if (parts.size() > 1) std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), minor);
  return {major, minor};
}

void check_version(const Context& context, const std::string& release, Findings& findings) {
  const auto have = major_minor(release);
  const KubernetesFacts& facts = context.facts;
  const std::string minor = facts.version.minor_str();
  if (have < major_minor(facts.kernel_min)) {
    findings.error("SystemVerification",
                   "kernel " + printable(release) + " is older than " + facts.kernel_min +
                       ", which Kubernetes " + minor + " needs",
                   "update the host, or bring an older Kubernetes");
    return;
  }
  const auto& tested = facts.kernels_tested;
  const bool known = std::any_of(tested.begin(), tested.end(), [&](const std::string& line) {
    return line.ends_with("+") ? have >= major_minor(line) : have == major_minor(line);
  });
  if (!tested.empty() && !known)
    findings.warning("SystemVerification",
                     "kernel " + printable(release) + " is not one Kubernetes " + minor +
                         " is tested with (" + join(tested, ", ") + ")",
                     "plan for a newer kernel");
}

// As k8s.io/system-validators asks for; a name with | has two spellings.
void check_build(const Context& context, const std::string& release, Findings& findings) {
  const auto text = context.host.read("/boot/config-" + release);
  if (!text) return;
  const auto set = [&](const std::string& name) {
    return text->find("CONFIG_" + name + "=y\n") != std::string::npos ||
           text->find("CONFIG_" + name + "=m\n") != std::string::npos;
  };
  std::vector<std::string> missing;
  for (const char* names :
       {"NAMESPACES", "NET_NS", "PID_NS", "IPC_NS", "UTS_NS", "CGROUPS", "CPUSETS", "MEMCG", "INET",
        "PROC_FS", "NETFILTER_XT_TARGET_REDIRECT|IP_NF_TARGET_REDIRECT",
        "NETFILTER_XT_MATCH_COMMENT", "FAIR_GROUP_SCHED", "OVERLAY_FS", "BRIDGE_NETFILTER",
        "VXLAN"}) {
    const auto spellings = split(names, '|');
    if (!std::any_of(spellings.begin(), spellings.end(), set))
      missing.push_back("CONFIG_" + spellings[0]);
  }
  if (!missing.empty())
    findings.error("SystemVerification", "the kernel is built without " + join(missing, ", "),
                   "boot a kernel that has them");
}

// "install overlay /bin/true" and "blacklist …" are what hardening guides write.
void check_blocked_modules(const Context& context, Findings& findings) {
  const Host& host = context.host;
  for (const std::string& file : host.list("/etc/modprobe.d")) {
    if (!file.ends_with(".conf")) continue;
    const std::string path = "/etc/modprobe.d/" + file;
    for (const std::string& line : split(host.read(path).value_or(""), '\n')) {
      std::istringstream in(line);
      std::string verb, module, program;
      in >> verb >> module >> program;
      const bool blocks =
          verb == "install" && (program.ends_with("/true") || program.ends_with("/false"));
      const bool ours = module == "overlay" || module == "br_netfilter" || module == "vxlan";
      if (ours && blocks && !host.exists("/sys/module/" + module))
        findings.error("KernelModule",
                       printable(path) + " keeps the kernel module " + module + " from loading",
                       "take the line \"" + std::string(printable(trim(line))) + "\" out");
    }
  }
}

// At boot the last file wins: one that sorts behind ours, with another value, comes back.
void check_sysctl_files(const Context& context, Findings& findings) {
  const Host& host = context.host;
  constexpr std::string_view ours = "99-zz-kubernetes.conf";
  for (const std::string& file : host.list("/etc/sysctl.d")) {
    if (!file.ends_with(".conf") || file <= ours) continue;
    const std::string text = host.read("/etc/sysctl.d/" + file).value_or("");
    for (const std::string& line : split(text, '\n')) {
      const auto equals = line.find('=');
      if (equals == std::string::npos || trim(line).starts_with("#")) continue;
      std::string key(trim(std::string_view(line).substr(0, equals)));
      std::replace(key.begin(), key.end(), '/', '.');
      if (key.starts_with("-")) key.erase(0, 1);
      const std::string value(trim(std::string_view(line).substr(equals + 1)));
      const std::string wanted = std::string(template_text("sysctl.conf"));
      if (wanted.find(key + " = 1") != std::string::npos && value != "1")
        findings.error(
            "Sysctl",
            "/etc/sysctl.d/" + printable(file) + " sets " + printable(key) + " to " +
                printable(value) + " at each boot, after kbundle's file",
            "take that line out, or give the file a name that sorts before " + std::string(ours));
    }
  }
}

void check_limits(const Context& context, Findings& findings) {
  const Host& host = context.host;
  const auto number = [&](const std::string& path) -> long {
    const auto text = host.read("/proc/sys/" + path);
    return text ? std::strtol(text->c_str(), nullptr, 10) : -1;
  };
  struct Floor {
    const char* key;
    long least;
    const char* why;
  };
  for (const Floor& floor :
       {Floor{"fs/inotify/max_user_instances", 128, "the kubelet and log readers run out of them"},
        Floor{"fs/inotify/max_user_watches", 8192, "the kubelet and log readers run out of them"},
        Floor{"fs/may_detach_mounts", 1, "containers stay behind as \"device or resource busy\""},
        Floor{"kernel/pid_max", 32768, "pods run out of process numbers"}}) {
    const long have = number(floor.key);
    if (have < 0 || have >= floor.least) continue;
    std::string key = floor.key;
    std::replace(key.begin(), key.end(), '/', '.');
    findings.warning("Sysctl", key + " is " + std::to_string(have) + ": " + floor.why,
                     "echo '" + key + " = " + std::to_string(floor.least) +
                         "' > /etc/sysctl.d/90-site.conf && sysctl --system");
  }
  const long table = number("net/netfilter/nf_conntrack_max");
  const long used = number("net/netfilter/nf_conntrack_count");
  if (table > 0 && used > table / 10 * 9)
    findings.warning("Conntrack",
                     "the connection table is nearly full: " + std::to_string(used) + " of " +
                         std::to_string(table),
                     "raise net.netfilter.nf_conntrack_max");
}

}  // namespace

void check_kernel(const Context& context, Findings& findings) {
  const std::string release(trim(context.host.read("/proc/sys/kernel/osrelease").value_or("")));
  if (!release.empty()) {
    check_version(context, release, findings);
    check_build(context, release, findings);
  }
  check_blocked_modules(context, findings);
  check_sysctl_files(context, findings);
  check_limits(context, findings);
}

}  // namespace kbundle
