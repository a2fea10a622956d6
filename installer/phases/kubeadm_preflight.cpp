// kubeadm's own preflight, whole: where the runtime is Docker it asks for nothing that an isolated
// host may lack. (With containerd it wants crictl; kbundle's preflight does its checks there.)
#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/phases/phases.hpp"

namespace kbundle {
namespace {

class KubeadmPreflightPhase final : public Phase {
 public:
  explicit KubeadmPreflightPhase(Context& context)
      : Phase("kubeadm-preflight", "kubeadm's own preflight", std::chrono::minutes(5)),
        context_(context),
        host_(context.host) {}

  PhaseCheck check() override {
    // Afterwards it would find its own cluster in the way.
    if (context_.journal_ended(id()) || host_.exists("/var/lib/kubelet/kubeadm-flags.env"))
      return PhaseCheck::done("it was content before the kubelet was set up");
    return PhaseCheck::todo("kubeadm looks at the host", {"run " + to_shell(argv())});
  }

  void apply() override {
    if (!context_.has_program("kubeadm"))
      throw Error(ExitCode::phase, context_.program("kubeadm") + " is not the bundle's kubeadm",
                  "run the same command again without --only-phase or --skip-phases");
    const auto result = host_.run({.argv = argv(), .timeout = timeout()});
    const std::string said = std::string(trim(result.output + result.errors));
    if (!result.ok())
      throw Error(ExitCode::preflight, "kubeadm's own preflight is not content:\n" + said,
                  "put right what it names, or leave it out by kubeadm's name for it: "
                  "--ignore-preflight-errors NAME,…");
    for (const std::string& line : split(said, '\n'))
      if (!trim(line).empty()) context_.progress.line("  " + printable(std::string(trim(line))));
  }

 private:
  std::vector<std::string> argv() const {
    std::vector<std::string> result = {context_.program("kubeadm"),
                                       context_.master() ? "init" : "join",
                                       "phase",
                                       "preflight",
                                       "--config",
                                       node_path::kubeadm_config};
    auto ignored = context_.options.ignore_preflight_errors;
    if (context_.swap_tolerated) ignored.emplace_back("Swap");
    if (!ignored.empty()) result.push_back("--ignore-preflight-errors=" + join(ignored, ","));
    return result;
  }

  Context& context_;
  Host& host_;
};

}  // namespace

std::unique_ptr<Phase> make_kubeadm_preflight_phase(Context& context) {
  return std::make_unique<KubeadmPreflightPhase>(context);
}

}  // namespace kbundle
