#include "builder/resolve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::uint64_t kMaxDocument = 4U << 20U;

// Whether the bytes are an index. Servers that send no useful Content-Type exist.
bool is_index(const std::string& bytes, const std::string& declared, const std::string& what) {
  const std::string type = to_lower(trim(declared.substr(0, declared.find(';'))));
  if (media_type::is_index(type)) return true;
  if (media_type::is_manifest(type)) return false;
  return parse_json(bytes, what).contains("manifests");
}

ResolvedPlatform resolved_platform(const Platform& platform, const Descriptor& descriptor,
                                   const Manifest& manifest) {
  ResolvedPlatform resolved{platform, descriptor, manifest.config, manifest.layers};
  for (const Descriptor& layer : resolved.layers) {
    if (layer.digest.algorithm() != "sha256") {
      throw Error(ExitCode::verification,
                  fmt::format("the layer {} is not named by a sha256", layer.digest.str()));
    }
  }
  return resolved;
}

// The platform that a lone manifest's config names.
Platform config_platform(Fetcher& fetcher, const Reference& name, const Descriptor& config) {
  fetcher.blob(name, config, {});
  const std::string what = fmt::format("the config of {}", name.str());
  const Json json = parse_json(fetcher.store().read(config.digest, kMaxDocument), what);
  Platform platform;
  platform.os = json_string(json, "os", what);
  platform.architecture = json_string(json, "architecture", what);
  if (json.contains("variant")) platform.variant = json_string(json, "variant", what);
  return platform;
}

void resolve_index(Fetcher& fetcher, const WantedImage& wanted, const std::string& bytes,
                   ResolvedImage& image) {
  const std::string what = wanted.name.str();
  const Index index = Index::parse(bytes, image.media_type, what);
  image.media_type = index.media_type;
  for (const Platform& platform : wanted.platforms) {
    const Descriptor* entry = index.find(platform);
    if (entry == nullptr) {
      throw Error(ExitCode::verification, fmt::format("{} has no {} image", what, platform.str()),
                  "leave that architecture out of --arch");
    }
    const Manifest manifest =
        Manifest::parse(fetcher.document(wanted.name, *entry), entry->media_type,
                        fmt::format("{} for {}", what, platform.str()));
    image.platforms.push_back(resolved_platform(platform, *entry, manifest));
  }
}

void resolve_manifest(Fetcher& fetcher, const WantedImage& wanted, const std::string& bytes,
                      ResolvedImage& image) {
  const std::string what = wanted.name.str();
  const Manifest manifest = Manifest::parse(bytes, image.media_type, what);
  image.media_type = manifest.media_type;
  const Platform found =
      config_platform(fetcher, image.name.with_digest(image.digest), manifest.config);
  for (const Platform& platform : wanted.platforms) {
    if (platform.accepts(found)) continue;
    throw Error(ExitCode::verification,
                fmt::format("{} is an image for {} only; wanted {}", what, printable(found.str()),
                            platform.str()),
                "leave that architecture out of --arch, or name an image that has it");
  }
  const Descriptor self{image.media_type, image.digest, image.size, std::nullopt, {}};
  image.platforms.push_back(resolved_platform(wanted.platforms.front(), self, manifest));
}

}  // namespace

std::vector<WantedImage> merge_images(const std::vector<WantedImage>& images) {
  std::vector<WantedImage> merged;
  for (const WantedImage& image : images) {
    const auto same = std::find_if(merged.begin(), merged.end(), [&](const WantedImage& each) {
      return each.name == image.name;
    });
    if (same == merged.end()) {
      merged.push_back(image);
      continue;
    }
    for (const Platform& platform : image.platforms) {
      if (std::find(same->platforms.begin(), same->platforms.end(), platform) ==
          same->platforms.end()) {
        same->platforms.push_back(platform);
      }
    }
  }
  return merged;
}

std::string name_of(Compared compared) {
  switch (compared) {
    case Compared::lock:
      return "lock";
    case Compared::upstream:
      return "upstream";
    case Compared::no:
      break;
  }
  return "no";
}

ImageRecord ResolvedImage::record() const {
  ImageRecord record{{name.str()}, digest, media_type, size, {}};
  for (const ResolvedPlatform& each : platforms) {
    record.platforms.push_back({each.platform, each.manifest.digest, each.config.digest});
  }
  for (const ResolvedReferrer& each : referrers) {
    record.referrers.push_back({each.subject, each.manifest.digest, each.manifest.media_type,
                                each.manifest.size, each.tag});
  }
  return record;
}

