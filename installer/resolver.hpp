// Which resolver file the kubelet gives to pods, so that CoreDNS neither forwards to itself nor
// starts without a nameserver.
#pragma once

#include <string>
#include <vector>

#include "installer/host.hpp"

namespace kbundle {

struct ResolverChoice {
  std::string path;     ///< for --resolv-conf; empty: the kubelet's default is right
  std::string content;  ///< what kbundle writes there; only when `own_file`
  bool own_file = false;
  bool no_nameserver = false;  ///< CoreDNS must not forward
  std::string trouble;         ///< the user's own file would stop pods; empty: fine
  std::string reason;          ///< one line for people
};

/// `user_choice`: the resolv-conf the user's documents name (kept as it is), or empty.
ResolverChoice choose_resolver(const Host& host, const std::string& user_choice);

/// The addresses behind "nameserver" in a resolv.conf.
std::vector<std::string> nameservers(const std::string& resolv_conf);
/// Whether the address is the machine itself, as glibc takes it (0.0.0.0 too).
bool is_loopback(const std::string& address);

/// A Corefile without its `forward . /etc/resolv.conf` plugin (with or without a block).
std::string without_forward(const std::string& corefile);

}  // namespace kbundle
