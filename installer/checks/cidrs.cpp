// Pod and service networks against what the node already reaches, and the interface's MTU.
#include <algorithm>

#include "core/text.hpp"
#include "installer/checks/preflight.hpp"
#include "installer/cidr.hpp"

namespace kbundle {
namespace {

struct Network {
  std::string what;  ///< "the pod network"
  std::string flag;
  Cidr cidr;
};

std::vector<Network> networks_of(const Context& context) {
  std::vector<Network> result;
  for (const std::string& part : split(context.pod_subnet, ','))
    if (const auto cidr = Cidr::parse(part))
      result.push_back({"the pod network", "--pod-network-cidr", *cidr});
  for (const std::string& part : split(context.service_subnet, ','))
    if (const auto cidr = Cidr::parse(part))
      result.push_back({"the service network", "--service-cidr", *cidr});
  return result;
}

std::string choose_another(const Network& network) {
  return "give " + network.flag + " with a network the site does not use";
}

bool is_cluster_interface(const std::string& name) {
  for (const char* prefix : {"cni", "flannel", "cali", "kube-", "cilium", "vxlan.calico", "tunl"})
    if (name.starts_with(prefix)) return true;
  return false;
}

void check_each_other(const std::vector<Network>& networks, Findings& findings) {
  for (auto a = networks.begin(); a != networks.end(); ++a)
    for (auto b = a + 1; b != networks.end(); ++b)
      if (a->cidr.overlaps(b->cidr))
        findings.error(
            "NetworkConflict",
            a->what + " " + a->cidr.str() + " and " + b->what + " " + b->cidr.str() + " overlap",
            choose_another(*a));
}

void check_addresses(const Context& context, const Network& network, Findings& findings) {
  const auto against = [&](const std::string& address, const std::string& what) {
    const auto cidr = Cidr::parse(address);
    if (cidr && network.cidr.contains(*cidr))
      findings.error(
          "NetworkConflict",
          what + " " + address + " lies inside " + network.what + " " + network.cidr.str(),
          choose_another(network));
  };
  for (const auto& candidate : context.network.candidates)
    against(candidate.address, "the address of " + candidate.interface);
  for (const std::string& server :
       nameservers(context.host.read(context.resolver.path).value_or("")))
    against(server, "the nameserver");
  const std::string endpoint = context.api_endpoint();
  std::string host = endpoint.substr(0, endpoint.rfind(':'));
  if (host.starts_with("[")) host = host.substr(1, host.size() - 2);
  if (host != context.network.node_ip) against(host, "the API's address");
}

void check_routes(const Context& context, const Network& network, Findings& findings) {
  for (const Route& route : routes(context.host)) {
    if (is_cluster_interface(route.interface) || !network.cidr.overlaps(route.destination))
      continue;
    // The route to the services is kbundle's own, on a host without a default route.
    if (route.destination.prefix == network.cidr.prefix &&
        route.interface == context.network.interface && network.flag == "--service-cidr")
      continue;
    const std::string message = network.what + " " + network.cidr.str() +
                                " overlaps the route to " + route.destination.str() + " on " +
                                printable(route.interface);
    if (network.cidr.contains(route.destination))
      findings.error("NetworkConflict", message, choose_another(network));
    else
      findings.warning("NetworkConflict",
                       message +
                           ": hosts there that have such addresses "
                           "cannot be reached from this node",
                       choose_another(network));
  }
}

// The first network of each list is of the node's first family, as kubeadm asks for.
void check_families(const Context& context, Findings& findings) {
  const NodeNetwork& node = context.network;
  if (!context.master() || node.node_ip.empty()) return;
  for (const auto& [list, flag] : {std::pair(context.pod_subnet, "--pod-network-cidr"),
                                   std::pair(context.service_subnet, "--service-cidr")}) {
    if (list.empty()) continue;
    const auto parts = split(list, ',');
    const bool v6 = parts[0].find(':') != std::string::npos;
    if (v6 != node.v6())
      findings.error("NetworkFamily",
                     parts[0] + " is IPv" + (v6 ? "6" : "4") + ", and the node's address " +
                         node.node_ip + " is IPv" + (node.v6() ? "6" : "4"),
                     std::string("give ") + flag + " with a network of the node's family first");
    if (parts.size() > 1 && node.second_node_ip.empty())
      findings.warning("NetworkFamily",
                       list + " is for two families, and the node has one address: " + node.node_ip,
                       "give --node-ip with both, separated by a comma");
  }
}

void check_mtu(const Context& context, Findings& findings) {
  const std::string& interface = context.network.interface;
  if (interface.empty()) return;
  const auto text = context.host.read("/sys/class/net/" + interface + "/mtu");
  const long mtu = text ? std::strtol(text->c_str(), nullptr, 10) : 0;
  const std::string shown = interface + " has an MTU of " + std::to_string(mtu);
  if (mtu > 0 && mtu < 1450)
    findings.warning("MTU", shown + ": vxlan takes 50 more, and pods get what is left",
                     "let every node have the same, or raise it");
  if (mtu > 1500)
    findings.warning("MTU",
                     shown +
                         " (jumbo frames): a node or switch between that has less drops what "
                         "pods send",
                     "let every node and switch of the cluster have the same");
}

}  // namespace

void check_cidrs(const Context& context, Findings& findings) {
  const auto networks = networks_of(context);
  check_each_other(networks, findings);
  check_families(context, findings);
  for (const Network& network : networks) {
    check_addresses(context, network, findings);
    check_routes(context, network, findings);
  }
  check_mtu(context, findings);
}

}  // namespace kbundle
