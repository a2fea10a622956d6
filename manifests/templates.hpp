// Unit and configuration files that install places on a node, as data (manifests/templates/).
#pragma once

#include <string>
#include <string_view>

namespace kbundle {

/// The text of manifests/templates/NAME, compiled in: "kubelet.service", "10-kubeadm.conf",
/// "containerd.service", "containerd-config.toml", "sysctl.conf", "modules.conf",
/// "keepalived.conf", "keepalived.yaml", "cri-dockerd.service".
std::string_view template_text(std::string_view name);

}  // namespace kbundle
