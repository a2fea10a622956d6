// Whether a master's member may leave the stacked etcd cluster.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace kbundle {

/// A member that votes.
struct EtcdVoter {
  std::string id;       ///< decimal
  std::string name;     ///< kubeadm's: the node's; empty: it was added and has never started
  std::string address;  ///< the master's
  bool own = false;     ///< this node's
  bool answers = false;
};

struct QuorumTrouble {
  std::string what;
  std::string next;  ///< what to do about it
};

/// Why this node's member must not be taken out: the cluster cannot do it any more, or fewer
/// members would answer than the others need to agree. nullopt: it may.
std::optional<QuorumTrouble> quorum_trouble(const std::vector<EtcdVoter>& voters);

}  // namespace kbundle
