// containerd's config.toml: what Kubernetes needs in it, everything else kept.
// Layouts: version 1 (no `version` key), 2 (containerd 1.3 to 1.7), 3 (containerd 2.x).
// https://github.com/containerd/containerd/blob/main/docs/cri/config.md
#pragma once

#include <optional>
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
  bool systemd_cgroup = false;
  std::string snapshotter;  ///< empty: overlayfs
  std::string root;         ///< empty: /var/lib/containerd
  std::string address;      ///< of the socket; empty: the default
  std::vector<std::string> imports;
};

/// Error{preflight} naming `what` and the line when it is not TOML or of an unknown version.
ContainerdSettings read_containerd_config(std::string_view toml, const std::string& what);

struct ContainerdWish {
  std::string sandbox_image;
  std::string cni_bin_dir = "/opt/cni/bin";
  std::string cni_conf_dir = "/etc/cni/net.d";
};

struct ContainerdMerge {
  bool changed = false;
  std::string text;                  ///< the new file; only when changed
  std::vector<std::string> changes;  ///< for people
};
ContainerdMerge merge_containerd_config(std::string_view toml, const ContainerdWish& wish,
                                        const std::string& what);

}  // namespace kbundle
