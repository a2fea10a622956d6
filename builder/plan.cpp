// The text of a dry run.
#include <fmt/format.h>

#include <algorithm>

#include "builder/settings.hpp"
#include "core/text.hpp"

namespace kbundle {
namespace {

std::string first_places(const std::vector<std::string>& places) {
  return fmt::format("{}", fmt::join(places, ", else "));
}

std::string image_places(const Mirrors& mirrors, const std::string& name) {
  std::vector<std::string> places;
  for (const Reference& place : mirrors.places(Reference::parse(name))) {
    places.push_back(place.str());
  }
  return first_places(places);
}

bool is_left_out(const Settings& settings, const std::string& component) {
  return std::find(settings.without.begin(), settings.without.end(), component) !=
         settings.without.end();
}

}  // namespace

std::string plan_text(const Settings& settings, const BuildOptions& options,
                      const Catalog& catalog) {
  const std::string name = settings.bundle_name();
  std::string text = fmt::format("plan: {} from {}, nothing is fetched or written\n", name,
                                 settings.lock ? "the lock" : "the catalog");
  std::vector<std::string> images = settings.facts.images;
  std::vector<std::string> files;
  for (const Platform& platform : settings.platforms) {
    const std::string& architecture = platform.architecture;
    if (const auto cni = catalog.cni(settings.facts, settings.cni, architecture)) {
      images.insert(images.end(), cni->images.begin(), cni->images.end());
      files.push_back(cni->manifest_url);
    }
    for (const DownloadFacts& file :
         catalog.downloads(settings.facts, architecture, settings.with)) {
      if (is_left_out(settings, file.component)) continue;
      files.push_back(file.url);
      if (!settings.lock && !file.sum_url.empty()) files.push_back(file.sum_url);
    }
  }
  images.insert(images.end(), settings.extra_images.begin(), settings.extra_images.end());
  if (!settings.keepalived_platforms().empty()) images.push_back(settings.facts.keepalived_image);
  if (settings.lock) {  // what is locked counts, not what this catalog would take today
    images.clear();
    files.clear();
    for (const LockedImage& image : settings.lock->images) {
      images.push_back(Reference::parse(image.name).with_digest(image.digest).str());
    }
    for (const LockedFile& file : settings.lock->files) files.push_back(file.url);
  }
  text += "\nimages\n";
  std::vector<std::string> seen;
  const auto is_new = [&](const std::string& what) {
    if (std::find(seen.begin(), seen.end(), what) != seen.end()) return false;
    seen.push_back(what);
    return true;
  };
  for (const std::string& image : images) {
    if (is_new(image)) text += fmt::format("  {}\n", image_places(options.mirrors, image));
  }
  if (settings.cni == "file") {
    text += fmt::format("  and those that {} names\n", printable(settings.cni_file.string()));
  }
  text += "\nfiles\n";
  for (const std::string& url : files) {
    if (is_new(url)) text += fmt::format("  {}\n", first_places(options.mirrors.places(url)));
  }
  const bool has_key = std::filesystem::exists(settings.sign_key);
  text += fmt::format(
      "\ninto {}\n  {}.tar.zst, {}.report.json, bundle.lock, kbundle.pub, SHA256SUMS, "
      "SHA256SUMS.sig{}\n  cache {}\n  signed by {}{}\n",
      printable(settings.output_dir.string()), name, name,
      std::filesystem::exists(settings.site_executable) ? ", kbundle" : "",
      printable(settings.cache_dir.string()), printable(settings.sign_key.string()),
      has_key ? "" : " (made new)");
  return text;
}

}  // namespace kbundle
