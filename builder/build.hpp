// Builds a bundle: resolve names to digests, fetch into the cache, check that the set is closed,
// pack, sign, and read back before anything is published.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/progress.hpp"
#include "registry/client.hpp"
#include "registry/mirrors.hpp"

namespace kbundle {

class Upstream;

struct BuildOptions {
  std::string version;                     ///< "v1.18.2"
  std::filesystem::path output_dir = ".";  ///< made when it is missing
  std::vector<std::string> architectures;  ///< empty: the lock's, else this host's; {"all"}
  std::string cni = "flannel";             ///< flannel, none, or a manifest file
  std::vector<std::string> without;        ///< components left out: "crictl", …
  std::vector<std::string> with;           ///< optional components: "cri-dockerd"
  std::vector<std::string> extra_images;
  bool referrers = false;  ///< signatures, SBOMs and the like come along; with a lock: the lock's
  Mirrors mirrors;
  std::optional<std::filesystem::path> lock_file;  ///< nothing else than its digests passes
  std::filesystem::path sign_key;   ///< empty: $XDG_CONFIG_HOME or ~/.config /kbundle/signing.key
  std::filesystem::path cache_dir;  ///< empty: $XDG_CACHE_HOME or ~/.cache /kbundle
  TransportOptions transport;
  bool dry_run = false;                   ///< resolves names only; touches neither network nor disk
  std::size_t parallel = 4;               ///< downloads at once
  std::filesystem::path site_executable;  ///< empty: kbundle-static beside this executable
};

struct BuildReport {
  std::string plan;              ///< of a dry run; everything else is empty then
  std::filesystem::path bundle;  ///< the file
  std::string id;                ///< "sha256:…" of the bundle
  std::uint64_t size = 0;        ///< bytes
  std::string line;
  std::uint64_t serial = 0;
  std::size_t images = 0;
  std::size_t not_compared = 0;  ///< of these, images whose digest is a mirror's word alone
  std::size_t files = 0;         ///< programs and manifests that install will place
  std::uint64_t fetched = 0;     ///< bytes that came over the network
  std::chrono::milliseconds elapsed{0};
  std::string key_fingerprint;
  std::filesystem::path new_key;  ///< where a signing key was made in this run; or empty
  bool has_site_executable = false;

  /// For standard output.
  std::string summary() const;
};

/// Leaves in output_dir: the bundle, bundle.lock, kbundle.pub, kbundle (static), SHA256SUMS and its
/// signature, and the bundle's report.json. Throws Error: usage (version, flags, lock that does not
/// fit), network, verification, disk, busy (the cache is in use), interrupted. Running it again
/// continues with what the cache holds.
BuildReport build(const BuildOptions& options, Progress& progress);
/// With another source of bytes, for tests.
BuildReport build(const BuildOptions& options, Progress& progress, Upstream& upstream);

}  // namespace kbundle
