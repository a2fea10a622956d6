// Remains of a cluster that is not the one this install is about: files, processes, interfaces and
// rules.
#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "installer/checks/preflight.hpp"
#include "installer/firewalld.hpp"

namespace kbundle {
namespace {

constexpr const char* kFix =
    "if that cluster is no longer wanted: `kubeadm reset`, then run the same command again";

// "FileAvailable--etc-kubernetes-kubelet.conf", as kubeadm names it.
std::string kubeadm_name(const char* check, std::string path) {
  std::replace(path.begin(), path.end(), '/', '-');
  return check + ("-" + path);
}

// What kubeadm asks for by name.
void check_kubeadm_files(const Context& context, Findings& findings) {
  const Host& host = context.host;
  const auto file = [&](const std::string& path) {
    if (!host.exists(path)) return;
    findings.error(kubeadm_name("FileAvailable", path), "another cluster's file is here: " + path,
                   kFix);
  };
  if (context.master()) {
    for (const char* name : {"kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"})
      file("/etc/kubernetes/manifests/" + std::string(name) + ".yaml");
    if (!context.external_etcd && !host.list("/var/lib/etcd").empty())
      findings.error(kubeadm_name("DirAvailable", "/var/lib/etcd"),
                     "/var/lib/etcd is not empty: another cluster's data", kFix);
  } else {
    file("/etc/kubernetes/bootstrap-kubelet.conf");
    file("/etc/kubernetes/pki/ca.crt");
  }
  file("/etc/kubernetes/kubelet.conf");
}

std::vector<std::string> other_files(const Context& context) {
  const Host& host = context.host;
  std::vector<std::string> found;
  for (const char* path : {"/etc/kubernetes/admin.conf", "/etc/kubernetes/controller-manager.conf",
                           "/etc/kubernetes/scheduler.conf", "/var/lib/kubelet/config.yaml"})
    if (host.exists(path)) found.emplace_back(path);
  for (const std::string& name : host.list("/etc/kubernetes/manifests")) {
    const bool named = context.master() &&
                       (name == "kube-apiserver.yaml" || name == "kube-controller-manager.yaml" ||
                        name == "kube-scheduler.yaml" || name == "etcd.yaml");
    if (name.ends_with(".yaml") && !named)
      found.push_back("/etc/kubernetes/manifests/" + printable(name));
  }
  return found;
}

std::vector<std::string> processes(const Context& context) {
  const Host& host = context.host;
  std::vector<std::string> found;
  for (const std::string& process : host.list("/proc")) {
    if (process.find_first_not_of("0123456789") != std::string::npos) continue;
    std::string name;
    try {
      name = trim(host.read("/proc/" + process + "/comm").value_or(""));
    } catch (const Error&) {
      continue;  // it ended between the two looks
    }
    for (const char* ours : {"kubelet", "kube-apiserver", "kube-controller", "kube-scheduler",
                             "kube-proxy", "etcd", "flanneld", "k3s-server", "k0s", "rke2"})
      if (name == ours && (name != "etcd" || (context.master() && !context.external_etcd)))
        found.push_back(name + " (process " + process + ")");
  }
  return found;
}

std::vector<std::string> interfaces(const Host& host) {
  std::vector<std::string> found;
  for (const std::string& name : host.list("/sys/class/net"))
    if (name == "cni0" || name.starts_with("flannel.") || name == "kube-ipvs0" ||
        name == "vxlan.calico" || name == "cilium_host" || name == "weave")
      found.push_back(name);
  return found;
}

std::size_t chains(const Context& context) {
  if (!context.host.live() || !context.host.is_root() || !has_packet_filter(context.host) ||
      !context.host.program("iptables-save"))
    return 0;
  const auto result =
      context.host.run({.argv = {"iptables-save"}, .timeout = std::chrono::seconds(20)});
  std::size_t count = 0;
  for (const std::string& line : split(result.output, '\n'))
    for (const char* prefix : {":KUBE-", ":CNI-", ":cali-", ":WEAVE-"})
      count += line.starts_with(prefix) ? 1 : 0;
  return count;
}

}  // namespace

void check_leftovers(const Context& context, Findings& findings) {
  if (is_resumed(context)) return;
  check_kubeadm_files(context, findings);
  if (const auto files = other_files(context); !files.empty())
    findings.error("Leftovers", "another cluster's files are here: " + join(files, ", "), kFix);
  if (const auto running = processes(context); !running.empty())
    findings.error("Leftovers", "another cluster's programs run here: " + join(running, ", "),
                   kFix);
  if (const auto devices = interfaces(context.host); !devices.empty())
    findings.error("Leftovers",
                   "another cluster's network is here: " + join(devices, ", ") +
                       "; pods would get addresses that do not fit",
                   "ip link delete " + join(devices, " && ip link delete ") +
                       "; rm -r /var/lib/cni, or restart the host");
  if (const std::size_t count = chains(context); count > 0)
    findings.warning("Leftovers",
                     std::to_string(count) +
                         " iptables chains of another cluster are here; rules "
                         "in them may send packets astray",
                     "restart the host, or remove them (`iptables-save | grep -v -e KUBE- -e CNI- "
                     "| iptables-restore`)");
}

}  // namespace kbundle
