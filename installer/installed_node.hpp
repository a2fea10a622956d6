// What a node is, for the verbs that work on one that was installed: its receipt, and what the
// journal knows of the choices made then. Nothing has to be said again on the command line.
#pragma once

#include <string>

#include "installer/host.hpp"
#include "installer/install.hpp"
#include "installer/journal.hpp"
#include "installer/receipt.hpp"

namespace kbundle {

/// Error{preflight} when kbundle did not install this host (or its receipt was cut by a power
/// loss); `verb` is named.
Receipt installed_receipt(const Host& host, const std::string& verb);

/// The options that give a Context the node as it is. The ticket and the user's kubeadm documents
/// are not needed any more: the cluster holds what they said.
InstallOptions installed_options(const Receipt& receipt, const Journal& journal);

/// Absolute path of a program that was installed ("kubectl"). Error{preflight} when it is not
/// there, or not as it was: nothing else of that name is run.
std::string installed_program(const Host& host, const Receipt& receipt,
                              const std::string& component);

/// Whether the program at `path` is the one the receipt tells of.
bool is_installed_program(const Host& host, const Receipt& receipt, const std::string& path);

}  // namespace kbundle
