#include "installer/cni_edit.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

std::string with_pod_subnet(std::string manifest, const std::string& subnet) {
  static constexpr std::string_view kKey = "\"Network\":";
  const auto key = manifest.find(kKey);
  const auto open = key == std::string::npos ? key : manifest.find('"', key + kKey.size());
  const auto close = open == std::string::npos ? open : manifest.find('"', open + 1);
  if (close == std::string::npos)
    throw Error(ExitCode::phase,
                "the flannel manifest has no \"Network\" to put " + subnet + " in");
  return manifest.replace(open + 1, close - open - 1, subnet);
}

// Each flannel container is told its node's address: the kubelet expands $(HOST_IP), which the
// pod's status.hostIP fills, so one manifest serves all nodes.
std::string with_node_interface(const std::string& manifest) {
  std::string result;
  bool argument = false, variable = false;
  for (const std::string& line : split(manifest, '\n')) {
    const auto dash = line.find_first_not_of(' ');
    const std::string indent = dash == std::string::npos ? std::string() : line.substr(0, dash);
    if (trim(line) == "- name: POD_NAME") {
      result += indent + "- name: HOST_IP\n" + indent + "  valueFrom:\n" + indent +
                "    fieldRef:\n" + indent + "      fieldPath: status.hostIP\n";
      variable = true;
    }
    result += line + "\n";
    if (trim(line) == "- --kube-subnet-mgr") {
      result += indent + "- --iface=$(HOST_IP)\n";
      argument = true;
    }
  }
  result.pop_back();
  if (!argument || !variable)
    throw Error(ExitCode::phase,
                "the flannel manifest has no --kube-subnet-mgr or POD_NAME to put the node's "
                "interface behind",
                "give the host a default route, or build the bundle with an edited manifest "
                "(--cni FILE)");
  return result;
}

}  // namespace

std::string edit_flannel(const std::string& manifest, const CniEdits& edits) {
  std::string result = manifest;
  if (!edits.pod_subnet.empty()) result = with_pod_subnet(std::move(result), edits.pod_subnet);
  if (edits.name_interface) result = with_node_interface(result);
  return result;
}

}  // namespace kbundle
