#include "installer/checks/ports.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "core/text.hpp"

namespace kbundle {

std::map<int, std::uint64_t> listening_ports(std::string_view proc_net_tcp) {
  std::map<int, std::uint64_t> ports;
  for (const std::string& line : split(proc_net_tcp, '\n')) {
    std::istringstream in(line);
    // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
    std::string slot, local, remote, state, queues, timer, retransmit, user, timeout;
    std::uint64_t inode = 0;
    if (!(in >> slot >> local >> remote >> state >> queues >> timer >> retransmit >> user >>
          timeout >> inode))
      continue;
    const auto colon = local.rfind(':');
    if (state != "0A" || colon == std::string::npos) continue;
    int port = 0;
    const char* end = local.data() + local.size();
    if (std::from_chars(local.data() + colon + 1, end, port, 16).ptr == end)
      ports.emplace(port, inode);
  }
  return ports;
}

std::string socket_owner(const Host& host, std::uint64_t inode) {
  const std::string wanted = "socket:[" + std::to_string(inode) + "]";
  for (const std::string& process : host.list("/proc")) {
    if (!std::all_of(process.begin(), process.end(), [](char c) { return c >= '0' && c <= '9'; }))
      continue;
    const std::string folder = "/proc/" + process + "/fd";
    for (const std::string& fd : host.list(folder)) {
      std::error_code error;
      const auto target = std::filesystem::read_symlink(host.at(folder + "/" + fd), error);
      if (error || target.string() != wanted) continue;
      std::string name;
      std::error_code ignored;
      if (std::filesystem::exists(host.at("/proc/" + process + "/comm"), ignored))
        name = trim(host.read("/proc/" + process + "/comm").value_or(""));
      return printable(name) + " (process " + process + ")";
    }
  }
  return "an unknown process";
}

}  // namespace kbundle
