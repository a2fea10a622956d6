// From resolved images and files to the signed list of everything, and to the file.
#pragma once

#include <string>
#include <vector>

#include "builder/cni.hpp"
#include "builder/programs.hpp"
#include "builder/resolve.hpp"
#include "builder/settings.hpp"
#include "bundles/inventory.hpp"

namespace kbundle {

/// Everything that a build settled on, in the order it is listed.
struct Resolved {
  std::vector<ResolvedImage> images;
  std::vector<ResolvedFile> files;
  ResolvedCni cni;
  Lock lock;
};

/// Nothing of this host, of the time, or of where bytes came from enters it: what is not in the
/// images and files is the lock's. Offsets, frames and head_size are left to write_bundle().
Inventory make_inventory(const Settings& settings, const Resolved& resolved,
                         const BlobStore& store);

/// Error{verification} unless the set is closed: every image that kubeadm asks for and that the
/// network manifest in the store names is there for each platform, every program too, and every
/// blob is in the store. Derived anew, not from what the build meant to fetch.
void check_closed(const Settings& settings, const Catalog& catalog, const Inventory& inventory,
                  const BlobStore& store);

/// What the bundle will take at least: layers do not shrink, programs to a fifth at best.
std::uint64_t least_bundle_size(const Inventory& inventory);

}  // namespace kbundle
