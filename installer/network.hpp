// Which address a node has, and what an isolated host's missing default route changes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "installer/host.hpp"

namespace kbundle {

struct NodeNetwork {
  std::vector<InterfaceAddress> candidates;
  bool default_route = false;
  std::string default_interface;  ///< of the IPv4 default route
  std::string node_ip;            ///< empty: ambiguous, preflight says so
  std::string second_node_ip;     ///< of the other family, on a dual-stack node
  std::string interface;          ///< that carries node_ip; empty when none does
  int prefix = 0;

  /// kubeadm, kubelet and flannel guess wrong: they must be told the interface.
  bool v6() const { return node_ip.find(':') != std::string::npos; }
  /// The kubelet's --node-ip: both addresses of a dual-stack node.
  std::string kubelet_node_ip() const {
    return second_node_ip.empty() ? node_ip : node_ip + "," + second_node_ip;
  }
  bool must_name_interface() const { return !default_route || candidates.size() > 1; }
};

/// `wanted`: --node-ip ("10.0.0.5", "fd00::5", or one of each with a comma, the first being the one
/// the API server advertises) or the configuration's advertiseAddress, may be empty. A host without
/// IPv4 is an IPv6 node. `vip`: an address that may be here at the moment and is no node's own.
NodeNetwork find_node_network(const Host& host, const std::string& wanted,
                              const std::string& vip = {});

/// Interface of the default route in the text of /proc/net/route, if there is one.
std::optional<std::string> default_route_interface(const std::string& proc_net_route);

bool is_ip_address(const std::string& text);
/// As a URL has it: IPv6 in brackets.
std::string in_url(const std::string& address);
/// "a.b.c.d/len" (or IPv6) that is a network.
bool is_cidr(const std::string& text);

}  // namespace kbundle
