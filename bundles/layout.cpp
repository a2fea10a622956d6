#include "bundles/layout.hpp"

#include "bundles/ustar.hpp"
#include "core/json.hpp"
#include "registry/reference.hpp"

namespace kbundle {

const char* const kOciLayout = R"({"imageLayoutVersion":"1.0.0"})";

std::string blob_member_name(const Digest& digest) {
  return "blobs/sha256/" + digest.hex();
}

std::string index_json(const std::vector<NamedDescriptor>& images,
                       const std::vector<FileRecord>& files) {
  Json manifests = Json::array();
  for (const auto& image : images) {
    Json annotations = {{"io.containerd.image.name", image.name}};
    const auto tag = Reference::parse(image.name).tag();
    if (!tag.empty()) annotations["org.opencontainers.image.ref.name"] = tag;
    manifests.push_back({{"mediaType", image.media_type},
                         {"digest", image.digest.str()},
                         {"size", image.size},
                         {"annotations", std::move(annotations)}});
  }
  for (const auto& file : files) {
    // Without a name: a named descriptor that is no image aborts `ctr images import`.
    manifests.push_back(
        {{"mediaType", "application/octet-stream"},
         {"digest", file.digest.str()},
         {"size", file.size},
         {"annotations",
          {{"vnd.kbundle.component", file.component}, {"vnd.kbundle.path", file.path}}}});
  }
  return canonical_json({{"schemaVersion", 2},
                         {"mediaType", media_type::oci_index},
                         {"manifests", std::move(manifests)}});
}

std::string bundle_index_json(const Inventory& inventory) {
  std::vector<NamedDescriptor> images;
  for (const auto& image : inventory.images) {
    for (const auto& name : image.names) {
      images.push_back({image.media_type, image.digest, image.size, name});
    }
  }
  return index_json(images, inventory.files);
}

std::uint64_t BodyMember::span() const {
  return ustar_span(size);
}

Body Body::of(const Inventory& inventory) {
  Body body;
  std::uint64_t offset = 0;
  const auto add = [&](std::string name, std::uint64_t size, std::optional<std::string> content) {
    body.members_.push_back({std::move(name), size, offset, std::move(content)});
    offset += body.members_.back().span();
  };
  body.members_.reserve(inventory.blobs.size() + 2);
  const std::string layout = kOciLayout;
  add("oci-layout", layout.size(), layout);
  std::string index = bundle_index_json(inventory);
  const auto index_size = index.size();
  add("index.json", index_size, std::move(index));
  for (const auto& blob : inventory.blobs) add(blob_member_name(blob.digest), blob.size, {});
  return body;
}

std::uint64_t Body::size() const {
  return members_.back().offset + members_.back().span() + kUstarEndSize;
}

std::vector<std::uint64_t> plan_frames(std::span<const std::uint64_t> spans) {
  std::vector<std::uint64_t> frames;
  std::uint64_t gathered = 0;
  const auto close = [&] {
    if (gathered > 0) frames.push_back(gathered);
    gathered = 0;
  };
  for (auto span : spans) {
    if (gathered + span > kFrameContent) close();
    if (span <= kFrameContent) {
      gathered += span;
      continue;
    }
    for (; span > kFrameContent; span -= kFrameContent) frames.push_back(kFrameContent);
    frames.push_back(span);
  }
  close();
  return frames;
}

std::vector<std::uint64_t> plan_frames(const Body& body) {
  std::vector<std::uint64_t> spans;
  spans.reserve(body.members().size() + 1);
  for (const auto& member : body.members()) spans.push_back(member.span());
  spans.push_back(kUstarEndSize);
  return plan_frames(spans);
}

}  // namespace kbundle
