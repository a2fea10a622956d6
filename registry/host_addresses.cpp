#include "registry/host_addresses.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <sys/auxv.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/process.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

bool is_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> room{};
  return inet_pton(AF_INET, text.c_str(), room.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), room.data()) == 1;
}

// "192.0.2.1  STREAM registry.local" and so on, an address in each line, some of them repeated.
std::vector<std::string> ask_getent(const std::string& name) {
  Command command;
  command.argv = {"getent", "ahosts", name};
  command.timeout = std::chrono::seconds(30);
  std::vector<std::string> addresses;
  if (!find_program(command.argv[0])) return addresses;
  for (const std::string& line : split(run(command).output, '\n')) {
    std::string address = line.substr(0, line.find_first_of(" \t"));
    if (is_address(address) &&
        std::find(addresses.begin(), addresses.end(), address) == addresses.end())
      addresses.push_back(std::move(address));
  }
  return addresses;
}

}  // namespace

bool is_static_program() {
  return getauxval(AT_BASE) == 0;  // where the dynamic loader was put
}

std::optional<std::string> HostAddresses::for_curl(const std::string& host, int default_port) {
  if (host.starts_with('[')) return "";
  const std::size_t colon = host.find(':');
  const std::string name = host.substr(0, colon);
  const std::string port =
      colon == std::string::npos ? std::to_string(default_port) : host.substr(colon + 1);
  // libcurl knows localhost without asking anybody.
  if (name.empty() || name == "localhost" || is_address(name)) return "";
  {
    const std::lock_guard guard(mutex_);
    const auto found = known_.find(name);
    if (found != known_.end()) return fmt::format("{}:{}:{}", name, port, found->second);
  }
  const auto addresses = ask_getent(name);
  if (addresses.empty()) return std::nullopt;  // not kept: the name may be found later
  const std::lock_guard guard(mutex_);
  const auto& known = known_.insert_or_assign(name, join(addresses, ",")).first->second;
  return fmt::format("{}:{}:{}", name, port, known);
}

}  // namespace kbundle
