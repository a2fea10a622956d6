#include "installer/node_state.hpp"

#include <set>
#include <sstream>

#include "core/text.hpp"

namespace kbundle {
namespace {

bool has_cni(const Context& context) {
  return context.inventory.cni != "none";
}

// Of this node's pods and CoreDNS's: what runs, or does not, elsewhere is not this install's.
void add_open_pods(const Context& context, const std::string& space,
                   std::vector<std::string>& open) {
  std::vector<std::string> arguments = {
      "-n",
      space,
      "get",
      "pods",
      "--no-headers",
      "-o",
      "custom-columns=NAME:.metadata.name,PHASE:.status.phase,"
      "NODE:.spec.nodeName,"
      "READY:.status.containerStatuses[*].ready,"
      "WAITING:.status.containerStatuses[*].state.waiting.reason,"
      "INIT:.status.initContainerStatuses[*].state.waiting.reason"};
  if (!context.master())
    arguments.insert(arguments.end(), {"--field-selector", "spec.nodeName=" + context.node_name});
  const auto pods = context.host.run(context.kubectl(arguments));
  if (!pods.ok()) {
    open.push_back("pods of " + space + " cannot be listed");
    return;
  }
  std::set<std::string> ours;
  for (const std::string& line : split(pods.output, '\n')) {
    std::istringstream in(line);
    std::string name, phase, node, ready, waiting, init;
    if (!(in >> name >> phase >> node >> ready)) continue;
    in >> waiting >> init;
    const bool coredns =
        context.initializes() && space == "kube-system" && name.starts_with("coredns-");
    if (node != context.node_name && !coredns) continue;
    // An ended pod comes to nothing any more; its owner makes another one.
    if (phase == "Failed" || phase == "Succeeded") continue;
    ours.insert(name);
    // Without a CNI add-on CoreDNS has no network to run in.
    if (!has_cni(context) && coredns) continue;
    const bool good = phase == "Running" && ready.find("false") == std::string::npos &&
                      ready.find("true") != std::string::npos;
    if (good) continue;
    const std::string why = waiting != "<none>" && !waiting.empty() ? waiting
                            : init != "<none>" && !init.empty()     ? init
                            : phase == "Running"                    ? "not ready"
                                                                    : phase;
    open.push_back(printable(name) + " " + printable(why));
  }
  if (ours.empty()) open.push_back("no pods in " + space + " yet");
  if (space != "kube-system" || !context.master()) return;
  for (const std::string& name : context.static_pods())
    if (!ours.contains(name + "-" + context.node_name)) open.push_back(name + " not there");
}

}  // namespace

std::string node_trouble(const Context& context) {
  const Host& host = context.host;
  const char* credentials = context.master() ? node_path::admin_config : node_path::kubelet_config;
  if (!host.live() || !host.exists(credentials) || !context.has_program("kubectl"))
    return "there is no cluster yet";
  const auto node =
      host.run(context.kubectl({"get", "node", context.node_name, "-o",
                                "jsonpath={.status.conditions[?(@.type==\"Ready\")].status} "
                                "{.status.conditions[?(@.type==\"Ready\")].message}"}));
  if (!node.ok()) {
    const auto lines = split(trim(node.errors), '\n');
    return "node " + context.node_name + ": " + printable(lines.empty() ? "" : lines.back());
  }
  if (!has_cni(context) || node.output.starts_with("True")) return {};
  const auto space = node.output.find(' ');
  return "node not Ready: " +
         printable(space == std::string::npos ? "" : node.output.substr(space + 1, 200));
}

std::vector<std::string> pods_in_trouble(const Context& context) {
  std::set<std::string> spaces = {"kube-system"};
  if (context.cni && has_cni(context)) spaces.insert(context.cni->cni_namespace);
  std::vector<std::string> open;
  for (const std::string& space : spaces) add_open_pods(context, space, open);
  return open;
}

}  // namespace kbundle
