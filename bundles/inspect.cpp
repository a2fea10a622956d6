#include "bundles/inspect.hpp"

#include "core/text.hpp"

namespace kbundle {
namespace {

std::string platform_names(const std::vector<Platform>& platforms) {
  std::vector<std::string> names;
  names.reserve(platforms.size());
  for (const auto& platform : platforms) names.push_back(platform.str());
  return join(names, ", ");
}

std::string signer_names(const Bundle& bundle) {
  std::vector<std::string> names;
  for (const auto& key : bundle.signers()) names.push_back(key.fingerprint());
  return names.empty() ? "no: accepted by its id alone" : join(names, ", ");
}

std::uint64_t content_size(const Inventory& inventory) {
  std::uint64_t size = 0;
  for (const auto& blob : inventory.blobs) size += blob.size;
  return size;
}

std::string counted(std::size_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string platform_of(const FileRecord& file) {
  return file.platform.architecture.empty() ? "any" : file.platform.str();
}

}  // namespace

Json inspect_json(const Bundle& bundle) {
  const auto& inventory = bundle.inventory();
  // The signed document itself, so that its field names are told in one place.
  Json json = Json::parse(bundle.payload());
  json["blobs"] = {{"count", inventory.blobs.size()}, {"size", content_size(inventory)}};
  json["frames"] = {{"count", inventory.frames.size()}};
  json["id"] = bundle.id();
  json["size"] = bundle.size();
  json["signers"] = Json::array();
  for (const auto& key : bundle.signers()) {
    json["signers"].push_back({{"keyid", key.id()}, {"fingerprint", key.fingerprint()}});
  }
  return json;
}

std::string inspect_table(const Bundle& bundle) {
  const auto& inventory = bundle.inventory();
  Table head({"bundle", printable(bundle.path().filename().string())});
  head.add({"id", bundle.id()});
  head.add({"kubernetes", printable(inventory.kubernetes_version)});
  head.add({"platforms", printable(platform_names(inventory.platforms))});
  head.add({"network", printable(inventory.cni)});
  head.add({"line", printable(inventory.line) + ", serial " + std::to_string(inventory.serial)});
  head.add({"created", printable(inventory.created)});
  head.add({"signed", signer_names(bundle)});
  head.add({"size", human_size(bundle.size()) + " (" + human_size(content_size(inventory)) +
                        " in " + counted(inventory.blobs.size(), "blob") + ", " +
                        counted(inventory.frames.size(), "frame") + ")"});
  const auto& budgets = inventory.budgets;
  head.add({"needs", human_size(budgets.disk_runtime) + " for images, " +
                         human_size(budgets.disk_programs) + " for programs, " +
                         human_size(budgets.disk_state) + " in /var/lib, " +
                         human_size(budgets.memory) + " memory"});
  head.add({"built by", "kbundle " + printable(inventory.kbundle_version) + ", libzstd " +
                            printable(inventory.libzstd_version)});

  Table images({"IMAGE", "PLATFORM", "DIGEST", "IMAGE ID"});
  for (const auto& image : inventory.images) {
    for (const auto& name : image.names) {
      for (const auto& one : image.platforms) {
        images.add({printable(name), printable(one.platform.str()), image.digest.str(),
                    one.config.short_hex()});
      }
    }
  }
  Table files({"FILE", "COMPONENT", "VERSION", "PLATFORM", "SIZE", "DIGEST"});
  for (const auto& file : inventory.files) {
    files.add({printable(file.path), printable(file.component), printable(file.version),
               printable(platform_of(file)), human_size(file.size), file.digest.short_hex()});
  }
  std::string text = head.str();
  if (!images.empty()) text += "\n" + images.str();
  if (!files.empty()) text += "\n" + files.str();
  return text;
}

}  // namespace kbundle
