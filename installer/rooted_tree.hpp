// A folder whose content is untrusted: paths are resolved in it as if it were the root of the file
// system, name by name, never through the kernel's own walk.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.hpp"

namespace kbundle {

using PathNames = std::vector<std::string>;

/// "a//./b/" as {"a", "b"}; ".." stays. Empty for "", "." and "/".
PathNames path_names(std::string_view path);

class RootedTree {
 public:
  explicit RootedTree(const std::filesystem::path& folder);

  int root() const { return root_.get(); }
  /// The path without symbolic links and "..", as containerd's fs.RootPath gives it: links count
  /// from this root, ".." stops at it, names that do not exist stand for themselves.
  /// Error{verification} after 255 links.
  PathNames resolve(const PathNames& path) const;
  /// Opens a folder by its resolved names, none of which may be a link; -1 inside when one is not
  /// there (errno ENOENT) or no folder (ENOTDIR).
  UniqueFd open_folder(const PathNames& resolved) const;

 private:
  UniqueFd root_;
};

/// "/proc/self/fd/N/NAME": for the calls that know no folder descriptor.
std::string through_descriptor(int folder, const std::string& name);

/// rm -r of one name in a folder, without following links. Absence is fine.
void remove_all_at(int folder, const std::string& name);

}  // namespace kbundle
