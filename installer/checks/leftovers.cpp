// Remains of a cluster that is not the one this install is about.
#include "core/text.hpp"
#include "installer/checks/preflight.hpp"

namespace kbundle {

void check_leftovers(const Context& context, Findings& findings) {
  if (is_resumed(context)) return;
  const Host& host = context.host;
  std::vector<std::string> found;
  for (const char* file :
       {"/etc/kubernetes/admin.conf", "/etc/kubernetes/kubelet.conf",
        "/etc/kubernetes/bootstrap-kubelet.conf", "/etc/kubernetes/controller-manager.conf",
        "/etc/kubernetes/scheduler.conf", "/var/lib/kubelet/config.yaml"})
    if (host.exists(file)) found.emplace_back(file);
  for (const std::string& name : host.list("/etc/kubernetes/manifests"))
    if (name.ends_with(".yaml")) found.push_back("/etc/kubernetes/manifests/" + printable(name));
  if (!host.list("/var/lib/etcd").empty() && context.master()) found.emplace_back("/var/lib/etcd");
  if (!context.master() && host.exists("/etc/kubernetes/pki/ca.crt"))
    found.emplace_back("/etc/kubernetes/pki/ca.crt");
  if (found.empty()) return;
  findings.error("Leftovers", "another cluster's files are here: " + join(found, ", "),
                 "if that cluster is no longer wanted: `kubeadm reset`, then run the same command "
                 "again");
}

}  // namespace kbundle
