#include "installer/admin_copies.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "installer/context.hpp"

namespace kbundle {

std::string refresh_admin_copies(const Host& host, const std::string& before) {
  const auto now = host.read(node_path::admin_config);
  if (!now || before.empty() || *now == before) return {};
  std::vector<std::string> homes = {"/root"}, done;
  for (const std::string& name : host.list("/home")) homes.push_back("/home/" + name);
  for (const std::string& home : homes) {
    const std::string file = home + "/.kube/config";
    struct stat status {};
    // In a person's own folder: not as root through a link of theirs.
    if (std::filesystem::is_symlink(host.at(home + "/.kube")) ||
        ::lstat(host.at(file).c_str(), &status) != 0 || !S_ISREG(status.st_mode) ||
        host.read(file) != before)
      continue;
    AtomicFile copy(host.at(file), status.st_mode & 0777U);
    copy.write(*now);
    if (::fchown(copy.fd(), status.st_uid, status.st_gid) != 0)
      throw_errno("give " + file + " to its owner", errno);
    copy.commit();
    done.push_back(file);
  }
  return join(done, ", ");
}

}  // namespace kbundle
