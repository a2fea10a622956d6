// The index.json of an OCI image layout that images are added to.
// https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md#indexjson-file
#pragma once

#include <filesystem>
#include <string>

#include "core/json.hpp"
#include "distribution/image_tree.hpp"

namespace kbundle {

class LayoutIndex {
 public:
  /// An empty index when there is no such file; Error{verification} when it is none.
  static LayoutIndex read(const std::filesystem::path& file);

  /// Names the tree's root as the image; what had the name before loses it. Referrers are entries
  /// without a name, as other tools expect them.
  void put(const ImageTree& tree);
  std::string serialize() const;

 private:
  Json manifests_ = Json::array();
};

}  // namespace kbundle
