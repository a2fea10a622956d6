// What a cluster leaves on a node, by name: the one table that the snapshot looks through before an
// install and that `reset` clears. Whatever stands here and was there before the install stays.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kbundle {

namespace cluster_names {
/// Folders that the cluster fills. All in them goes but what the snapshot found there.
const std::vector<std::string>& folders();
/// flannel's CNI plugin, which its own pods put there from flannel 0.15 on.
inline constexpr const char* flannel_plugin = "/opt/cni/bin/flannel";
/// Single files in folders that belong to the host.
const std::vector<std::string>& files();
/// Folders of a container runtime that came from the bundle; they go as a whole, or stay.
const std::vector<std::string>& runtime_folders();
/// Folders that others use, too: they go when they are empty and were not there before. Inner ones
/// first.
const std::vector<std::string>& shared_folders();
/// Mounts at or below these are the cluster's.
const std::vector<std::string>& mount_folders();
/// Network interfaces.
const std::vector<std::string>& interfaces();
/// Network namespaces of pods begin with it.
inline constexpr std::string_view netns_prefix = "cni-";
/// iptables' chains and ipsets.
bool is_chain(std::string_view chain);
/// Kernel parameters that the kubelet and kube-proxy set.
const std::vector<std::string>& sysctls();
/// nftables' tables ("ip kube-proxy").
const std::vector<std::string>& nft_tables();
}  // namespace cluster_names

/// Whether a path lies in (or is) one of cluster_names::folders().
bool is_cluster_file(std::string_view path);
/// Whether a path is kbundle's own (/var/lib/kbundle, /run/kbundle).
bool is_own_file(std::string_view path);
/// Whether `path` is `folder` or lies below it.
bool is_at_or_below(std::string_view path, std::string_view folder);

}  // namespace kbundle
