#include "installer/runtimes/runtime.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/context.hpp"
#include "installer/runtimes/cri_dockerd.hpp"
#include "installer/runtimes/pod_runtime.hpp"

namespace kbundle {

std::unique_ptr<Runtime> make_runtime(Context& context) {
  const std::string& wanted = context.options.runtime;
  if (wanted == "containerd" || wanted == "none") return make_containerd(context);
  if (wanted != "docker")
    throw Error(ExitCode::usage, "--runtime " + printable(wanted) + " is not known",
                "take containerd, docker or none");
  if (!has_dockershim(context.facts.version) &&
      context.inventory.find_file(CriDockerd::kComponent, context.platform) == nullptr)
    throw Error(ExitCode::usage,
                "Kubernetes " + context.facts.version.str() +
                    " does not speak to Docker by itself: 1.23 was the last that did. "
                    "cri-dockerd, which stands between them, is not in the bundle",
                "build the bundle with --with cri-dockerd, or leave --runtime out: containerd is "
                "set up beside Docker, or Docker's own containerd is used");
  return make_docker(context);
}

std::unique_ptr<PodRuntime> make_pod_runtime(const Host& host, const std::string& name,
                                             std::string socket) {
  if (name == "docker") return make_docker_pods(host);
  return make_containerd_pods(host, std::move(socket));
}

}  // namespace kbundle
