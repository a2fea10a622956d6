#include "bundles/layout.hpp"

#include <algorithm>

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
    if (image.name.empty()) {
      manifests.push_back(
          {{"mediaType", image.media_type}, {"digest", image.digest.str()}, {"size", image.size}});
      continue;
    }
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
    for (const auto& referrer : image.referrers) {
      images.push_back({referrer.media_type, referrer.digest, referrer.size, ""});
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

std::vector<PlannedFrame> plan_frames(std::span<const MemberSpan> members) {
  std::uint64_t total = 0;
  for (const MemberSpan& member : members) total += member.span;
  const auto blocks = (total / kMostRawFrames + kRawFrameContent - 1) / kRawFrameContent;
  const auto raw_content = std::max<std::uint64_t>(1, blocks) * kRawFrameContent;
  std::vector<PlannedFrame> frames;
  std::uint64_t gathered = 0;
  const auto close = [&] {
    if (gathered > 0) frames.push_back({gathered, false});
    gathered = 0;
  };
  const auto alone = [&](std::uint64_t span, std::uint64_t most, bool raw) {
    close();
    for (; span > most; span -= most) frames.push_back({most, raw});
    frames.push_back({span, raw});
  };
  for (const MemberSpan& member : members) {
    if (member.packing == Packing::compressed) {
      alone(member.span, raw_content, true);
    } else if (member.packing == Packing::image) {
      alone(member.span, kImageFrameContent, false);
    } else if (member.span > kFrameContent) {
      alone(member.span, kFrameContent, false);
    } else {
      if (gathered + member.span > kFrameContent) close();
      gathered += member.span;
    }
  }
  close();
  return frames;
}

std::vector<PlannedFrame> plan_frames(const Body& body, const std::vector<Packing>& packing) {
  std::vector<MemberSpan> members;
  members.reserve(body.members().size() + 1);
  for (const auto& member : body.members()) members.push_back({member.span()});
  for (std::size_t i = 0; i < packing.size(); ++i) {
    members[body.first_blob() + i].packing = packing[i];
  }
  members.push_back({kUstarEndSize});
  return plan_frames(members);
}

bool is_compressed(std::string_view first_bytes) {
  return first_bytes.starts_with("\x1f\x8b") || first_bytes.starts_with("\x28\xb5\x2f\xfd");
}

}  // namespace kbundle
