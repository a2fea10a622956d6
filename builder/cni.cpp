#include "builder/cni.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "manifests/cni_manifest.hpp"

namespace kbundle {
namespace {

constexpr std::uint64_t kMaxManifest = 4U << 20U;

const LockedFile* locked_manifest(const Settings& settings) {
  if (!settings.lock) return nullptr;
  for (const LockedFile& file : settings.lock->files) {
    if (file.component == kCniComponent) return &file;
  }
  throw Error(ExitCode::verification, "the lock names no cni-manifest",
              "build without --lock to make a new one");
}

void check_locked(const LockedFile* locked, const std::string& text) {
  if (locked == nullptr || sha256(text) == locked->digest) return;
  throw Error(ExitCode::verification, fmt::format("its digest is {}, the lock wants {}",
                                                  sha256(text).str(), locked->digest.str()));
}

// The manifest's text and where it came from.
Fetcher::Text manifest_text(Fetcher& fetcher, const Settings& settings, const std::string& url,
                            const LockedFile* locked) {
  if (locked != nullptr) {
    auto cached = fetcher.store().read_if_sound(locked->digest, locked->size, kMaxManifest);
    if (cached) return {*std::move(cached), "cache"};
  }
  if (settings.cni != "file") {
    return fetcher.file(url, kMaxManifest, [&](const std::string& text) {
      check_locked(locked, text);
      for (const Platform& platform : settings.platforms) {
        images_in_manifest(text, platform.architecture, url);
      }
    });
  }
  if (settings.cni_file.empty()) {
    throw Error(ExitCode::usage, "the lock was made with a network manifest of one's own",
                "name the same file again: --cni FILE");
  }
  const std::string what = printable(settings.cni_file.string());
  std::string text = read_file(settings.cni_file, kMaxManifest);
  with_context(what, [&] { check_locked(locked, text); });
  return {std::move(text), what};
}

void warn_of_difference(const CniFacts& facts, const std::string& architecture,
                        const std::string& text, Progress& progress) {
  auto found = images_in_manifest(text, architecture, facts.manifest_url);
  auto known = facts.images;
  std::sort(found.begin(), found.end());
  std::sort(known.begin(), known.end());
  if (found == known) return;
  progress.warn(fmt::format("{} {}'s manifest names {}, the catalog {}; the manifest counts",
                            facts.name, facts.version, fmt::join(found, ", "),
                            fmt::join(known, ", ")));
}

}  // namespace

std::vector<WantedImage> manifest_images(const std::string& yaml,
                                         const std::vector<Platform>& platforms,
                                         const std::string& what) {
  std::vector<WantedImage> wanted;
  for (const Platform& platform : platforms) {
    for (const std::string& image : images_in_manifest(yaml, platform.architecture, what)) {
      wanted.push_back({Reference::parse(image), {platform}});
    }
  }
  return wanted;
}

ResolvedCni resolve_cni(Fetcher& fetcher, const Settings& settings, const Catalog& catalog,
                        Progress& progress) {
  ResolvedCni cni;
  cni.name = settings.cni;
  if (settings.cni == "none") return cni;
  std::optional<CniFacts> facts;
  if (settings.cni != "file") {
    facts = catalog.cni(settings.facts, settings.cni, settings.platforms.front().architecture);
    cni.name = facts->name + " " + facts->version;
  }
  const LockedFile* locked = locked_manifest(settings);
  if (locked != nullptr) cni.name = settings.lock->cni;
  const std::string url = locked != nullptr ? locked->url
                          : facts           ? facts->manifest_url
                                            : "file:" + settings.cni_file.filename().string();
  const auto found = manifest_text(fetcher, settings, url, locked);
  const Digest digest = sha256(found.text);
  fetcher.store().put(digest, found.text);

  ResolvedFile file;
  file.locked = {kCniComponent, facts ? facts->version : "", "",        url,
                 digest,        found.text.size(),           "recorded"};
  if (locked != nullptr) file.locked = *locked;
  file.from = found.from;
  file.records.push_back({kCniComponent, kCniPath, 0644, Platform{"linux", "", ""}, digest,
                          found.text.size(), file.locked.version});
  cni.file = std::move(file);
  cni.images = manifest_images(found.text, settings.platforms, url);
  if (cni.images.empty()) {
    throw Error(ExitCode::verification, fmt::format("{} names no image at all", url));
  }
  if (facts && locked == nullptr) {
    if (found.from != url) {
      progress.warn(
          fmt::format("not compared with upstream: {} gave {} {}'s manifest, {}; "
                      "bundle.lock holds it",
                      found.from, facts->name, facts->version, digest.str()));
    }
    warn_of_difference(*facts, settings.platforms.front().architecture, found.text, progress);
  }
  return cni;
}

}  // namespace kbundle
