// Hardened hosts mount file systems read-only or noexec: named before anything is written there.
#include "installer/mounts.hpp"

#include <algorithm>
#include <map>

#include "core/text.hpp"
#include "installer/checks/preflight.hpp"

namespace kbundle {
namespace {

bool is_here(const Context& context, const FileRecord& file) {
  return file.platform.architecture.empty() || context.platform.accepts(file.platform);
}

// An image-based system may bring the very same programs in its read-only /usr.
bool in_place(const Context& context, const FileRecord& file) {
  return context.host.digest(file.path) == file.digest;
}

}  // namespace

void check_mounts(const Context& context, Findings& findings) {
  std::map<std::string, Mount> folders;
  for (const FileRecord& file : context.inventory.files) {
    if (!is_here(context, file)) continue;
    const std::string folder = std::filesystem::path(file.path).parent_path().string();
    if (folders.contains(folder)) continue;
    const Mount mount = mount_of(context.host, folder);
    folders[folder] = mount;
    if (mount.has("ro") && !in_place(context, file))
      findings.error("ReadOnly", folder + " lies on " + mount.folder + ", which is read-only",
                     folder.starts_with("/usr/")
                         ? "give --bin-dir with a folder that can be written, such as /opt/bin"
                         : "mount -o remount,rw " + mount.folder);
    if (mount.has("noexec"))
      findings.error("NoExec", folder + " lies on " + mount.folder + ", which is noexec",
                     "mount -o remount,exec " + mount.folder + ", there and in /etc/fstab");
  }
  for (const char* folder : {"/etc", "/var/lib"}) {
    const Mount mount = mount_of(context.host, folder);
    if (mount.has("ro"))
      findings.error("ReadOnly",
                     std::string(folder) + " lies on " + mount.folder + ", which is read-only",
                     "mount -o remount,rw " + mount.folder);
  }
  if (!context.host.exists("/lib/modules") && mount_of(context.host, "/usr/lib").has("ro"))
    findings.error("ReadOnly",
                   "/lib/modules is not there, kube-proxy's pod mounts it, and a read-only /usr "
                   "keeps the runtime from making it",
                   "make the folder while /usr can be written");
  // Containers run what lies in their layers; kubelet's own folder holds no programs.
  const Mount layers = mount_of(context.host, "/var/lib/containerd");
  if (layers.has("noexec"))
    findings.error("NoExec",
                   "/var/lib/containerd lies on " + layers.folder +
                       ", which is noexec: no container would start",
                   "mount a file system of its own there, or remount " + layers.folder + " exec");
}

}  // namespace kbundle
