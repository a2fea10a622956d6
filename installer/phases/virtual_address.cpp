// --vip: keepalived in a static pod on each master. They agree by VRRP who holds the address; one
// whose API server does not answer stands back. It needs no API server to do so.
#include <arpa/inet.h>

#include <algorithm>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "installer/kubeadm_files.hpp"
#include "installer/phases/phases.hpp"
#include "manifests/templates.hpp"

namespace kbundle {
namespace {

void fill(std::string& text, const std::string& word, const std::string& value) {
  const std::string hole = "{" + word + "}";
  for (auto at = text.find(hole); at != std::string::npos; at = text.find(hole, at + value.size()))
    text.replace(at, hole.size(), value);
}

// All masters must have the same one, and other routers of the network another: the address's last
// byte, as it is the same on all of them.
int router_number(const std::string& address) {
  unsigned char bytes[16] = {};
  const bool v6 = address.find(':') != std::string::npos;
  ::inet_pton(v6 ? AF_INET6 : AF_INET, address.c_str(), bytes);
  const int last = bytes[v6 ? 15 : 3];
  return last == 0 ? 255 : last;
}

class VirtualAddressPhase final : public Phase {
 public:
  explicit VirtualAddressPhase(Context& context)
      : Phase("virtual-address", "keepalived for " + context.vip, std::chrono::minutes(3)),
        context_(context),
        host_(context.host) {}

  PhaseCheck check() override {
    std::vector<std::string> actions;
    if (host_.read(node_path::keepalived_config) != config())
      actions.push_back(std::string("write ") + node_path::keepalived_config);
    if (host_.read(node_path::keepalived_manifest) != manifest())
      actions.push_back(std::string("write ") + node_path::keepalived_manifest);
    if (actions.empty()) return PhaseCheck::done("keepalived is set up for " + context_.vip);
    return PhaseCheck::todo(context_.vip + " moves between the masters", actions);
  }

  void apply() override {
    host_.write(node_path::keepalived_config, config());
    host_.write(node_path::keepalived_manifest, manifest(), 0600);
    if (context_.joins()) see_that_masters_agree();
  }

 private:
  // The address is another master's when this one comes: keepalived here takes it only when it does
  // not hear the other. Two with one address are worse than one without.
  void see_that_masters_agree() const {
    constexpr auto settling = std::chrono::seconds(15);
    const std::string pod = "keepalived-" + context_.node_name;
    for (;;) {
      const auto phase = host_.run(context_.kubectl(
          {"-n", "kube-system", "get", "pod", pod, "-o", "jsonpath={.status.phase}"}));
      if (phase.ok() && phase.output == "Running") break;
      host_.pause(std::chrono::seconds(2), "the pod " + pod);
    }
    host_.pause(settling, "keepalived to hear the other masters");
    const auto addresses = host_.addresses();
    if (std::none_of(addresses.begin(), addresses.end(),
                     [&](const auto& each) { return each.address == context_.vip; }))
      return;
    host_.remove(node_path::keepalived_manifest);
    throw Error(ExitCode::phase,
                "keepalived took " + context_.vip +
                    " here while another master has it: VRRP (IP "
                    "protocol 112, to the multicast address 224.0.0.18) does not reach this host",
                "let it through the firewall of each master and the switch between them");
  }

  std::string config() const {
    const bool v6 = context_.vip.find(':') != std::string::npos;
    std::string text(template_text("keepalived.conf"));
    fill(text, "node", context_.node_name);
    fill(text, "server", context_.own_api());
    fill(text, "interface", context_.network.interface);
    fill(text, "router", std::to_string(router_number(context_.vip)));
    fill(text, "address", context_.vip + (v6 ? "/128" : "/32"));
    return text;
  }

  std::string manifest() const {
    std::string text(template_text("keepalived.yaml"));
    fill(text, "image", context_.renamed(context_.facts.keepalived_image));
    // A change of the configuration is one of the pod: the kubelet starts it anew.
    fill(text, "digest", sha256(config()).short_hex());
    return text;
  }

  Context& context_;
  Host& host_;
};

}  // namespace

std::unique_ptr<Phase> make_virtual_address_phase(Context& context) {
  return std::make_unique<VirtualAddressPhase>(context);
}

}  // namespace kbundle
