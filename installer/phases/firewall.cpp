// An active firewalld lets the cluster through, now and after a reload or a boot: the role's ports
// (and with --vip VRRP) in the zone of the node's interface, and the pod and service networks as
// trusted sources. Part of the plan only where firewalld runs.
#include <algorithm>
#include <sstream>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/firewalld.hpp"
#include "installer/phases/phases.hpp"

namespace kbundle {
namespace {

constexpr const char* kProgram = "firewall-cmd";

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> result;
  for (std::string word; in >> word;) result.push_back(word);
  return result;
}

class FirewallPhase final : public Phase {
 public:
  explicit FirewallPhase(Context& context)
      : Phase("firewall", "firewalld lets the cluster through", std::chrono::minutes(3)),
        context_(context),
        host_(context.host) {}

  PhaseCheck check() override {
    const auto missing = commands(true);
    const auto not_yet = commands(false);
    if (missing.empty() && not_yet.empty())
      return PhaseCheck::done("the ports are open, the cluster's networks are trusted");
    std::vector<std::string> actions;
    for (const auto& command : missing) actions.push_back("run " + to_shell(command));
    actions.push_back(std::string("run ") + kProgram + " --reload");
    return PhaseCheck::todo("ports and networks of the cluster", actions);
  }

  // The permanent rules, then a reload that makes them what runs: so they are known to survive one.
  void apply() override {
    // firewalld keeps its permanent rules in these files; there are none while a zone is as
    // shipped.
    for (const std::string& name : {zone(), std::string("trusted")})
      host_.touching(Touch::file, "/etc/firewalld/zones/" + name + ".xml");
    for (const auto& command : commands(true)) run(command);
    run({kProgram, "--reload"});
    const auto left = commands(false);
    if (!left.empty())
      throw Error(ExitCode::phase,
                  "firewalld was reloaded, and this is still not in force: " + to_shell(left[0]),
                  "look at `firewall-cmd --list-all-zones`");
  }

 private:
  void run(std::vector<std::string> argv) const {
    host_.run_checked({.argv = std::move(argv), .timeout = std::chrono::seconds(60)});
  }

  std::string ask(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), kProgram);
    const auto result = host_.run({.argv = arguments, .timeout = std::chrono::seconds(30)});
    return result.ok() ? std::string(trim(result.output)) : std::string();
  }

  // The zone that packets to the node's address meet.
  std::string zone() const {
    const std::string own = ask({"--get-zone-of-interface=" + context_.network.interface});
    return own.empty() || own.find(' ') != std::string::npos ? ask({"--get-default-zone"}) : own;
  }

  // One command for each thing that is not there yet.
  std::vector<std::vector<std::string>> commands(bool permanent) const {
    std::vector<std::vector<std::string>> result;
    // `kind`: "port", which --list-ports lists and --add-port adds.
    const auto add_missing = [&](const std::string& in_zone, const std::string& kind,
                                 const std::vector<std::string>& wanted) {
      if (wanted.empty()) return;
      std::vector<std::string> start;
      if (permanent) start.emplace_back("--permanent");
      start.push_back("--zone=" + in_zone);
      auto question = start;
      question.push_back("--list-" + kind + "s");
      const auto there = words(ask(question));
      start.insert(start.begin(), kProgram);
      for (const std::string& one : wanted) {
        if (std::find(there.begin(), there.end(), one) != there.end()) continue;
        result.push_back(start);
        result.back().push_back("--add-" + kind + "=" + one);
      }
    };
    const std::string node_zone = zone();
    add_missing(node_zone, "port", firewall_ports(context_));
    add_missing(node_zone, "protocol", firewall_protocols(context_));
    add_missing("trusted", "source", firewall_sources(context_));
    return result;
  }

  Context& context_;
  Host& host_;
};

}  // namespace

bool firewalld_is_active(const Host& host) {
  if (!host.live() || !host.exists("/run/systemd/system")) return false;
  return host
      .run({.argv = {"systemctl", "is-active", "--quiet", "firewalld"},
            .timeout = std::chrono::seconds(15)})
      .ok();
}

bool has_packet_filter(const Host& host) {
  return host.exists("/sys/module/nf_tables") ||
         !trim(host.read("/proc/net/ip_tables_names").value_or("")).empty();
}

std::vector<std::string> firewall_ports(const Context& context) {
  std::vector<std::string> ports = {"10250/tcp"};
  if (context.master()) ports.insert(ports.end(), {"6443/tcp", "10257/tcp", "10259/tcp"});
  if (context.master() && !context.external_etcd) ports.emplace_back("2379-2380/tcp");
  if (context.inventory.cni.starts_with("flannel")) ports.emplace_back("8472/udp");
  return ports;
}

std::vector<std::string> firewall_protocols(const Context& context) {
  if (context.vip.empty()) return {};
  return {"vrrp"};
}

std::vector<std::string> firewall_sources(const Context& context) {
  std::vector<std::string> sources;
  for (const std::string& list : {context.pod_subnet, context.service_subnet})
    for (const std::string& part : split(list, ','))
      if (!part.empty()) sources.push_back(part);
  return sources;
}

std::unique_ptr<Phase> make_firewall_phase(Context& context) {
  return std::make_unique<FirewallPhase>(context);
}

}  // namespace kbundle
