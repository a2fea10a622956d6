#include "distribution/bundle_content.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "distribution/names.hpp"
#include "registry/server_routes.hpp"

namespace kbundle {
namespace {

// An index may hold indexes; no deeper than anybody nests them.
constexpr int kMaxDepth = 4;

std::map<std::string, std::string> annotations_of(const std::string& bytes) {
  std::map<std::string, std::string> annotations;
  const Json document = parse_json(bytes, "a manifest");
  const auto found = document.find("annotations");
  if (found == document.end() || !found->is_object()) return annotations;
  for (const auto& [key, value] : found->items())
    if (value.is_string()) annotations.emplace(key, value.get<std::string>());
  return annotations;
}

}  // namespace

// Gives a blob frame by frame, and holds nothing of a frame that was given: a client that reads
// slowly costs the memory of what is being sent to it and no more.
class BundleContent::FrameSource final : public Source {
 public:
  FrameSource(const BundleContent& content, const BlobRecord& blob, std::uint64_t offset,
              std::uint64_t size)
      : content_(content), blob_(blob), offset_(offset), left_(size) {}

  /// As much of one frame as there is room for.
  std::size_t read(std::span<std::byte> buffer) override {
    if (left_ == 0) return 0;
    if (frame_ == nullptr) {
      frame_left_ = std::min(left_, content_.left_of_frame(blob_.offset + offset_));
      frame_ = content_.bundle_.open_blob_range(blob_.digest, offset_, frame_left_);
    }
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), frame_left_));
    read_exactly(*frame_, buffer.first(wanted), "the blob " + blob_.digest.str());
    offset_ += wanted;
    left_ -= wanted;
    frame_left_ -= wanted;
    if (frame_left_ == 0) frame_.reset();
    return wanted;
  }

 private:
  const BundleContent& content_;
  const BlobRecord& blob_;
  std::uint64_t offset_;
  std::uint64_t left_;
  std::uint64_t frame_left_ = 0;
  std::unique_ptr<Source> frame_;
};

BundleContent::BundleContent(const Bundle& bundle) : bundle_(bundle) {
  std::uint64_t end = 0;
  for (const FrameRecord& frame : bundle.inventory().frames)
    frame_ends_.push_back(end += frame.content_size);
  for (const BlobRecord& blob : bundle.inventory().blobs) sizes_.emplace(blob.digest, blob.size);
  for (const ImageRecord& image : bundle.inventory().images) add_image(image);
}

void BundleContent::add_image(const ImageRecord& image) {
  Repository content;
  collect(image.digest, image.media_type, image.names.front(), content, 0);
  for (const ImagePlatform& platform : image.platforms) content.manifests.insert(platform.manifest);
  for (const ReferrerRecord& referrer : image.referrers) {
    collect(referrer.digest, referrer.media_type, image.names.front(), content, 0);
    if (!referrer.tag.empty()) content.tags.emplace(referrer.tag, referrer.digest);
  }
  for (const std::string& name : image.names) {
    const Reference reference = Reference::parse(name);
    upstreams_.insert(reference.host());
    auto paths = repositories_of(reference, bundle_.inventory().kubernetes_version);
    paths.push_back(reference.name());
    for (const std::string& path : paths) {
      Repository& repository = repositories_[path];
      if (!reference.tag().empty()) repository.tags.emplace(reference.tag(), image.digest);
      repository.tags.insert(content.tags.begin(), content.tags.end());
      repository.manifests.insert(content.manifests.begin(), content.manifests.end());
      repository.blobs.insert(content.blobs.begin(), content.blobs.end());
    }
  }
}

