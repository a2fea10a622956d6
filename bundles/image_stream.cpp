#include "bundles/image_stream.hpp"

#include <algorithm>
#include <map>

#include "bundles/layout.hpp"
#include "bundles/ustar.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

const ImagePlatform& platform_of(const ImageRecord& image, const Platform& wanted) {
  std::vector<std::string> there;
  for (const auto& one : image.platforms) {
    if (wanted.accepts(one.platform)) return one;
    there.push_back(one.platform.str());
  }
  throw Error(ExitCode::preflight,
              "the bundle has no " + wanted.str() + " form of " + printable(image.names.front()) +
                  ", only " + join(there, ", "),
              "build a bundle for this host: kbundle build --arch " + wanted.architecture + " …");
}

[[noreturn]] void refuse(const ImageRecord& image, const std::string& why) {
  throw Error(ExitCode::verification, "the image " + printable(image.names.front()) + ": " + why,
              "the bundle was built wrongly; build it again");
}

// What a manifest names must lie in the bundle, with the size it gives.
void check_present(const Bundle& bundle, const ImageRecord& image, const Descriptor& wanted) {
  const auto* blob = bundle.inventory().find_blob(wanted.digest);
  if (blob == nullptr)
    refuse(image, "its manifest names " + wanted.digest.str() + ", which is not in the bundle");
  if (blob->size != wanted.size) {
    refuse(image, "its manifest gives " + wanted.digest.str() + " " + std::to_string(wanted.size) +
                      " bytes, the blob has " + std::to_string(blob->size));
  }
}

// The media type of the platform's manifest, from the index if there is one.
std::string manifest_type(const Bundle& bundle, const ImageRecord& image,
                          const ImagePlatform& platform) {
  if (!media_type::is_index(image.media_type)) return image.media_type;
  const auto index =
      Index::parse(bundle.read_blob(image.digest), image.media_type, image.names.front());
  const auto entry =
      std::find_if(index.manifests.begin(), index.manifests.end(),
                   [&](const Descriptor& one) { return one.digest == platform.manifest; });
  if (entry == index.manifests.end()) {
    refuse(image, "its index does not name the manifest " + platform.manifest.str());
  }
  check_present(bundle, image, *entry);
  return entry->media_type;
}

void write_member(Sink& out, const std::string& name, std::uint64_t size, Source& content,
                  const std::function<void(std::uint64_t)>& on_bytes) {
  const auto header = ustar_header(name, size);
  out.write(std::string_view(header.data(), header.size()));
  copy(content, out, on_bytes);
  out.write(std::string(ustar_padding(size), '\0'));
}

}  // namespace

ImageParts image_parts(const Bundle& bundle, const ImageRecord& image, const Platform& platform) {
  const auto& one = platform_of(image, platform);
  const auto type = manifest_type(bundle, image, one);
  auto manifest = Manifest::parse(bundle.read_blob(one.manifest), type, image.names.front());
  if (manifest.config.digest != one.config) {
    refuse(image, "its manifest has the config " + manifest.config.digest.str() + ", not " +
                      one.config.str());
  }
  check_present(bundle, image, manifest.config);
  for (const auto& layer : manifest.layers) check_present(bundle, image, layer);
  return {one.manifest, one.config, std::move(manifest.layers)};
}

std::vector<Digest> image_blobs(const Bundle& bundle, const ImageRecord& image,
                                const Platform& platform) {
  const auto parts = image_parts(bundle, image, platform);
  std::vector<Digest> blobs;
  const auto add = [&](const Digest& digest) {
    if (std::find(blobs.begin(), blobs.end(), digest) == blobs.end()) blobs.push_back(digest);
  };
  if (image.digest != parts.manifest) add(image.digest);
  add(parts.manifest);
  add(parts.config);
  for (const auto& layer : parts.layers) add(layer.digest);
  return blobs;
}

namespace {

// An entry of manifest.json, as `docker save` writes it.
Json docker_image(const ImageParts& parts, const std::vector<std::string>& names) {
  Json layers = Json::array();
  for (const Descriptor& layer : parts.layers) layers.push_back(blob_member_name(layer.digest));
  return {{"Config", blob_member_name(parts.config)}, {"RepoTags", names}, {"Layers", layers}};
}

}  // namespace

void write_image_stream(const Bundle& bundle, const std::vector<StreamImage>& images,
                        const Platform& platform, Sink& out,
                        const std::function<void(std::uint64_t)>& on_bytes,
                        const std::set<Digest>& omit) {
  std::vector<NamedDescriptor> descriptors;
  std::map<Digest, std::uint64_t> blobs;  // sorted as in the bundle: one pass over its frames
  for (const auto& [image, names] : images) {
    for (const auto& name : names) {
      descriptors.push_back({image->media_type, image->digest, image->size, name});
    }
    for (const auto& digest : image_blobs(bundle, *image, platform)) {
      if (!omit.contains(digest)) blobs.emplace(digest, bundle.inventory().find_blob(digest)->size);
    }
  }
  const auto write_text = [&](const std::string& name, const std::string& content) {
    StringSource source(content);
    write_member(out, name, content.size(), source, on_bytes);
  };
  write_text("oci-layout", kOciLayout);
  write_text("index.json", index_json(descriptors));
  if (omit.empty()) {  // for `docker load`; containerd passes over it
    Json docker_images = Json::array();
    for (const auto& [image, names] : images)
      docker_images.push_back(docker_image(image_parts(bundle, *image, platform), names));
    write_text("manifest.json", docker_images.dump());
  }
  for (const auto& [digest, size] : blobs) {
    const auto content = bundle.open_blob(digest);
    write_member(out, blob_member_name(digest), size, *content, on_bytes);
  }
  out.write(std::string(kUstarEndSize, '\0'));
}

}  // namespace kbundle
