// What is mounted on a node.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "installer/host.hpp"

namespace kbundle {

/// Mount points in the order they were mounted, from the text of /proc/self/mountinfo (proc(5)).
std::vector<std::string> mount_points(std::string_view mountinfo);
std::vector<std::string> mount_points(const Host& host);

struct Mount {
  std::string device, folder, type;
  std::vector<std::string> options;
  bool has(std::string_view option) const;
};

/// In the order they were mounted, from the text of /proc/mounts.
std::vector<Mount> parse_mounts(std::string_view proc_mounts);

/// The mount that an absolute path of the node lies on; of several on one folder the last, which
/// hides the others. An empty folder: not known.
Mount mount_of(const Host& host, std::string_view path);

}  // namespace kbundle
