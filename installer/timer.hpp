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
  std::string schedule;                ///< lines of systemd.timer(5): every() or daily()
};

/// From the timer's start and after each run again: "1h", "30min", "7d". Error{usage} for what is
/// no time span.
std::string every(const std::string& span);
/// Once a day at a random time within `delay` after midnight, or later when the host was off then.
std::string daily(const std::string& delay);

/// A copy of the running kbundle that stays on the host: /usr/local/bin/kbundle, or
/// /var/lib/kbundle/bin/kbundle when /usr is read-only or another one lies there. Returns its path.
std::string keep_executable(Host& host);

/// Writes, enables and starts NAME.service and NAME.timer. Returns the command that they run.
std::string install_timer(Host& host, const VerbTimer& timer);
/// Stops them and removes the units; absence is fine. The executable stays until `reset`: another
/// timer may need it.
void remove_timer(Host& host, const std::string& name);

}  // namespace kbundle
