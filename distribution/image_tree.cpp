#include "distribution/image_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

constexpr std::size_t kMostDocuments = 1'000;
constexpr int kDeepest = 4;

// Walks down from a root, and to what refers to it.
class TreeWalk {
 public:
  TreeWalk(Fetcher& fetcher, const Selection& selection, ImageTree& tree)
      : fetcher_(fetcher), selection_(selection), tree_(tree) {}

  void root() {
    Fetcher::Document found = fetcher_.manifest(tree_.name);
    tree_.root = found.answer.digest;
    tree_.from = found.from;
    Descriptor descriptor;
    descriptor.media_type = found.answer.media_type;
    descriptor.digest = found.answer.digest;
    descriptor.size = found.answer.bytes.size();
    fetcher_.store().put(descriptor.digest, found.answer.bytes);
    take({descriptor, std::move(found.answer.bytes), ""}, 0);
  }

 private:
  void below(const Descriptor& descriptor, const std::string& tag, int depth) {
    if (seen_.contains(descriptor.digest)) return;
    take({descriptor, bytes_of(descriptor), tag}, depth);
  }

  std::string bytes_of(const Descriptor& descriptor) {
    BlobStore& store = fetcher_.store();
    if (auto cached = store.read_if_sound(descriptor.digest, descriptor.size))
      return *std::move(cached);
    auto found = fetcher_.manifest(tree_.name.with_digest(descriptor.digest));
    if (found.answer.bytes.size() != descriptor.size)
      throw Error(ExitCode::verification,
                  fmt::format("{}: {} has {} bytes, its index says {}", tree_.name.str(),
                              descriptor.digest.str(), found.answer.bytes.size(), descriptor.size));
    store.put(descriptor.digest, found.answer.bytes);
    return std::move(found.answer.bytes);
  }

  void take(ImageTree::Document document, int depth) {
    if (!seen_.insert(document.descriptor.digest).second) return;
    if (seen_.size() > kMostDocuments || depth > kDeepest)
      throw Error(ExitCode::verification,
                  fmt::format("{}: more than {} manifests, or indexes more than {} deep",
                              tree_.name.str(), kMostDocuments, kDeepest));
    const std::string what =
        fmt::format("{} ({})", tree_.name.str(), document.descriptor.digest.str());
    if (media_type::is_index(document.descriptor.media_type))
      index(Index::parse(document.bytes, document.descriptor.media_type, what), depth);
    else
      manifest(Manifest::parse(document.bytes, document.descriptor.media_type, what,
                               ForeignLayers::allowed),
               document.descriptor.digest);
    const Digest digest = document.descriptor.digest;
    tree_.documents.push_back(std::move(document));
    if (selection_.referrers) referrers_of(digest, depth);
  }

  void index(const Index& index, int depth) {
    if (selection_.all || depth > 0) {
      for (const Descriptor& entry : index.manifests) below(entry, "", depth + 1);
      return;
    }
    std::size_t taken = 0;
    for (const Platform& platform : selection_.platforms) {
      const Descriptor* entry = index.find(platform);
      if (entry == nullptr)
        throw Error(ExitCode::verification,
                    fmt::format("{} has no {} image; it has {}", tree_.name.str(), platform.str(),
                                platforms_in(index)),
                    "choose with --arch, or take all: --arch all");
      below(*entry, "", depth + 1);
      ++taken;
    }
    tree_.sparse = tree_.sparse || taken < index.manifests.size();
  }

  static std::string platforms_in(const Index& index) {
    std::vector<std::string> names;
    for (const Descriptor& entry : index.manifests) {
      if (entry.platform) names.push_back(printable(entry.platform->str()));
    }
    return names.empty() ? "none" : join(names, ", ");
  }

  void manifest(const Manifest& manifest, const Digest& digest) {
    const Reference repository = tree_.name.with_digest(digest);
    const auto add = [&](const Descriptor& blob) {
      if (is_foreign_layer(blob.media_type)) return;
      if (blobs_.insert(blob.digest).second) tree_.blobs.push_back({repository, blob});
    };
    add(manifest.config);
    for (const Descriptor& layer : manifest.layers) add(layer);
  }

  void referrers_of(const Digest& subject, int depth) {
    for (const Referrer& referrer : fetcher_.referrers(tree_.name.with_digest(subject))) {
      const bool manifest = media_type::is_manifest(referrer.descriptor.media_type) ||
                            media_type::is_index(referrer.descriptor.media_type);
      if (!manifest) continue;  // a kind of document that this kbundle does not know
      if (referrer.tag.empty()) tree_.referrers.push_back({referrer.descriptor, subject});
      below(referrer.descriptor, referrer.tag, depth + 1);
    }
  }

  Fetcher& fetcher_;
  const Selection& selection_;
  ImageTree& tree_;
  std::set<Digest> seen_;
  std::set<Digest> blobs_;
};

}  // namespace

const ImageTree::Document& ImageTree::document(const Digest& digest) const {
  const auto found = std::find_if(documents.begin(), documents.end(), [&](const Document& each) {
    return each.descriptor.digest == digest;
  });
  if (found == documents.end())
    throw Error(ExitCode::internal, "no document " + digest.str() + " in " + name.str());
  return *found;
}

ImageTree fetch_tree(Fetcher& fetcher, const Reference& name, const Selection& selection) {
  ImageTree tree;
  tree.name = name;
  TreeWalk(fetcher, selection, tree).root();
  return tree;
}

}  // namespace kbundle
