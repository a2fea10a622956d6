// What services and static pods said last, for errors that people must understand.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "installer/host.hpp"

namespace kbundle {

/// The last lines of a systemd unit's journal, indented; empty when there is none.
std::string journal_tail(const Host& host, const std::string& unit, int lines);
/// The last lines of each container's newest log under /var/log/pods for kube-system.
std::string static_pod_logs(const Host& host, int lines);

/// The last `limit` bytes of a file; empty when it cannot be read.
std::string file_tail(const std::filesystem::path& path, std::uint64_t limit);

}  // namespace kbundle
