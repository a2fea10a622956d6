#include "distribution/mirror.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"
#include "core/user_folders.hpp"
#include "distribution/names.hpp"
#include "distribution/referrer_list.hpp"

namespace kbundle {
namespace {

bool has_tag_or_digest(std::string_view reference) {
  return reference.substr(reference.rfind('/') + 1).find_first_of(":@") != std::string_view::npos;
}

// What goes to a registry of a list of which one platform was chosen: registries refuse a list
// whose manifests they have not got.
Digest root_to_push(const ImageTree& tree) {
  if (!tree.sparse) return tree.root;
  const Index index = Index::parse(tree.document(tree.root).bytes,
                                   tree.document(tree.root).descriptor.media_type, tree.name.str());
  std::vector<Digest> chosen;
  for (const Descriptor& entry : index.manifests) {
    const bool here = std::any_of(
        tree.documents.begin(), tree.documents.end(),
        [&](const ImageTree::Document& each) { return each.descriptor.digest == entry.digest; });
    if (here && std::find(chosen.begin(), chosen.end(), entry.digest) == chosen.end())
      chosen.push_back(entry.digest);
  }
  if (chosen.size() != 1)
    throw Error(ExitCode::usage,
                fmt::format("{}: {} of its {} platforms were chosen; a registry takes one, or all",
                            tree.name.str(), chosen.size(), index.manifests.size()),
                "use --arch with one architecture, or leave it out");
  return chosen.front();
}

UploadImage upload_of(const ImageTree& tree, const Reference& target, const Digest& root) {
  UploadImage image{target, {}, root, {}};
  // A name by digest is the list's, and what goes may be a platform's manifest.
  if (target.tag().empty()) image.target = target.with_digest(root);
  for (const ImageTree::Document& document : tree.documents) {
    if (document.descriptor.digest == tree.root && tree.root != root) continue;
    image.documents.push_back(document);
  }
  for (const BlobToFetch& blob : tree.blobs) image.blobs.push_back(blob.descriptor);
  if (tree.name.host() == target.host()) image.mount_from = tree.name.repository();
  return image;
}

// The blob in the cache, fetched when it is not there yet; from `offset` on.
class CacheContent {
 public:
  CacheContent(Fetcher& fetcher, const std::vector<ImageTree>& trees) : fetcher_(fetcher) {
    for (const ImageTree& tree : trees) {
      for (const BlobToFetch& blob : tree.blobs)
        repositories_.emplace(blob.descriptor.digest, blob.repository);
    }
  }
  std::unique_ptr<Source> open(const Descriptor& blob, std::uint64_t offset) const {
    fetcher_.blob(repositories_.at(blob.digest), blob, {});
    // The whole is hashed on its way; of a part the registry says whether it fits the rest.
    if (offset == 0) return open_cached(fetcher_.store(), blob.digest);
    return fetcher_.store().open(blob.digest, offset);
  }

 private:
  Fetcher& fetcher_;
  std::map<Digest, Reference> repositories_;
};

}  // namespace

ImageCopy image_copy(std::string_view from, std::string_view to) {
  ImageCopy copy{Reference::parse(from), {}};
  if (to.find('/') == std::string_view::npos)
    throw Error(ExitCode::usage, fmt::format("\"{}\" names no repository", printable(to)),
                "write HOST[:PORT]/REPOSITORY[:TAG]");
  RegistryPrefix::parse(to.substr(0, to.find('/')));  // a word without a dot would be Docker Hub's
  Reference target = Reference::parse(to);
  if (!has_tag_or_digest(to)) {
    const Reference& source = copy.from;
    target = source.tag().empty() ? target.with_digest(source.digest()).with_tag("")
                                  : target.with_tag(source.tag());
  }
  copy.to.push_back(target);
  return copy;
}

std::vector<ImageCopy> version_copies(std::string_view version, const Selection& selection,
                                      std::string_view to) {
  const auto prefix = RegistryPrefix::parse(to);
  std::vector<ImageCopy> copies;
  for (const std::string& name : version_images(version, selection)) {
    ImageCopy copy{Reference::parse(name), {}};
    for (const std::string& repository : repositories_of(copy.from, version))
      copy.to.push_back(prefix.name(copy.from.with_repository(repository)));
    copies.push_back(std::move(copy));
  }
  return copies;
}

MirrorReport mirror(const MirrorOptions& options, Progress& progress) {
  BlobStore store(options.cache_dir.empty() ? user_cache_folder() : options.cache_dir);
  const auto upstream = make_upstream(options.transport);
  Fetcher fetcher(*upstream, options.mirrors, store);
  PushClient writer(options.transport, store.root() / "uploads");
  RegistryClient reader(options.transport);

  std::vector<ImageTree> trees(options.copies.size());
  const auto task = progress.start(fmt::format("{} manifests", trees.size()));
  for_each_parallel(trees.size(), options.upload.parallel, [&](std::size_t i) {
    trees[i] = fetch_tree(fetcher, options.copies[i].from, options.selection);
  });
  task->done("digests held");
  warn_of_uncompared(trees, progress);

  MirrorReport report;
  report.dry_run = options.upload.dry_run;
  std::vector<UploadImage> images;
  std::vector<const ImageTree*> tree_of;
  for (std::size_t i = 0; i < trees.size(); ++i) {
    const Digest root = root_to_push(trees[i]);
    for (const Reference& target : options.copies[i].to) {
      images.push_back(upload_of(trees[i], target, root));
      tree_of.push_back(&trees[i]);
      report.rows.push_back({options.copies[i].from, images.back().target, root, trees[i].root,
                             Uploaded::was_there, content_size(images.back()), 0});
    }
  }
  const CacheContent content(fetcher, trees);
  const auto outcomes = upload(
      writer, images,
      [&](const Descriptor& blob, std::uint64_t offset) { return content.open(blob, offset); },
      options.upload, progress);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    report.rows[i].how = outcomes[i].how;
    report.rows[i].sent = outcomes[i].sent;
    if (!options.upload.dry_run)
      list_referrers(tree_of[i]->referrers, images[i].target, reader, writer);
  }
  return report;
}

std::string MirrorReport::table() const {
  Table table({"IMAGE", "DIGEST", "WHAT", "SIZE"});
  for (const Row& row : rows)
    table.add({printable(row.to.str()), row.digest.short_hex(),
               dry_run && row.how != Uploaded::was_there ? "would be " + to_string(row.how)
                                                         : to_string(row.how),
               human_size(row.size)});
  std::string text = table.str();
  for (const Row& row : rows) {
    if (row.digest == row.source_digest) continue;
    text += fmt::format("{}: of the list {} this platform's manifest, {}\n",
                        printable(row.to.str()), row.source_digest.str(), row.digest.str());
  }
  return text;
}

Json MirrorReport::json() const {
  Json list = Json::array();
  for (const Row& row : rows) {
    list.push_back({{"from", row.from.str()},
                    {"to", row.to.str()},
                    {"digest", row.digest.str()},
                    {"source_digest", row.source_digest.str()},
                    {"what", to_string(row.how)},
                    {"size", row.size},
                    {"sent", row.sent}});
  }
  return {{"images", std::move(list)}, {"dryRun", dry_run}};
}

}  // namespace kbundle
