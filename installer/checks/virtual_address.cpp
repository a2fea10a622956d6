// --vip: an address of the node's own network that nobody has yet.
#include "core/text.hpp"
#include "installer/checks/preflight.hpp"
#include "installer/cidr.hpp"

namespace kbundle {
namespace {

// ARP (or neighbour discovery) is asked by sending something there; no program but ip is needed.
bool somebody_has(const Host& host, const std::string& address, const std::string& interface) {
  host.poke(address);
  for (int i = 0; i < 6; ++i) {
    host.pause(std::chrono::milliseconds(250), "an answer of " + address);
    const auto neighbour =
        host.run({.argv = {"ip", "neigh", "show", "to", address, "dev", interface},
                  .timeout = std::chrono::seconds(10)});
    if (neighbour.output.find("lladdr") != std::string::npos) return true;
  }
  return false;
}

}  // namespace

void check_virtual_address(const Context& context, Findings& findings) {
  const NodeNetwork& network = context.network;
  if (context.vip.empty() || network.interface.empty()) return;
  const std::string& vip = context.vip;
  if (vip == network.node_ip) {
    findings.error("VirtualAddress", "--vip " + vip + " is this node's own address",
                   "give a free one of the same network, or leave --vip out");
    return;
  }
  const auto own = Cidr::parse(network.node_ip + "/" + std::to_string(network.prefix));
  const auto wanted = Cidr::parse(vip);
  if (!own || !wanted || !own->contains(*wanted)) {
    findings.error("VirtualAddress",
                   "--vip " + vip + " is not in the network of " + network.node_ip + "/" +
                       std::to_string(network.prefix) + " (" + network.interface + ")",
                   "give a free address of that network");
    return;
  }
  if (!context.initializes() || is_resumed(context) || !context.host.live()) return;
  if (somebody_has(context.host, vip, network.interface))
    findings.error("VirtualAddress", "--vip " + vip + " is taken: something answers there",
                   "give a free address, or end what has it");
}

}  // namespace kbundle
