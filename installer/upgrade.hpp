// `kbundle upgrade`: takes an installed node to the bundle's Kubernetes version.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "bundles/trust.hpp"
#include "core/progress.hpp"

namespace kbundle {

/// What the node is comes from its receipt and is not said here.
struct UpgradeOptions {
  /// Empty: the only *.tar.zst bundle in the current folder or beside the executable.
  std::filesystem::path bundle;
  TrustOptions trust;
  bool images_only = false;            ///< load the new images and change nothing else
  bool dry_run = false;                ///< print the plan, change nothing
  bool drain = false;                  ///< move the node's pods away while its kubelet changes
  bool ignore_missing_images = false;  ///< go on though other nodes lack the new images
  bool restart_runtime = false;        ///< even when it runs containers that are not Kubernetes'
  bool allow_downgrade = false;        ///< accept an older serial of the same line
  std::vector<std::string> ignore_preflight_errors;  ///< finding ids, handed to kubeadm too
};

/// Throws Error: preflight (3), verification (4), busy (7), phase (8), interrupted (130). Running
/// the same command again continues a run that was stopped at any point.
void upgrade(const UpgradeOptions& options, Progress& progress, std::ostream& out);

}  // namespace kbundle
