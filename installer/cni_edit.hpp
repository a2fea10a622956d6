// What a site changes in a CNI add-on's manifest.
#pragma once

#include <string>

namespace kbundle {

struct CniEdits {
  std::string pod_subnet;       ///< goes into flannel's net-conf.json; empty: as it is
  bool name_interface = false;  ///< flannel takes the interface of the kubelet's node-ip
};

/// flannel's manifest with the edits; byte for byte the same elsewhere. Error{phase} when a place
/// that must be edited is not found.
std::string edit_flannel(const std::string& manifest, const CniEdits& edits);

}  // namespace kbundle
