#include "installer/network.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdlib>

#include "core/text.hpp"

namespace kbundle {
namespace {

std::vector<std::string> words(std::string_view line) {
  std::vector<std::string> result;
  for (std::size_t at = 0; at < line.size();) {
    const auto begin = line.find_first_not_of(" \t", at);
    if (begin == std::string_view::npos) break;
    auto end = line.find_first_of(" \t", begin);
    if (end == std::string_view::npos) end = line.size();
    result.emplace_back(line.substr(begin, end - begin));
    at = end;
  }
  return result;
}

bool has_ipv6_default_route(const std::string& proc_net_ipv6_route) {
  for (const std::string& line : split(proc_net_ipv6_route, '\n')) {
    const auto fields = words(line);
    // destination, its prefix length, …, flags, interface; RTF_REJECT (0x200) is no way out
    if (fields.size() >= 10 && fields[0] == std::string(32, '0') && fields[1] == "00" &&
        fields[9] != "lo" && (std::strtoul(fields[8].c_str(), nullptr, 16) & 0x200U) == 0)
      return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> default_route_interface(const std::string& proc_net_route) {
  for (const std::string& line : split(proc_net_route, '\n')) {
    const auto fields = words(line);
    // Iface Destination Gateway Flags RefCnt Use Metric Mask
    if (fields.size() >= 8 && fields[1] == "00000000" && fields[7] == "00000000" &&
        (std::strtoul(fields[3].c_str(), nullptr, 16) & 1U) != 0 &&
        !is_container_interface(fields[0]))
      return fields[0];
  }
  return std::nullopt;
}

NodeNetwork find_node_network(const Host& host, const std::string& wanted, const std::string& vip) {
  NodeNetwork network;
  const auto comma = wanted.find(',');
  const std::string first(trim(wanted.substr(0, comma)));
  if (comma != std::string::npos) network.second_node_ip = trim(wanted.substr(comma + 1));
  const auto addresses = host.addresses();
  const bool only_v6 =
      !addresses.empty() && std::all_of(addresses.begin(), addresses.end(),
                                        [](const auto& address) { return address.v6; });
  const bool want_v6 = first.empty() ? only_v6 : first.find(':') != std::string::npos;
  for (const auto& address : addresses) {
    // keepalived sets it without a network.
    const bool held = address.address == vip && address.prefix == (address.v6 ? 128 : 32);
    if (address.v6 == want_v6 && !held) network.candidates.push_back(address);
  }
  if (want_v6) {
    network.default_route = has_ipv6_default_route(host.read("/proc/net/ipv6_route").value_or(""));
  } else if (auto interface = default_route_interface(host.read("/proc/net/route").value_or(""))) {
    network.default_route = true;
    network.default_interface = *interface;
  }
  network.node_ip = first;
  if (first.empty() && network.candidates.size() == 1)
    network.node_ip = network.candidates.front().address;
  for (const auto& candidate : network.candidates) {
    if (candidate.address != network.node_ip) continue;
    network.interface = candidate.interface;
    network.prefix = candidate.prefix;
  }
  return network;
}

bool is_ip_address(const std::string& text) {
  in6_addr buffer{};
  return ::inet_pton(AF_INET, text.c_str(), &buffer) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), &buffer) == 1;
}

std::string in_url(const std::string& address) {
  return address.find(':') != std::string::npos ? "[" + address + "]" : address;
}

bool is_cidr(const std::string& text) {
  const auto slash = text.find('/');
  if (slash == std::string::npos || !is_ip_address(text.substr(0, slash))) return false;
  const std::string bits = text.substr(slash + 1);
  const bool v6 = text.find(':') != std::string::npos;
  return !bits.empty() && bits.size() <= 3 &&
         std::all_of(bits.begin(), bits.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
         std::stoi(bits) <= (v6 ? 128 : 32);
}

}  // namespace kbundle
