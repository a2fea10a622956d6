// Room on disks, asked for before work begins.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace kbundle {

struct DiskNeed {
  std::filesystem::path folder;  ///< exists
  std::uint64_t bytes = 0;
  std::string what;  ///< "the cache", "the bundle"
};

/// Error{disk} naming need and have, when a file system has less room than everything that goes
/// there needs: folders on the same one are added up.
void check_room(const std::vector<DiskNeed>& needs);

/// Error{disk} when no file can be made in `folder` (read-only, no rights).
void check_writable(const std::filesystem::path& folder);

}  // namespace kbundle
