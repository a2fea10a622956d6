// Which documents and blobs of a bundle go into a registry, and under which names.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "bundles/reader.hpp"
#include "distribution/image_tree.hpp"
#include "distribution/image_upload.hpp"
#include "distribution/names.hpp"

namespace kbundle {

struct PushPlan {
  struct Image {
    std::string upstream;  ///< its name in the bundle
    UploadImage upload;
    Digest list;  ///< upstream's list, when one platform of it goes; or empty
    std::vector<std::string> platforms;      ///< that go: "linux/amd64"
    std::vector<std::string> missing;        ///< entries of the list that the bundle has not got
    std::uint64_t size = 0;                  ///< documents and blobs, in bytes
    std::vector<ImageTree::Link> referrers;  ///< among the documents
  };
  std::vector<Image> images;
  std::vector<std::string> left_out;  ///< images that have none of the chosen platforms
  std::set<std::string> upstreams;    ///< hosts of the images' names
};

/// A manifest, or a list of which the bundle has every entry, goes as it is; of a list of which it
/// has one platform that platform's manifest goes. With several but not all of them, or to choose,
/// `selection` says what goes: one platform's manifest, or the list with what the bundle has.
/// Without platforms and without `all` nothing is chosen. Error{usage} when a choice is needed, or
/// when two images would get the same name; Error{verification} when a document does not hold.
PushPlan plan_push(const Bundle& bundle, const RegistryPrefix& registry,
                   const Selection& selection);

}  // namespace kbundle
