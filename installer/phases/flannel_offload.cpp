// Below 1.18.5 kube-proxy masquerades a packet twice, and the kernel then fills in a wrong checksum
// where flannel's vxlan device leaves that to the card: connections to services on other nodes hang
// for a minute (kubernetes#88986). The device's checksum offload is kept off, by a unit that also
// sees it come later, or again; it needs no udev.
#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/phases/phases.hpp"
#include "manifests/templates.hpp"

namespace kbundle {
namespace {

constexpr const char* kUnit = "/etc/systemd/system/kbundle-flannel-offload.service";
constexpr const char* kName = "kbundle-flannel-offload.service";

class FlannelOffloadPhase final : public Phase {
 public:
  explicit FlannelOffloadPhase(Context& context)
      : Phase("flannel-offload", "flannel.1 without checksum offload (kubernetes#88986)",
              std::chrono::minutes(1)),
        host_(context.host),
        progress_(context.progress) {}

  PhaseCheck check() override {
    if (!host_.program("ethtool"))
      return PhaseCheck::done("there is no ethtool; preflight said so");
    std::vector<std::string> actions;
    if (host_.read(kUnit) != unit()) actions.push_back(std::string("write ") + kUnit);
    if (!actions.empty() || !runs())
      actions.push_back(std::string("run systemctl enable --now ") + kName);
    if (actions.empty()) return PhaseCheck::done(std::string(kName) + " runs");
    return PhaseCheck::todo("a unit keeps the offload off", actions);
  }

  void apply() override {
    if (!host_.program("ethtool")) {
      progress_.warn("flannel.1 keeps its checksum offload: there is no ethtool");
      return;
    }
    if (host_.read(kUnit) != unit()) host_.write(kUnit, unit());
    host_.touching(Touch::unit, kName);
    host_.run_checked({.argv = {"systemctl", "daemon-reload"}});
    host_.run_checked({.argv = {"systemctl", "enable", kName}});
    host_.run_checked({.argv = {"systemctl", "restart", kName}});
  }

 private:
  static std::string unit() {
    return std::string(template_text("kbundle-flannel-offload.service"));
  }

  bool runs() const {
    const auto active = host_.run({.argv = {"systemctl", "is-active", "--quiet", kName},
                                   .timeout = std::chrono::seconds(20)});
    const auto enabled = host_.run({.argv = {"systemctl", "is-enabled", "--quiet", kName},
                                    .timeout = std::chrono::seconds(20)});
    return active.ok() && enabled.ok();
  }

  Host& host_;
  Progress& progress_;
};

}  // namespace

bool needs_flannel_offload(const Context& context) {
  return context.inventory.cni.starts_with("flannel") &&
         context.facts.version < *Version::parse("v1.18.5");
}

std::unique_ptr<Phase> make_flannel_offload_phase(Context& context) {
  return std::make_unique<FlannelOffloadPhase>(context);
}

}  // namespace kbundle
