// Processes of pods that no runtime answers for.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "installer/host.hpp"

namespace kbundle {

struct PodProcess {
  pid_t pid = 0;
  std::string shown;  ///< "4711 containerd-shim-runc-v2"
};

/// Shims of Kubernetes' containers first, then what runs in the kubelet's cgroups. `all_shims`:
/// those of other containerd namespaces, too.
std::vector<PodProcess> pod_processes(const Host& host, bool all_shims);
/// SIGKILL to each, and waits until they are gone, 10 s at most.
void kill_processes(const Host& host, const std::vector<PodProcess>& processes);
/// The kubelet's cgroups, inner ones first: paths under /sys/fs/cgroup.
std::vector<std::string> pod_cgroups(const Host& host);

}  // namespace kbundle
