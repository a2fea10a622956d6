// A bundle's images as the repositories of a registry. Each image stands under its upstream path
// (kube-apiserver), under the path kubeadm asks for below an imageRepository of one's own where
// that differs (distribution/names.hpp), and under its full name (k8s.gcr.io/kube-apiserver), by
// which a client's ns= parameter is resolved. A tag gives the document upstream gives for it; where
// images of two hosts would have the same path and tag, the bundle's first has it, and the other is
// reached by its full name or with ns=.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "bundles/reader.hpp"
#include "registry/server.hpp"

namespace kbundle {

class BundleContent final : public RegistryContent {
 public:
  /// Reads all manifests (each at most 4 MiB) and keeps them; layers and configs stay in the
  /// bundle, which must outlive this. Error{verification} when a document does not hold.
  explicit BundleContent(const Bundle& bundle);

  std::vector<std::string> repositories() const override;
  std::optional<std::vector<std::string>> tags(std::string_view repository) const override;
  std::optional<Document> manifest(std::string_view repository,
                                   std::string_view reference) const override;
  std::optional<std::uint64_t> blob_size(std::string_view repository,
                                         const Digest& digest) const override;
  std::unique_ptr<Source> open_blob(const Digest& digest, std::uint64_t offset,
                                    std::uint64_t size) const override;
  std::vector<Descriptor> referrers(std::string_view repository,
                                    const Digest& digest) const override;

  std::uint64_t manifest_bytes() const;             ///< kept in memory
  const std::set<std::string>& upstreams() const {  ///< the hosts of the images' names
    return upstreams_;
  }

 private:
  struct Repository {
    std::map<std::string, Digest, std::less<>> tags;
    std::set<Digest> manifests;
    std::set<Digest> blobs;
  };
  class FrameSource;
  struct Artifact {
    Digest subject;
    Descriptor descriptor;
  };

  void add_image(const ImageRecord& image);
  void collect(const Digest& digest, const std::string& type, const std::string& image,
               Repository& into, int depth);
  const Repository* find(std::string_view repository) const;
  /// How many bytes of the body stand from `offset` to the end of its frame.
  std::uint64_t left_of_frame(std::uint64_t offset) const;

  const Bundle& bundle_;
  std::map<std::string, Repository, std::less<>> repositories_;
  std::map<Digest, Document> documents_;
  std::map<Digest, std::uint64_t> sizes_;  // of all blobs of the bundle
  std::vector<std::uint64_t> frame_ends_;  // in the body
  std::vector<Artifact> artifacts_;
  std::set<std::string> upstreams_;
};

}  // namespace kbundle
