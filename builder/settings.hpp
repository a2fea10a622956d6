// What the options leave open, settled before anything is done.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "builder/build.hpp"
#include "manifests/catalog.hpp"
#include "manifests/lock.hpp"
#include "registry/types.hpp"

namespace kbundle {

struct Settings {
  KubernetesFacts facts;
  std::vector<Platform> platforms;        ///< sorted
  std::vector<std::string> without;       ///< sorted
  std::vector<std::string> with;          ///< sorted
  std::vector<std::string> extra_images;  ///< full references
  std::string cni;                        ///< "flannel", "none" or "file"
  std::filesystem::path cni_file;         ///< for "file"; may be empty with a lock
  std::optional<Lock> lock;
  std::filesystem::path output_dir, cache_dir, sign_key, site_executable;

  /// Those the image of `install --vip` comes along for; none with `--without keepalived`, or
  /// when the lock was made without it.
  std::vector<Platform> keepalived_platforms() const;
  std::string bundle_name() const;  ///< "kubernetes-v1.18.2-linux-amd64", without ".tar.zst"
  std::string line() const;         ///< "kubernetes-v1.18-linux-amd64"
};

/// Error{usage} for what does not go together, a lock that was made for something else included.
Settings settle(const BuildOptions& options, const Catalog& catalog);

/// What the build would fetch, from where, and what it would write; no network.
std::string plan_text(const Settings& settings, const BuildOptions& options,
                      const Catalog& catalog);

}  // namespace kbundle
