// The node's programs: release files, held against their published sums, taken apart into the
// files that install will place.
#pragma once

#include <string>
#include <vector>

#include "bundles/inventory.hpp"
#include "core/progress.hpp"
#include "manifests/catalog.hpp"
#include "manifests/lock.hpp"
#include "registry/fetcher.hpp"

namespace kbundle {

struct ResolvedFile {
  LockedFile locked;
  std::string from;      ///< the place, or "cache"
  std::string sum_from;  ///< where the published sum was read; empty without one
  std::vector<FileRecord> records;
};

/// Fetches one release file and takes out what the catalog names. With `locked`, its URL and digest
/// count and no sum is asked for. Without a published sum the digest is recorded as it came, with
/// a warning.
ResolvedFile fetch_program(Fetcher& fetcher, const DownloadFacts& facts,
                           const std::string& architecture, const LockedFile* locked,
                           Progress& progress);

/// Where a member of the archive goes: the catalog's rule for it, or an empty path. Patterns take
/// executables only ("*" also meets a LICENSE).
std::string install_path(const std::vector<DownloadFacts::Member>& rules, const std::string& member,
                         bool executable);

}  // namespace kbundle
