#include "registry/types.hpp"

#include <fmt/core.h>
#include <sys/utsname.h>

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kLargestDocument = 4U << 20U;
constexpr std::size_t kMostDescriptors = 10'000;
constexpr std::size_t kMostAnnotations = 1'000;
constexpr std::size_t kLongestWord = 255;  // media types, platform fields
// No image has a blob of a pebibyte; larger numbers only make sums overflow.
constexpr std::uint64_t kLargestBlob = 1ULL << 50U;

[[noreturn]] void refuse(std::string_view what, const std::string& why) {
  throw Error(ExitCode::verification, fmt::format("{}: {}", printable(what), why));
}

std::string short_string(const Json& object, const char* key, std::string_view what) {
  std::string value = json_string(object, key, what);
  if (value.size() > kLongestWord)
    refuse(what, fmt::format("\"{}\" is longer than {} characters", key, kLongestWord));
  return value;
}

std::string optional_string(const Json& object, const char* key, std::string_view what) {
  return object.contains(key) ? short_string(object, key, what) : std::string();
}

Platform parse_platform(const Json& object, std::string_view what) {
  if (!object.is_object()) refuse(what, "a descriptor's platform is not an object");
  Platform platform;
  platform.os = short_string(object, "os", what);
  platform.architecture = short_string(object, "architecture", what);
  platform.variant = optional_string(object, "variant", what);
  return platform;
}

Descriptor parse_descriptor(const Json& object, std::string_view what) {
  if (!object.is_object()) refuse(what, "a descriptor is not an object");
  Descriptor descriptor;
  descriptor.media_type = short_string(object, "mediaType", what);
  descriptor.digest = with_context(
      std::string(what), [&] { return Digest::parse(json_string(object, "digest", what)); });
  descriptor.size = json_unsigned(object, "size", what);
  if (descriptor.size > kLargestBlob)
    refuse(what, fmt::format("{} claims {} bytes", descriptor.digest.str(), descriptor.size));
  if (const auto platform = object.find("platform");
      platform != object.end() && !platform->is_null())
    descriptor.platform = parse_platform(*platform, what);
  descriptor.artifact_type = optional_string(object, "artifactType", what);
  if (const auto annotations = object.find("annotations");
      annotations != object.end() && !annotations->is_null()) {
    if (!annotations->is_object() || annotations->size() > kMostAnnotations)
      refuse(what, "a descriptor's annotations are not an object of reasonable size");
    for (const auto& [key, value] : annotations->items()) {
      if (!value.is_string()) refuse(what, "an annotation's value is not a string");
      descriptor.annotations.emplace(key, value.get<std::string>());
    }
  }
  return descriptor;
}

std::vector<Descriptor> parse_descriptors(const Json& document, const char* key,
                                          std::string_view what) {
  const Json& array = json_array(document, key, what);
  if (array.size() > kMostDescriptors)
    refuse(what, fmt::format("{} entries in \"{}\"; at most {} are accepted", array.size(), key,
                             kMostDescriptors));
  std::vector<Descriptor> result;
  result.reserve(array.size());
  for (const Json& entry : array) result.push_back(parse_descriptor(entry, what));
  return result;
}

// A Content-Type without its parameters; empty for types that say nothing about the document.
std::string bare_type(std::string_view declared) {
  std::string type = to_lower(trim(declared.substr(0, declared.find(';'))));
  if (type == "application/json" || type == "application/octet-stream" || type == "text/plain")
    type.clear();
  return type;
}

bool is_schema_1(std::string_view type) {
  return type.starts_with("application/vnd.docker.distribution.manifest.v1+");
}

[[noreturn]] void refuse_schema_1(std::string_view what) {
  throw Error(ExitCode::verification,
              fmt::format("{}: a Docker schema 1 manifest, which has no digest-exact form",
                          printable(what)),
              "push the image again with a current tool, or name one with a schema 2 manifest");
}

// Parses the document and settles its media type: the declared one and the document's own must
// not disagree, or one file could be read as two things (CVE-2021-41190).
Json parse_document(std::string_view bytes, std::string_view declared_type, std::string_view what,
                    std::string& media_type) {
  const std::string declared = bare_type(declared_type);
  if (is_schema_1(declared)) refuse_schema_1(what);
  Json document = parse_json(bytes, what, JsonLimits{.size = kLargestDocument});
  if (!document.is_object()) refuse(what, "the document is not a JSON object");
  if (json_unsigned(document, "schemaVersion", what) == 1) refuse_schema_1(what);
  if (json_unsigned(document, "schemaVersion", what) != 2) refuse(what, "schemaVersion is not 2");

  const bool is_list = document.contains("manifests");
  if (is_list && (document.contains("layers") || document.contains("config")))
    refuse(what, "the document has both \"manifests\" and \"layers\" or \"config\"");
  if (document.contains("fsLayers") || document.contains("history"))
    refuse(what, "the document mixes in parts of Docker schema 1");

  const std::string own = optional_string(document, "mediaType", what);
  if (!own.empty() && !declared.empty() && own != declared)
    refuse(what, fmt::format("declared as {}, but the document says it is {}", printable(declared),
                             printable(own)));
  media_type = !own.empty() ? own : declared;
  if (media_type.empty()) media_type = is_list ? media_type::oci_index : media_type::oci_manifest;
  return document;
}

