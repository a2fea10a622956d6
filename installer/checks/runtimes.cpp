// The container runtime: fit for this Kubernetes, and which of several is meant.
#include "core/text.hpp"
#include "installer/checks/preflight.hpp"

namespace kbundle {

void check_runtimes(const Context& context, Findings& findings) {
  if (!context.host.live()) return;
  const PhaseCheck state = context.runtime->check();
  if (state.state == PhaseState::conflict)
    findings.error("Runtime", state.reason,
                   "docs/runtimes.md tells which runtimes serve which versions");
  struct Socket {
    const char* path;
    const char* name;
  };
  std::vector<std::string> found;
  for (const Socket& socket : {Socket{"/run/containerd/containerd.sock", "containerd"},
                               {"/run/docker.sock", "Docker"},
                               {"/run/crio/crio.sock", "CRI-O"},
                               {"/run/cri-dockerd.sock", "cri-dockerd"}})
    // Docker brings a containerd of its own, and is spoken to through cri-dockerd.
    if (context.host.exists(socket.path) &&
        !(context.runtime->name() == "docker" && (std::string_view(socket.name) == "containerd" ||
                                                  std::string_view(socket.name) == "cri-dockerd")))
      found.push_back(std::string(socket.name) + " (" + socket.path + ")");
  if (found.size() > 1)
    findings.warning("CRI",
                     "several container runtimes run here: " + join(found, ", ") +
                         "; the kubelet is given " + context.runtime->cri_socket(),
                     "stop those that nobody needs, or name one with --cri-socket");
}

}  // namespace kbundle
