// `kbundle repair`: puts back what a node has lost of its bundle, by the install's own phases: the
// host's settings, programs, the runtime, images. kubeadm's part is not touched.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>

#include "bundles/trust.hpp"
#include "core/progress.hpp"

namespace kbundle {

struct RepairOptions {
  /// The bundle the node was installed from; empty: the kept one, or as install finds it.
  std::filesystem::path bundle;
  TrustOptions trust;
  bool swapoff = false;
  bool restart_runtime = false;
};

/// Error{preflight} when the bundle is not the receipt's, or an install has not come to its end.
void repair(const RepairOptions& options, Progress& progress, std::ostream& out);

/// Keeps a checked copy of the bundle and kbundle itself on the host, trusts the bundle's key, and
/// has systemd run `repair` every so often ("1h").
void install_repair_timer(const RepairOptions& options, const std::string& span, Progress& progress,
                          std::ostream& out);
/// Removes the timer and the kept bundle.
void remove_repair_timer(std::ostream& out);

}  // namespace kbundle
