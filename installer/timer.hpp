// systemd timers that run a kbundle verb on this host, and the executable they need.
#pragma once

#include <string>
#include <vector>

#include "installer/host.hpp"

namespace kbundle {

struct VerbTimer {
  std::string name;                    ///< of the units: "kbundle-repair"
  std::string description;             ///< for `systemctl list-timers`
  std::vector<std::string> arguments;  ///< of kbundle, the verb first
  std::string every;                   ///< "1h", "30min", "7d"
};

/// A copy of the running kbundle that stays on the host: /usr/local/bin/kbundle, or
/// /var/lib/kbundle/bin/kbundle when /usr is read-only or another one lies there. Returns its path.
std::string keep_executable(Host& host);

/// Writes, enables and starts NAME.service and NAME.timer. Error{usage} for an `every` that is no
/// time span.
void install_timer(Host& host, const VerbTimer& timer);
/// Stops them and removes the units; absence is fine.
void remove_timer(Host& host, const std::string& name);

}  // namespace kbundle