// arm64 without a variant is v8, and arm without one is v7 by common practice.
std::string usual_variant(const Platform& platform) {
  if (platform.architecture == "arm64" && platform.variant == "v8") return "";
  if (platform.architecture == "arm" && platform.variant.empty()) return "v7";
  if (platform.architecture == "amd64" && platform.variant == "v1") return "";
  return platform.variant;
}

bool is_attestation(const Descriptor& entry) {
  return entry.annotations.contains("vnd.docker.reference.type") ||
         (entry.platform &&
          (entry.platform->os == "unknown" || entry.platform->architecture == "unknown"));
}

}  // namespace

bool is_foreign_layer(std::string_view type) {
  return type.starts_with("application/vnd.docker.image.rootfs.foreign.") ||
         type.starts_with("application/vnd.oci.image.layer.nondistributable.");
}

bool media_type::is_index(std::string_view type) {
  return type == oci_index || type == docker_list;
}

bool media_type::is_manifest(std::string_view type) {
  return type == oci_manifest || type == docker_manifest;
}

Platform Platform::parse(std::string_view text) {
  const std::vector<std::string> parts = split(text, '/');
  const auto is_word = [](const std::string& part) {
    return !part.empty() && part.size() <= 32 && std::all_of(part.begin(), part.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    });
  };
  if (parts.size() < 2 || parts.size() > 3 || !std::all_of(parts.begin(), parts.end(), is_word))
    throw Error(ExitCode::usage,
                fmt::format("\"{}\" is not a platform", printable(text.substr(0, 100))),
                "write it as OS/ARCH[/VARIANT], for example linux/amd64");
  return Platform{parts[0], parts[1], parts.size() == 3 ? parts[2] : std::string()};
}

Platform Platform::of_host() {
  utsname name{};
  ::uname(&name);
  const std::string_view machine = name.machine;
  Platform platform;
  if (machine == "x86_64") {
    platform.architecture = "amd64";
  } else if (machine == "aarch64") {
    platform.architecture = "arm64";
  } else if (machine.starts_with("armv7") || machine.starts_with("armv8")) {
    platform.architecture = "arm";
  } else {
    platform.architecture = machine;  // ppc64le, s390x, riscv64 are the same words
  }
  return platform;
}

std::string Platform::str() const {
  return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
}

bool Platform::accepts(const Platform& offered) const {
  if (os != offered.os || architecture != offered.architecture) return false;
  return variant.empty() || offered.variant.empty() ||
         usual_variant(*this) == usual_variant(offered);
}

Manifest Manifest::parse(std::string_view bytes, std::string_view declared_type,
                         std::string_view what, ForeignLayers foreign) {
  Manifest manifest;
  const Json document = parse_document(bytes, declared_type, what, manifest.media_type);
  if (!media_type::is_manifest(manifest.media_type) || document.contains("manifests"))
    refuse(what,
           fmt::format("an image manifest was wanted, found {}", printable(manifest.media_type)));
  const auto config = document.find("config");
  if (config == document.end()) refuse(what, "the manifest has no \"config\"");
  manifest.config = parse_descriptor(*config, what);
  manifest.layers = parse_descriptors(document, "layers", what);
  manifest.artifact_type = optional_string(document, "artifactType", what);
  if (const auto subject = document.find("subject");
      subject != document.end() && !subject->is_null())
    manifest.subject = parse_descriptor(*subject, what);
  for (const Descriptor& layer : manifest.layers) {
    if (foreign == ForeignLayers::refused && is_foreign_layer(layer.media_type))
      throw Error(ExitCode::verification,
                  fmt::format("{}: layer {} is non-distributable ({}); it cannot be carried",
                              printable(what), layer.digest.str(), printable(layer.media_type)));
  }
  return manifest;
}

Index Index::parse(std::string_view bytes, std::string_view declared_type, std::string_view what) {
  Index index;
  const Json document = parse_document(bytes, declared_type, what, index.media_type);
  if (!media_type::is_index(index.media_type) || !document.contains("manifests"))
    refuse(what, fmt::format("an image index was wanted, found {}", printable(index.media_type)));
  index.manifests = parse_descriptors(document, "manifests", what);
  return index;
}

const Descriptor* Index::find(const Platform& platform) const {
  const Descriptor* best = nullptr;
  for (const Descriptor& entry : manifests) {
    if (!entry.platform || is_attestation(entry) || !media_type::is_manifest(entry.media_type) ||
        !platform.accepts(*entry.platform))
      continue;
    if (usual_variant(platform) == usual_variant(*entry.platform)) return &entry;
    // Next best is an entry for every variant, then the first that is accepted at all.
    if (best == nullptr || (!best->platform->variant.empty() && entry.platform->variant.empty()))
      best = &entry;
  }
  return best;
}

}  // namespace kbundle
