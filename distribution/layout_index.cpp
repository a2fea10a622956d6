#include "distribution/layout_index.hpp"

#include "core/error.hpp"
#include "core/file.hpp"

namespace kbundle {
namespace {

constexpr const char* kName = "io.containerd.image.name";
constexpr const char* kTag = "org.opencontainers.image.ref.name";

Json entry_of(const Descriptor& descriptor) {
  Json entry = {{"mediaType", descriptor.media_type},
                {"digest", descriptor.digest.str()},
                {"size", descriptor.size}};
  if (!descriptor.artifact_type.empty()) entry["artifactType"] = descriptor.artifact_type;
  return entry;
}

bool has_name(const Json& entry, const std::string& name) {
  const auto annotations = entry.find("annotations");
  return annotations != entry.end() && annotations->is_object() &&
         annotations->value(kName, "") == name;
}

}  // namespace

LayoutIndex LayoutIndex::read(const std::filesystem::path& file) {
  LayoutIndex index;
  const auto text = read_file_if_exists(file);
  if (!text) return index;
  // As an index it has limits and a shape; its entries are kept as they are.
  Index::parse(*text, media_type::oci_index, file.string());
  index.manifests_ = parse_json(*text, file.string())["manifests"];
  return index;
}

void LayoutIndex::put(const ImageTree& tree) {
  const std::string name = tree.name.str();
  const auto add = [&](Json entry) {
    for (Json& each : manifests_) {
      if (each == entry) return;
    }
    manifests_.push_back(std::move(entry));
  };
  Json kept = Json::array();
  for (Json& entry : manifests_) {
    if (!has_name(entry, name)) kept.push_back(std::move(entry));
  }
  manifests_ = std::move(kept);
  Json image = entry_of(tree.document(tree.root).descriptor);
  // The whole name in both: in a folder of many images the tag alone would name several.
  image["annotations"] = {{kName, name}, {kTag, name}};
  add(std::move(image));
  for (const ImageTree::Link& link : tree.referrers) add(entry_of(link.referrer));
  for (const ImageTree::Document& document : tree.documents) {
    if (document.tag.empty()) continue;
    Json entry = entry_of(document.descriptor);
    entry["annotations"] = {{kTag, document.tag}};
    add(std::move(entry));
  }
}

std::string LayoutIndex::serialize() const {
  return canonical_json(
      {{"schemaVersion", 2}, {"mediaType", media_type::oci_index}, {"manifests", manifests_}});
}

}  // namespace kbundle
