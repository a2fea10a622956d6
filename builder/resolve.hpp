// Names to digests: manifests and indexes are fetched, checked, and kept byte for byte.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bundles/inventory.hpp"
#include "manifests/lock.hpp"
#include "registry/fetcher.hpp"
#include "registry/reference.hpp"
#include "registry/types.hpp"

namespace kbundle {

/// An image by the name the cluster will ask for, and the platforms it is needed for.
struct WantedImage {
  Reference name;
  std::vector<Platform> platforms;
};

/// The same names once, platforms joined, in the order they first appear.
std::vector<WantedImage> merge_images(const std::vector<WantedImage>& images);

struct ResolvedPlatform {
  Platform platform;
  Descriptor manifest;
  Descriptor config;
  std::vector<Descriptor> layers;
};

/// A signature, SBOM or the like that belongs to an image.
struct ResolvedReferrer {
  Digest subject;
  Descriptor manifest;
  std::string tag;
  std::vector<Descriptor> blobs;  ///< its config and layers
};

/// Whose word the digest of a name is.
enum class Compared {
  lock,      ///< the lock's, which was given
  upstream,  ///< the name's own registry answered
  no,        ///< a mirror's alone
};
std::string name_of(Compared compared);

struct ResolvedImage {
  Reference name;
  Digest digest;  ///< of the index or manifest behind the name
  std::string media_type;
  std::uint64_t size = 0;
  std::vector<ResolvedPlatform> platforms;
  std::string from;  ///< the place that answered, or "cache"
  Compared compared = Compared::no;
  std::vector<ResolvedReferrer> referrers;

  ImageRecord record() const;
  LockedImage locked() const;
  /// Everything but the root document and the manifests, which are in the store already.
  std::vector<BlobToFetch> blobs() const;
  /// Config and layers of one platform, each digest once: bytes.
  std::uint64_t compressed_size(const Platform& platform) const;
};

/// With `locked`, that digest is asked for and nothing else passes. Documents go into the store.
/// Error{network} when it cannot be had, Error{verification} when a platform is missing.
ResolvedImage resolve_image(Fetcher& fetcher, const WantedImage& wanted, const LockedImage* locked);

/// Finds what refers to the image, to its manifests, and to what was found so, and takes the
/// manifests into the store; with `locked` exactly what that lists. Kinds of documents that kbundle
/// does not know are left out.
void resolve_referrers(Fetcher& fetcher, ResolvedImage& image, const LockedImage* locked);

}  // namespace kbundle
