// Kernel parameters as /proc/sys has them.
#pragma once

#include <string>

#include "installer/host.hpp"

namespace kbundle {

/// "/proc/sys/net/ipv4/ip_forward" of "net.ipv4.ip_forward".
std::string sysctl_file(const std::string& key);
/// Writes it in place: a parameter has no other name to be renamed from.
void set_sysctl(const Host& host, const std::string& key, const std::string& value);

}  // namespace kbundle