LockedImage ResolvedImage::locked() const {
  LockedImage locked{name.str(), digest, media_type, size};
  for (const ResolvedReferrer& each : referrers) {
    locked.referrers.push_back({each.subject, each.manifest.digest, each.manifest.media_type,
                                each.manifest.size, each.tag});
  }
  return locked;
}

std::vector<BlobToFetch> ResolvedImage::blobs() const {
  std::vector<BlobToFetch> blobs;
  for (const ResolvedPlatform& each : platforms) {
    const Reference repository = name.with_digest(each.manifest.digest);
    blobs.push_back({repository, each.config});
    for (const Descriptor& layer : each.layers) blobs.push_back({repository, layer});
  }
  for (const ResolvedReferrer& each : referrers) {
    const Reference repository = name.with_digest(each.manifest.digest);
    for (const Descriptor& blob : each.blobs) blobs.push_back({repository, blob});
  }
  return blobs;
}

std::uint64_t ResolvedImage::compressed_size(const Platform& platform) const {
  std::uint64_t sum = 0;
  for (const ResolvedPlatform& each : platforms) {
    if (each.platform != platform) continue;
    std::set<Digest> seen;
    sum += each.config.size;
    for (const Descriptor& layer : each.layers) {
      if (seen.insert(layer.digest).second) sum += layer.size;
    }
  }
  return sum;
}

ResolvedImage resolve_image(Fetcher& fetcher, const WantedImage& wanted,
                            const LockedImage* locked) {
  ResolvedImage image;
  image.name = wanted.name;
  std::string bytes;
  BlobStore& store = fetcher.store();
  std::optional<std::string> cached;
  if (locked != nullptr) cached = store.read_if_sound(locked->digest, locked->size, kMaxDocument);
  if (cached) {
    bytes = *std::move(cached);
    image.media_type = locked->media_type;
    image.digest = locked->digest;
    image.from = "cache";
    image.compared = Compared::lock;
  } else {
    const Reference asked =
        locked == nullptr ? wanted.name : wanted.name.with_digest(locked->digest);
    auto found = fetcher.manifest(asked);
    bytes = std::move(found.answer.bytes);
    image.media_type = found.answer.media_type;
    image.digest = sha256(bytes);
    image.from = found.from;
    image.compared = locked != nullptr ? Compared::lock
                     : found.mirrored  ? Compared::no
                                       : Compared::upstream;
    store.put(image.digest, bytes);
  }
  image.size = bytes.size();
  if (is_index(bytes, image.media_type, wanted.name.str())) {
    resolve_index(fetcher, wanted, bytes, image);
  } else {
    resolve_manifest(fetcher, wanted, bytes, image);
  }
  if (locked != nullptr && locked->media_type != image.media_type) {
    throw Error(ExitCode::verification,
                fmt::format("{}: the lock says {}, found {}", wanted.name.str(), locked->media_type,
                            printable(image.media_type)));
  }
  return image;
}

void resolve_referrers(Fetcher& fetcher, ResolvedImage& image, const LockedImage* locked) {
  constexpr std::size_t kMostReferrers = 1'000;
  const auto take = [&](const Digest& subject, const Descriptor& descriptor,
                        const std::string& tag) {
    const Manifest manifest =
        Manifest::parse(fetcher.document(image.name, descriptor), descriptor.media_type,
                        fmt::format("{} of {}", descriptor.digest.str(), image.name.str()));
    ResolvedReferrer referrer{subject, descriptor, tag, manifest.layers};
    referrer.blobs.push_back(manifest.config);
    image.referrers.push_back(std::move(referrer));
  };
  if (locked != nullptr) {
    for (const LockedReferrer& each : locked->referrers) {
      Descriptor descriptor;
      descriptor.media_type = each.media_type;
      descriptor.digest = each.digest;
      descriptor.size = each.size;
      take(each.subject, descriptor, each.tag);
    }
    return;
  }
  std::vector<Digest> subjects{image.digest};
  for (const ResolvedPlatform& each : image.platforms) subjects.push_back(each.manifest.digest);
  std::set<Digest> seen(subjects.begin(), subjects.end());
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    const Digest subject = subjects[i];
    for (const Referrer& found : fetcher.referrers(image.name.with_digest(subject))) {
      if (!media_type::is_manifest(found.descriptor.media_type)) continue;
      if (!seen.insert(found.descriptor.digest).second) continue;
      if (seen.size() > kMostReferrers) {
        throw Error(ExitCode::verification, fmt::format("more than {} manifests belong to {}",
                                                        kMostReferrers, image.name.str()));
      }
      take(subject, found.descriptor, found.tag);
      subjects.push_back(found.descriptor.digest);
    }
  }
}

}  // namespace kbundle
