// The network add-on: its manifest, and the images that the manifest names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/programs.hpp"
#include "builder/resolve.hpp"
#include "builder/settings.hpp"

namespace kbundle {

inline constexpr const char* kCniComponent = "cni-manifest";
inline constexpr const char* kCniPath = "/var/lib/kbundle/addons/cni.yaml";

struct ResolvedCni {
  std::string name;  ///< "flannel v0.12.0", "file", "none"
  std::optional<ResolvedFile> file;
  std::vector<WantedImage> images;
};

/// Fetches (or reads) the manifest into the store. With a lock only its digest passes. The images
/// are the manifest's own; where they differ from the catalog's a warning says so.
ResolvedCni resolve_cni(Fetcher& fetcher, const Settings& settings, const Catalog& catalog,
                        Progress& progress);

/// The images a manifest in the store needs on `platforms`.
std::vector<WantedImage> manifest_images(const std::string& yaml,
                                         const std::vector<Platform>& platforms,
                                         const std::string& what);

}  // namespace kbundle
