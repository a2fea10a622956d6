// What containerd's own tools print, parsed.
#pragma once

#include <string>

#include "installer/runtimes/containerd_config.hpp"

namespace kbundle {

/// Whether `ctr plugins ls` says that the CRI plugin works.
bool cri_plugin_ok(const std::string& ctr_plugins);
/// "1.6.20" out of `containerd --version`.
std::string containerd_version(const std::string& output);

}  // namespace kbundle
