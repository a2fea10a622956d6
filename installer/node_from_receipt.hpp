// A node that kbundle has installed, as its receipt and journal tell: what the verbs that come
// after an install (status, repair, support-bundle) start from instead of options and a bundle.
#pragma once

#include <optional>
#include <string>

#include "core/progress.hpp"
#include "installer/context.hpp"
#include "installer/host.hpp"
#include "installer/install.hpp"
#include "installer/journal.hpp"
#include "installer/receipt.hpp"

namespace kbundle {

/// The receipt's content in the shape of a bundle's inventory: files, images with their blobs, CNI.
Inventory inventory_of(const Receipt& receipt, const Platform& platform);
/// The options that an install of this node would have now, without trust and join flags.
InstallOptions options_of(const Receipt& receipt);
/// "kbundle install BUNDLE --role master --node-ip …" for people, from what the journal keeps. The
/// user's own documents and join tickets are named, not known.
std::string install_command(const PlanRecord& plan);
/// Error{preflight}: this host was not installed by kbundle, or not to the end. `verb` needs it.
Receipt require_receipt(const Host& host, const Journal& journal, const std::string& verb);

/// The phases' Context for such a node. Members refer to each other: it stays where it is.
struct InstalledNode {
  /// With `bundle` its inventory is used, otherwise the receipt's. Changes nothing.
  InstalledNode(Receipt receipt_, Host& host_, Progress& progress, const Journal& journal,
                const Bundle* bundle = nullptr);
  InstalledNode(const InstalledNode&) = delete;
  InstalledNode& operator=(const InstalledNode&) = delete;

  Receipt receipt;
  InstallOptions options;
  Inventory inventory;
  Context context;
};

}  // namespace kbundle
