// What containerd's own tools print, parsed.
#pragma once

#include <string>

#include "installer/runtimes/containerd_config.hpp"

namespace kbundle {

/// What `ctr plugins ls` says of the CRI plugin: "ok", "error", "skip"; empty when it is not there.
std::string cri_plugin_state(const std::string& ctr_plugins);
/// "1.6.20" out of `containerd --version`.
std::string containerd_version(const std::string& output);

}  // namespace kbundle
