#include "distribution/pull.hpp"

#include <fmt/format.h>

#include <set>

#include "bundles/layout.hpp"
#include "core/disk.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/lock.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"
#include "distribution/layout_index.hpp"
#include "distribution/names.hpp"

namespace kbundle {
namespace {

std::vector<Reference> wanted_images(const PullOptions& options) {
  std::vector<std::string> names = options.images;
  if (!options.version.empty()) {
    for (const std::string& name : version_images(options.version, options.selection))
      names.push_back(name);
  }
  if (names.empty())
    throw Error(ExitCode::usage, "no image was named",
                "name images, or a set of them: kbundle pull --version v1.18.2 -o DIR");
  std::vector<Reference> images;
  std::set<Reference> seen;
  for (const std::string& name : names) {
    const Reference image = Reference::parse(name);
    if (seen.insert(image).second) images.push_back(image);
  }
  return images;
}

// Temporaries of a run that was killed while it published a file.
void remove_leftovers(const std::filesystem::path& layout, Progress& progress) {
  std::uint64_t freed = 0;
  for (const auto& folder : {layout, layout / "blobs" / "sha256"})
    freed += remove_stale_temporaries(folder);
  if (freed > 0)
    progress.line(fmt::format("removed what an interrupted run left in {}: {}",
                              printable(layout.string()), human_size(freed)));
}

PullReport::Image report_of(const ImageTree& tree) {
  PullReport::Image image{tree.name.str(),       tree.root,   tree.from,    0,
                          tree.referrers.size(), tree.sparse, tree.mirrored};
  for (const auto& document : tree.documents) {
    image.size += document.descriptor.size;
    if (!document.tag.empty()) ++image.referrers;
  }
  image.size += total_bytes(tree.blobs);
  return image;
}

}  // namespace

PullReport pull(const PullOptions& options, Progress& progress) {
  const auto images = wanted_images(options);
  BlobStore store(options.output_dir);
  const std::filesystem::path partial = options.output_dir / "partial";
  const std::filesystem::path lock_file = partial / "lock";
  PullReport report;
  {
    const ProcessLock lock(lock_file);
    remove_leftovers(options.output_dir, progress);
    const auto upstream = make_upstream(options.transport);
    Fetcher fetcher(*upstream, options.mirrors, store);

    std::vector<ImageTree> trees(images.size());
    const auto task = progress.start(fmt::format("{} manifests", images.size()));
    for_each_parallel(images.size(), options.parallel, [&](std::size_t i) {
      trees[i] = fetch_tree(fetcher, images[i], options.selection);
    });
    task->done("digests held");
    warn_of_uncompared(trees, progress);
    std::vector<BlobToFetch> blobs;
    for (const ImageTree& tree : trees)
      blobs.insert(blobs.end(), tree.blobs.begin(), tree.blobs.end());
    drop_damaged(store, blobs, options.parallel, progress);
    check_room({{options.output_dir, needed_bytes(store, blobs), "the images"}});
    fetch_blobs(fetcher, blobs, options.parallel, progress);

    LayoutIndex index = LayoutIndex::read(options.output_dir / "index.json");
    for (const ImageTree& tree : trees) {
      index.put(tree);
      report.images.push_back(report_of(tree));
    }
    write_file(options.output_dir / "oci-layout", kOciLayout);
    write_file(options.output_dir / "index.json", index.serialize());
    report.fetched = fetcher.fetched();
    std::error_code left_by_another_pull;
    std::filesystem::remove(lock_file, left_by_another_pull);
  }
  std::error_code still_used;
  std::filesystem::remove(partial, still_used);  // empty now, and no part of a layout
  return report;
}

std::string PullReport::table() const {
  Table table({"IMAGE", "DIGEST", "SIZE"});
  for (const Image& image : images)
    table.add({printable(image.name), image.digest.short_hex(), human_size(image.size)});
  std::string text = table.str();
  for (const Image& image : images) {
    if (image.sparse) {
      text +=
          "Lists of several platforms are kept whole; of their images only those chosen are "
          "here.\n";
      break;
    }
  }
  return text;
}

Json PullReport::json() const {
  Json list = Json::array();
  for (const Image& image : images) {
    list.push_back({{"name", image.name},
                    {"digest", image.digest.str()},
                    {"from", image.from},
                    {"size", image.size},
                    {"referrers", image.referrers},
                    {"sparse", image.sparse},
                    {"compared", !image.mirrored}});
  }
  return {{"images", std::move(list)}, {"fetched", fetched}};
}

}  // namespace kbundle
