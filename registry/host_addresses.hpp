// Addresses of a host name, for an executable that cannot ask glibc for them.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace kbundle {

/// Whether this program is linked statically: glibc's resolver would load modules of the host's
/// glibc into it, which must not be.
bool is_static_program();

/// Names resolved by the `getent` program, each once. Thread-safe.
class HostAddresses {
 public:
  /// A value for CURLOPT_RESOLVE, "registry.local:443:192.0.2.1,2001:db8::1"; empty when `host` is
  /// an address itself or localhost; nullopt when there is no getent, or it does not know the name.
  /// `host` may have a port ("registry.local:5000").
  std::optional<std::string> for_curl(const std::string& host, int default_port);

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> known_;
};

}  // namespace kbundle
