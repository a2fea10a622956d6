// `kbundle restore-etcd`: the cluster's data as a backup has it. Never done by an upgrade itself.
#pragma once

#include <functional>
#include <ostream>
#include <string>

#include "core/progress.hpp"

namespace kbundle {

struct RestoreEtcdOptions {
  std::string backup;  ///< a folder below /var/lib/kbundle/backup, or its name there
  bool yes = false;
  bool several_masters = false;                              ///< though etcd has other members
  std::function<bool(const std::string& question)> confirm;  ///< empty: nobody to ask
};

/// Throws Error: usage (2), preflight (3), verification (4), busy (7), phase (8). A killed run is
/// continued by the same command.
void restore_etcd(const RestoreEtcdOptions& options, Progress& progress, std::ostream& out);

}  // namespace kbundle
