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

}  // namespace kbundle
