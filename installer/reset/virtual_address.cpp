// --vip: keepalived ends before its pod is removed, so that it hands the address over at once; one
// that was killed leaves it on the interface, where two masters would have it.
#include <signal.h>

#include "core/text.hpp"
#include "installer/reset/steps.hpp"
#include "installer/static_pods.hpp"

namespace kbundle {
namespace {

class VirtualAddressStep final : public Phase {
 public:
  explicit VirtualAddressStep(ResetContext& context)
      : Phase("virtual-address", "hand the masters' address over", std::chrono::minutes(2)),
        context_(context) {}

  PhaseCheck check() override {
    if (context_.vip.empty()) return PhaseCheck::done("this node never had one");
    std::vector<std::string> actions;
    if (!processes().empty()) actions.emplace_back("end keepalived");
    for (const auto& argv : removals()) actions.push_back("run " + to_shell(argv));
    if (actions.empty()) return PhaseCheck::done(context_.vip + " is not here");
    return PhaseCheck::todo(context_.vip + " moves between the masters", actions);
  }

  void apply() override {
    end(SIGTERM);
    end(SIGKILL);
    for (const auto& argv : removals())
      context_.attempt(id(), [&, words = argv] {
        context_.host.run_checked({.argv = words, .timeout = std::chrono::seconds(20)});
      });
  }

 private:
  std::set<std::string> processes() const {
    return static_pod_processes(context_.host, "keepalived");
  }

  // The kubelet is stopped by now: nobody starts it again.
  void end(int signal) const {
    const auto running = processes();
    for (const std::string& pid : running) ::kill(static_cast<pid_t>(std::stol(pid)), signal);
    for (int i = 0; !running.empty() && i < 40 && !processes().empty(); ++i)
      context_.host.pause(std::chrono::milliseconds(250), "keepalived to end");
  }

  std::vector<std::vector<std::string>> removals() const {
    std::vector<std::vector<std::string>> result;
    for (const InterfaceAddress& each : context_.host.addresses())
      if (each.address == context_.vip)
        result.push_back({"ip", "address", "delete",
                          each.address + "/" + std::to_string(each.prefix), "dev", each.interface});
    return result;
  }

  ResetContext& context_;
};

}  // namespace

std::unique_ptr<Phase> make_virtual_address_step(ResetContext& context) {
  return std::make_unique<VirtualAddressStep>(context);
}

}  // namespace kbundle
