#include "builder/build.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "builder/cni.hpp"
#include "builder/pack.hpp"
#include "builder/programs.hpp"
#include "builder/report.hpp"
#include "builder/resolve.hpp"
#include "builder/settings.hpp"
#include "bundles/keys.hpp"
#include "bundles/sums.hpp"
#include "bundles/writer.hpp"
#include "core/disk.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/lock.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"
#include "manifests/mirror_presets.hpp"
#include "registry/fetcher.hpp"
#include "registry/upstream.hpp"

namespace kbundle {
namespace {

using Clock = std::chrono::steady_clock;

template <typename Record, typename Test>
const Record* find_locked(const std::optional<Lock>& lock, const std::vector<Record> Lock::*list,
                          const std::string& what, Test test) {
  if (!lock) return nullptr;
  const auto& records = (*lock).*list;
  const auto found = std::find_if(records.begin(), records.end(), test);
  if (found != records.end()) return &*found;
  throw Error(ExitCode::verification,
              fmt::format("{} is not in the lock, and nothing else passes with --lock", what),
              "build without --lock to make a new one");
}

const LockedImage* locked_image(const std::optional<Lock>& lock, const std::string& name) {
  return find_locked(lock, &Lock::images, name,
                     [&](const LockedImage& image) { return image.name == name; });
}

const LockedFile* locked_file(const std::optional<Lock>& lock, const std::string& component,
                              const std::string& architecture) {
  return find_locked(lock, &Lock::files, component + " for " + architecture,
                     [&](const LockedFile& file) {
                       return file.component == component && file.architecture == architecture;
                     });
}

// kubeadm's, the add-on's, the user's (with a lock: whatever else it names), and keepalived's.
std::vector<WantedImage> wanted_images(const Settings& settings, const ResolvedCni& cni) {
  std::vector<WantedImage> wanted;
  for (const std::string& name : settings.facts.images) {
    wanted.push_back({Reference::parse(name), settings.platforms});
  }
  wanted.insert(wanted.end(), cni.images.begin(), cni.images.end());
  std::vector<std::string> extra = settings.extra_images;
  if (settings.lock) {
    extra.clear();
    for (const LockedImage& image : settings.lock->images) {
      const bool named = std::any_of(wanted.begin(), wanted.end(), [&](const WantedImage& each) {
        return each.name.str() == image.name;
      });
      if (!named) extra.push_back(image.name);
    }
  }
  for (const std::string& name : extra) {
    if (name == settings.facts.keepalived_image) continue;  // for fewer platforms
    wanted.push_back({Reference::parse(name), settings.platforms});
  }
  if (const auto platforms = settings.keepalived_platforms(); !platforms.empty())
    wanted.push_back({Reference::parse(settings.facts.keepalived_image), platforms});
  return merge_images(wanted);
}

// A mirror's word for what a name means is nobody's but its own.
void warn_of_uncompared(const std::vector<ResolvedImage>& images, Progress& progress) {
  std::string text;
  for (const ResolvedImage& image : images) {
    if (image.compared != Compared::no) continue;
    text += fmt::format("\n  {}\n    not compared with upstream: {} by {}", image.name.str(),
                        image.digest.str(), image.from);
  }
  if (text.empty()) return;
  progress.warn(
      fmt::format("only mirrors said which digests these names have; bundle.lock holds "
                  "them: compare them with upstream's when you can{}",
                  text));
}

// Where it is known that nobody answers, a connection is waited for in vain.
void warn_of_dead_mirrors(const Mirrors& mirrors, Progress& progress) {
  std::set<std::string> told;
  for (const MirrorRule& rule : mirrors.rules()) {
    const MirrorPreset* dead = MirrorPresets::builtin().dead_place(rule.to);
    if (dead == nullptr || !told.insert(rule.to).second) continue;
    progress.warn(fmt::format("the mirror {} is dead: {}; take --mirror-preset {}", rule.to,
                              dead->dead, dead->instead));
  }
}

std::vector<ResolvedImage> resolve_images(Fetcher& fetcher, const Settings& settings,
                                          const std::vector<WantedImage>& wanted, bool referrers,
                                          std::size_t parallel, Progress& progress) {
  std::vector<ResolvedImage> images(wanted.size());
  const auto task = progress.start(fmt::format("{} image names to digests", wanted.size()));
  for_each_parallel(wanted.size(), parallel, [&](std::size_t index) {
    const WantedImage& each = wanted[index];
    const LockedImage* locked = locked_image(settings.lock, each.name.str());
    images[index] = resolve_image(fetcher, each, locked);
    if (referrers || locked != nullptr) resolve_referrers(fetcher, images[index], locked);
  });
  task->done(settings.lock ? "the lock's" : "");
  warn_of_uncompared(images, progress);
  return images;
}

std::vector<ResolvedFile> fetch_programs(Fetcher& fetcher, const Settings& settings,
                                         const Catalog& catalog, std::size_t parallel,
                                         Progress& progress) {
  struct Job {
    DownloadFacts facts;
    std::string architecture;
  };
  std::vector<Job> jobs;
  for (const Platform& platform : settings.platforms) {
    for (DownloadFacts& facts :
         catalog.downloads(settings.facts, platform.architecture, settings.with)) {
      const auto& without = settings.without;
      if (std::find(without.begin(), without.end(), facts.component) == without.end()) {
        jobs.push_back({std::move(facts), platform.architecture});
      }
    }
  }
  std::vector<ResolvedFile> files(jobs.size());
  for_each_parallel(jobs.size(), parallel, [&](std::size_t index) {
    const Job& job = jobs[index];
    files[index] = with_context(
        fmt::format("getting {} {} for {}", job.facts.component, job.facts.version,
                    job.architecture),
        [&] {
          return fetch_program(fetcher, job.facts, job.architecture,
                               locked_file(settings.lock, job.facts.component, job.architecture),
                               progress);
        });
  });
  return files;
}

// The lock that was given, or a new one of what was found.
Lock settled_lock(const Settings& settings, const Resolved& resolved, Progress& progress) {
  if (settings.lock) {
    if (settings.lock->files.size() != resolved.files.size()) {
      throw Error(ExitCode::usage, "the lock names files that this kbundle does not know",
                  fmt::format("use kbundle {}, which wrote it", settings.lock->kbundle_version));
    }
    if (settings.lock->kbundle_version != kbundle_version()) {
      progress.warn(
          fmt::format("kbundle {} wrote the lock and this is {}: the bundle will hold the "
                      "same, but not be the same bit for bit",
                      settings.lock->kbundle_version, kbundle_version()));
    }
    return *settings.lock;
  }
  Lock lock;
  lock.kbundle_version = kbundle_version();
  lock.kubernetes_version = settings.facts.version.str();
  lock.line = settings.line();
  lock.created = rfc3339(std::chrono::system_clock::now());
  for (const Platform& platform : settings.platforms) {
    lock.architectures.push_back(platform.architecture);
  }
  lock.cni = resolved.cni.name;
  lock.without = settings.without;
  lock.with = settings.with;
  for (const ResolvedImage& image : resolved.images) lock.images.push_back(image.locked());
  for (const ResolvedFile& file : resolved.files) lock.files.push_back(file.locked);
  return lock;
}

struct SigningKey {
  PrivateKey key;
  bool is_new = false;
};

SigningKey signing_key(const std::filesystem::path& file, Progress& progress) {
  if (std::filesystem::exists(file)) return {PrivateKey::read(file), false};
  make_folders(file.parent_path(), 0700);
  const PrivateKey key = PrivateKey::generate();
  key.write(file);
  progress.line(fmt::format("a new signing key was made: {}\nits fingerprint: {}",
                            printable(file.string()), key.public_key().fingerprint()));
  return {key, true};
}

void check_download_room(const Fetcher& fetcher, const Settings& settings,
                         const std::vector<BlobToFetch>& blobs) {
  std::uint64_t cache = needed_bytes(fetcher.store(), blobs);
  std::uint64_t bundle = total_bytes(blobs);
  if (settings.lock) {  // otherwise the sizes of programs are not known before they are here
    for (const LockedFile& file : settings.lock->files) {
      if (!fetcher.store().find(file.digest)) cache += file.size;
      bundle += file.size / 5;
    }
  }
  check_room(
      {{settings.cache_dir, cache, "the cache"}, {settings.output_dir, bundle, "the bundle"}});
}

// Copies the static executable beside the bundle; false when there is none for these sites.
bool copy_site_executable(const Settings& settings, Progress& progress) {
  const auto& from = settings.site_executable;
  const std::string host = Platform::of_host().architecture;
  const bool fits = std::any_of(settings.platforms.begin(), settings.platforms.end(),
                                [&](const Platform& each) { return each.architecture == host; });
  if (!fits || !std::filesystem::is_regular_file(from)) {
    progress.warn(fits ? fmt::format("there is no {} to put beside the bundle; the site needs a "
                                     "static kbundle from elsewhere",
                                     printable(from.string()))
                       : fmt::format("this host is {}; the site needs a static kbundle of its own "
                                     "architecture beside the bundle",
                                     host));
    return false;
  }
  auto source = FdSource::open(from);
  AtomicFile target(settings.output_dir / "kbundle", 0755);
  copy(source, target);
  target.commit();
  return true;
}

}  // namespace

BuildReport build(const BuildOptions& options, Progress& progress, Upstream& upstream) {
  const auto started = std::chrono::system_clock::now();
  const auto start = Clock::now();
  const Catalog& catalog = Catalog::builtin();
  const Settings settings = settle(options, catalog);
  warn_of_dead_mirrors(options.mirrors, progress);
  BuildReport report;
  if (options.dry_run) {
    report.plan = plan_text(settings, options, catalog);
    return report;
  }

  make_folders(settings.output_dir);
  std::error_code none;
  if (std::filesystem::equivalent(settings.output_dir / "kbundle", "/proc/self/exe", none)) {
    throw Error(ExitCode::usage,
                "the output folder holds the kbundle that is running; the site's would replace it",
                "name another folder: -o DIR");
  }
  make_folders(settings.cache_dir, 0700);
  const ProcessLock lock(settings.cache_dir / "lock");
  check_writable(settings.output_dir);
  check_writable(settings.cache_dir);
  for (const auto& folder : {settings.output_dir, settings.cache_dir / "blobs/sha256",
                             std::filesystem::absolute(settings.sign_key).parent_path()}) {
    if (const auto freed = remove_stale_temporaries(folder); freed > 0) {
      progress.line(fmt::format("removed what an earlier run left in {}: {}",
                                printable(folder.string()), human_size(freed)));
    }
  }
  const SigningKey signer = signing_key(settings.sign_key, progress);
  BlobStore store(settings.cache_dir);
  Fetcher fetcher(upstream, options.mirrors, store);

  Resolved resolved;
  resolved.cni = resolve_cni(fetcher, settings, catalog, progress);
  resolved.images = resolve_images(fetcher, settings, wanted_images(settings, resolved.cni),
                                   options.referrers, options.parallel, progress);
  std::vector<BlobToFetch> blobs;
  for (const ResolvedImage& image : resolved.images) {
    for (BlobToFetch& blob : image.blobs()) blobs.push_back(std::move(blob));
  }
  check_download_room(fetcher, settings, blobs);
  fetch_blobs(fetcher, blobs, options.parallel, progress);
  resolved.files = fetch_programs(fetcher, settings, catalog, options.parallel, progress);
  if (resolved.cni.file) resolved.files.push_back(*resolved.cni.file);
  resolved.lock = settled_lock(settings, resolved, progress);

  const Inventory inventory = make_inventory(settings, resolved, store);
  check_closed(settings, catalog, inventory, store);
  check_room({{settings.output_dir, least_bundle_size(inventory), "the bundle"}});

  report.bundle = settings.output_dir / (settings.bundle_name() + ".tar.zst");
  report.line = inventory.line;
  report.serial = inventory.serial;
  report.images = inventory.images.size();
  report.not_compared = static_cast<std::size_t>(
      std::count_if(resolved.images.begin(), resolved.images.end(),
                    [](const auto& image) { return image.compared == Compared::no; }));
  report.files = inventory.files.size();
  report.key_fingerprint = signer.key.public_key().fingerprint();
  if (signer.is_new) report.new_key = settings.sign_key;
  // An older bundle's sums shall not stand beside this one, should the rest not be reached.
  std::filesystem::remove(settings.output_dir / kSumsSignatureFile, none);
  const WriteResult written = write_bundle(
      report.bundle, inventory, [&](const Digest& digest) { return open_cached(store, digest); },
      signer.key, {}, progress);
  report.id = written.id;
  report.size = written.size;
  report.fetched = fetcher.fetched();
  report.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);

  const std::string report_name = settings.bundle_name() + ".report.json";
  std::vector<std::string> names{report.bundle.filename().string(), "bundle.lock", "kbundle.pub",
                                 report_name};
  write_file(settings.output_dir / "bundle.lock", resolved.lock.serialize());
  write_file(settings.output_dir / "kbundle.pub", signer.key.public_key().pem());
  write_file(settings.output_dir / report_name, report_json(report, resolved, fetcher, started));
  report.has_site_executable = copy_site_executable(settings, progress);
  if (report.has_site_executable) names.emplace_back("kbundle");
  write_sums(settings.output_dir, names, signer.key);
  return report;
}

BuildReport build(const BuildOptions& options, Progress& progress) {
  const auto upstream = make_upstream(options.transport);
  return build(options, progress, *upstream);
}

}  // namespace kbundle
