#include "builder/settings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "core/user_folders.hpp"

namespace kbundle {
namespace {

[[noreturn]] void usage(const std::string& message, const std::string& hint = {}) {
  throw Error(ExitCode::usage, message, hint);
}

std::filesystem::path beside_this_executable(const char* name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::path(name) : self.parent_path() / name;
}

// What --without calls the image that holds the address of `install --vip`.
constexpr const char* kKeepalived = "keepalived";

void sort_once(std::vector<std::string>& words) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
}

void settle_architectures(Settings& settings, const BuildOptions& options, const Catalog& catalog) {
  std::vector<std::string> architectures = options.architectures;
  if (architectures.empty() && settings.lock) architectures = settings.lock->architectures;
  if (architectures.empty()) architectures = {Platform::of_host().architecture};
  if (architectures == std::vector<std::string>{"all"}) {
    const bool locked = options.without.empty() && settings.lock;
    architectures =
        catalog.architectures(settings.facts, locked ? settings.lock->without : options.without);
  }
  sort_once(architectures);
  if (settings.lock && architectures != settings.lock->architectures) {
    usage(fmt::format("the lock is for {}, not for {}",
                      fmt::join(settings.lock->architectures, ","), fmt::join(architectures, ",")),
          "leave --arch out, or build without --lock");
  }
  for (const std::string& architecture : architectures) {
    catalog.downloads(settings.facts, architecture);  // refuses one that it does not know
    settings.platforms.push_back({"linux", architecture, ""});
  }
}

void settle_without(Settings& settings, const BuildOptions& options, const Catalog& catalog) {
  settings.without = options.without;
  if (settings.without.empty() && settings.lock) settings.without = settings.lock->without;
  sort_once(settings.without);
  if (settings.lock && settings.without != settings.lock->without) {
    usage(fmt::format("the lock was made without {}, not without {}",
                      fmt::join(settings.lock->without, ","), fmt::join(settings.without, ",")),
          "leave --without out, or build without --lock");
  }
  std::vector<std::string> known;
  for (const auto& each :
       catalog.downloads(settings.facts, settings.platforms.front().architecture)) {
    known.push_back(each.component);
  }
  known.emplace_back(kKeepalived);
  for (const std::string& component : settings.without) {
    if (std::find(known.begin(), known.end(), component) == known.end()) {
      usage(fmt::format("there is no program \"{}\" to leave out", printable(component)),
            fmt::format("the programs are {}", fmt::join(known, ", ")));
    }
  }
}

void settle_with(Settings& settings, const BuildOptions& options, const Catalog& catalog) {
  settings.with = options.with;
  if (settings.with.empty() && settings.lock) settings.with = settings.lock->with;
  sort_once(settings.with);
  if (settings.lock && settings.with != settings.lock->with) {
    usage(fmt::format("the lock was made {}, not with {}",
                      settings.lock->with.empty()
                          ? "without optional programs"
                          : fmt::format("with {}", fmt::join(settings.lock->with, ",")),
                      fmt::join(settings.with, ",")),
          "leave --with out, or build without --lock");
  }
  for (const Platform& platform : settings.platforms) {
    const auto known = catalog.optional_programs(settings.facts, platform.architecture);
    for (const std::string& component : settings.with) {
      if (std::find(known.begin(), known.end(), component) == known.end()) {
        usage(fmt::format("there is no program \"{}\" to add to {} for {}", printable(component),
                          settings.facts.version.str(), platform.str()),
              known.empty() ? "leave --with out"
                            : fmt::format("--with takes {}", fmt::join(known, ", ")));
      }
    }
  }
}

void settle_cni(Settings& settings, const BuildOptions& options, const Catalog& catalog) {
  const auto locked = [&](std::string_view word) {
    return settings.lock->cni == word || settings.lock->cni.starts_with(std::string(word) + " ");
  };
  settings.cni = options.cni;
  if (settings.lock && settings.cni == "flannel" && !locked("flannel")) {
    settings.cni = settings.lock->cni;  // the flag's default says nothing
  }
  if (settings.cni == "none" || settings.cni == "file") {
  } else if (!catalog.cni(settings.facts, settings.cni, settings.platforms.front().architecture)) {
    if (!std::filesystem::is_regular_file(settings.cni)) {
      usage(fmt::format("--cni {}: neither flannel nor none, and no file of this name",
                        printable(settings.cni)));
    }
    settings.cni_file = settings.cni;
    settings.cni = "file";
  }
  if (settings.lock && !locked(settings.cni)) {
    usage(fmt::format("the lock was made with --cni {}", settings.lock->cni),
          "leave --cni out, or build without --lock");
  }
}

void settle_extra_images(Settings& settings, const BuildOptions& options) {
  for (const std::string& text : options.extra_images) {
    settings.extra_images.push_back(Reference::parse(text).str());
  }
  if (!settings.lock) return;
  for (const std::string& name : settings.extra_images) {
    const auto& images = settings.lock->images;
    if (std::none_of(images.begin(), images.end(),
                     [&](const LockedImage& image) { return image.name == name; })) {
      usage(fmt::format("{} is not in the lock, and nothing else passes with --lock", name),
            "build without --lock to make a new one");
    }
  }
}

}  // namespace

std::vector<Platform> Settings::keepalived_platforms() const {
  if (std::find(without.begin(), without.end(), kKeepalived) != without.end()) return {};
  if (lock && std::none_of(lock->images.begin(), lock->images.end(), [&](const LockedImage& image) {
        return image.name == facts.keepalived_image;
      }))
    return {};
  std::vector<Platform> result;
  const auto& known = facts.keepalived_architectures;
  for (const Platform& platform : platforms) {
    if (std::find(known.begin(), known.end(), platform.architecture) != known.end())
      result.push_back(platform);
  }
  return result;
}

std::string Settings::bundle_name() const {
  std::string name = "kubernetes-" + facts.version.str() + "-linux";
  for (const Platform& platform : platforms) name += "-" + platform.architecture;
  return name;
}

std::string Settings::line() const {
  std::string name = "kubernetes-v" + facts.version.minor_str() + "-linux";
  for (const Platform& platform : platforms) name += "-" + platform.architecture;
  return name;
}

Settings settle(const BuildOptions& options, const Catalog& catalog) {
  Settings settings;
  settings.facts = catalog.facts(options.version);
  if (options.lock_file) {
    settings.lock = Lock::parse(read_file(*options.lock_file, 4U << 20U),
                                printable(options.lock_file->string()));
    if (settings.lock->kubernetes_version != settings.facts.version.str()) {
      usage(fmt::format("{} is for Kubernetes {}, not {}", printable(options.lock_file->string()),
                        settings.lock->kubernetes_version, settings.facts.version.str()));
    }
  }
  settle_architectures(settings, options, catalog);
  settle_without(settings, options, catalog);
  settle_with(settings, options, catalog);
  settle_cni(settings, options, catalog);
  settle_extra_images(settings, options);
  if (options.parallel == 0 || options.parallel > 64) usage("--parallel takes 1 to 64");
  settings.output_dir = options.output_dir.empty() ? "." : options.output_dir;
  settings.cache_dir = options.cache_dir.empty() ? user_cache_folder() : options.cache_dir;
  settings.sign_key =
      options.sign_key.empty() ? user_config_folder() / "signing.key" : options.sign_key;
  settings.site_executable = !options.site_executable.empty()
                                 ? options.site_executable
                                 : beside_this_executable("kbundle-static");
  return settings;
}

}  // namespace kbundle
