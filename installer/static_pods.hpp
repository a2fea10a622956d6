// The control plane's pods on this node: their manifests, and the processes behind them. Asked of
// /proc, so that it works with any runtime and while the API server is down.
#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "installer/host.hpp"

namespace kbundle {

inline constexpr const char* kManifestFolder = "/etc/kubernetes/manifests";

/// Of the four that kubeadm writes, those whose manifest lies there; etcd first.
std::vector<std::string> static_pods(const Host& host);

/// Process ids of a component's containers ("kube-apiserver").
std::set<std::string> static_pod_processes(const Host& host, const std::string& name);

/// Ends the component's process; the kubelet starts the container anew, which reads its files
/// again. Returns when another process runs. Error{phase} past the host's deadline.
void restart_static_pod(const Host& host, const std::string& name);

/// Waits until no process of the components is left.
void wait_until_stopped(const Host& host, const std::vector<std::string>& names);

}  // namespace kbundle
