// Networks as numbers: whether two overlap, and which routes the node has.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "installer/host.hpp"

namespace kbundle {

/// An IPv4 or IPv6 network; an address alone is a network of one.
struct Cidr {
  std::array<std::uint8_t, 16> bytes{};  ///< IPv4: the first four
  int prefix = 0;                        ///< bits
  bool v6 = false;

  /// "10.96.0.0/12", "fd00::/48", "10.0.0.5"; nullopt for anything else.
  static std::optional<Cidr> parse(const std::string& text);
  /// Whether they share an address.
  bool overlaps(const Cidr& other) const;
  bool contains(const Cidr& other) const { return prefix <= other.prefix && overlaps(other); }
  std::string str() const;
};

struct Route {
  Cidr destination;
  std::string interface;
};

/// /proc/net/route and /proc/net/ipv6_route without default, loopback, link-local, multicast and
/// rejecting routes.
std::vector<Route> routes(const Host& host);

}  // namespace kbundle
