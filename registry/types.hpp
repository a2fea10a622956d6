// OCI image types: descriptors, manifests and indexes, and their Docker schema-2 twins.
// https://github.com/opencontainers/image-spec/blob/v1.1.0/{descriptor,manifest,image-index}.md
// Parsing has limits: a document of at most 4 MiB, 10,000 descriptors. The original bytes are
// what is stored and hashed; nothing is ever serialised again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"

namespace kbundle {

namespace media_type {
inline constexpr const char* oci_manifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr const char* oci_index = "application/vnd.oci.image.index.v1+json";
inline constexpr const char* docker_manifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr const char* oci_config = "application/vnd.oci.image.config.v1+json";
inline constexpr const char* docker_config = "application/vnd.docker.container.image.v1+json";
inline constexpr const char* docker_list =
    "application/vnd.docker.distribution.manifest.list.v2+json";

bool is_index(std::string_view type);     ///< OCI index or Docker manifest list
bool is_manifest(std::string_view type);  ///< OCI or Docker image manifest
}  // namespace media_type

/// "linux/amd64", "linux/arm/v7"
struct Platform {
  std::string os = "linux";
  std::string architecture;
  std::string variant;
  /// Error{usage} for anything that is not OS/ARCH[/VARIANT].
  static Platform parse(std::string_view text);
  /// This machine's, from uname(2).
  static Platform of_host();
  std::string str() const;
  /// Whether an entry for `offered` serves a host of this platform (an absent variant matches
  /// every variant of the architecture).
  bool accepts(const Platform& offered) const;
  bool operator==(const Platform&) const = default;
};

/// https://github.com/opencontainers/image-spec/blob/v1.1.0/descriptor.md
struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;  ///< bytes
  std::optional<Platform> platform;
  std::map<std::string, std::string> annotations;
  std::string artifact_type{};  ///< of an entry in a list of referrers; or empty
};

/// Layers that registries do not hold but point to elsewhere (Windows base images).
enum class ForeignLayers { refused, allowed };
/// Whether a layer's media type says that it is such a one.
bool is_foreign_layer(std::string_view media_type);

/// An image manifest: one config and its layers. An artifact's has the same shape.
struct Manifest {
  std::string media_type;
  Descriptor config;
  std::vector<Descriptor> layers;
  std::string artifact_type{};          ///< empty for images
  std::optional<Descriptor> subject{};  ///< what an artifact belongs to
  /// Error{verification} naming `what`. A document with both `manifests` and `layers` is refused
  /// (CVE-2021-41190), as are schema 1 and, unless `foreign` allows them, foreign layers.
  /// `declared_type` is the Content-Type or descriptor's type; it must agree with the document's.
  static Manifest parse(std::string_view bytes, std::string_view declared_type,
                        std::string_view what, ForeignLayers foreign = ForeignLayers::refused);
};

/// An image index or Docker manifest list.
struct Index {
  std::string media_type;
  std::vector<Descriptor> manifests;
  static Index parse(std::string_view bytes, std::string_view declared_type, std::string_view what);
  /// The entry that serves `platform`, nullptr when there is none. Attestation entries
  /// (platform unknown/unknown) never match.
  const Descriptor* find(const Platform& platform) const;
};

}  // namespace kbundle
