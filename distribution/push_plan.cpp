#include "distribution/push_plan.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

// An index may hold indexes; no deeper than anybody nests them.
constexpr int kMaxDepth = 4;

std::string name_of(const Descriptor& entry) {
  return entry.platform ? entry.platform->str() : entry.digest.str();
}

// As the list of referrers gives it: for manifests without one, the config's media type.
std::string artifact_type_of(const ImageTree::Document& document) {
  const Manifest manifest = Manifest::parse(document.bytes, document.descriptor.media_type,
                                            document.descriptor.digest.str());
  return manifest.artifact_type.empty() ? manifest.config.media_type : manifest.artifact_type;
}

std::vector<std::string> names_of(const std::vector<ImagePlatform>& platforms) {
  std::vector<std::string> names;
  for (const ImagePlatform& one : platforms) names.push_back(one.platform.str());
  return names;
}

class Planner {
 public:
  Planner(const Bundle& bundle, const RegistryPrefix& registry, const Selection& selection)
      : bundle_(bundle), registry_(registry), selection_(selection) {}

  PushPlan plan() {
    for (const ImageRecord& record : bundle_.inventory().images) add(record);
    return std::move(plan_);
  }

 private:
  // Of the record's platforms those that are wanted.
  std::vector<ImagePlatform> chosen(const ImageRecord& record) const {
    if (selection_.all || selection_.platforms.empty()) return record.platforms;
    std::vector<ImagePlatform> result;
    for (const ImagePlatform& one : record.platforms) {
      if (std::any_of(selection_.platforms.begin(), selection_.platforms.end(),
                      [&](const Platform& wanted) { return wanted.accepts(one.platform); }))
        result.push_back(one);
    }
    return result;
  }

  void add(const ImageRecord& record) {
    const std::string& name = record.names.front();
    PushPlan::Image image;
    image.upstream = name;
    const auto platforms = chosen(record);
    image.platforms = names_of(platforms);
    if (platforms.empty()) {
      plan_.left_out.push_back(
          fmt::format("{} ({})", name, join(names_of(record.platforms), ", ")));
      return;
    }
    if (media_type::is_index(record.media_type))
      add_list(record, platforms, image);
    else
      add_document(record.digest, record.media_type, image, 0);
    add_referrers(record, image);
    image.size = content_size(image.upload);
    add_names(record, image);
  }

  void add_list(const ImageRecord& record, const std::vector<ImagePlatform>& platforms,
                PushPlan::Image& image) {
    const Index index =
        Index::parse(bundle_.read_blob(record.digest), record.media_type, record.names.front());
    for (const Descriptor& entry : index.manifests) {
      if (bundle_.inventory().find_blob(entry.digest) == nullptr)
        image.missing.push_back(name_of(entry));
    }
    const bool choice = selection_.all || !selection_.platforms.empty();
    if (platforms.size() == 1 && !selection_.all && (choice || !image.missing.empty())) {
      image.list = record.digest;
      image.missing.clear();
      return add_platform(platforms.front(), index, image);
    }
    if (!choice && !image.missing.empty()) refuse_to_choose(record, image);
    if (selection_.all || !choice) return add_document(record.digest, record.media_type, image, 0);
    // The list with some of its platforms.
    for (const ImagePlatform& platform : platforms) add_platform(platform, index, image);
    image.missing.clear();
    for (const Descriptor& entry : index.manifests) {
      if (!has_document(image.upload, entry.digest)) image.missing.push_back(name_of(entry));
    }
    add_root(record.digest, record.media_type, image);
  }

  // Signatures and the like of what goes.
  void add_referrers(const ImageRecord& record, PushPlan::Image& image) {
    const Digest root = image.upload.root;
    for (const ReferrerRecord& referrer : record.referrers) {
      if (!has_document(image.upload, referrer.subject)) continue;
      add_document(referrer.digest, referrer.media_type, image, 0);
      ImageTree::Document& document = image.upload.documents.back();
      document.tag = referrer.tag;
      if (!referrer.tag.empty()) continue;
      Descriptor listed = document.descriptor;
      listed.artifact_type = artifact_type_of(document);
      image.referrers.push_back({std::move(listed), referrer.subject});
    }
    image.upload.root = root;
  }

  static bool has_document(const UploadImage& image, const Digest& digest) {
    return std::any_of(image.documents.begin(), image.documents.end(),
                       [&](const auto& one) { return one.descriptor.digest == digest; });
  }

  [[noreturn]] static void refuse_to_choose(const ImageRecord& record,
                                            const PushPlan::Image& image) {
    throw Error(
        ExitCode::usage,
        fmt::format("of the list {} the bundle has {}, but not {}", printable(record.names.front()),
                    join(image.platforms, ", "), printable(join(image.missing, ", "))),
        fmt::format("choose one, --arch {}, or push the list with what is there, --arch "
                    "all (not every registry takes it)",
                    record.platforms.front().platform.architecture));
  }

