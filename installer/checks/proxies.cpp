// Proxies that the cluster's own connections would be sent through: kubeadm looks at its
// environment, and a host has more places than that.
#include <algorithm>
#include <cstdlib>

#include "core/text.hpp"
#include "installer/checks/preflight.hpp"
#include "installer/cidr.hpp"

namespace kbundle {
namespace {

struct ProxySettings {
  std::vector<std::string> set;  ///< "HTTPS_PROXY"
  std::string exceptions;        ///< the value of NO_PROXY
};

// NAME=VALUE and Environment="NAME=VALUE" "NAME=VALUE", in any case and any quotes.
ProxySettings proxies_in(const std::string& text) {
  ProxySettings result;
  for (const std::string& line : split(text, '\n')) {
    if (trim(line).starts_with("#")) continue;
    const std::string lower = to_lower(line);
    for (const std::string name : {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}) {
      auto at = lower.find(name + "=");
      if (at == std::string::npos || (at > 0 && lower[at - 1] >= 'a' && lower[at - 1] <= 'z'))
        continue;
      const std::string spelled = line.substr(at, name.size());
      at += name.size() + 1;
      if (at < line.size() && (line[at] == '"' || line[at] == '\'')) ++at;
      const std::string value = line.substr(at, line.find_first_of("\"' \t", at) - at);
      if (value.empty()) continue;
      if (name == "no_proxy") {
        result.exceptions = value;
      } else {
        result.set.push_back(spelled);
      }
    }
  }
  return result;
}

bool is_excepted(const std::string& exceptions, const Cidr& wanted) {
  for (const std::string& part : split(exceptions, ',')) {
    const std::string item(trim(part));
    if (item == "*") return true;
    const auto cidr = Cidr::parse(item);
    if (cidr && cidr->contains(wanted)) return true;
  }
  return false;
}

void judge(const Context& context, const std::string& where, const ProxySettings& proxies,
           Findings& findings) {
  if (proxies.set.empty()) return;
  std::vector<std::string> missing;
  const auto look = [&](const std::string& list, const char* what) {
    for (const std::string& part : split(list, ','))
      if (const auto cidr = Cidr::parse(part); cidr && !is_excepted(proxies.exceptions, *cidr))
        missing.push_back(part + " (" + what + ")");
  };
  look(context.network.kubelet_node_ip(), "the node");
  look(context.service_subnet, "services");
  look(context.pod_subnet, "pods");
  if (missing.empty()) {
    findings.warning("HTTPProxy", where + " sets " + join(proxies.set, ", "), "");
    return;
  }
  findings.warning(missing.front().ends_with("(the node)") ? "HTTPProxy" : "HTTPProxyCIDR",
                   where + " sets " + join(proxies.set, ", ") + ", and its NO_PROXY leaves out " +
                       join(missing, ", "),
                   "add them to NO_PROXY there, or take the proxy out: an isolated cluster reaches "
                   "nothing through it");
}

std::vector<std::string> places(const Host& host) {
  std::vector<std::string> files = {"/etc/environment",     "/etc/systemd/system.conf",
                                    "/etc/default/docker",  "/etc/sysconfig/docker",
                                    "/etc/default/kubelet", "/etc/sysconfig/kubelet"};
  for (const char* root : {"/etc/systemd", "/usr/lib/systemd"}) {
    std::vector<std::string> folders = {std::string(root) + "/system.conf.d"};
    for (const char* unit : {"service", "containerd.service", "kubelet.service", "docker.service",
                             "crio.service", "cri-dockerd.service"})
      folders.push_back(std::string(root) + "/system/" + unit + ".d");
    for (const std::string& folder : folders)
      for (const std::string& name : host.list(folder))
        if (name.ends_with(".conf")) files.push_back(folder + "/" + name);
  }
  return files;
}

}  // namespace

void check_proxies(const Context& context, Findings& findings) {
  for (const std::string& file : places(context.host))
    judge(context, printable(file), proxies_in(context.host.read(file).value_or("")), findings);
  // kubeadm copies its environment's into the static pods; kbundle gives it none unless asked.
  if (!context.options.keep_proxy) return;
  std::string environment;
  for (const char* name : {"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy",
                           "ALL_PROXY", "no_proxy", "NO_PROXY"})
    if (const char* value = std::getenv(name))
      environment += std::string(name) + "=" + value + "\n";
  judge(context, "the environment (kept by --keep-proxy; kubeadm copies it into the static pods)",
        proxies_in(environment), findings);
}

}  // namespace kbundle
