// Images from registries or mirrors into another registry, digests unchanged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.hpp"
#include "core/progress.hpp"
#include "distribution/image_tree.hpp"
#include "distribution/image_upload.hpp"
#include "registry/client.hpp"
#include "registry/mirrors.hpp"

namespace kbundle {

struct ImageCopy {
  Reference from;
  std::vector<Reference> to;  ///< on one host
};

/// "SRC DST" as typed: a DST without tag or digest takes SRC's.
ImageCopy image_copy(std::string_view from, std::string_view to);
/// All images of a Kubernetes version, below a registry's prefix, under upstream's paths and those
/// that kubeadm asks for there (distribution/names.hpp).
std::vector<ImageCopy> version_copies(std::string_view version, const Selection& selection,
                                      std::string_view to);

struct MirrorOptions {
  std::vector<ImageCopy> copies;
  Selection selection{{}, true, false};  ///< all platforms
  Mirrors mirrors;                       ///< where the sources' bytes come from instead
  TransportOptions transport;            ///< for both sides
  std::filesystem::path cache_dir;       ///< blobs on their way; empty: the build's
  UploadSettings upload;
};

struct MirrorReport {
  struct Row {
    Reference from, to;
    Digest digest;         ///< what stands under the name now
    Digest source_digest;  ///< another one when of a list one platform was chosen
    Uploaded how = Uploaded::was_there;
    std::uint64_t size = 0;  ///< documents and blobs, in bytes
    std::uint64_t sent = 0;
  };
  std::vector<Row> rows;
  bool dry_run = false;  ///< then nothing of this was done
  std::string table() const;
  Json json() const;
};

/// Copies; blobs pass through the cache, where a killed run's downloads go on, and uploads go on
/// where the registry says they stand. Within one registry nothing is downloaded: blobs are
/// mounted.
MirrorReport mirror(const MirrorOptions& options, Progress& progress);

}  // namespace kbundle
