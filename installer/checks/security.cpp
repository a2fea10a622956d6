// SELinux, fapolicyd and AppArmor: what they would keep from running.
#include "core/text.hpp"
#include "installer/checks/preflight.hpp"
#include "installer/placed_files.hpp"

namespace kbundle {
namespace {

void check_selinux(const Context& context, Findings& findings) {
  const Host& host = context.host;
  if (trim(host.read("/sys/fs/selinux/enforce").value_or("")) != "1") return;
  if (!host.program("restorecon"))
    findings.warning("SELinux",
                     "SELinux is enforcing and there is no restorecon: files get the labels of "
                     "their folders",
                     "install the host's package policycoreutils");
  // container-selinux brings it.
  if (host.exists("/usr/share/containers/selinux/contexts")) return;
  findings.warning("SELinux",
                   "SELinux is enforcing; without a policy for containers, system pods are denied "
                   "the host's files",
                   "install the host's package container-selinux, or setenforce 0 and "
                   "SELINUX=permissive in /etc/selinux/config");
}

void check_fapolicyd(const Context& context, Findings& findings) {
  if (!fapolicyd_is_active(context.host)) return;
  if (!context.host.program("fapolicyd-cli"))
    findings.error("Fapolicyd",
                   "fapolicyd is active and there is no fapolicyd-cli to make it trust the "
                   "programs of the bundle",
                   "install it, or stop fapolicyd");
  else
    findings.warning("Fapolicyd",
                     "fapolicyd is active: the programs of the bundle are added to its trust; "
                     "programs inside containers it judges by its own rules",
                     "allow /var/lib/containerd in /etc/fapolicyd/rules.d if pods are denied");
}

void check_apparmor(const Context& context, Findings& findings) {
  const Host& host = context.host;
  if (trim(host.read("/sys/module/apparmor/parameters/enabled").value_or("")) != "Y") return;
  if (host.program("apparmor_parser")) return;
  findings.warning("AppArmor",
                   "AppArmor is on and there is no apparmor_parser: some runtimes cannot load "
                   "their profile and start no container",
                   "install the host's package apparmor");
}

}  // namespace

void check_security(const Context& context, Findings& findings) {
  check_selinux(context, findings);
  check_fapolicyd(context, findings);
  check_apparmor(context, findings);
}

}  // namespace kbundle
