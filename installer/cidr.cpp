#include "installer/cidr.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr unsigned long kUp = 0x1, kReject = 0x200;

bool same_bits(const Cidr& a, const Cidr& b, int bits) {
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (std::memcmp(a.bytes.data(), b.bytes.data(), whole) != 0) return false;
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xFF00U >> static_cast<unsigned>(bits % 8));
  return (a.bytes[whole] & mask) == (b.bytes[whole] & mask);
}

// Iface Destination Gateway Flags RefCnt Use Metric Mask; numbers as the processor has them.
void add_v4(const std::string& text, std::vector<Route>& result) {
  for (const std::string& line : split(text, '\n')) {
    std::istringstream in(line);
    std::string interface, destination, gateway, flags, skip, mask;
    if (!(in >> interface >> destination >> gateway >> flags >> skip >> skip >> skip >> mask) ||
        destination.size() != 8 || mask.size() != 8 || destination == "Destination")
      continue;
    const unsigned long bits = std::strtoul(flags.c_str(), nullptr, 16);
    if ((bits & kUp) == 0 || (bits & kReject) != 0 || interface == "lo") continue;
    const auto address = static_cast<std::uint32_t>(std::strtoul(destination.c_str(), nullptr, 16));
    const auto wide = static_cast<std::uint32_t>(std::strtoul(mask.c_str(), nullptr, 16));
    Route route;
    route.interface = interface;
    std::memcpy(route.destination.bytes.data(), &address, sizeof address);
    route.destination.prefix = __builtin_popcount(wide);
    const auto& b = route.destination.bytes;
    if (route.destination.prefix == 0 || b[0] >= 224 || (b[0] == 169 && b[1] == 254)) continue;
    result.push_back(route);
  }
}

void add_v6(const std::string& text, std::vector<Route>& result) {
  for (const std::string& line : split(text, '\n')) {
    std::istringstream in(line);
    std::string destination, length, skip, flags, interface;
    if (!(in >> destination >> length >> skip >> skip >> skip >> skip >> skip >> skip >> flags >>
          interface) ||
        destination.size() != 32)
      continue;
    if (interface == "lo" || (std::strtoul(flags.c_str(), nullptr, 16) & kReject) != 0) continue;
    Route route;
    route.interface = interface;
    route.destination.v6 = true;
    route.destination.prefix = static_cast<int>(std::strtoul(length.c_str(), nullptr, 16));
    for (std::size_t i = 0; i < 16; ++i)
      route.destination.bytes[i] = static_cast<std::uint8_t>(
          std::strtoul(destination.substr(2 * i, 2).c_str(), nullptr, 16));
    const auto& b = route.destination.bytes;
    const bool link_local = b[0] == 0xFE && (b[1] & 0xC0U) == 0x80;
    if (route.destination.prefix == 0 || b[0] == 0xFF || link_local) continue;
    result.push_back(route);
  }
}

}  // namespace

std::optional<Cidr> Cidr::parse(const std::string& text) {
  const auto slash = text.find('/');
  const std::string address = text.substr(0, slash);
  Cidr cidr;
  cidr.v6 = address.find(':') != std::string::npos;
  if (::inet_pton(cidr.v6 ? AF_INET6 : AF_INET, address.c_str(), cidr.bytes.data()) != 1)
    return std::nullopt;
  const int most = cidr.v6 ? 128 : 32;
  cidr.prefix = most;
  if (slash == std::string::npos) return cidr;
  const std::string bits = text.substr(slash + 1);
  if (bits.empty() || bits.size() > 3 ||
      !std::all_of(bits.begin(), bits.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  cidr.prefix = std::stoi(bits);
  if (cidr.prefix > most) return std::nullopt;
  return cidr;
}

bool Cidr::overlaps(const Cidr& other) const {
  return v6 == other.v6 && same_bits(*this, other, std::min(prefix, other.prefix));
}

std::string Cidr::str() const {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), text, sizeof text);
  return std::string(text) + "/" + std::to_string(prefix);
}

std::vector<Route> routes(const Host& host) {
  std::vector<Route> result;
  add_v4(host.read("/proc/net/route").value_or(""), result);
  add_v6(host.read("/proc/net/ipv6_route").value_or(""), result);
  return result;
}

}  // namespace kbundle
