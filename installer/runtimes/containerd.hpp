// What containerd's own tools print, parsed.
#pragma once

#include <string>

#include "installer/runtimes/containerd_config.hpp"

namespace kbundle {

/// What `ctr plugins ls` says of a plugin: "ok", "error", "skip"; empty when it is not there.
std::string plugin_state(const std::string& ctr_plugins, const std::string& type,
                         const std::string& id);
/// "1.6.20" out of `containerd --version`.
std::string containerd_version(const std::string& output);

}  // namespace kbundle
