// The bundle's images in the node's runtime: what is missing, wrong or damaged, and bringing it.
// What install's images phase, repair and upgrade share.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "bundles/image_stream.hpp"
#include "installer/context.hpp"

namespace kbundle {

struct ImagesState {
  struct Missing {
    StreamImage image;
    std::string why;  ///< "not there", "sha256:… instead of sha256:…"
  };
  std::vector<Missing> missing;
  std::vector<DamagedBlob> damaged;    ///< blobs to drop before the images are brought again
  std::vector<std::string> unpinned;   ///< names that are right but not kept from collection
  std::set<Digest> whole;              ///< blobs of images that are right
  std::vector<StreamImage> unsafe;     ///< of `missing`: were being loaded when the host went down
  std::vector<StreamImage> unsettled;  ///< right, but a killed fast load left them unfinished
  bool settle = false;                 ///< a load did not come to its end: what is right is synced
  std::size_t images = 0;              ///< how many were looked at
  bool good() const { return missing.empty(); }
};

/// Compares what the runtime holds with the bundle: names, digests, completeness, the sizes of
/// blobs; with `deep` every byte of them is hashed. Changes nothing. The runtime must answer.
ImagesState look_at_images(const Context& context, bool deep = false);

/// Brings what is missing, several images at once, and pins; then compares again, and has the
/// runtime's disk synced. Each image is kept once it is there, whatever happens to the others.
/// Error{phase} names the images that are still not right.
void load_images(Context& context, const ImagesState& state);

}  // namespace kbundle
