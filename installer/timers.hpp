// systemd timers that run kbundle on a node by itself. The executable they run is a copy of the
// one that installs them.
#pragma once

#include <string>

#include "installer/host.hpp"

namespace kbundle {

inline constexpr const char* kTimerProgram = "/usr/local/bin/kbundle";

struct Timer {
  std::string name;         ///< of the units: "kbundle-certs"
  std::string description;  ///< one line
  std::string arguments;    ///< after the executable: "certs --renew --before 30d"
  std::string calendar;     ///< systemd.time(7): "daily"
  std::string delay;        ///< RandomizedDelaySec, so that not all nodes begin at once
};

std::string timer_unit(const Timer& timer);
std::string timer_service(const Timer& timer);

/// Places the executable and the units, and starts the timer. May be repeated.
void install_timer(const Host& host, const Timer& timer);
/// Stops it and removes the units; the executable goes with the last of kbundle's timers.
void remove_timer(const Host& host, const Timer& timer);

}  // namespace kbundle
