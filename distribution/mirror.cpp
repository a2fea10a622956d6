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
#include "manifests/catalog.hpp"

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
    return fetcher_.store().open(blob.digest, offset);
  }

 private:
  Fetcher& fetcher_;
  std::map<Digest, Reference> repositories_;
};

// Where a registry does not know the referrers API, the list stands under a tag.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pushing-manifests-with-subject
void list_referrers(const ImageTree& tree, const Reference& target, RegistryClient& reader,
                    PushClient& writer) {
  std::set<Digest> subjects;
  for (const ImageTree::Link& link : tree.referrers) subjects.insert(link.subject);
  for (const Digest& subject : subjects) {
    Json entries = Json::array();
    std::set<Digest> listed;
    const auto add = [&](const Descriptor& descriptor) {
      if (!listed.insert(descriptor.digest).second) return false;
      Json entry = {{"mediaType", descriptor.media_type},
                    {"digest", descriptor.digest.str()},
                    {"size", descriptor.size}};
      if (!descriptor.artifact_type.empty()) entry["artifactType"] = descriptor.artifact_type;
      if (!descriptor.annotations.empty()) entry["annotations"] = descriptor.annotations;
      entries.push_back(std::move(entry));
      return true;
    };
    for (const Referrer& known : reader.referrers(target.with_digest(subject))) {
      if (known.tag.empty()) add(known.descriptor);
    }
    bool missing = false;
    for (const ImageTree::Link& link : tree.referrers) {
      if (link.subject == subject) missing = add(link.referrer) || missing;
    }
    if (!missing) continue;
    writer.manifest(target.with_digest({}).with_tag(subject.algorithm() + "-" + subject.hex()),
                    canonical_json({{"schemaVersion", 2},
                                    {"mediaType", media_type::oci_index},
                                    {"manifests", std::move(entries)}}),
                    media_type::oci_index);
  }
}

std::uint64_t size_of(const UploadImage& image) {
  std::uint64_t size = 0;
  for (const auto& document : image.documents) size += document.descriptor.size;
  for (const auto& blob : image.blobs) size += blob.size;
  return size;
}

}  // namespace

ImageCopy image_copy(std::string_view from, std::string_view to) {
  ImageCopy copy{Reference::parse(from), {}};
  Reference target = Reference::parse(to);
  if (!has_tag_or_digest(to)) {
    const Reference& source = copy.from;
    target = source.tag().empty() ? target.with_digest(source.digest()).with_tag("")
                                  : target.with_tag(source.tag());
  }
  copy.to.push_back(target);
  return copy;
}

std::vector<ImageCopy> version_copies(std::string_view version, std::string_view to) {
  const auto prefix = RegistryPrefix::parse(to);
  std::vector<ImageCopy> copies;
  for (const std::string& name :
       Catalog::builtin().image_names(version, Platform::of_host().architecture, "flannel")) {
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

  MirrorReport report;
  std::vector<UploadImage> images;
  std::vector<const ImageTree*> tree_of;
  for (std::size_t i = 0; i < trees.size(); ++i) {
    const Digest root = root_to_push(trees[i]);
    for (const Reference& target : options.copies[i].to) {
      images.push_back(upload_of(trees[i], target, root));
      tree_of.push_back(&trees[i]);
      report.rows.push_back({options.copies[i].from, target, root, trees[i].root,
                             Uploaded::was_there, size_of(images.back()), 0});
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
    if (!options.upload.dry_run) list_referrers(*tree_of[i], images[i].target, reader, writer);
  }
  return report;
}

std::string MirrorReport::table() const {
  Table table({"IMAGE", "DIGEST", "WHAT", "SIZE"});
  for (const Row& row : rows)
    table.add({printable(row.to.str()), row.digest.short_hex(), to_string(row.how),
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
  return {{"images", std::move(list)}};
}

}  // namespace kbundle
