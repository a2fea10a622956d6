// Firewalls: firewalld is opened by a phase of its own; any other that drops by default is named.
#include <algorithm>

#include "core/text.hpp"
#include "installer/checks/preflight.hpp"
#include "installer/firewalld.hpp"

namespace kbundle {
namespace {

bool is_skipped(const Context& context, const std::string& phase) {
  const auto& skipped = context.options.skip_phases;
  return std::find(skipped.begin(), skipped.end(), phase) != skipped.end();
}

std::string output_of(const Context& context, std::vector<std::string> argv) {
  if (!context.host.program(argv[0])) return {};
  const auto result =
      context.host.run({.argv = std::move(argv), .timeout = std::chrono::seconds(20)});
  return result.ok() ? result.output : std::string();
}

// A chain of nftables that drops what no rule took, by hook.
bool nft_drops(const std::string& ruleset, const std::string& hook) {
  for (const std::string& line : split(ruleset, '\n'))
    if (line.find("hook " + hook + " ") != std::string::npos &&
        line.find("policy drop") != std::string::npos)
      return true;
  return false;
}

}  // namespace

void check_firewall(const Context& context, Findings& findings) {
  if (!context.host.live() || !context.host.is_root()) return;
  std::string ports = join(firewall_ports(context), ", ");
  if (!firewall_protocols(context).empty()) ports += " and VRRP (IP protocol 112)";
  if (firewalld_is_active(context.host)) {
    if (!is_skipped(context, "firewall")) return;
    findings.warning("Firewalld",
                     "firewalld is active; the other nodes must reach " + ports +
                         " here, and it must trust " + join(firewall_sources(context), ", "),
                     "leave --skip-phases firewall out");
    return;
  }
  if (is_resumed(context) || !has_packet_filter(context.host)) return;
  const std::string rules = output_of(context, {"nft", "list", "ruleset"});
  const auto drops = [&](const std::string& chain) {
    for (const char* program : {"iptables", "ip6tables"}) {
      if (std::string(program) == "ip6tables" && !context.network.v6()) continue;
      if (output_of(context, {program, "-w", "-S", chain}).starts_with("-P " + chain + " DROP"))
        return true;
    }
    return nft_drops(rules, to_lower(chain));
  };
  if (drops("INPUT"))
    findings.warning(
        "Firewall",
        "the firewall drops what it does not know on the way in; the other nodes must "
        "reach " +
            ports + " here",
        "accept these ports, and what comes from " + join(firewall_sources(context), " and "));
  if (drops("FORWARD"))
    findings.warning("Firewall",
                     "the firewall drops forwarded packets (Docker does so): pods reach each other "
                     "only where rules allow it; flannel and kube-proxy add theirs to iptables, "
                     "not to nftables tables of others",
                     "accept forwarding from and to " + join(firewall_sources(context), " and "));
}

}  // namespace kbundle
