#include "builder/report.hpp"

#include <fmt/format.h>

#include "core/json.hpp"
#include "core/text.hpp"
#include "core/version.hpp"

namespace kbundle {

std::string report_json(const BuildReport& report, const Resolved& resolved, const Fetcher& fetcher,
                        std::chrono::system_clock::time_point started) {
  const auto origins = fetcher.origins();
  const auto origin = [&](const Digest& digest) {
    const auto found = origins.find(digest.str());
    return found == origins.end() ? std::string("cache") : found->second;
  };
  Json root = Json::object();
  root["bundle"] = report.bundle.filename().string();
  root["id"] = report.id;
  root["size"] = report.size;
  root["kbundle"] = kbundle_version();
  root["started"] = rfc3339(started);
  root["seconds"] = static_cast<double>(report.elapsed.count()) / 1000.0;
  root["fetched"] = report.fetched;
  root["images"] = Json::array();
  for (const ResolvedImage& image : resolved.images) {
    Json blobs = Json::array();
    for (const BlobToFetch& blob : image.blobs()) {
      blobs.push_back({{"digest", blob.descriptor.digest.str()},
                       {"size", blob.descriptor.size},
                       {"from", origin(blob.descriptor.digest)}});
    }
    Json sizes = Json::object();
    for (const ResolvedPlatform& each : image.platforms) {
      sizes[each.platform.str()] = image.compressed_size(each.platform);
    }
    root["images"].push_back({{"name", image.name.str()},
                              {"digest", image.digest.str()},
                              {"resolvedAt", image.from},
                              {"compared", name_of(image.compared)},
                              {"compressedSize", std::move(sizes)},
                              {"blobs", std::move(blobs)}});
  }
  root["files"] = Json::array();
  for (const ResolvedFile& file : resolved.files) {
    root["files"].push_back({{"component", file.locked.component},
                             {"version", file.locked.version},
                             {"architecture", file.locked.architecture},
                             {"url", file.locked.url},
                             {"from", file.from},
                             {"sum", file.locked.sum},
                             {"sumFrom", file.sum_from},
                             {"digest", file.locked.digest.str()},
                             {"size", file.locked.size}});
  }
  return root.dump(2) + "\n";
}

std::string BuildReport::summary() const {
  if (!plan.empty()) return plan;
  std::string text = fmt::format(
      "built {}\n"
      "  size     {}, {} images, {} files to install\n"
      "  id       {}\n"
      "  line     {}, serial {}\n"
      "  signed   {}\n"
      "  fetched  {} in {}\n",
      printable(bundle.string()), human_size(size), images, files, id, line, serial,
      key_fingerprint, human_size(fetched), human_duration(elapsed));
  if (not_compared > 0) {
    text += fmt::format("  mirrors  {} of {} images not compared with upstream\n", not_compared,
                        images);
  }
  if (!new_key.empty()) {
    text += fmt::format(
        "a new signing key was made: {}\n"
        "  keep it safe, and write the fingerprint above down: it goes to the sites by another way "
        "than the bundle\n",
        printable(new_key.string()));
  }
  const std::string folder =
      bundle.has_parent_path() ? printable(bundle.parent_path().string()) : std::string(".");
  text += fmt::format(
      "next: carry the folder {} to the site; there check SHA256SUMS, then{}\n"
      "  ./kbundle install --role master --key kbundle.pub --key-fingerprint \"{}\"\n",
      folder, has_site_executable ? "" : " (with a static kbundle for it)", key_fingerprint);
  return text;
}

}  // namespace kbundle
