// The node's address and name, ports, and names that must resolve.
#include <algorithm>
#include <cctype>

#include "core/text.hpp"
#include "installer/checks/ports.hpp"
#include "installer/checks/preflight.hpp"

namespace kbundle {
namespace {

void check_address(const Context& context, Findings& findings) {
  const NodeNetwork& network = context.network;
  std::vector<std::string> candidates;
  for (const auto& candidate : network.candidates)
    candidates.push_back(candidate.address + " (" + candidate.interface + ")");
  const std::string list = candidates.empty() ? "none" : join(candidates, ", ");
  if (network.node_ip.empty()) {
    findings.error("NodeIP",
                   candidates.empty()
                       ? "no network interface has an address"
                       : "the host has several addresses" +
                             std::string(network.default_route ? "" : " and no default route") +
                             ": " + list,
                   "give --node-ip with the one the other nodes reach");
  } else if (network.interface.empty()) {
    findings.error("NodeIP", network.node_ip + " is no address of this host; it has: " + list,
                   "give --node-ip with one of these");
  } else if (!network.default_route) {
    findings.warning("DefaultRoute",
                     "there is no default route; " + network.node_ip + " on " + network.interface +
                         " is used, and the service network gets a route",
                     "");
  }
}

// RFC 1123, as Kubernetes wants a node's name.
bool valid_name(const std::string& name) {
  if (name.empty() || name.size() > 253) return false;
  for (const std::string& label : split(name, '.')) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
      return false;
    for (const char c : label)
      if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-') return false;
  }
  return true;
}

bool resolves(const Context& context, const std::string& name) {
  const auto result =
      context.host.run({.argv = {"getent", "ahosts", name}, .timeout = std::chrono::seconds(15)});
  return result.ok() && !trim(result.output).empty();
}

void check_names(const Context& context, Findings& findings) {
  const std::string& name = context.node_name;
  if (!valid_name(name)) {
    findings.error("Hostname", "\"" + printable(name) + "\" is not a valid node name (RFC 1123)",
                   "hostnamectl set-hostname NAME, or give --node-name");
  } else if (context.host.live() && !resolves(context, name)) {
    const std::string address =
        context.network.node_ip.empty() ? "ADDRESS" : context.network.node_ip;
    findings.error("Hostname", "the node name " + name + " does not resolve",
                   "echo '" + address + " " + name + "' >> /etc/hosts");
  }
  if (!context.host.live() || (context.joins() && !context.ticket)) return;
  const std::string endpoint = context.api_endpoint();
  const std::string host = endpoint.substr(0, endpoint.rfind(':'));
  if (!host.empty() && host.front() != '[' && !is_ip_address(host) && !resolves(context, host))
    findings.error("ControlPlaneEndpoint",
                   "the API's name " + printable(host) + " does not resolve",
                   "echo 'ADDRESS " + printable(host) + "' >> /etc/hosts");
}

void check_ports(const Context& context, Findings& findings) {
  if (is_resumed(context)) return;  // then they are our own
  const auto v4 = listening_ports(context.host.read("/proc/net/tcp").value_or(""));
  const auto v6 = listening_ports(context.host.read("/proc/net/tcp6").value_or(""));
  for (const int port :
       context.master() ? context.facts.master_ports : context.facts.worker_ports) {
    // The site's own may run on this very host.
    if (context.external_etcd && (port == 2379 || port == 2380)) continue;
    auto found = v4.find(port);
    if (found == v4.end()) {
      found = v6.find(port);
      if (found == v6.end()) continue;
    }
    findings.error("Port-" + std::to_string(port),
                   "port " + std::to_string(port) + " is taken by " +
                       socket_owner(context.host, found->second),
                   "stop that program; if it is an older cluster's, `kubeadm reset` first");
  }
}

void check_resolver(const Context& context, Findings& findings) {
  if (!context.resolver.trouble.empty())
    findings.error("Resolver", context.resolver.trouble,
                   "name another file as resolv-conf in the documents given by --config");
  else if (context.resolver.no_nameserver && !context.master())
    findings.warning("Resolver",
                     context.resolver.reason +
                         "; if the master has a nameserver, CoreDNS forwards "
                         "to it and does not start on this node",
                     "give this node's /etc/resolv.conf the nameserver the master has");
  else if (context.resolver.no_nameserver)
    findings.warning("Resolver", context.resolver.reason,
                     "with a nameserver in /etc/resolv.conf pods could resolve "
                     "outside names, too");
  else if (context.resolver.own_file)
    findings.warning("Resolver", context.resolver.reason, "");
}

void check_cni_leftovers(const Context& context, Findings& findings) {
  if (is_resumed(context) || !context.inventory.cni.starts_with("flannel")) return;
  for (const std::string& name : context.host.list("/etc/cni/net.d")) {
    // The runtime takes the first one, and looks at no other names.
    const bool counts =
        name.ends_with(".conf") || name.ends_with(".conflist") || name.ends_with(".json");
    if (!counts || name >= "10-flannel.conflist") continue;
    findings.error(
        "CNIConfig",
        "/etc/cni/net.d/" + printable(name) + " would be taken instead of the bundle's CNI",
        "move it away");
  }
}

}  // namespace

void check_network(const Context& context, Findings& findings) {
  check_address(context, findings);
  check_names(context, findings);
  check_ports(context, findings);
  check_resolver(context, findings);
  check_cni_leftovers(context, findings);
}

}  // namespace kbundle
