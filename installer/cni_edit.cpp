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
    throw Error(ExitCode::phase, "the flannel manifest has no \"Network\" to put " + subnet + " in");
  return manifest.replace(open + 1, close - open - 1, subnet);
}

// Each flannel container is started with --kube-subnet-mgr: the new argument follows it.
std::string with_iface_regex(const std::string& manifest, const std::string& regex) {
  std::string result;
  bool found = false;
  for (const std::string& line : split(manifest, '\n')) {
    result += line + "\n";
    const auto dash = line.find_first_not_of(' ');
    if (dash == std::string::npos || trim(line) != "- --kube-subnet-mgr") continue;
    // In single quotes nothing but a single quote is special to YAML, and no regex of ours has one.
    result += line.substr(0, dash) + "- '--iface-regex=" + regex + "'\n";
    found = true;
  }
  result.pop_back();
  if (!found)
    throw Error(ExitCode::phase,
                "the flannel manifest has no --kube-subnet-mgr to put --iface-regex behind",
                "give the host a default route, or build the bundle with an edited manifest (--cni FILE)");
  return result;
}

}  // namespace

std::string edit_flannel(const std::string& manifest, const CniEdits& edits) {
  std::string result = manifest;
  if (!edits.pod_subnet.empty()) result = with_pod_subnet(std::move(result), edits.pod_subnet);
  if (!edits.iface_regex.empty()) result = with_iface_regex(result, edits.iface_regex);
  return result;
}

}  // namespace kbundle
