// Images from registries into an OCI image layout: a folder that `ctr images import` (as a tar)
// and, where images are OCI-typed, `skopeo copy oci:` read.
// https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "core/progress.hpp"
#include "distribution/image_tree.hpp"
#include "registry/client.hpp"
#include "registry/mirrors.hpp"

namespace kbundle {

struct PullOptions {
  std::vector<std::string> images;   ///< references
  std::string version;               ///< and all images of this Kubernetes version; or empty
  std::filesystem::path output_dir;  ///< the layout; made, or added to
  Selection selection;               ///< without platforms: this host's
  Mirrors mirrors;
  TransportOptions transport;
  std::size_t parallel = 8;  ///< downloads at once; a host that is pressed gets fewer
};

struct PullReport {
  struct Image {
    std::string name;
    Digest digest;  ///< of the list or manifest behind the name
    std::string from;
    std::uint64_t size = 0;  ///< of what was chosen: documents and blobs, in bytes
    std::size_t referrers = 0;
    bool sparse = false;    ///< a list of which not all platforms were chosen
    bool mirrored = false;  ///< the digest is a mirror's word alone
  };
  std::vector<Image> images;
  std::uint64_t fetched = 0;  ///< bytes of blobs that came over the network

  std::string table() const;
  Json json() const;
};

/// Running it again continues: complete blobs stay, broken-off ones go on where they stopped.
/// The folder's index.json gets each image under its name; entries of other names stay. Throws
/// Error: usage, network, verification, disk, busy (another pull works in the folder), interrupted.
PullReport pull(const PullOptions& options, Progress& progress);

}  // namespace kbundle
