// Unpacks an image layer's tar into a folder, as containerd's archive.Apply does: the trees are
// equal in types, modes, owners, extended attributes, hard links, whiteouts and times
// (containerd 1.6, archive/tar.go and archive/tar_opts_linux.go).
//
// Nothing outside the folder is reached: a path is walked name by name from the folder's
// descriptor, symbolic links in it are resolved as if the folder were the root, and the kernel is
// never given a path with more than one name that was not walked so.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/file.hpp"
#include "core/stream.hpp"
#include "installer/layer_tar.hpp"

namespace kbundle {

/// Where a layer goes.
struct LayerTarget {
  enum class Whiteouts {
    remove,   ///< the lowest layer: what a whiteout names is removed
    overlay,  ///< kept as overlayfs wants them: device 0/0, trusted.overlay.opaque
  };
  std::filesystem::path folder;  ///< exists, empty, nobody else writes there
  Whiteouts whiteouts = Whiteouts::remove;
  /// The layers below, uppermost first: a folder that an entry only passes through gets the
  /// attributes it has there.
  std::vector<std::filesystem::path> below;
};

/// Unpacks all of `tar`. Needs root. Error{verification} for names that containerd refuses,
/// Error{disk} for the file system's refusals; UnusualLayer (layer_tar.hpp) for what is left to
/// containerd. The folder is then half made.
void unpack_layer(Source& tar, const LayerTarget& target);

}  // namespace kbundle
