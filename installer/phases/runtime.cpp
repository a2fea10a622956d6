// The container runtime: there, configured for this cluster, and answering.
#include "installer/phases/phases.hpp"

namespace kbundle {
namespace {

class RuntimePhase final : public Phase {
 public:
  explicit RuntimePhase(Context& context)
      : Phase("runtime", "container runtime " + context.runtime->name(), std::chrono::minutes(6)),
        context_(context) {}

  PhaseCheck check() override {
    if (!context_.host.live())
      return PhaseCheck::conflict("the runtime is configured on the running host only");
    return context_.runtime->check();
  }
  void apply() override { context_.runtime->ensure(); }

 private:
  Context& context_;
};

}  // namespace

std::unique_ptr<Phase> make_runtime_phase(Context& context) {
  return std::make_unique<RuntimePhase>(context);
}

}  // namespace kbundle
