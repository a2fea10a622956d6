// containerd's config.toml and the files it imports: what Kubernetes needs in them, everything else
// kept. Layouts: version 1 (no `version` key), 2 (containerd 1.3 to 1.7), 3 (2.0 to 2.2), 4 (2.3).
// https://github.com/containerd/containerd/blob/main/docs/cri/config.md
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kbundle {

/// What a configuration says about the things kbundle must know.
struct ContainerdSettings {
  int version = 1;
  bool cri_disabled = false;
  std::string sandbox_image;              ///< empty: containerd's default
  std::string cni_bin_dir, cni_conf_dir;  ///< empty: /opt/cni/bin, /etc/cni/net.d
  bool systemd_cgroup = false;            ///< of the runtime that pods get by default
  std::string snapshotter;                ///< empty: overlayfs
  std::string root;                       ///< empty: /var/lib/containerd
  std::string address;                    ///< of the socket; empty: the default
  std::string registry_config_path;       ///< where hosts.toml files are; empty: nowhere
};

/// Error{preflight} naming `what` and the line when it is not TOML or of an unknown version.
ContainerdSettings read_containerd_config(std::string_view toml, const std::string& what);

/// A file of the configuration, as containerd reads it.
struct ContainerdFile {
  std::string path;
  std::string text;
};

struct ContainerdWish {
  std::string sandbox_image;
  std::string cni_bin_dir = "/opt/cni/bin";
  std::string cni_conf_dir = "/etc/cni/net.d";
  /// Set where neither it nor registry.mirrors or .configs are there, which containerd refuses
  /// beside it. Empty: left alone (containerd before 1.5).
  std::string registry_config_path{};
  /// containerd 2 merges the files key by key. Before, the section of a plugin in a later file
  /// takes the place of the whole section in an earlier one.
  bool merges_keys = false;
};

/// A file that has to change.
struct ContainerdEdit {
  std::string path;
  std::string text;                  ///< the new content; comments are lost
  std::vector<std::string> changes;  ///< for people: "sandbox_image = \"k8s.gcr.io/pause:3.2\""
};

/// `files`: config.toml first, then what is imported, in the order in which containerd reads them
/// (later files win). Each setting is changed where it counts. Empty: all is as wished.
/// Error{preflight} as above.
std::vector<ContainerdEdit> merge_containerd_config(const std::vector<ContainerdFile>& files,
                                                    const ContainerdWish& wish);

}  // namespace kbundle
