// What containerd's own tools print, parsed.
#pragma once

#include <map>
#include <string>

#include "installer/runtimes/containerd_config.hpp"
#include "installer/runtimes/runtime.hpp"

namespace kbundle {

/// From `ctr images check` and `ctr images ls`, by name.
std::map<std::string, RuntimeImage> parse_ctr_images(const std::string& check,
                                                     const std::string& list);
/// Whether `ctr plugins ls` says that the CRI plugin works.
bool cri_plugin_ok(const std::string& ctr_plugins);
/// "1.6.20" out of `containerd --version`.
std::string containerd_version(const std::string& output);

}  // namespace kbundle
