// What a site changes in a CNI add-on's manifest.
#pragma once

#include <string>

namespace kbundle {

struct CniEdits {
  std::string pod_subnet;   ///< goes into flannel's net-conf.json
  std::string iface_regex;  ///< for flannel's --iface-regex; empty: not needed
};

/// flannel's manifest with the edits; byte for byte the same elsewhere. Error{phase} when a place
/// that must be edited is not found.
std::string edit_flannel(const std::string& manifest, const CniEdits& edits);

}  // namespace kbundle
