// firewalld: whether it runs, and what a node of this role needs it to let through.
#pragma once

#include <string>
#include <vector>

#include "installer/context.hpp"

namespace kbundle {

bool firewalld_is_active(const Host& host);
/// Whether there may be rules at all; where not, asking iptables would load its modules.
bool has_packet_filter(const Host& host);

/// "6443/tcp", … that other nodes reach on this one.
std::vector<std::string> firewall_ports(const Context& context);
/// "vrrp" (IP protocol 112) where keepalived holds an address that moves between the masters.
std::vector<std::string> firewall_protocols(const Context& context);
/// Pod and service networks: what comes from them is trusted.
std::vector<std::string> firewall_sources(const Context& context);

}  // namespace kbundle
