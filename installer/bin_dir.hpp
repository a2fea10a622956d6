// --bin-dir: where the bundle's programs go when /usr cannot be written. What the bundle puts below
// /usr goes there by its name alone; /opt/cni/bin stays, where every runtime looks for it.
#pragma once

#include <string>
#include <string_view>

#include "bundles/inventory.hpp"
#include "installer/host.hpp"
#include "installer/install.hpp"

namespace kbundle {

/// The option's, or else what the install on this node was given (its receipt); empty: the bundle's
/// own paths.
std::string chosen_bin_dir(const Host& host, const InstallOptions& options);

/// `path` as it is with this folder for programs.
std::string relocated(const std::string& path, const std::string& bin_dir);
/// The inventory with its files where they go on this node. Error{usage} for a folder that is no
/// absolute path.
Inventory relocated(Inventory inventory, const std::string& bin_dir);

/// A unit's text with its programs' paths changed, and the folder in its PATH.
std::string relocated_unit(std::string_view text, const std::string& bin_dir);

}  // namespace kbundle
