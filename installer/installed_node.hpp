// A node that kbundle has installed, as its receipt and journal tell: what the verbs that come
// after an install start from. Nothing has to be said again on the command line.
#pragma once

#include <string>

#include "core/progress.hpp"
#include "installer/context.hpp"
#include "installer/host.hpp"
#include "installer/install.hpp"
#include "installer/journal.hpp"
#include "installer/receipt.hpp"

namespace kbundle {

/// Error{preflight}: this host was not installed by kbundle, or not to the end, a reset was begun,
/// or the receipt was cut by a power loss. `verb` needs it.
Receipt installed_receipt(const Host& host, const Journal& journal, const std::string& verb);

/// The options that give a Context the node as it is. The ticket and the user's kubeadm documents
/// are not needed any more: the cluster holds what they said.
InstallOptions installed_options(const Receipt& receipt, const Journal& journal);

/// Absolute path of a program that was installed ("kubectl"). Error{preflight} when it is not
/// there, or not as it was: nothing else of that name is run.
std::string installed_program(const Host& host, const Receipt& receipt,
                              const std::string& component);

/// Whether the program at `path` is the one the receipt tells of.
bool is_installed_program(const Host& host, const Receipt& receipt, const std::string& path);

/// "kbundle install BUNDLE --role master --node-ip …" for people, from what the journal keeps. The
/// user's own documents and join tickets are named, not known.
std::string install_command(const PlanRecord& plan);

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
