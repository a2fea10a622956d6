#include "bundles/inventory.hpp"

#include <algorithm>
#include <cstdio>

#include "bundles/inventory_checks.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::string_view kWhat = "the bundle's inventory";
constexpr JsonLimits kLimits = {.size = 16U << 20U, .depth = 8, .values = 1U << 24U};
constexpr std::size_t kMaxRecords = 1U << 20U;  // of each kind

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ExitCode::verification, std::string(kWhat) + ": " + why);
}

// ---- to JSON

Json to_json(const Platform& platform) {
  return {
      {"os", platform.os}, {"architecture", platform.architecture}, {"variant", platform.variant}};
}

Json to_json(const ImageRecord& image) {
  Json platforms = Json::array();
  for (const auto& one : image.platforms) {
    platforms.push_back({{"platform", to_json(one.platform)},
                         {"manifest", one.manifest.str()},
                         {"config", one.config.str()}});
  }
  Json json = {{"names", image.names},
               {"digest", image.digest.str()},
               {"media_type", image.media_type},
               {"size", image.size},
               {"platforms", std::move(platforms)}};
  for (const auto& referrer : image.referrers) {
    json["referrers"].push_back({{"subject", referrer.subject.str()},
                                 {"digest", referrer.digest.str()},
                                 {"media_type", referrer.media_type},
                                 {"size", referrer.size},
                                 {"tag", referrer.tag}});
  }
  return json;
}

// Octal with four digits, as chmod takes it.
std::string mode_text(std::uint32_t mode) {
  char text[16];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode));
  return text;
}

Json to_json(const FileRecord& file) {
  return {{"component", file.component},  {"path", file.path},
          {"mode", mode_text(file.mode)}, {"platform", to_json(file.platform)},
          {"digest", file.digest.str()},  {"size", file.size},
          {"version", file.version}};
}

Json to_json(const BlobRecord& blob) {
  return {{"digest", blob.digest.str()},
          {"size", blob.size},
          {"stored", blob.stored},
          {"offset", blob.offset}};
}

Json to_json(const FrameRecord& frame) {
  return {{"stored_size", frame.stored_size},
          {"content_size", frame.content_size},
          {"digest", frame.digest.str()}};
}

template <typename Record>
Json list(const std::vector<Record>& records) {
  Json result = Json::array();
  for (const auto& record : records) result.push_back(to_json(record));
  return result;
}

// ---- from JSON

const Json& object(const Json& parent, const char* key) {
  const auto member = parent.is_object() ? parent.find(key) : parent.end();
  if (member == parent.end() || !member->is_object()) {
    refuse("\"" + std::string(key) + "\" is missing or not an object");
  }
  return *member;
}

std::string text(const Json& parent, const char* key) {
  return json_string(parent, key, kWhat);
}
std::uint64_t number(const Json& parent, const char* key) {
  return json_unsigned(parent, key, kWhat);
}
Digest digest(const Json& parent, const char* key) {
  return Digest::parse(text(parent, key));
}

Platform platform_from(const Json& json) {
  return {text(json, "os"), text(json, "architecture"), text(json, "variant")};
}

ImageRecord image_from(const Json& json) {
  ImageRecord image;
  for (const auto& name : json_array(json, "names", kWhat)) {
    if (!name.is_string()) refuse("an image's name is not a string");
    image.names.push_back(name.get<std::string>());
  }
  image.digest = digest(json, "digest");
  image.media_type = text(json, "media_type");
  image.size = number(json, "size");
  for (const auto& one : json_array(json, "platforms", kWhat)) {
    image.platforms.push_back(
        {platform_from(object(one, "platform")), digest(one, "manifest"), digest(one, "config")});
  }
  // An empty list is another spelling of none: serialize() gives none, and parse() compares.
  if (json.contains("referrers")) {
    for (const auto& one : json_array(json, "referrers", kWhat)) {
      image.referrers.push_back({digest(one, "subject"), digest(one, "digest"),
                                 text(one, "media_type"), number(one, "size"), text(one, "tag")});
    }
  }
  return image;
}

std::uint32_t mode_from(const std::string& mode) {
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  if (mode.size() != 4 || !std::all_of(mode.begin(), mode.end(), octal)) {
    refuse("a file's mode is not four octal digits: \"" + printable(mode.substr(0, 20)) + "\"");
  }
  return static_cast<std::uint32_t>(std::stoul(mode, nullptr, 8));
}

