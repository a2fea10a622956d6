#include "distribution/image_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/json.hpp"
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
    tree_.mirrored = found.mirrored && tree_.name.digest().empty();
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
    take({descriptor, fetcher_.document(tree_.name, descriptor), tag}, depth);
  }

  void below_all(const Descriptor& entry, int depth) {
    try {
      below(entry, "", depth + 1);
    } catch (Error& error) {
      if (error.code() == ExitCode::network)
        error.set_hint(
            "the list names it, but that place may have some platforms only; choose "
            "with --arch, or name another place: --mirror HOST=OTHER-HOST");
      throw;
    }
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
               document.descriptor.digest, depth);
    const Digest digest = document.descriptor.digest;
    tree_.documents.push_back(std::move(document));
    if (selection_.referrers) referrers_of(digest, depth);
  }

  void index(const Index& index, int depth) {
    if (selection_.all || depth > 0) {
      for (const Descriptor& entry : index.manifests) below_all(entry, depth);
      return;
    }
    std::set<Digest> taken;
    for (const Platform& platform : platforms()) {
      const Descriptor* entry = index.find(platform);
      if (entry == nullptr)
        throw Error(ExitCode::verification,
                    fmt::format("{} has no {} image; it has {}", tree_.name.str(), platform.str(),
                                platforms_in(index)),
                    "choose with --arch, or take all: --arch all");
      below(*entry, "", depth + 1);
      taken.insert(entry->digest);
    }
    for (const Descriptor& entry : index.manifests) {
      if (!taken.contains(entry.digest)) tree_.sparse = true;
    }
  }

  std::vector<Platform> platforms() const {
    return selection_.platforms.empty() ? std::vector{Platform::of_host()} : selection_.platforms;
  }

  // An image without a list is for one platform. Where one was asked for by name, it must be that.
  void check_platform(const Manifest& manifest, const Digest& digest) {
    const std::string& type = manifest.config.media_type;
    if (selection_.platforms.empty() ||
        (type != media_type::oci_config && type != media_type::docker_config))
      return;
    fetcher_.blob(tree_.name.with_digest(digest), manifest.config, {});
    const std::string what = "the config of " + tree_.name.str();
    const Json config = parse_json(fetcher_.store().read(manifest.config.digest), what);
    Platform found;
    found.os = json_string(config, "os", what);
    found.architecture = json_string(config, "architecture", what);
    for (const Platform& wanted : selection_.platforms) {
      if (wanted.accepts(found)) return;
    }
    throw Error(ExitCode::verification,
                fmt::format("{} is an image for {} only", tree_.name.str(), printable(found.str())),
                "leave --arch out, or name an image for the wanted platform");
  }

  static std::string platforms_in(const Index& index) {
    std::vector<std::string> names;
    for (const Descriptor& entry : index.manifests) {
      if (entry.platform) names.push_back(printable(entry.platform->str()));
    }
    return names.empty() ? "none" : join(names, ", ");
  }

  void manifest(const Manifest& manifest, const Digest& digest, int depth) {
    if (depth == 0 && !selection_.all) check_platform(manifest, digest);
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

void warn_of_uncompared(const std::vector<ImageTree>& trees, Progress& progress) {
  std::string text;
  for (const ImageTree& tree : trees) {
    if (tree.mirrored)
      text += fmt::format("\n  {}\n    not compared with upstream: {} by {}", tree.name.str(),
                          tree.root.str(), tree.from);
  }
  if (!text.empty())
    progress.warn(
        "only mirrors said which digests these names have; compare them with upstream's "
        "when you can" +
        text);
}

}  // namespace kbundle
