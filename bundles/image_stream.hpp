// A tar stream that `ctr images import` (and `docker load`) reads: an OCI image layout of some of a
// bundle's images, straight from the bundle, nothing on disk.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "bundles/reader.hpp"
#include "core/stream.hpp"
#include "registry/types.hpp"

namespace kbundle {

/// One image to put into the stream and the names it gets there.
struct StreamImage {
  const ImageRecord* image;
  std::vector<std::string> names;
};

/// What an image consists of on one platform.
struct ImageParts {
  Digest manifest;
  Digest config;
  std::vector<Descriptor> layers;  ///< lowest first; a layer may come twice
};
/// Reads the image's manifest (and index) from the bundle. Error{verification} when what they name
/// is not in the bundle as they say; Error{preflight} when there is no form for `platform`.
ImageParts image_parts(const Bundle& bundle, const ImageRecord& image, const Platform& platform);

/// The digests of the blobs that belong to `image` on `platform`: the index (if any), the
/// platform's manifest, its config and layers. Reads manifests from the bundle.
std::vector<Digest> image_blobs(const Bundle& bundle, const ImageRecord& image,
                                const Platform& platform);

/// Writes the layout as a canonical tar: oci-layout, index.json, then each blob once.
/// `on_bytes` (optional) hears of each chunk. Blobs in `omit` are left out: the reader has them.
/// With none left out there is a manifest.json, too, and `docker load` reads it as well.
void write_image_stream(const Bundle& bundle, const std::vector<StreamImage>& images,
                        const Platform& platform, Sink& out,
                        const std::function<void(std::uint64_t)>& on_bytes = nullptr,
                        const std::set<Digest>& omit = {});

}  // namespace kbundle
