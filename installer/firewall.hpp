// Packet filter rules of a cluster on a node: iptables' chains, nftables' tables, ipsets, IPVS.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "installer/host.hpp"

namespace kbundle {

/// What takes a cluster's rules out of what `iptables-save` printed: text for `iptables-restore
/// --noflush`, empty when there is nothing. Goes: chains of the cluster's names and the rules that
/// jump to them; rules of the host's own chains that carry flannel's comment or the pod network
/// (`pod_networks`, for old flannel, which leaves no comment). Stays: every chain and rule that
/// `before`, the same text of earlier, has, and all others.
std::string firewall_removal(std::string_view now, std::string_view before,
                             const std::vector<std::string>& pod_networks);

/// The iptables programs of this host that keep rules of their own: "iptables-nft",
/// "ip6tables-legacy", or plain "iptables", "ip6tables".
std::vector<std::string> firewall_programs(const Host& host);
/// What PROGRAM-save prints; empty when it fails.
std::string firewall_rules(const Host& host, const std::string& program);
/// "inet filter"; empty without nft.
std::set<std::string> list_nft_tables(const Host& host);
std::set<std::string> list_ipsets(const Host& host);
/// Lines of /proc/net/ip_vs below its header.
std::vector<std::string> list_virtual_servers(const Host& host);

}  // namespace kbundle
