// `kbundle reset`: takes a node out of its cluster and makes the host what it was before the
// install, by the undo records, the snapshot and the names a cluster uses. It works on what any
// install left, also one that was killed, and may be killed and run again itself.
#pragma once

#include <functional>
#include <ostream>
#include <string>

#include "core/progress.hpp"

namespace kbundle {

struct ResetOptions {
  bool yes = false;  ///< do not ask
  bool dry_run = false;
  bool keep_images = false;
  bool restart_runtime = false;  ///< even when it runs containers that are not Kubernetes'
  /// Go on where quorum would be lost, where there is no snapshot, and end although something was
  /// left.
  bool force = false;
  /// Asks on a terminal and returns what was typed; absent without one.
  std::function<std::string(const std::string& question)> ask;
};

/// Throws Error: usage without a confirmation, preflight (3) when it would cost the cluster's
/// quorum, busy (7), phase (8) with a list of what was left.
void reset(const ResetOptions& options, Progress& progress, std::ostream& out);

}  // namespace kbundle
