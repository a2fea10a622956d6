// What services and static pods said last, for errors that people must understand.
#pragma once

#include <string>

#include "installer/host.hpp"

namespace kbundle {

/// The last lines of a systemd unit's journal, indented; empty when there is none.
std::string journal_tail(const Host& host, const std::string& unit, int lines);
/// The last lines of each container's newest log under /var/log/pods for kube-system.
std::string static_pod_logs(const Host& host, int lines);

}  // namespace kbundle
