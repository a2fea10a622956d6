// The gate before kubeadm: see coherence.hpp. kbundle's own side is put right by the phases before;
// what still differs is named, and is the site's to decide.
#include "installer/coherence.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/phases/phases.hpp"

namespace kbundle {
namespace {

class CoherencePhase final : public Phase {
 public:
  explicit CoherencePhase(Context& context)
      : Phase("coherence", "what runtime, kubeadm and kubelet agree on", std::chrono::minutes(7)),
        context_(context) {}

  PhaseCheck check() override {
    // What the phases before have still to do is not to be judged yet.
    if (!context_.runtime->answers() || !context_.host.exists(node_path::kubeadm_config))
      return PhaseCheck::todo("compared when runtime and configuration are there",
                              {"compare pause image, cgroup driver, socket, snapshotter"});
    const auto found = incoherences(context_);
    if (!found.empty()) return PhaseCheck::todo("they do not agree", found);
    std::vector<std::string> words;
    for (const Agreement& agreement : agreements(context_))
      if (agreement.thing != "CRI socket") words.push_back(agreement.value());
    return PhaseCheck::done(join(words, ", "));
  }

  void apply() override {
    if (incoherences(context_).empty()) return;
    // The runtime's settings are kbundle's side.
    if (context_.runtime->check().state == PhaseState::todo) context_.runtime->ensure();
    const auto found = incoherences(context_);
    if (found.empty()) return;
    throw Error(ExitCode::preflight,
                "the node would not come up, or not come back:\n  " + join(found, "\n  "),
                "make them agree, for the runtime in its own configuration, for the kubelet in the "
                "documents of --config; then run the same command again");
  }

 private:
  Context& context_;
};

}  // namespace

std::unique_ptr<Phase> make_coherence_phase(Context& context) {
  return std::make_unique<CoherencePhase>(context);
}

}  // namespace kbundle
