// Puts images into a registry: blobs first, then what names them. What is there is not sent, and a
// blob that another repository of the registry has is mounted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/progress.hpp"
#include "core/stream.hpp"
#include "distribution/image_tree.hpp"
#include "registry/push_client.hpp"

namespace kbundle {

struct UploadImage {
  Reference target;  ///< the repository, and the tag or digest that the root gets
  std::vector<ImageTree::Document> documents;  ///< what is named before what names it
  Digest root;                                 ///< one of the documents
  std::vector<Descriptor> blobs;
  std::string mount_from{};  ///< a repository of the target's host that has the blobs; or empty
};

/// Its documents and blobs, in bytes.
std::uint64_t content_size(const UploadImage& image);

/// How an image came to be where it is; the last that is true of any part of it. `mounted`: no blob
/// was sent, the registry had them, and the name is new.
enum class Uploaded { was_there, mounted, pushed };
std::string to_string(Uploaded how);

struct UploadOutcome {
  Uploaded how = Uploaded::was_there;
  std::uint64_t sent = 0;  ///< bytes of blobs
};

struct UploadSettings {
  std::size_t parallel = 4;  ///< blobs at once
  bool dry_run = false;      ///< asks what is there, and sends nothing
};

/// A blob's content from an offset on. Called by several threads.
using BlobContent =
    std::function<std::unique_ptr<Source>(const Descriptor& blob, std::uint64_t offset)>;

/// One outcome for each image, in their order. Errors are PushClient's and `content`'s; running it
/// again continues.
std::vector<UploadOutcome> upload(PushClient& client, const std::vector<UploadImage>& images,
                                  const BlobContent& content, const UploadSettings& settings,
                                  Progress& progress);

}  // namespace kbundle
