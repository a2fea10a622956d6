// Programs, swap, systemd and the kubelet's own units and flags.
#include <algorithm>
#include <filesystem>
#include <sstream>

#include "core/text.hpp"
#include "installer/checks/preflight.hpp"
#include "installer/phases/phases.hpp"

namespace kbundle {
namespace {

void check_programs(const Context& context, Findings& findings) {
  const auto from_bundle = [&](const std::string& name) {
    return std::any_of(context.inventory.files.begin(), context.inventory.files.end(),
                       [&](const FileRecord& file) {
                         return std::filesystem::path(file.path).filename() == name;
                       });
  };
  for (const std::string& name : context.facts.binaries_error)
    if (!context.host.program(name) && !from_bundle(name))
      findings.error("FileExisting-" + name, "the program " + name + " is not there",
                     "install the host's package with " + name);
  const bool offload = needs_flannel_offload(context);
  if (offload && !context.host.program("ethtool"))
    findings.error("FileExisting-ethtool",
                   "the program ethtool is not there; with this Kubernetes and flannel, services "
                   "on other nodes hang for a minute unless it turns an offload off "
                   "(kubernetes#88986)",
                   "install the host's package ethtool");
  for (const std::string& name : context.facts.binaries_warning)
    if (!(offload && name == "ethtool"))
      if (!context.host.program(name))
        findings.warning("FileExisting-" + name, "the program " + name + " is not there",
                         "install the host's package with " + name);
  if (context.host.live() && !context.host.exists("/run/systemd/system"))
    findings.error("Systemd", "systemd does not run this host", "install on a host with systemd");
}

void check_swap(const Context& context, Findings& findings) {
  const auto lines = split(context.host.read("/proc/swaps").value_or(""), '\n');
  const bool on = std::any_of(lines.begin() + 1, lines.end(),
                              [](const std::string& line) { return !trim(line).empty(); });
  if (!on || context.options.swapoff) return;
  const std::string fix =
      "give --swapoff (or run `kbundle preflight --fix`): it turns swap off and keeps it off";
  if (context.swap_tolerated) {
    findings.warning("Swap", "swap is on; the kubelet is told to go on all the same", fix);
  } else {
    findings.error("Swap", "swap is on, and the kubelet does not start with it", fix);
  }
}

bool is_masked(const Host& host, const std::string& unit) {
  std::error_code error;
  return std::filesystem::read_symlink(host.at("/etc/systemd/system/" + unit), error) ==
         "/dev/null";
}

void check_units(const Context& context, Findings& findings) {
  const Host& host = context.host;
  for (const char* name : {"kubelet", "containerd"})
    if (is_masked(host, std::string(name) + ".service"))
      findings.error(std::string("Service-") + (std::string(name) == "kubelet" ? "Kubelet" : name),
                     std::string(name) + ".service is masked, so that nothing may start it",
                     std::string("systemctl unmask ") + name);
  for (const std::string& file : host.list("/etc/systemd/system/kubelet.service.d")) {
    const std::string path = "/etc/systemd/system/kubelet.service.d/" + file;
    if (file == "10-kubeadm.conf" || !file.ends_with(".conf")) continue;
    if (host.read(path).value_or("").find("ExecStart=") != std::string::npos)
      findings.warning("Service-Kubelet", printable(path) + " sets the kubelet's command line anew",
                       "take ExecStart out of it, unless it is meant");
  }
  for (const char* path : {"/etc/default/kubelet", "/etc/sysconfig/kubelet"}) {
    const std::string text = host.read(path).value_or("");
    for (const std::string& line : split(text, '\n')) {
      if (!trim(line).starts_with("KUBELET_EXTRA_ARGS")) continue;
      for (const std::string& flag : context.facts.kubelet_flags_gone)
        if ((line + " ").find(flag + "=") != std::string::npos ||
            (line + " ").find(flag + " ") != std::string::npos)
          findings.error("KubeletFlags",
                         std::string(path) + " gives the kubelet " + flag + ", which " +
                             context.facts.version.minor_str() + " no longer knows",
                         "take it out; the kubelet would not start");
    }
  }
}

void check_ticket(const Context& context, Findings& findings) {
  if (!context.ticket || context.ticket->kubernetes_version.empty()) return;
  const auto cluster = Version::parse(context.ticket->kubernetes_version);
  if (!cluster) return;
  const Version& ours = context.facts.version;
  if (ours > *cluster)
    findings.error(
        "KubeletVersion",
        "the bundle's kubelet is " + ours.str() + ", newer than the cluster's " + cluster->str(),
        "bring the bundle the master was installed from");
}

}  // namespace

void check_system(const Context& context, Findings& findings) {
  check_programs(context, findings);
  check_swap(context, findings);
  check_units(context, findings);
  check_ticket(context, findings);
}

}  // namespace kbundle
