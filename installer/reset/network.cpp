// A cluster's packet filter rules, interfaces and network namespaces.
#include <algorithm>
#include <filesystem>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/cluster_names.hpp"
#include "installer/firewall.hpp"
#include "installer/reset/steps.hpp"

namespace kbundle {
namespace {

class FirewallStep final : public Phase {
 public:
  explicit FirewallStep(ResetContext& context)
      : Phase("firewall", "remove the cluster's packet filter rules", std::chrono::minutes(3)),
        context_(context) {}

  PhaseCheck check() override {
    std::vector<std::string> actions;
    for (const std::string& program : firewall_programs(context_.host)) {
      std::string table;
      for (const std::string& line : split(removal(program), '\n')) {
        if (line.starts_with("*")) table = line.substr(1);
        if (line.starts_with("-X")) actions.push_back(program + " -t " + table + " " + line);
        if (line.starts_with("-D")) actions.push_back(program + " -t " + table + " " + line);
      }
    }
    for (const std::string& table : tables()) actions.push_back("nft delete table " + table);
    for (const std::string& set : sets()) actions.push_back("ipset destroy " + set);
    if (virtual_servers_went()) actions.emplace_back("ipvsadm --clear");
    if (actions.empty()) return PhaseCheck::done("none is here");
    return PhaseCheck::todo("rules of the cluster are here", actions);
  }

  void apply() override {
    const Host& host = context_.host;
    for (const std::string& program : firewall_programs(host)) {
      const std::string text = removal(program);
      if (text.empty()) continue;
      context_.attempt(id(), [&] {
        Command command;
        command.argv = {program + "-restore", "--noflush"};
        command.input = text;
        command.timeout = std::chrono::minutes(1);
        host.run_checked(std::move(command));
      });
    }
    const auto limit = std::chrono::seconds(30);
    for (const std::string& table : tables())
      context_.attempt(id(), [&] {
        const auto words = split(table, ' ');
        host.run_checked(
            {.argv = {"nft", "delete", "table", words.at(0), words.at(1)}, .timeout = limit});
      });
    if (virtual_servers_went())
      context_.attempt(id(), [&] {
        host.run_checked({.argv = {"ipvsadm", "--clear"}, .timeout = limit});
      });
    for (const std::string& set : sets())
      context_.attempt(id(), [&] {
        host.run_checked({.argv = {"ipset", "destroy", set}, .timeout = limit});
      });
  }

 private:
  std::string removal(const std::string& program) const {
    const auto& before = context_.snapshot.firewall;
    const auto found = before.find(program);
    return firewall_removal(firewall_rules(context_.host, program),
                            found == before.end() ? "" : found->second, context_.pod_networks);
  }

  std::vector<std::string> tables() const {
    const auto now = list_nft_tables(context_.host);
    std::vector<std::string> result;
    for (const std::string& table : cluster_names::nft_tables())
      if (now.contains(table) && !context_.snapshot.nft_tables.contains(table))
        result.push_back(table);
    return result;
  }

  std::vector<std::string> sets() const {
    std::vector<std::string> result;
    for (const std::string& set : list_ipsets(context_.host))
      if (cluster_names::is_chain(set) && !context_.snapshot.ipsets.contains(set))
        result.push_back(set);
    return result;
  }

  // kube-proxy's, when there was no IPVS before: which server is whose cannot be told.
  bool virtual_servers_went() const {
    return !context_.snapshot.virtual_servers && context_.host.program("ipvsadm") &&
           !list_virtual_servers(context_.host).empty();
  }

  ResetContext& context_;
};

class InterfacesStep final : public Phase {
 public:
  explicit InterfacesStep(ResetContext& context)
      : Phase("interfaces", "remove the cluster's interfaces", std::chrono::minutes(2)),
        context_(context) {}

  PhaseCheck check() override {
    std::vector<std::string> actions;
    for (const std::string& name : namespaces()) actions.push_back("remove /run/netns/" + name);
    for (const std::string& name : interfaces()) actions.push_back("ip link delete " + name);
    if (actions.empty()) return PhaseCheck::done("none is here");
    return PhaseCheck::todo("interfaces of the cluster are here", actions);
  }

  void apply() override {
    const Host& host = context_.host;
    // A pod's end of a veth pair lives in its namespace, and takes the host's end along.
    for (const std::string& name : namespaces())
      context_.attempt(id(), [&] { host.remove("/run/netns/" + name); });
    for (const std::string& name : interfaces()) {
      if (!host.exists("/sys/class/net/" + name)) continue;
      context_.attempt(id(), [&] {
        host.run_checked(
            {.argv = {"ip", "link", "delete", name}, .timeout = std::chrono::seconds(20)});
      });
    }
  }

 private:
  std::vector<std::string> namespaces() const {
    std::vector<std::string> result;
    for (const std::string& name : context_.host.list("/run/netns"))
      if (name.starts_with(cluster_names::netns_prefix) && !context_.snapshot.netns.contains(name))
        result.push_back(name);
    return result;
  }

  // What is plugged into cni0, then the names of the table.
  std::vector<std::string> interfaces() const {
    const auto& names = cluster_names::interfaces();
    std::vector<std::string> plugged, result;
    for (const std::string& name : context_.host.list("/sys/class/net")) {
      if (context_.snapshot.interfaces.contains(name)) continue;
      if (std::find(names.begin(), names.end(), name) != names.end()) {
        result.push_back(name);
        continue;
      }
      std::error_code error;
      const auto bridge = std::filesystem::read_symlink(
          context_.host.at("/sys/class/net/" + name + "/master"), error);
      if (!error && name.starts_with("veth") && bridge.filename() == "cni0")
        plugged.push_back(name);
    }
    plugged.insert(plugged.end(), result.begin(), result.end());
    return plugged;
  }

  ResetContext& context_;
};

}  // namespace

std::unique_ptr<Phase> make_firewall_step(ResetContext& context) {
  return std::make_unique<FirewallStep>(context);
}

std::unique_ptr<Phase> make_interfaces_step(ResetContext& context) {
  return std::make_unique<InterfacesStep>(context);
}

}  // namespace kbundle
