// The files of containerd's configuration on a node: read as containerd reads them, changed with a
// way back.
#pragma once

#include <string>
#include <vector>

#include "installer/host.hpp"
#include "installer/runtimes/containerd_config.hpp"

namespace kbundle {

inline constexpr const char* kContainerdConfig = "/etc/containerd/config.toml";

/// config.toml and what it imports, in the order in which containerd reads them. Empty when there
/// is no config.toml. A file that is imported by its name and not there is left out. A relative
/// pattern begins at the file's folder (`relative_globs`, containerd 1.7), before at /.
std::vector<ContainerdFile> read_containerd_files(const Host& host, bool relative_globs);

/// Where a file of the configuration is kept as it was before kbundle first changed it: beside
/// config.toml; under /var/lib/kbundle/backup for imported ones, which `imports` might match.
std::string containerd_backup(const std::string& path);

/// A change of the configuration that can be taken back until it is confirmed, also after a kill.
class ContainerdChange {
 public:
  explicit ContainerdChange(const Host& host) : host_(host) {}
  /// Notes the files as they are, then writes. May be called again before confirm(): what was
  /// noted first stays.
  void write(const std::vector<ContainerdEdit>& edits) const;
  /// A change was written and neither confirmed nor taken back.
  bool open() const;
  void confirm() const;
  /// Puts the noted files back byte for byte; a file that was not there is removed.
  void take_back() const;

 private:
  const Host& host_;
};

}  // namespace kbundle