  void add_platform(const ImagePlatform& platform, const Index& index, PushPlan::Image& image) {
    const auto entry =
        std::find_if(index.manifests.begin(), index.manifests.end(),
                     [&](const Descriptor& one) { return one.digest == platform.manifest; });
    if (entry == index.manifests.end())
      throw Error(ExitCode::verification,
                  fmt::format("the list of {} does not name the manifest {}",
                              printable(image.upstream), platform.manifest.str()),
                  "the bundle was built wrongly; build it again");
    add_document(entry->digest, entry->media_type, image, 0);
  }

  // A document with what it names, as far as the bundle has it; it becomes the root.
  void add_document(const Digest& digest, const std::string& type, PushPlan::Image& image,
                    int depth) {
    if (depth > kMaxDepth)
      throw Error(ExitCode::verification, fmt::format("{}: lists in lists, more than {} deep",
                                                      printable(image.upstream), kMaxDepth));
    const std::string bytes = bundle_.read_blob(digest);
    if (media_type::is_index(type)) {
      for (const Descriptor& entry : Index::parse(bytes, type, image.upstream).manifests) {
        if (bundle_.inventory().find_blob(entry.digest) != nullptr)
          add_document(entry.digest, entry.media_type, image, depth + 1);
      }
    } else {
      const Manifest manifest = Manifest::parse(bytes, type, image.upstream);
      add_blob(manifest.config, image);
      for (const Descriptor& layer : manifest.layers) add_blob(layer, image);
    }
    add_root(digest, type, image);
  }

  void add_root(const Digest& digest, const std::string& type, PushPlan::Image& image) {
    image.upload.root = digest;
    if (has_document(image.upload, digest)) return;
    ImageTree::Document document;
    document.bytes = bundle_.read_blob(digest);
    document.descriptor.media_type = type;
    document.descriptor.digest = digest;
    document.descriptor.size = document.bytes.size();
    image.upload.documents.push_back(std::move(document));
  }

  void add_blob(const Descriptor& blob, PushPlan::Image& image) {
    const BlobRecord* record = bundle_.inventory().find_blob(blob.digest);
    if (record == nullptr || record->size != blob.size)
      throw Error(ExitCode::verification,
                  fmt::format("the image {} names {} with {} bytes, which is not in the bundle",
                              printable(image.upstream), blob.digest.str(), blob.size),
                  "the bundle was built wrongly; build it again");
    auto& blobs = image.upload.blobs;
    if (std::none_of(blobs.begin(), blobs.end(),
                     [&](const Descriptor& one) { return one.digest == blob.digest; }))
      blobs.push_back(blob);
  }

  // The image once for each name it gets in the registry.
  void add_names(const ImageRecord& record, const PushPlan::Image& image) {
    for (const std::string& text : record.names) {
      const Reference upstream = Reference::parse(text);
      plan_.upstreams.insert(upstream.host());
      for (const std::string& repository :
           repositories_of(upstream, bundle_.inventory().kubernetes_version)) {
        // A digest in the name is upstream's, and need not be that of what goes.
        Reference target = registry_.name(upstream.with_repository(repository)).with_digest({});
        if (target.tag().empty()) target = target.with_digest(image.upload.root);
        const auto [taken, is_new] = taken_.try_emplace(target, plan_.images.size());
        if (is_new) {
          plan_.images.push_back(image);
          plan_.images.back().upload.target = target;
        } else {
          check_same(plan_.images[taken->second], image, target);
        }
      }
    }
  }

  static void check_same(const PushPlan::Image& first, const PushPlan::Image& second,
                         const Reference& target) {
    if (first.upload.root == second.upload.root) return;
    throw Error(ExitCode::usage,
                fmt::format("{} ({}) and {} ({}) would both become {}", printable(first.upstream),
                            first.upload.root.short_hex(), printable(second.upstream),
                            second.upload.root.short_hex(), target.str()),
                "`kbundle serve BUNDLE` serves both");
  }

  const Bundle& bundle_;
  const RegistryPrefix& registry_;
  const Selection& selection_;
  PushPlan plan_;
  std::map<Reference, std::size_t> taken_;  // what got the name, as an index into the plan
};

}  // namespace

PushPlan plan_push(const Bundle& bundle, const RegistryPrefix& registry,
                   const Selection& selection) {
  PushPlan plan = Planner(bundle, registry, selection).plan();
  if (plan.images.empty())
    throw Error(ExitCode::usage, plan.left_out.empty()
                                     ? "the bundle has no images"
                                     : "the bundle has no image of the chosen platform, only " +
                                           printable(join(plan.left_out, ", ")));
  return plan;
}

}  // namespace kbundle
