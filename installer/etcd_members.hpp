// The members of the cluster's etcd, asked through etcd's own JSON interface with the certificates
// that a master has: it answers a list of members even when the cluster has lost its quorum and no
// API server answers any more, and no etcdctl has to be there.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.hpp"
#include "installer/context.hpp"

namespace kbundle {

struct EtcdPeer {
  std::string id;    ///< decimal
  std::string name;  ///< empty: it was added, and has never started
  std::string peer_url;
  bool learner = false;  ///< follows, and does not vote yet
  bool started() const { return !name.empty(); }
};

/// Of the text that /v3/cluster/member/list answers; Error{phase} when it is no such text.
std::vector<EtcdPeer> parse_etcd_peers(std::string_view text);

/// "https://10.0.0.11:2380", as kubeadm names the member of a master.
std::string etcd_peer_url(const std::string& address);
/// "10.0.0.11" of a peer's URL; IPv6 without its brackets.
std::string etcd_address(const std::string& peer_url);

/// As the etcd at an address knows them, without asking the others; nullopt when it does not
/// answer.
std::optional<std::vector<EtcdPeer>> etcd_peers(const Context& context, const std::string& address);
/// Whether the etcd at an address says that it is healthy, which takes a quorum.
bool etcd_is_healthy(const Context& context, const std::string& address);
/// Takes a member out. Error{phase} when the cluster refuses.
void remove_etcd_peer(const Context& context, const std::string& address, const EtcdPeer& member);

/// The static pod of a joining member, made from another master's as the API server shows it: what
/// kubeadm writes, kept for the case that it is killed between telling the others of the member
/// and writing it. `members` are the others and the new one.
Json joining_etcd_pod(const Json& other, const std::string& other_address,
                      const std::string& own_address, const std::string& own_name,
                      const std::vector<EtcdPeer>& members);
/// Writes the list of members into such a pod's command line.
void set_initial_cluster(Json& pod, const std::string& own_address, const std::string& own_name,
                         const std::vector<EtcdPeer>& members);

}  // namespace kbundle