FileRecord file_from(const Json& json) {
  FileRecord file;
  file.component = text(json, "component");
  file.path = text(json, "path");
  file.mode = mode_from(text(json, "mode"));
  file.platform = platform_from(object(json, "platform"));
  file.digest = digest(json, "digest");
  file.size = number(json, "size");
  file.version = text(json, "version");
  return file;
}

BlobRecord blob_from(const Json& json) {
  return {digest(json, "digest"), number(json, "size"), text(json, "stored"),
          number(json, "offset")};
}

FrameRecord frame_from(const Json& json) {
  return {number(json, "stored_size"), number(json, "content_size"), digest(json, "digest")};
}

template <typename Record>
std::vector<Record> records(const Json& parent, const char* key, Record (*from)(const Json&)) {
  const auto& array = json_array(parent, key, kWhat);
  if (array.size() > kMaxRecords) {
    refuse("\"" + std::string(key) + "\" has " + std::to_string(array.size()) +
           " entries, more than the limit of " + std::to_string(kMaxRecords));
  }
  std::vector<Record> result;
  result.reserve(array.size());
  for (const auto& element : array) result.push_back(from(element));
  return result;
}

Inventory from_json(const Json& json) {
  Inventory result;
  const auto format = number(json, "format");
  if (format != static_cast<std::uint64_t>(kInventoryFormat)) {
    throw Error(ExitCode::verification,
                "the bundle has format " + std::to_string(format) + "; this kbundle reads format " +
                    std::to_string(kInventoryFormat),
                "use the kbundle that came with the bundle");
  }
  result.line = text(json, "line");
  result.serial = number(json, "serial");
  result.created = text(json, "created");
  result.kubernetes_version = text(json, "kubernetes_version");
  result.platforms = records<Platform>(json, "platforms", platform_from);
  result.cni = text(json, "cni");
  result.images = records<ImageRecord>(json, "images", image_from);
  result.files = records<FileRecord>(json, "files", file_from);
  result.blobs = records<BlobRecord>(json, "blobs", blob_from);
  result.frames = records<FrameRecord>(json, "frames", frame_from);
  result.head_size = number(json, "head_size");
  const auto& budgets = object(json, "budgets");
  result.budgets = {number(budgets, "disk_runtime"), number(budgets, "disk_programs"),
                    number(budgets, "disk_state"), number(budgets, "memory")};
  result.kbundle_version = text(json, "kbundle_version");
  result.libzstd_version = text(json, "libzstd_version");
  return result;
}

}  // namespace

const BlobRecord* Inventory::find_blob(const Digest& wanted) const {
  const auto found = std::find_if(blobs.begin(), blobs.end(),
                                  [&](const BlobRecord& blob) { return blob.digest == wanted; });
  return found == blobs.end() ? nullptr : &*found;
}

const FileRecord* Inventory::find_file(std::string_view component, const Platform& platform) const {
  const auto found = std::find_if(files.begin(), files.end(), [&](const FileRecord& file) {
    return file.component == component &&
           (file.platform.architecture.empty() || platform.accepts(file.platform));
  });
  return found == files.end() ? nullptr : &*found;
}

std::string Inventory::serialize() const {
  const Json json = {{"format", format},
                     {"line", line},
                     {"serial", serial},
                     {"created", created},
                     {"kubernetes_version", kubernetes_version},
                     {"platforms", list(platforms)},
                     {"cni", cni},
                     {"images", list(images)},
                     {"files", list(files)},
                     {"blobs", list(blobs)},
                     {"frames", list(frames)},
                     {"head_size", head_size},
                     {"budgets",
                      {{"disk_runtime", budgets.disk_runtime},
                       {"disk_programs", budgets.disk_programs},
                       {"disk_state", budgets.disk_state},
                       {"memory", budgets.memory}}},
                     {"kbundle_version", kbundle_version},
                     {"libzstd_version", libzstd_version}};
  return canonical_json(json);
}

Inventory Inventory::parse(std::string_view bytes) {
  Inventory inventory = from_json(parse_json(bytes, kWhat, kLimits));
  const std::string canonical = inventory.serialize();
  if (canonical != bytes) {
    const auto differ =
        std::mismatch(canonical.begin(), canonical.end(), bytes.begin(), bytes.end());
    refuse("it is not in its canonical form (an unknown field, or another spelling) at byte " +
           std::to_string(differ.second - bytes.begin()));
  }
  check_records(inventory);
  check_layout(inventory);
  return inventory;
}

}  // namespace kbundle
