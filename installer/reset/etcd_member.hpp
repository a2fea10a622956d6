// A master's member of the stacked etcd cluster.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kbundle {

struct EtcdMember {
  std::string name;  ///< kubeadm's: the node's name
  bool healthy = false;
};

/// From `kubectl -n kube-system get pods -l component=etcd -o json`: each member is a static pod.
/// Error{verification} when it is not that.
std::vector<EtcdMember> etcd_members(std::string_view pods_json);

/// Why `name` must not be taken out: fewer members would answer than the others need to agree.
/// Empty: it may.
std::string quorum_trouble(const std::vector<EtcdMember>& members, const std::string& name);

}  // namespace kbundle
