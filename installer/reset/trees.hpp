// Removing folders without reaching beyond them.
#pragma once

#include <string>
#include <vector>

#include "installer/host.hpp"
#include "installer/snapshot.hpp"

namespace kbundle {

/// The topmost paths at or below `folder` that the snapshot did not find, and nothing is mounted
/// at or below of; a path with a mount is given in `mounted`. `mounts`: mount points that count.
std::vector<std::string> new_paths(const Host& host, const HostSnapshot& snapshot,
                                   const std::string& folder,
                                   const std::vector<std::string>& mounts,
                                   std::vector<std::string>& mounted);
/// Removes a path with all below it. Links are not followed.
void remove_tree(const Host& host, const std::string& path);
/// rmdir(2) when nothing is in it.
void remove_if_empty(const Host& host, const std::string& folder);

}  // namespace kbundle