// What `digest` names, as far as the bundle has it: of a list often one platform alone.
void BundleContent::collect(const Digest& digest, const std::string& type, const std::string& image,
                            Repository& into, int depth) {
  if (!sizes_.contains(digest) || depth > kMaxDepth || into.manifests.contains(digest)) return;
  into.manifests.insert(digest);
  auto [place, is_new] = documents_.try_emplace(digest);
  Document& document = place->second;
  if (is_new) document = {type, digest, bundle_.read_blob(digest)};
  if (media_type::is_index(type)) {
    for (const Descriptor& entry : Index::parse(document.bytes, type, image).manifests)
      collect(entry.digest, entry.media_type, image, into, depth + 1);
    return;
  }
  const Manifest manifest = Manifest::parse(document.bytes, type, image);
  if (is_new && manifest.subject) {
    const std::string kind =
        manifest.artifact_type.empty() ? manifest.config.media_type : manifest.artifact_type;
    artifacts_.push_back({manifest.subject->digest,
                          {.media_type = type,
                           .digest = digest,
                           .size = document.bytes.size(),
                           .platform = {},
                           .annotations = annotations_of(document.bytes),
                           .artifact_type = kind}});
  }
  into.blobs.insert(manifest.config.digest);
  for (const Descriptor& layer : manifest.layers) into.blobs.insert(layer.digest);
}

const BundleContent::Repository* BundleContent::find(std::string_view repository) const {
  const auto found = repositories_.find(repository);
  return found == repositories_.end() ? nullptr : &found->second;
}

std::vector<std::string> BundleContent::repositories() const {
  std::vector<std::string> names;
  for (const auto& [name, repository] : repositories_)
    if (is_repository_name(name)) names.push_back(name);  // not of a host with a port
  return names;
}

std::optional<std::vector<std::string>> BundleContent::tags(std::string_view repository) const {
  const Repository* found = find(repository);
  if (found == nullptr) return {};
  std::vector<std::string> names;
  for (const auto& [tag, digest] : found->tags) names.push_back(tag);
  return names;
}

std::optional<RegistryContent::Document> BundleContent::manifest(std::string_view repository,
                                                                 std::string_view reference) const {
  const Repository* found = find(repository);
  if (found == nullptr) return {};
  Digest digest;
  if (const auto tag = found->tags.find(reference); tag != found->tags.end()) {
    digest = tag->second;
  } else if (reference.find(':') != std::string_view::npos) {
    digest = Digest::parse(reference);
  }
  const auto document = documents_.find(digest);
  if (!found->manifests.contains(digest) || document == documents_.end()) return {};
  return document->second;
}

std::optional<std::uint64_t> BundleContent::blob_size(std::string_view repository,
                                                      const Digest& digest) const {
  const Repository* found = find(repository);
  if (found == nullptr || !found->blobs.contains(digest)) return {};
  const auto size = sizes_.find(digest);
  if (size == sizes_.end()) return {};
  return size->second;
}

std::unique_ptr<Source> BundleContent::open_blob(const Digest& digest, std::uint64_t offset,
                                                 std::uint64_t size) const {
  const BlobRecord* blob = bundle_.inventory().find_blob(digest);
  if (blob == nullptr || offset > blob->size || size > blob->size - offset)
    throw Error(ExitCode::internal, "a part was asked for that no blob has: " + digest.str());
  return std::make_unique<FrameSource>(*this, *blob, offset, size);
}

std::uint64_t BundleContent::left_of_frame(std::uint64_t offset) const {
  return *std::upper_bound(frame_ends_.begin(), frame_ends_.end(), offset) - offset;
}

std::vector<Descriptor> BundleContent::referrers(std::string_view repository,
                                                 const Digest& digest) const {
  std::vector<Descriptor> found;
  const Repository* in = find(repository);
  if (in == nullptr) return found;
  for (const auto& [subject, descriptor] : artifacts_)
    if (subject == digest && in->manifests.contains(descriptor.digest)) found.push_back(descriptor);
  return found;
}

std::uint64_t BundleContent::manifest_bytes() const {
  std::uint64_t total = 0;
  for (const auto& [digest, document] : documents_) total += document.bytes.size();
  return total;
}

}  // namespace kbundle
