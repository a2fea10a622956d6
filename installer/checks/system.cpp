// Programs, swap, the clock, systemd, and the environment.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>

#include "core/text.hpp"
#include "installer/checks/preflight.hpp"

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
  for (const std::string& name : context.facts.binaries_warning)
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
  const std::string fix = "give --swapoff: it turns swap off and keeps it off";
  if (context.swap_tolerated) {
    findings.warning("Swap", "swap is on; the kubelet is told to go on all the same", fix);
  } else {
    findings.error("Swap", "swap is on, and the kubelet does not start with it", fix);
  }
}

void check_clock(const Context& context, Findings& findings) {
  const auto now = std::chrono::system_clock::now();
  const std::string shown = rfc3339(now);
  const std::string fix =
      "set the clock (`date -u -s …` or chrony), then run the same command again";
  const auto year = split(shown, '-').at(0);
  if (year < "2020" || year > "2037")
    findings.error("Clock", "the clock says " + shown + ", which is not plausible", fix);
  const auto created = parse_rfc3339(context.inventory.created, "the bundle's inventory");
  if (now < created)
    findings.error("Clock",
                   "the clock says " + shown + ", before the bundle was made (" +
                       context.inventory.created + "): certificates would not be valid yet",
                   fix);
  if (!context.ticket || context.ticket->created.empty()) return;
  const auto master = parse_rfc3339(context.ticket->created, "the join ticket");
  const auto expires = parse_rfc3339(context.ticket->expires, "the join ticket");
  constexpr auto tolerance = std::chrono::minutes(1);  // two clocks are never quite the same
  if (now + tolerance < master)
    findings.error("Clock",
                   "the clock says " + shown + ", before the master wrote the join ticket (" +
                       context.ticket->created + ")",
                   fix);
  if (now - tolerance >= expires && !context.journal_ended("kubelet-start"))
    findings.error("JoinTicket", "the join ticket's token ended at " + context.ticket->expires,
                   "on the master: kbundle install --role master … --only-phase bootstrap-token, "
                   "then --only-phase receipt; copy the new ticket");
}

void check_runtime(const Context& context, Findings& findings) {
  if (!context.host.live()) return;
  const PhaseCheck state = context.runtime->check();
  if (state.state == PhaseState::conflict)
    findings.error("Runtime", state.reason, "see docs: the container runtime");
}

void check_proxy(const Context& context, Findings& findings) {
  if (!context.options.keep_proxy) return;
  for (const char* name : {"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"})
    if (std::getenv(name) != nullptr)
      findings.warning(
          "HTTPProxy", std::string(name) + " is set, and kubeadm copies it into the static pods",
          "leave --keep-proxy out, or set no_proxy for the node, pod and service networks");
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

void check_firewall(const Context& context, Findings& findings) {
  if (!context.host.live() || !context.host.exists("/run/systemd/system")) return;
  const auto state = context.host.run({.argv = {"systemctl", "is-active", "--quiet", "firewalld"},
                                       .timeout = std::chrono::seconds(15)});
  if (!state.ok()) return;
  std::vector<std::string> ports = {"10250/tcp"};
  if (context.master()) ports.insert(ports.end(), {"6443/tcp", "2379-2380/tcp"});
  if (context.inventory.cni.starts_with("flannel")) ports.emplace_back("8472/udp");
  std::string command = "firewall-cmd --permanent";
  for (const std::string& port : ports) command += " --add-port=" + port;
  findings.warning("Firewalld",
                   "firewalld is active; the other nodes must reach " + join(ports, ", ") + " here",
                   command + " && firewall-cmd --reload");
}

void check_selinux(const Context& context, Findings& findings) {
  if (trim(context.host.read("/sys/fs/selinux/enforce").value_or("")) != "1") return;
  findings.warning("SELinux",
                   "SELinux is enforcing; without a policy for containers, system pods are denied "
                   "the host's files",
                   "install the host's package container-selinux, or setenforce 0 and "
                   "SELINUX=permissive in /etc/selinux/config");
}

}  // namespace

void check_system(const Context& context, Findings& findings) {
  check_programs(context, findings);
  check_swap(context, findings);
  check_clock(context, findings);
  check_runtime(context, findings);
  check_proxy(context, findings);
  check_ticket(context, findings);
  check_firewall(context, findings);
  check_selinux(context, findings);
}

}  // namespace kbundle
