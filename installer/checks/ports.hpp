// Who listens on a TCP port, from /proc.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "installer/host.hpp"

namespace kbundle {

/// Listening ports and their socket inodes in the text of /proc/net/tcp or /proc/net/tcp6.
std::map<int, std::uint64_t> listening_ports(std::string_view proc_net_tcp);

/// "kubelet (process 4711)", or "an unknown process".
std::string socket_owner(const Host& host, std::uint64_t inode);

}  // namespace kbundle
