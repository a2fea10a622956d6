// The gate before kubeadm: see coherence.hpp. kbundle's own side is put right by the phases before;
// what still differs is named, and is the site's to decide.
#include "installer/coherence.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/phases/phases.hpp"

namespace kbundle {
namespace {

constexpr const char* kAdvice =
    "the node would not come up, or not come back. Make them agree: the runtime in its own "
    "configuration, the kubelet in the documents of --config";

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
    if (!found.empty()) {
      // The runtime's settings, the images and the pause image are kbundle's to bring (an upgrade's
      // plan is made before they are there); what else differs is not.
      const auto sides = agreements(context_);
      const bool differ = std::any_of(sides.begin(), sides.end(), [](const Agreement& agreement) {
        return agreement.thing != "pause image" && !agreement.difference().empty();
      });
      const bool own = !differ || context_.runtime->check().state == PhaseState::todo;
      return own ? PhaseCheck::todo("kbundle's side is put right", found)
                 : PhaseCheck::conflict(kAdvice, found);
    }
    std::vector<std::string> words;
    for (const Agreement& agreement : agreements(context_))
      if (agreement.thing != "CRI socket") words.push_back(agreement.value());
    return PhaseCheck::done(join(words, ", "));
  }

  void apply() override {
    if (incoherences(context_).empty()) return;
    context_.runtime->ensure();
    if (const auto found = incoherences(context_); !found.empty())
      throw Error(ExitCode::preflight, join(found, "\n  "), kAdvice);
  }

 private:
  Context& context_;
};

}  // namespace

std::unique_ptr<Phase> make_coherence_phase(Context& context) {
  return std::make_unique<CoherencePhase>(context);
}

}  // namespace kbundle
