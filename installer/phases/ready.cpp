// The end that counts: the node is Ready, and everything the cluster itself needs runs.
#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/node_state.hpp"
#include "installer/phases/phases.hpp"
#include "installer/service_logs.hpp"

namespace kbundle {
namespace {

constexpr auto kInterval = std::chrono::seconds(2);

class ReadyPhase final : public Phase {
 public:
  explicit ReadyPhase(Context& context)
      : Phase("ready", "node and system pods", std::chrono::minutes(10)),
        context_(context),
        host_(context.host) {}

  PhaseCheck check() override {
    const std::string open = what_is_open();
    if (open.empty()) return PhaseCheck::done(done_text());
    return PhaseCheck::todo(open, {"wait for " + object()});
  }

  void apply() override {
    std::string before;
    for (;;) {
      const std::string open = what_is_open();
      if (open.empty()) return;
      if (open != before) context_.progress.line("  waiting: " + open);
      before = open;
      last_ = open;
      host_.pause(kInterval, object() + " (" + open + ")");
    }
  }

  std::string failure_details() override {
    std::string text = "still open: " + last_ + "\n" + journal_tail(host_, "kubelet.service", 10);
    if (!context_.master()) return text;
    const auto events = host_.run(context_.kubectl(
        {"get", "events", "-A", "--field-selector", "type=Warning", "--sort-by=.lastTimestamp",
         "-o", "custom-columns=OBJECT:.involvedObject.name,REASON:.reason,MESSAGE:.message",
         "--no-headers"}));
    auto lines = split(trim(events.output), '\n');
    if (lines.size() > 10) lines.erase(lines.begin(), lines.end() - 10);
    text += "last warnings of the cluster:\n";
    for (const std::string& line : lines) text += "  | " + printable(line.substr(0, 300)) + "\n";
    return text;
  }

 private:
  bool has_cni() const { return context_.inventory.cni != "none"; }

  std::string object() const {
    return context_.master() ? "node " + context_.node_name + " and the system's pods"
                             : "node " + context_.node_name;
  }
  std::string done_text() const {
    if (!has_cni()) return "the node is there; it gets Ready with a CNI add-on";
    return context_.master() ? "the node is Ready, the system's pods run" : "the node is Ready";
  }

  std::string what_is_open() const {
    if (const std::string trouble = node_trouble(context_); !trouble.empty()) return trouble;
    return context_.master() ? join(pods_in_trouble(context_), ", ") : std::string();
  }

  Context& context_;
  Host& host_;
  std::string last_ = "nothing was seen";
};

}  // namespace

std::unique_ptr<Phase> make_ready_phase(Context& context) {
  return std::make_unique<ReadyPhase>(context);
}

}  // namespace kbundle
